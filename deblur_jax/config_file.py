"""Config files: Python files whose `get_config([variant])` returns a `ConfigDict`."""

import ast
import difflib
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict


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


def check_config_flags(argv: list[str]) -> None:
    """Checks what a command line sets of a config, `--config.FIELD=VALUE`, before it is parsed.

    Raises:
        FileNotFoundError: if there is no such config.
        ValueError: if it has no such field (the message names the nearest), or a number's value is
            none.
    """
    path = _value_of("config", argv)
    if path is None:
        return
    known = dict(_fields(load_config(path), "config."))
    for argument in argv[1:]:
        name, _, value = argument.lstrip("-").partition("=")
        if not argument.startswith("-") or not name.startswith("config."):
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, 3, 0.5)
            hint = f"; did you mean {' or '.join('--' + other for other in near)}?" if near else ""
            raise ValueError(f"no such field --{name}{hint}")
        _check_value(name, value, known[name])


def _check_value(name: str, text: str, default: Any) -> None:
    """Numbers are checked here: their own errors name neither the field nor the type."""
    if type(default) in (int, float) and text:
        try:
            type(default)(text)
        except ValueError:
            kind = {int: "a whole number", float: "a number"}[type(default)]
            raise ValueError(f"--{name} must be {kind} like {default}, got {text!r}") from None


def _fields(config: ConfigDict, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, ConfigDict):
            yield from _fields(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _value_of(flag: str, argv: list[str]) -> str | None:
    for index, argument in enumerate(argv):
        name, equals, value = argument.partition("=")
        if name.lstrip("-") == flag and name.startswith("-"):
            return value if equals else next(iter(argv[index + 1 : index + 2]), None)
    return None


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
