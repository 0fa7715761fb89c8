"""Starting a run from trained weights: every module of the network that fits takes its arrays."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict

from deblur_jax.pretrained import load


Path = tuple[str, ...]
Flat = dict[Path, Any]
LISTED = 4  # modules in a message


def start_from(variables: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a network's variables with those of trained weights where they fit; print which.

    A module fits if all of its own arrays are in the file with the same shapes. The file may also
    hold a part of the network (a motion estimator for a network that contains one) or the network
    as a part of another one: the alignment in which most parameters fit is used.

    Args:
        variables: the network's initial variables, `{"params": ..., ...}`.
        name: the name of shipped weights or the path of a `.safetensors` file.

    Raises:
        FileNotFoundError: if there are no such weights.
        ValueError: if no module fits.
    """
    network = load(name)
    ours: Flat = flatten_dict(variables)
    theirs: Flat = flatten_dict(network.variables)
    found = [
        (here, _fitting(ours, theirs, here, there)) for here, there in _alignments(ours, theirs)
    ]
    place, taken = max(found, key=lambda each: sum(x.size for x in each[1].values()))
    if not taken:
        raise ValueError(
            f"init.weights: {name} holds a {type(network.model).__name__}, and none of its modules "
            "fits the network of config.model; give weights of that network, or set its widths"
        )
    if not jax.process_index():
        print(f"{name}: {_in_words(ours, taken, place)}", flush=True)
    copies = {path: jnp.array(x, ours[path].dtype) for path, x in taken.items()}
    return unflatten_dict({**ours, **copies})


def _alignments(ours: Flat, theirs: Flat) -> Iterator[tuple[Path, Path]]:
    """Yield pairs of subtrees, one of the network and one of the file, to compare."""
    yield (), ()
    yield from (((name,), ()) for name in dict.fromkeys(path[1] for path in ours))
    yield from (((), (name,)) for name in dict.fromkeys(path[1] for path in theirs))


def _fitting(ours: Flat, theirs: Flat, here: Path, there: Path) -> Flat:
    """Return the file's arrays for each module that fits, by their paths in the network."""
    moved = {}
    for path, array in theirs.items():
        collection, inside = path[0], path[1:]
        if inside[: len(there)] == there:
            moved[(collection, *here, *inside[len(there) :])] = array
    modules: dict[Path, list[Path]] = {}
    for path in ours:
        modules.setdefault(path[:-1], []).append(path)
    fitting = [
        paths
        for paths in modules.values()
        if all(path in moved and moved[path].shape == ours[path].shape for path in paths)
    ]
    return {path: moved[path] for paths in fitting for path in paths}


def _in_words(ours: Flat, taken: Flat, place: Path) -> str:
    """Return a sentence on the modules that were taken, and on those that keep random values."""
    missing = list(dict.fromkeys("/".join(path[1:-1]) for path in ours if path not in taken))
    into = f" of {place[0]}" if place else ""
    counts = f"took {len(taken)} of {len(ours)} arrays{into}"
    if not missing:
        return f"{counts}: everything fitted"
    more = f" and {len(missing) - LISTED} more" if len(missing) > LISTED else ""
    return f"{counts}; these modules start at random: {', '.join(missing[:LISTED])}{more}"
