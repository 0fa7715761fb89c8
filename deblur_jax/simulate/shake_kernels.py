"""Random camera-shake kernels of a hand-held camera.

A kernel is the time that the camera's path `x(t)` spends in each pixel,

    kernel[d] = mean_t hat(x(t) - d),    hat(x, y) = max(0, 1 - |x|) max(0, 1 - |y|),

which sums to one. There are two kinds of paths. *Tremor* is physiological: a slow drift, whose
angular velocity is an Ornstein-Uhlenbeck process, plus band-limited noise of 7 to 12 Hz. *Wander*
is the random walk of Boracchi and Foi with inertia, jitter, a pull to the start and occasional
backward jerks; its paths curl more.

Kernels are correlation kernels, as everywhere in the package: the point spread function is the
kernel rotated by 180 degrees. The distributions of paths are symmetric, so it makes no difference.
"""

import dataclasses
import math
from typing import Self

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

from deblur_jax.typing import Array, typechecked


SAMPLES = 512  # points on a path, 0.2 px apart for a path of 100 px
POSES_A_SECOND = 128  # of a tremor path; ten for each period of the fastest tremor

Path = Float[Array, "t 2"]


@dataclasses.dataclass(frozen=True)
class Tremor:
    """Parameters of a tremor path. The defaults fit ten paths published by Carbajal et al.

    Attributes:
        exposure: seconds.
        focal: bounds of the focal length in pixels, drawn log-uniformly.
        drift_speed: standard deviation of the angular velocity of each axis, radians a second.
        drift_memory: time constant of the angular velocity, seconds.
        tremor_angle: root mean square of the tremor of each axis, radians.
        tremor_band: lowest and highest frequency of the tremor, Hz.
    """

    exposure: float = 1.0
    focal: tuple[float, float] = (250.0, 900.0)
    drift_speed: float = 0.037
    drift_memory: float = 0.7
    tremor_angle: float = 0.00035
    tremor_band: tuple[float, float] = (7.0, 12.0)

    def scaled(self, ratio: float) -> Self:
        """Returns the parameters for kernels that are `ratio` times as large."""
        return dataclasses.replace(self, focal=(self.focal[0] * ratio, self.focal[1] * ratio))


@dataclasses.dataclass(frozen=True)
class Wander:
    """Parameters of a random walk of constant speed.

    The strengths of jitter, pull, jerk and anxiety are drawn uniformly between zero and these
    bounds. They are given per 1/2000 of the path.

    Attributes:
        length: length of the path in pixels.
        jitter: turn in radians.
        pull: pull towards the start per pixel of distance.
        jerk: probability of a jerk.
        anxiety: factor on jitter, pull and jerk.
        exposures: fractions of the path during which the shutter is open, one of which is drawn.
            The authors also use 0.01, which causes no visible blur.
        steps: number of simulated steps; the strengths are rescaled to it.
    """

    length: float = 60.0
    jitter: float = 10.0
    pull: float = 0.7
    jerk: float = 0.2
    anxiety: float = 0.1
    exposures: tuple[float, ...] = (0.1, 0.5, 1.0)
    steps: int = 500

    def scaled(self, ratio: float) -> Self:
        """Returns the parameters for kernels that are `ratio` times as large."""
        return dataclasses.replace(self, length=self.length * ratio, pull=self.pull / ratio)


def draw_tremor(key: jax.Array, tremor: Tremor = Tremor()) -> jax.Array:
    """Draws the rotation angles of a trembling camera, `[t, 2]` in radians, with mean zero.

    Multiplied by the focal length in pixels, they are the image's path to the right and down.
    """
    poses = max(2, round(tremor.exposure * POSES_A_SECOND))
    keys = jax.random.split(key)
    step = tremor.exposure / poses
    memory = math.exp(-step / tremor.drift_memory)
    # The remainder at each pose (row) of every kick before it (column). The first kick is the
    # initial velocity, drawn from the stationary distribution.
    pose = jnp.arange(poses, dtype=jnp.float32)
    age = pose[:, None] - pose[None]
    kept = jnp.where(age >= 0, memory ** jnp.maximum(age, 0), 0)
    kicks = jax.random.normal(keys[0], (poses, 2), jnp.float32)
    kicks = kicks.at[1:].multiply(math.sqrt(1 - memory**2))
    velocity = jnp.matmul(kept, kicks, precision="highest")
    drift = tremor.drift_speed * step * jnp.cumsum(velocity, axis=0)
    # Frequencies 1/4 of the exposure's frequency resolution apart, a nearly continuous band.
    low, high = tremor.tremor_band
    modes = max(2, round(4 * (high - low) * tremor.exposure))
    times = step * jnp.arange(poses, dtype=drift.dtype)[:, None]
    phases = 2 * jnp.pi * times * jnp.linspace(low, high, modes, dtype=drift.dtype)[None]
    waves = jnp.concatenate([jnp.cos(phases), jnp.sin(phases)], axis=1) / math.sqrt(modes)
    strengths = jax.random.normal(keys[1], (2 * modes, 2), jnp.float32)
    shake = tremor.tremor_angle * jnp.matmul(waves, strengths, precision="highest")
    angles = drift + shake
    return angles - jnp.mean(angles, axis=0, keepdims=True)


