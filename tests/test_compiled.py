"""Compiled programs are kept where the user says."""

import os

import jax

from deblur_jax.compiled import compile_quickly, keep_compiled_programs


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


def test_a_level_of_optimisation_that_is_given_stays(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_a=1")
    compile_quickly()
    compile_quickly()
    assert os.environ["XLA_FLAGS"] == "--xla_a=1 --xla_backend_optimization_level=1"
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=3")
    compile_quickly()
    assert os.environ["XLA_FLAGS"] == "--xla_backend_optimization_level=3"
