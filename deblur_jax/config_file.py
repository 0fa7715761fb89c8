"""Config files: Python files whose `get_config([variant])` returns a `ConfigDict`."""

import ast
import importlib.util
from collections.abc import Iterable
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


def set_fields(config: Any, changes: Iterable[str]) -> None:
    """Sets fields of a config, as the tools' command lines name them.

    Args:
        config: a `ConfigDict`; it is changed.
        changes: such as `source.folder=PHOTOS` or `batches.workers=2`.

    Raises:
        ValueError: if there is no such field, or it holds something else than such a value.
    """
    for change in changes:
        path, equals, text = change.partition("=")
        *groups, name = path.split(".")
        try:
            place = config
            for group in groups:
                place = place[group]
            before = place[name]
        except (KeyError, TypeError):
            raise ValueError(f"no such field {path}; see the config file") from None
        try:
            place[name] = text if isinstance(before, str) and equals else ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError):
            raise ValueError(f"{path} must be like {before!r}, got {text!r}") from None
