"""Weights in safetensors files: a tree of arrays, with a model card in the metadata."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from deblur_jax.io.files import whole_file


CARD = "card"  # the metadata entry that holds the model card as JSON


def write_weights(path: Path, variables: dict[str, Any], card: dict[str, Any]) -> None:
    """Writes a nested dict of arrays and its model card; the file appears when it is complete.

    Args:
        path: ends in `.safetensors`.
        variables: nested dicts of arrays, such as `{"params": ...}`.
        card: what the weights are; anything that JSON can hold.
    """
    data = save(dict(_flatten(variables, "")), metadata={CARD: json.dumps(card)})
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def read_weights(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the variables and the model card of a file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is cut short, or holds no model card.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; give a .safetensors file")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            flat = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path}: damaged or not a safetensors file ({error})") from None
    if CARD not in metadata:
        raise ValueError(f"{path}: holds no model card; expected weights exported by deblur_jax")
    variables: dict[str, Any] = {}
    for name, array in flat.items():
        *folders, leaf = name.split("/")
        branch = variables
        for folder in folders:
            branch = branch.setdefault(folder, {})
        branch[leaf] = array
    return variables, json.loads(metadata[CARD])


def _flatten(tree: dict[str, Any], prefix: str):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}/")
        else:
            # np.ascontiguousarray would make a vector of a scalar.
            yield prefix + name, np.asarray(value, order="C")