def draw_wander(key: jax.Array, wander: Wander = Wander()) -> jax.Array:
    """Draws a random walk, `[t, 2]` in pixels to the right and down, from the origin."""
    steps, coarseness = wander.steps, 2000 / wander.steps
    speed = wander.length / (steps - 1)
    bounds, heading, turning, jerking = jax.random.split(key, 4)
    anxious, jitter, pull, jerk = jax.random.uniform(bounds, (4,), jnp.float32)
    anxious = wander.anxiety * anxious
    jitter = anxious * wander.jitter * jitter * coarseness**0.5  # turns add up as a random walk
    pull = anxious * wander.pull * pull * coarseness
    jerk = anxious * wander.jerk * jerk * coarseness
    turns = jitter * jax.random.normal(turning, (steps - 1, 2), jnp.float32)
    chance, angle = jax.random.uniform(jerking, (2, steps - 1), jnp.float32)
    # A jerk adds twice the velocity, rotated by pi plus or minus half a radian.
    jerks = 2 * _unit(jnp.pi + angle - 0.5)
    jerks = jnp.where(chance < jerk, jerks, jnp.zeros_like(jerks))
    pull = _complex(pull)

    def advance(state: tuple[jax.Array, jax.Array], kick: tuple[jax.Array, jax.Array]):
        place, direction = state  # complex numbers
        turn, jerk = kick
        direction = direction + jerk * direction + turn - pull * place
        direction = direction / _complex(jnp.abs(direction))
        place = place + speed * direction
        return (place, direction), place

    start = _unit(2 * jnp.pi * jax.random.uniform(heading, (), jnp.float32))
    turns = lax.complex(turns[:, 0], turns[:, 1])
    _, places = lax.scan(advance, (jnp.zeros_like(start), start), (turns, jerks))
    places = jnp.concatenate([jnp.zeros(1, places.dtype), places])
    return jnp.stack([places.real, places.imag], axis=-1)


@typechecked
def path_kernel(path: Path, side: int, *, smooth: Array | float = 0.0) -> jax.Array:
    """Returns the kernel of a camera that spends the same time at every point of `path`.

    Args:
        path: `[t, 2]`, pixels to the right and down of the kernel's centre. Points outside the
            kernel are dropped.
        side: side of the kernel in pixels, odd.
        smooth: amount between 0 and 1 of 3x3 binomial smoothing, which models the sensor and
            diffraction.

    Returns:
        The kernel, `[s, s]`, with sum one.

    Raises:
        ValueError: if `side` is even.
    """
    _check_side(side)
    cells = jnp.arange(-1, side + 1, dtype=path.dtype) - side // 2  # one more on either side
    hats = jnp.maximum(0, 1 - jnp.abs(path[:, :, None] - cells[None, None]))  # [t, 2, s + 2]
    before, hats, after = hats[..., :-2], hats[..., 1:-1], hats[..., 2:]
    hats = hats + smooth * (before - 2 * hats + after) / 4
    # A matrix product instead of a scatter is deterministic on GPUs, too.
    kernel = jnp.matmul(hats[:, 1].T, hats[:, 0], precision="highest")
    return kernel / jnp.sum(kernel)


def tremor_path(
    key: jax.Array, side: int, tremor: Tremor = Tremor(), *, attempts: int = 4
) -> jax.Array:
    """Draws the centred path `[t, 2]` of a trembling hand, within a kernel of `side`.

    Args:
        key: a JAX random key.
        side: side of the kernel in pixels, odd. The default focal lengths suit a side of 33; for
            another one, `Tremor().scaled(side / 33)` draws the same shapes.
        tremor: parameters of the path.
        attempts: number of paths drawn. The first one that fits is taken; if there is none, the
            smallest one is scaled down.

    Source:
        Carbajal et al., arXiv:2102.01026, section 3.3, and the paths that the authors published
        later. Their generator is not public; drift and tremor were fitted to those paths.
    """
    drawing, lens = jax.random.split(key)
    low, high = jnp.log(jnp.asarray(tremor.focal, jnp.float32))
    focals = jnp.exp(jax.random.uniform(lens, (attempts,), jnp.float32, minval=low, maxval=high))
    angles = jax.vmap(lambda key: draw_tremor(key, tremor))(jax.random.split(drawing, attempts))
    paths = focals[:, None, None] * angles
    peaks = jnp.max(jnp.abs(paths), axis=(1, 2))
    fits = peaks <= side // 2
    chosen = jnp.where(jnp.any(fits), jnp.argmax(fits), jnp.argmin(peaks))
    return _fitted(_exposed(paths[chosen], 1.0), side)


