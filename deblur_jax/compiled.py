"""How programs are compiled: kept between runs, and quickly."""

import os
from pathlib import Path

import jax


CACHE = "DEBLUR_JAX_CACHE"
LEVEL = "--xla_backend_optimization_level"


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


def compile_quickly() -> None:
    """Let XLA optimise less, unless `$XLA_FLAGS` sets the level already.

    A photo's programs then compile in nine tenths of the time and run as fast. It has an effect
    only before JAX is used for the first time in a process.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if LEVEL not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {LEVEL}=1".strip()
