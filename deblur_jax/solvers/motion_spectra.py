"""Refinement of a camera's motion by the zeros that it leaves in the spectra of a photo.

Where a scene moves by f pixels during the exposure, its spectrum is multiplied by sinc(w . f). The
power spectrum of natural scenes falls with a power of the frequency, so the log power of a window
is expected to be

    log(sinc(w . f)^2 + e) - g log|w| + a constant of the window

where e accounts for spectral leakage. A single window departs from this model, but a photo has
hundreds of windows. The motion of a camera that translates, rotates and zooms is nearly linear over
the frame: six numbers. These, g and e are fitted by minimising the mean misfit under a robust loss,
which is linear in large residuals.

The misfit has many local minima, because stripes can be aligned in several ways. So the search
starts from several multiples of the estimated motion, in large windows, which resolve the stripes
of long motions. The best result is refined in the large windows and in smaller ones, of which there
are more.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float

from deblur_jax.ops.flow import fit_plane, plane_basis, plane_flow
from deblur_jax.typing import Array, Flow, Image, compute_dtype, standard_promotion, typechecked


class View(NamedTuple):
    """The windows in which spectra are computed, and the frequencies that are used.

    Attributes:
        window: side of a window in pixels.
        stride: pixels from window to window.
        lowest: lowest frequency in cycles per pixel; below it the scene dominates.
        highest: highest frequency; above it noise dominates.
    """

    window: int
    stride: int
    lowest: float
    highest: float


VIEWS = (View(128, 32, 0.01, 0.25), View(64, 24, 0.02, 0.35))
LENGTHS = (0.5, 0.7, 0.85, 1.0, 1.2, 1.5)  # multiples of the initial motion
RATE = 0.3  # learning rate of Adam, halved four times
FALL, LOG_LEAK = 2.5, -4.0  # initial g and log(e)
POWER_FLOOR = 1e-9


class _Spectra(NamedTuple):
    """Log powers `[n, m]` of a photo's windows at frequencies `[m, 2]`, and the window centres."""

    power: jax.Array
    frequencies: jax.Array
    rows: np.ndarray
    columns: np.ndarray


class _Unknowns(NamedTuple):
    """The plane `[3, 2]`, and for each view the pair g, log(e), `[2]`."""

    plane: jax.Array
    scenes: list[jax.Array]


@typechecked
def refine_motion(
    flow: Flow,
    blurry: Image,
    *,
    views: tuple[View, ...] = VIEWS,
    lengths: tuple[float, ...] = LENGTHS,
    steps: int = 120,
) -> tuple[jax.Array, Float[jax.Array, "2"]]:
    """Fits a linear motion field to the spectra of a photo, starting from a given motion.

    Args:
        flow: the initial motion, `[h, w, 2]` in pixels, of either sign at each pixel.
        blurry: the photo, `[h, w, c]` in [0, 1], at least as large as the last view's window. Half
            precision is computed in float32.
        views: the windows and frequencies of the final fit, with equal weights. Views whose window
            is larger than the photo are ignored.
        lengths: multiples of the initial motion from which the first view's fit starts.
        steps: Adam steps, for each of these lengths and for the final fit.

    Returns:
        The motion `[h, w, 2]` in pixels, with one sign for the whole frame, and the misfits of
        `flow` and of the returned motion in nepers. Use the result only if the second is lower.

    Raises:
        ValueError: if the photo is smaller than the last view's window.
    """
    height, width, _ = blurry.shape
    if min(height, width) < views[-1].window:
        raise ValueError(
            f"refine_motion: blurry must have at least {views[-1].window} pixels a side, got "
            f"{height}x{width}"
        )
    dtype = flow.dtype
    blurry, flow = (jnp.asarray(x, compute_dtype(flow, blurry)) for x in (blurry, flow))
    gray = jnp.mean(blurry, axis=-1)
    start = fit_plane(flow)
    starts = jnp.asarray(lengths, flow.dtype)[:, None, None] * start[None]
    spectra = [_measure(gray, view) for view in views if view.window <= min(height, width)]
    found = _descend(spectra[:1], starts, (height, width), steps)
    if len(spectra) > 1:
        found = _descend(spectra, found.plane[None], (height, width), steps)

    refined = plane_flow(found.plane, height, width)
    misfits = [_mean_misfit(spectra, motion, found.scenes) for motion in (flow, refined)]
    return refined.astype(dtype), jnp.stack(misfits).astype(dtype)


