"""The programs of blind estimation trace in strict modes and keep single precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.blind import (
    judge,
    local_kernels,
    restoration,
    scales,
    window_fit,
)
from deblur_jax.ops.operators import LineBlur
from deblur_jax.ops.windows import windows_of


SIZE, EXTENT, SIDE = (256, 192), (250, 180), 11
WINDOWS = windows_of(SIZE, SIDE)
EXTENTS = np.asarray(EXTENT, np.int32)
PLANE = jax.ShapeDtypeStruct(SIZE, np.float32)
CANVAS = jax.ShapeDtypeStruct((*SIZE, 3), np.float32)
KERNEL = jax.ShapeDtypeStruct((SIDE, SIDE), np.float32)
KERNELS = jax.ShapeDtypeStruct((WINDOWS.number, SIDE, SIDE), np.float32)
NUMBERS = (np.float32(1), np.float32(0.1), np.float32(0.3))
ROUNDS = (np.int32(5), np.full(2, 1e-3, np.float32), *NUMBERS[:2])


def restore(kernel, canvas):
    return restoration._restore(
        kernel, canvas, canvas[..., :1], EXTENTS, NUMBERS[1], canvas,
        denoise=lambda image, sigma: image, steps=2, last=1,
        windows=WINDOWS if kernel.ndim == 3 else None,
    )  # fmt: skip


PROGRAMS = {
    "refine_at_scale": (lambda *a: scales.refine_at_scale(*a, *ROUNDS), PLANE, PLANE, KERNEL),
    "judge": (
        lambda a, b, k: judge.judge(a, b, EXTENTS, k, windows=WINDOWS), PLANE, PLANE, KERNEL,
    ),
    "judge_windows": (
        lambda a, b, k: judge.judge_windows(a, b, EXTENTS, k, windows=WINDOWS),
        PLANE, PLANE, KERNELS,
    ),
    "refine_windows": (
        lambda *a: window_fit.refine_windows(*a, *ROUNDS, NUMBERS[2], windows=WINDOWS),
        PLANE, PLANE, KERNELS,
    ),
    "window_kernels": (
        lambda flow: local_kernels.window_kernels(LineBlur(flow), EXTENT, WINDOWS, SIDE),
        jax.ShapeDtypeStruct((*EXTENT, 2), np.float32),
    ),
    "restore uniform": (restore, KERNEL, CANVAS),
    "restore windows": (restore, KERNELS, CANVAS),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_trace_in_strict_modes_and_keep_single_precision(name):
    function, *given = PROGRAMS[name]
    with (
        jax.enable_x64(True),
        jax.numpy_dtype_promotion("strict"),
        jax.numpy_rank_promotion("raise"),
    ):
        found = jax.eval_shape(function, *given)
    assert {each.dtype for each in jax.tree.leaves(found)} == {jnp.dtype(jnp.float32)}
