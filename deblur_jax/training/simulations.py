"""The simulations of `simulate.training_sets` by the names that configs use."""

from collections.abc import Callable
from typing import Any

from deblur_jax.simulate.training_sets import (
    Simulate,
    make_averaged,
    make_developed,
    make_interpolated,
    make_scene_blur,
    make_segment_blur,
    make_uniform_blur,
)


SIMULATIONS: dict[str, Callable[..., Any]] = {
    "averaged": make_averaged,
    "developed": make_developed,
    "interpolated": make_interpolated,
    "scenes": make_scene_blur,
    "segments": make_segment_blur,
    "uniform": make_uniform_blur,
}


def make_simulate(*, name: str, **options: Any) -> Simulate:
    """Return the simulation called `name`, see `simulate.training_sets`.

    Args:
        name: `scenes` moves photos in front of each other, and takes groups of them; `segments`
            blurs objects and background by kernels of their own; `uniform` blurs a photo by one
            kernel; `averaged` takes frames of a fast camera, `interpolated` two frames and the
            motion between them, `developed` pairs that are blurry already.
        **options: the arguments of its maker.

    Raises:
        ValueError: if there is no such simulation.
    """
    if name not in SIMULATIONS:
        raise ValueError(f"simulate.name must be one of {sorted(SIMULATIONS)}, got {name!r}")
    return SIMULATIONS[name](**options)
