"""Compiled programs, kept between runs."""

import os
from pathlib import Path

import jax


CACHE = "DEBLUR_JAX_CACHE"


def keep_compiled_programs() -> None:
    """Cache compiled programs on disk, unless JAX has a cache folder already.

    The folder is `$DEBLUR_JAX_CACHE`, or `deblur_jax/xla` in the user's cache folder; an empty
    `$DEBLUR_JAX_CACHE` disables the cache.
    """
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = os.environ.get(CACHE, str(Path(home) / "deblur_jax" / "xla"))
    if folder and not jax.config.jax_compilation_cache_dir:  # pyright: ignore[reportAttributeAccessIssue]
        jax.config.update("jax_compilation_cache_dir", folder)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
