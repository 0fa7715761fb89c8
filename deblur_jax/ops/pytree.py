"""Dataclasses of arrays that pass through JAX's transformations, `jax.export` and flax's files."""

import dataclasses
import json
from typing import Any, TypeVar

import jax
from flax import serialization
from jax import export


Class = TypeVar("Class", bound=type)


def register(cls: Class) -> Class:
    """Registers a frozen dataclass as a pytree that can also be serialized.

    Fields with the metadata `{"static": True}` are part of the tree's structure and must be
    strings, numbers, booleans or None; all other fields are arrays or pytrees. Use the function as
    a decorator above `dataclasses.dataclass`. Then

        jax.export.export(function)(blur, photo).serialize()    `function` takes or returns it
        flax.serialization.to_bytes(blur)                       the fields, by name

    work as for any other pytree.
    """
    jax.tree_util.register_dataclass(cls)
    export.register_pytree_node_serialization(
        cls,
        serialized_name=f"deblur_jax.{cls.__name__}",
        serialize_auxdata=lambda static: json.dumps(static).encode(),
        deserialize_auxdata=lambda text: tuple(json.loads(text)),
    )
    serialization.register_serialization_state(cls, _to_state, _from_state)
    return cls


def _arrays(value: Any) -> list[str]:
    """Returns the names of the fields that are not static."""
    return [x.name for x in dataclasses.fields(value) if not x.metadata.get("static")]


def _to_state(value: Any) -> dict[str, Any]:
    return {name: serialization.to_state_dict(getattr(value, name)) for name in _arrays(value)}


def _from_state(value: Any, state: dict[str, Any]) -> Any:
    """Returns `value` with the arrays of `state`; its static fields stay."""
    if state.keys() != set(_arrays(value)):
        raise ValueError(
            f"{type(value).__name__}: expected the fields {_arrays(value)}, got {sorted(state)}; "
            "read the bytes into the class that wrote them"
        )
    restored = {
        name: serialization.from_state_dict(getattr(value, name), array, name=name)
        for name, array in state.items()
    }
    return dataclasses.replace(value, **restored)
