"""Config files: Python files whose `get_config([variant])` returns a `ConfigDict`.

A config file holds one complete list of fields, and for each variant the fields that it changes:

    FIELDS = {"steps": 1000, "batches": {"crop": 64, ...}, ...}
    VARIANTS = {"full": {}, "smoke": {"steps": 4, "batches.crop": 48}}

    def get_config(variant="full"):
        return make_config(FIELDS, VARIANTS, variant)
"""

import ast
import difflib
import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict


def make_config(fields: Mapping[str, Any], variants: Mapping[str, Any], variant: str) -> Any:
    """Return the `ConfigDict` of a variant.

    Args:
        fields: the complete list: values and groups of values by name.
        variants: the changes of each variant, by the names that the command line uses for fields,
            such as "batches.crop". A whole group, such as "source", is replaced by another one.
        variant: which one.

    Raises:
        ValueError: if there is no such variant, or it changes a field that is not in `fields`.
    """
    if variant not in variants:
        raise ValueError(f"variant must be one of {sorted(variants)}, got {variant!r}")
    config: Any = ConfigDict(fields)
    for path, value in variants[variant].items():
        *groups, name = path.split(".")
        place: Any = config
        for group in groups:
            place = place.get(group, ConfigDict())
        if name not in place:
            raise ValueError(f"variant {variant} changes {path}, which is not in the complete list")
        place[name] = ConfigDict(value) if isinstance(value, dict) else value
    return config


def load_config(name: str) -> Any:
    """Return the `ConfigDict` of a file.

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
        raise ValueError(f"--config {file}: defines no get_config(variant)")
    return module.get_config(*[variant] if variant else [])


def check_config_flags(argv: list[str]) -> None:
    """Check the fields of a config that a command line sets, before it is parsed.

    Raises:
        FileNotFoundError: if there is no such config.
        ValueError: if it has no such field (the message suggests the nearest ones), or the value
            of a number is not a number.
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
    """Check a number, because the parser's errors name neither the field nor the type."""
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
    """Set fields of a config, as the tools' command lines name them.

    Args:
        config: a `ConfigDict`, changed in place.
        changes: such as `source.folder=PHOTOS` or `batches.workers=2`.

    Raises:
        ValueError: if there is no such field, or the value has another type.
    """
    for change in changes:
        path, equals, text = change.partition("=")
        *groups, name = path.split(".")
        try:
            place: Any = config
            for group in groups:
                place = place[group]
            before = place[name]
        except (KeyError, TypeError):
            raise ValueError(f"no such field {path}; see the config file") from None
        try:
            place[name] = text if isinstance(before, str) and equals else ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError):
            raise ValueError(f"{path} must be like {before!r}, got {text!r}") from None
