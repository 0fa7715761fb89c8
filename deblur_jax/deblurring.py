"""From a blurred photo to a sharp one: estimate the blur, undo it, judge the result.

Arrays only; `cli.deblur` handles files.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.blind.multiscale import restore_multiscale
from deblur_jax.blind.restoration import ESTIMATED_STEPS
from deblur_jax.blind.trust import likely_better, trusted_change
from deblur_jax.blind.verdict import CERTAIN, LIKELY
from deblur_jax.blind.working_photo import PIXELS as WORKING_PIXELS
from deblur_jax.blind.working_photo import measured_noise
from deblur_jax.estimate import (
    AUTO,
    SMALLEST_SIDE,
    Chooser,
    check_photo,
    estimate_blur,
    find_estimator,
    shipped_denoiser,
    trusted_share,
)
from deblur_jax.ops.operators import Blur
from deblur_jax.ops.pytree import register
from deblur_jax.ops.sensor import Transfer
from deblur_jax.pretrained import Pretrained
from deblur_jax.restoration import STEPS, restore
from deblur_jax.solvers.diagnosis import DOUBTFUL, diagnose_residual, verdict
from deblur_jax.solvers.tiles import WHOLE_PIXELS, TileProgress, restore_tiled
from deblur_jax.typing import Array, Denoiser, is_traced, standard_promotion


TILE = (1024, 1024)  # pixels
ESTIMATE_TIME = 3.0  # of a pixel of the working photo, in units of the restoration of one
HALO = 48  # pixels at a tile's inner edges that are not used
LIMITS_MOTIONS = (
    "deblur: max_blur limits motions, and this model estimates kernels; omit max_blur, or choose a "
    "network that estimates motion, such as 'camera-motion'"
)


@register
@dataclasses.dataclass(frozen=True)
class Result:
    """A restored photo, with what is needed to judge it.

    It is a pytree, so that a compiled function can return it.

    Attributes:
        image: the result `[h, w, c]` in [0, 1]: the photo, mixed with as much of the restoration
            as each place is trusted, times `strength`.
        blur: the estimated blur: a `UniformBlur` with its `kernel`, a `WindowedBlur` with its
            `kernels`, a `LineBlur` with its `flow`, or a `BasisBlur` with `kernels` and `mixing`.
        residual: `blur(restored) - photo`, `[h, w, c]`, of the restoration at full strength.
        explained: share of the photo where the residual is within a few deviations of its noise.
        reason: why no blur was found, or an empty string.
        likely: probability that the result is better than the photo; None for a network that is
            not judged.
        restored: the restoration everywhere and at full strength, `[h, w, c]`.
        trust: share of the restoration that each pixel gets, `[h, w, 1]`; 1 everywhere for a
            network that is not judged.
    """

    image: np.ndarray
    blur: Blur
    residual: np.ndarray
    explained: float
    reason: str = dataclasses.field(default="", metadata={"static": True})
    likely: float | None = None
    restored: np.ndarray | None = None
    trust: np.ndarray | float = 1.0

    @property
    def flow(self) -> np.ndarray:
        """The estimated motion `[h, w, 2]` in pixels, if the blur is a `LineBlur`."""
        flow = getattr(self.blur, "flow", None)
        if flow is None:
            raise AttributeError("the estimated blur has kernels and no motion; use result.blur")
        return np.asarray(flow)

    @property
    def reblur_error(self) -> float:
        """Root mean square of the residual, in image values."""
        return float(np.sqrt(np.mean(np.square(self.residual))))

    @property
    def trusted(self) -> bool:
        """Whether the restoration is likely enough to be better than the photo to be written."""
        if self.likely is None:
            return not self.reason and self.explained >= DOUBTFUL
        return not self.reason and self.likely >= LIKELY

    @property
    def verdict(self) -> str:
        """How far to trust the restoration, in words."""
        if self.reason:
            return f"no blur was found: {self.reason}"
        if self.likely is None:
            return verdict(self.explained)
        chance = f"{int(100 * self.likely)} %"
        if self.likely >= LIKELY:
            doubt = "" if self.likely >= CERTAIN else "doubtful: "
            return f"{doubt}better than the photo with a probability of {chance}"
        return (
            f"the restoration is better than the photo with a probability of only {chance} "
            f"({100 * LIKELY:.0f} % is required)"
        )


def deblur(
    image: Array,
    model: str | Pretrained = AUTO,
    *,
    strength: float = 1.0,
    max_blur: float | None = None,
    steps: int | None = None,
    denoise: Denoiser | None = None,
    transfer: Transfer | None = None,
    progress: Callable[[float], None] | None = None,
) -> Result:
    """Estimates the blur of a photo and undoes it.

    A photo of more than 1.5 million pixels is restored in overlapping tiles. With a network that
    estimates motion or kernels, the function works under `jit`, `grad` and `vmap`: the photo is
    then restored in one piece and its values are not checked.

    Args:
        image: `[h, w, 3]` floats in [0, 1], display values.
        model: "auto" for the most likely of several blurs, "blind" for the same without a
            network, see `estimate_blur`; a network that estimates motion or kernels; or one that
            also restores, such as "learned-plug-and-play": a name or path for `pretrained.load`, or
            a loaded network.
        strength: how much of the restoration is mixed into the photo, from 0 (the photo) to 1.
            "auto" and "blind" take less where a network sees that the restoration went wrong.
        max_blur: longest estimated motion in pixels, for a network that estimates motion; longer
            ones are shortened. None for no limit.
        steps: number of denoising steps; if None, 4 for kernels, see
            `blind.multiscale.restore_multiscale`, and 15 for motions, see `restore`. A network that
            restores has its own steps and its own denoiser.
        denoise: the prior, such as `load_denoiser()`. If None, the shipped denoiser for kernels in
            closed form and total variation for others.
        transfer: curve from the photo's display values to light, see `ops.sensor`. "auto" and
            "blind" then take the blur for one of light, which it is in a camera, instead of one of
            the values. A network that estimates the blur of light uses it, too; if None, it uses
            the one it was trained with.
        progress: called with the share of the work that is done, from 0 to 1; not while tracing.

    Returns:
        The restored photo, its blur, and how well the two explain the photo.

    Raises:
        TypeError: if `image` is not a float array `[h, w, c]`.
        ValueError: if it does not have 3 channels, is smaller than 32 pixels a side, or holds
            values outside [0, 1] or not finite; if another argument is out of range, the network
            does not estimate blur, or "auto" or "blind" is traced.

    Example:
        >>> from skimage import data
        >>> photo = data.astronaut()[:64, :80].astype(np.float32) / 255
        >>> result = deblur(photo, "camera-motion")
        >>> result.image.shape, result.flow.shape
        ((64, 80, 3), (64, 80, 2))
        >>> result.verdict  # doctest: +ELLIPSIS
        '...of the photo...'
    """
    check_photo(image, "deblur: image")
    if not 0 <= strength <= 1:
        raise ValueError(f"deblur: strength must be from 0 to 1, got {strength}")
    if steps is not None and steps < 1:
        raise ValueError(f"deblur: steps must be at least 1, got {steps}")
    network = find_estimator(model)
    compares = isinstance(network.model, Chooser)
    if max_blur is not None and compares:
        raise ValueError(LIMITS_MOTIONS)
    restores = hasattr(network.model, "restore")
    if restores and (denoise is not None or steps is not None):
        raise ValueError(
            f"deblur: {network.name} restores with its own steps and denoiser; omit steps and "
            "denoise, or choose a network that only estimates blur"
        )
    photo = _as_floats(image)
    pixels = photo.shape[0] * photo.shape[1]
    effort = ESTIMATE_TIME * min(pixels, WORKING_PIXELS) / pixels if compares else 0.0
    estimating, restoring = _progress(effort, progress or (lambda share: None))
    estimate = estimate_blur(photo, network, estimating, transfer=transfer)
    blur = estimate.blur if max_blur is None else _limited(estimate.blur, max_blur)
    if transfer is None or estimate.transfer == "linear":
        transfer = estimate.transfer
    if estimate.reason:
        return Result(photo, blur, np.zeros_like(photo), 1.0, estimate.reason, restored=photo)
    likely, trust = None, 1.0
    if estimate.likely is not None:
        restored, residual = restore_multiscale(
            photo,
            blur,
            denoise=denoise or shipped_denoiser(),
            steps=steps or ESTIMATED_STEPS,
            transfer=estimate.transfer,
            progress=restoring,
        )
        trust = trusted_share(photo, restored, residual)
        likely = likely_better(estimate.likely, trusted_change(trust, photo, restored))
    else:
        if restores:
            shared, piece = (network.variables,), _learned_restoration(network.model)
        else:
            shared, steps = (), steps or STEPS
            piece = _restoration(steps, denoise, estimate.margin, transfer, estimate.saturates)
        restored, residual = _restore_whole_or_tiled(piece, shared, photo, blur, restoring)
    return Result(
        image=mix(photo, restored, strength * trust),
        blur=blur,
        residual=residual,
        explained=_explained(residual, photo),
        likely=likely,
        restored=restored,
        trust=trust,
    )


def _as_floats(image: Array) -> Any:
    """Returns the photo in float32: a NumPy array, or a traced one."""
    return jnp.asarray(image, jnp.float32) if is_traced(image) else np.asarray(image, np.float32)


def _progress(effort: float, report: Callable[[float], None]) -> tuple[TileProgress, TileProgress]:
    """Returns what reports the steps of the estimate and the tiles of the restoration.

    Args:
        effort: time of the estimate over that of the restoration.
        report: called with the share of both that is done.
    """
    share = effort / (effort + 1)
    return (
        lambda done, steps: report(share * done / steps),
        lambda done, tiles: report(share + (1 - share) * done / tiles),
    )


def _is_small(photo: np.ndarray) -> bool:
    return photo.shape[0] * photo.shape[1] <= WHOLE_PIXELS


def _restore_whole_or_tiled(
    piece: Callable[..., tuple[jax.Array, jax.Array]],
    shared: tuple[Any, ...],
    photo: Any,
    blur: Blur,
    progress: TileProgress,
) -> Any:
    """Returns the restoration by `piece` and its residual; a traced photo is one tile."""
    if is_traced(photo, blur):
        return piece(*shared, photo, blur)
    tile = photo.shape[:2] if _is_small(photo) else TILE
    return restore_tiled(piece, photo, blur, shared=shared, halo=HALO, tile=tile, progress=progress)


def mix(photo: np.ndarray, restored: np.ndarray, strength: np.ndarray | float) -> np.ndarray:
    """Returns the photo at strength 0, exactly the restoration at 1, and a mixture in between."""
    if np.all(strength == 1):
        return restored
    return photo + np.asarray(strength, np.float32) * (restored - photo)


@functools.lru_cache(maxsize=8)  # the same function again, so that it is compiled once
def _restoration(
    steps: int, denoise: Denoiser | None, margin: int, transfer: Transfer, saturates: bool
) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """Returns the restoration of one tile, `(photo, blur) -> (restored, residual)`."""

    def restore_tile(photo: Array, blur: Blur) -> tuple[jax.Array, jax.Array]:
        return restore(
            blur,
            photo,
            denoise=denoise,
            steps=steps,
            margin=margin,
            transfer=transfer,
            saturates=saturates,
        )

    return restore_tile


@functools.lru_cache(maxsize=8)
def _learned_restoration(model: Any) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """Returns the restoration of one tile by a network, `(variables, photo, blur) -> ...`."""

    def restore_tile(variables: Any, photo: Array, blur: Any) -> tuple[jax.Array, jax.Array]:
        inputs = (jnp.asarray(photo)[None], jnp.asarray(blur.flow)[None])
        with standard_promotion():  # flax mixes ranks, and networks mix dtypes
            restored = jnp.asarray(model.apply(variables, *inputs, method="restore"))[0].clip(0, 1)
        return restored, blur(restored) - photo

    return restore_tile


def _limited(blur: Any, max_blur: float) -> Blur:
    if not hasattr(blur, "limited"):
        raise ValueError(LIMITS_MOTIONS)
    if not max_blur > 0:
        raise ValueError(f"deblur: max_blur must be above 0 pixels, got {max_blur}")
    return blur.limited(max_blur)


def _explained(residual: Any, photo: Any) -> Any:
    """Returns `Diagnosis.explained`, computed in strips to limit the memory of a large photo."""
    if is_traced(residual):
        return _diagnose(residual, photo).explained
    height, width, _ = photo.shape
    count = max(1, min(round(height * width / WHOLE_PIXELS), height // SMALLEST_SIDE))
    strips = list(zip(np.array_split(residual, count), np.array_split(photo, count), strict=True))
    noise = measured_noise(photo)
    shares = [float(_diagnose(*pair, noise=noise).explained) for pair in strips]
    return float(np.average(shares, weights=[len(strip) for _, strip in strips]))


_diagnose = jax.jit(diagnose_residual)
