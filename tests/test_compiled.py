"""Compiled programs are kept where the user says."""

import jax

from deblur_jax.compiled import keep_compiled_programs


def test_the_compilation_cache_is_where_the_variable_says(tmp_path, monkeypatch):
    before = jax.config.jax_compilation_cache_dir
    try:
        jax.config.update("jax_compilation_cache_dir", None)
        monkeypatch.setenv("DEBLUR_JAX_CACHE", "")
        keep_compiled_programs()
        assert jax.config.jax_compilation_cache_dir is None
        monkeypatch.setenv("DEBLUR_JAX_CACHE", str(tmp_path / "programs"))
        keep_compiled_programs()
        assert jax.config.jax_compilation_cache_dir == str(tmp_path / "programs")
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
