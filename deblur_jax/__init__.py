"""Estimate spatially varying motion blur, and undo it, in JAX.

Every public name is loaded from the file that defines it when it is first used, so that
`import deblur_jax` loads jax and numpy only. Everything else is imported from its own module.
"""

import importlib
from typing import TYPE_CHECKING, Any

import jax as _jax  # noqa: F401
import numpy as _np  # noqa: F401

from deblur_jax.version import __version__


if TYPE_CHECKING:  # the same names, for editors and type checkers; a test compares both lists
    from deblur_jax.deblurring import Result as Result
    from deblur_jax.deblurring import deblur as deblur
    from deblur_jax.estimate import estimate_blur as estimate_blur
    from deblur_jax.metrics import psnr as psnr
    from deblur_jax.metrics import ssim as ssim
    from deblur_jax.ops.basis_blur import basis_blur as basis_blur
    from deblur_jax.ops.line_blur import line_blur as line_blur
    from deblur_jax.ops.linear import adjoint as adjoint
    from deblur_jax.ops.operators import BasisBlur as BasisBlur
    from deblur_jax.ops.operators import LineBlur as LineBlur
    from deblur_jax.ops.operators import WindowedBlur as WindowedBlur
    from deblur_jax.ops.sensor import to_display as to_display
    from deblur_jax.ops.sensor import to_light as to_light
    from deblur_jax.ops.sharded import sharded_basis_blur as sharded_basis_blur
    from deblur_jax.pretrained import load as load
    from deblur_jax.pretrained import load_denoiser as load_denoiser
    from deblur_jax.pretrained import load_mixture as load_mixture
    from deblur_jax.restoration import restore as restore
    from deblur_jax.restore_video import deblur_video as deblur_video
    from deblur_jax.simulate.camera_flow import camera_flow as camera_flow
    from deblur_jax.simulate.shake_kernels import shake_kernel as shake_kernel
    from deblur_jax.solvers.epll import epll as epll
    from deblur_jax.solvers.plug_and_play import plug_and_play as plug_and_play
    from deblur_jax.solvers.richardson_lucy import richardson_lucy as richardson_lucy
    from deblur_jax.solvers.schedules import zhang_sigmas as zhang_sigmas
    from deblur_jax.solvers.steepest_descent import steepest_descent as steepest_descent
    from deblur_jax.solvers.tiles import restore_tiled as restore_tiled
    from deblur_jax.solvers.total_variation import (
        denoise_total_variation as denoise_total_variation,
    )

_MODULES = {
    # A blurred photo in, a sharp one out.
    "deblur": "deblurring",
    "Result": "deblurring",
    "deblur_video": "restore_video",
    # The two halves: which blur, and undo it.
    "estimate_blur": "estimate",
    "restore": "restoration",
    "restore_tiled": "solvers.tiles",
    # Blur: functions, operators, and several devices.
    "basis_blur": "ops.basis_blur",
    "line_blur": "ops.line_blur",
    "BasisBlur": "ops.operators",
    "LineBlur": "ops.operators",
    "WindowedBlur": "ops.operators",
    "adjoint": "ops.linear",
    "sharded_basis_blur": "ops.sharded",
    # The values of files and the light in which blur adds up.
    "to_light": "ops.sensor",
    "to_display": "ops.sensor",
    # Solvers, their priors and noise levels.
    "plug_and_play": "solvers.plug_and_play",
    "steepest_descent": "solvers.steepest_descent",
    "epll": "solvers.epll",
    "richardson_lucy": "solvers.richardson_lucy",
    "denoise_total_variation": "solvers.total_variation",
    "load_denoiser": "pretrained",
    "load_mixture": "pretrained",
    "zhang_sigmas": "solvers.schedules",
    # Trained networks.
    "load": "pretrained",
    # Random blur for training and tests.
    "camera_flow": "simulate.camera_flow",
    "shake_kernel": "simulate.shake_kernels",
    # Scores.
    "psnr": "metrics",
    "ssim": "metrics",
}

__all__ = ["__version__", *_MODULES]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'deblur_jax' has no attribute {name!r}")
    return getattr(importlib.import_module(f"deblur_jax.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
