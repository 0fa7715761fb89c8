"""Config files: Python files whose `get_config([variant])` returns a `ConfigDict`."""

import importlib.util
from pathlib import Path
from typing import Any


def load_config(name: str) -> Any:
    """Returns the `ConfigDict` of a file.

    Args:
        name: the file's path, with an optional `:variant`.

    Raises:
        FileNotFoundError: if there is no such file; the message lists the configs at hand.
        ValueError: if it is not a Python file that defines `get_config`, or has no such variant.
    """
    file, _, variant = name.partition(":")
    if not Path(file).is_file():
        found = sorted(str(config) for config in Path("configs").glob("*.py"))
        raise FileNotFoundError(
            f"--config {file}: no such file; configs here: {', '.join(found) or 'none'}"
        )
    spec = importlib.util.spec_from_file_location("config_file", file)
    if spec is None or spec.loader is None:
        raise ValueError(f"--config {file}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "get_config"):
        raise ValueError(f"--config {file}: it defines no get_config(variant)")
    return module.get_config(*[variant] if variant else [])