def wander_path(key: jax.Array, side: int, wander: Wander = Wander()) -> jax.Array:
    """Draws the centred path `[t, 2]` of a random walk, scaled down to fit a kernel of `side`.

    Args:
        key: a JAX random key.
        side: side of the kernel in pixels, odd. The default suits a side of 33 or more; for a
            smaller one, `Wander().scaled(side / 33)` draws the same shapes.
        wander: parameters of the path.

    Source:
        Boracchi and Foi, "Modeling the Performance of Image Restoration from Motion Blur", IEEE
        Transactions on Image Processing 21 (2012), with the parameters used for training deblurring
        networks since DeblurGAN.
    """
    drawing, shutter = jax.random.split(key)
    shares = jnp.asarray(wander.exposures, jnp.float32)
    share = shares[jax.random.randint(shutter, (), 0, len(shares), jnp.int32)]
    return _fitted(_exposed(draw_wander(drawing, wander), share), side)


def shake_kernel(
    key: jax.Array,
    side: int,
    *,
    tremor: Tremor = Tremor(),
    wander: Wander = Wander(),
    wander_share: float = 0.5,
    still_share: float = 0.01,
    smooth_share: float = 0.5,
) -> jax.Array:
    """Draws a camera-shake kernel from tremor, wander, or occasionally a camera at rest.

    Use `jax.vmap` over keys for several kernels.

    Args:
        key: a JAX random key.
        side: side of the kernel in pixels, odd.
        tremor: see `tremor_path`.
        wander: see `wander_path`.
        wander_share: probability of a wander path instead of a tremor path.
        still_share: probability of a camera at rest, whose kernel is a single tap.
        smooth_share: probability of smoothing the kernel, see `path_kernel`.

    Returns:
        The kernel, `[s, s]`: non-negative, with sum one and its centre of mass in the middle.

    Raises:
        ValueError: if `side` is even.

    Example:
        >>> kernel = shake_kernel(jax.random.key(0), 21)
        >>> kernel.shape, bool(jnp.isclose(kernel.sum(), 1))
        ((21, 21), True)
    """
    _check_side(side)
    choosing, trembling, walking = jax.random.split(key, 3)
    wander_draw, still_draw, smooth_draw = jax.random.uniform(choosing, (3,), jnp.float32)
    # Under vmap both paths are computed anyway; the expensive part, the kernel, only once.
    path = jnp.where(
        wander_draw < wander_share,
        wander_path(walking, side, wander),
        tremor_path(trembling, side, tremor),
    )
    smooth = (smooth_draw < smooth_share) & (still_draw >= still_share)
    path = jnp.where(still_draw < still_share, 0, path)
    return path_kernel(path, side, smooth=smooth.astype(path.dtype))


def _exposed(path: jax.Array, share: jax.Array | float) -> jax.Array:
    """Samples the first `share` of `path` at `SAMPLES` uniform times, and centres it."""
    last = path.shape[0] - 1
    times = share * last * (jnp.arange(SAMPLES, dtype=path.dtype) + 0.5) / SAMPLES
    whole = jnp.minimum(jnp.floor(times), last - 1)
    before, after = whole.astype(jnp.int32), (times - whole)[:, None]
    points = (1 - after) * path[before] + after * path[before + 1]
    return points - jnp.mean(points, axis=0, keepdims=True)


def _complex(real: jax.Array) -> jax.Array:
    return lax.complex(real, jnp.zeros_like(real))


def _unit(angle: jax.Array) -> jax.Array:
    """Returns the complex numbers of modulus one at an angle."""
    return jnp.exp(lax.complex(jnp.zeros_like(angle), angle))


def _fitted(path: jax.Array, side: int) -> jax.Array:
    """Scales `path` down if it extends beyond a kernel of `side`."""
    peak = jnp.maximum(jnp.max(jnp.abs(path)), jnp.finfo(path.dtype).tiny)
    return path * jnp.minimum(1, (side // 2) / peak)


def _check_side(side: int) -> None:
    if side < 1 or side % 2 == 0:
        raise ValueError(f"side must be odd so that a kernel has a centre, got {side}")