def _mean_misfit(spectra: list[_Spectra], flow: Array, scenes: list[jax.Array]) -> jax.Array:
    return jnp.mean(
        jnp.stack(
            [
                _misfit(
                    one, jnp.asarray(flow)[one.rows[:, None], one.columns].reshape(-1, 2), scene
                )
                for one, scene in zip(spectra, scenes, strict=True)
            ]
        )
    )


def _descend(
    spectra: list[_Spectra], starts: jax.Array, size: tuple[int, int], steps: int
) -> _Unknowns:
    """Returns the unknowns with the lowest misfit of the fits started from planes `[k, 3, 2]`."""
    bases = [_basis(one, size) for one in spectra]
    adam = optax.adam(optax.exponential_decay(RATE, max(1, steps // 4), 0.5))

    def misfit(unknowns: _Unknowns) -> jax.Array:
        each = zip(spectra, bases, unknowns.scenes, strict=True)
        misfits = [_misfit(one, basis @ unknowns.plane, scene) for one, basis, scene in each]
        return jnp.mean(jnp.stack(misfits))

    def step(carried: Any, _: None) -> tuple[Any, None]:
        unknowns, state = carried
        slopes = jax.grad(misfit)(unknowns)
        with standard_promotion():  # Adam multiplies its integer step by floats
            change, state = adam.update(slopes, state)
            unknowns = optax.apply_updates(unknowns, change)
        return (unknowns, state), None

    def from_start(plane: jax.Array) -> tuple[_Unknowns, jax.Array]:
        unknowns: Any = _Unknowns(
            plane, [jnp.asarray([FALL, LOG_LEAK], plane.dtype)] * len(spectra)
        )
        (unknowns, _), _ = jax.lax.scan(step, (unknowns, adam.init(unknowns)), length=steps)
        return unknowns, misfit(unknowns)

    # Sequentially, because the fits together would not fit into the cache.
    found, misfits = jax.lax.map(from_start, starts)
    return jax.tree.map(lambda each: each[jnp.argmin(misfits)], found)


def _measure(gray: jax.Array, view: View) -> _Spectra:
    """Computes the spectra of a photo `[h, w]`."""
    window = view.window
    down, right = np.meshgrid(np.fft.fftfreq(window), np.fft.rfftfreq(window), indexing="ij")
    distance = np.hypot(right, down)
    used = (distance > view.lowest) & (distance < view.highest)
    frequencies = np.stack([right[used], down[used]], axis=-1)

    rows, columns = (np.arange(0, size - window + 1, view.stride) for size in gray.shape)
    inside = np.arange(window)
    down, right = (starts[:, None] + inside for starts in (rows, columns))
    cut = gray[down[:, None, :, None], right[None, :, None, :]].reshape(-1, window, window)
    taper = np.sin(np.pi * (inside + 0.5) / window) ** 2
    taper = np.outer(taper, taper)[None]
    weights = jnp.asarray(taper / taper.sum(), gray.dtype)
    cut = cut - jnp.sum(cut * weights, axis=(1, 2), keepdims=True)
    spectrum = jnp.fft.rfft2(cut * jnp.asarray(taper, gray.dtype))
    spectrum = spectrum.reshape(len(cut), -1)[:, np.flatnonzero(used)]
    power = jnp.square(jnp.abs(spectrum)) / jnp.asarray(np.square(taper).sum(), gray.dtype)
    return _Spectra(
        jnp.log(power + POWER_FLOOR),
        jnp.asarray(frequencies, gray.dtype),
        rows + window // 2,
        columns + window // 2,
    )


def _basis(spectra: _Spectra, size: tuple[int, int]) -> jax.Array:
    """Returns the basis of planes at the window centres, `[n, 3]`."""
    rows, columns = jnp.asarray(spectra.rows), jnp.asarray(spectra.columns)
    return plane_basis(rows, columns, *size, spectra.power.dtype).reshape(-1, 3)


def _misfit(spectra: _Spectra, flow: jax.Array, scene: jax.Array) -> jax.Array:
    """Returns the mean robust distance of the log powers from those of motions `[n, 2]`."""
    stripes = jnp.square(jnp.sinc(flow @ spectra.frequencies.T))
    fall = scene[0] * jnp.log(jnp.linalg.norm(spectra.frequencies, axis=-1))[None]
    apart = spectra.power - jnp.log(stripes + jnp.exp(scene[1])) + fall
    apart = apart - jnp.mean(apart, axis=-1, keepdims=True)
    return jnp.mean(jnp.sqrt(jnp.square(apart) + 1))
