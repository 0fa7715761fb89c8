"""See the motion in a blurred photo, and take it out: spatially varying motion blur in JAX.

Every public name below is loaded from the file that defines it when it is first used, so
`import deblur_jax` loads jax and numpy only.
"""

import importlib
from typing import TYPE_CHECKING

import jax as _jax  # noqa: F401  what everything here works on
import numpy as _np  # noqa: F401

from deblur_jax.version import __version__


if TYPE_CHECKING:
    from deblur_jax.metrics import psnr as psnr
    from deblur_jax.metrics import ssim as ssim
    from deblur_jax.ops.basis_blur import basis_blur as basis_blur
    from deblur_jax.ops.cost_volume import cost_volume as cost_volume
    from deblur_jax.ops.dense_blur import dense_blur as dense_blur
    from deblur_jax.ops.flow import canonical as canonical
    from deblur_jax.ops.line_blur import line_blur as line_blur
    from deblur_jax.ops.linear import adjoint as adjoint
    from deblur_jax.ops.linear import compose as compose
    from deblur_jax.ops.linear import inner as inner
    from deblur_jax.ops.linear import normal as normal
    from deblur_jax.ops.linear import operator_norm as operator_norm
    from deblur_jax.ops.low_rank import factor_grid as factor_grid
    from deblur_jax.ops.low_rank import factor_kernels as factor_kernels
    from deblur_jax.ops.operators import BasisBlur as BasisBlur
    from deblur_jax.ops.operators import LineBlur as LineBlur
    from deblur_jax.ops.sharded import sharded_basis_blur as sharded_basis_blur
    from deblur_jax.ops.spatial_rnn import spatial_rnn as spatial_rnn
    from deblur_jax.pretrained import load as load
    from deblur_jax.pretrained import load_denoiser as load_denoiser
    from deblur_jax.pretrained import load_mixture as load_mixture
    from deblur_jax.restore import deblur as deblur
    from deblur_jax.restore_video import deblur_video as deblur_video
    from deblur_jax.simulate.averaging import average_frames as average_frames
    from deblur_jax.simulate.camera_flow import camera_flow as camera_flow
    from deblur_jax.simulate.jpeg import jpeg as jpeg
    from deblur_jax.simulate.scenes import draw_scene as draw_scene
    from deblur_jax.simulate.segments import draw_segment_blur as draw_segment_blur
    from deblur_jax.simulate.shake_kernels import shake_kernel as shake_kernel
    from deblur_jax.solvers.diagnosis import diagnose as diagnose
    from deblur_jax.solvers.epll import epll as epll
    from deblur_jax.solvers.frame import saturation_weights as saturation_weights
    from deblur_jax.solvers.learned_steepest_descent import (
        learned_steepest_descent as learned_steepest_descent,
    )
    from deblur_jax.solvers.motion_spectra import refine_motion as refine_motion
    from deblur_jax.solvers.plug_and_play import plug_and_play as plug_and_play
    from deblur_jax.solvers.proximal_gradient import proximal_gradient as proximal_gradient
    from deblur_jax.solvers.richardson_lucy import richardson_lucy as richardson_lucy
    from deblur_jax.solvers.steepest_descent import steepest_descent as steepest_descent
    from deblur_jax.solvers.tiles import restore_tiled as restore_tiled

_HOMES = {
    "BasisBlur": "deblur_jax.ops.operators",
    "LineBlur": "deblur_jax.ops.operators",
    "adjoint": "deblur_jax.ops.linear",
    "average_frames": "deblur_jax.simulate.averaging",
    "basis_blur": "deblur_jax.ops.basis_blur",
    "camera_flow": "deblur_jax.simulate.camera_flow",
    "canonical": "deblur_jax.ops.flow",
    "compose": "deblur_jax.ops.linear",
    "cost_volume": "deblur_jax.ops.cost_volume",
    "deblur": "deblur_jax.restore",
    "deblur_video": "deblur_jax.restore_video",
    "dense_blur": "deblur_jax.ops.dense_blur",
    "diagnose": "deblur_jax.solvers.diagnosis",
    "draw_scene": "deblur_jax.simulate.scenes",
    "draw_segment_blur": "deblur_jax.simulate.segments",
    "epll": "deblur_jax.solvers.epll",
    "factor_grid": "deblur_jax.ops.low_rank",
    "factor_kernels": "deblur_jax.ops.low_rank",
    "inner": "deblur_jax.ops.linear",
    "jpeg": "deblur_jax.simulate.jpeg",
    "line_blur": "deblur_jax.ops.line_blur",
    "load": "deblur_jax.pretrained",
    "load_denoiser": "deblur_jax.pretrained",
    "load_mixture": "deblur_jax.pretrained",
    "normal": "deblur_jax.ops.linear",
    "operator_norm": "deblur_jax.ops.linear",
    "plug_and_play": "deblur_jax.solvers.plug_and_play",
    "proximal_gradient": "deblur_jax.solvers.proximal_gradient",
    "psnr": "deblur_jax.metrics",
    "restore_tiled": "deblur_jax.solvers.tiles",
    "refine_motion": "deblur_jax.solvers.motion_spectra",
    "richardson_lucy": "deblur_jax.solvers.richardson_lucy",
    "saturation_weights": "deblur_jax.solvers.frame",
    "shake_kernel": "deblur_jax.simulate.shake_kernels",
    "sharded_basis_blur": "deblur_jax.ops.sharded",
    "spatial_rnn": "deblur_jax.ops.spatial_rnn",
    "ssim": "deblur_jax.metrics",
    "steepest_descent": "deblur_jax.solvers.steepest_descent",
    "learned_steepest_descent": "deblur_jax.solvers.learned_steepest_descent",
}

__all__ = ["__version__", *_HOMES]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'deblur_jax' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
