"""Camera-shake kernels: the mark that a point of light leaves while a hand holds the camera.

A kernel is the time that the path `x(t)` of the camera spends in each pixel,

    kernel[d] = mean_t hat(x(t) - d),    hat(x, y) = max(0, 1 - |x|) max(0, 1 - |y|),

which sums to one. Two kinds of path are drawn. *Tremor* is physiological: a slow drift whose
angular velocity forgets itself (Ornstein-Uhlenbeck), and a band of 7 to 12 Hz on top of it.
*Wander* is the random walk of Boracchi and Foi, with inertia, jitter, a pull to the start and
now and then a jerk backwards; its paths curl more.

Kernels are correlation kernels, as everywhere in the package: the mark itself is the kernel
turned by 180 degrees, which for these symmetric distributions of paths makes no difference.
"""

import dataclasses
import math
from typing import Self

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

from deblur_jax.typing import Array, typechecked


SAMPLES = 512  # points at which a path is laid down, 0.2 px apart for a path of 100 px
POSES_A_SECOND = 128  # of a tremor path; ten for a period of the fastest tremor

Path = Float[Array, "t 2"]


@dataclasses.dataclass(frozen=True)
class Tremor:
    """How a hand trembles. The defaults fit ten measured paths that Carbajal et al. published.

    Attributes:
        exposure: seconds.
        focal: pixels, the least and the largest focal length; drawn log-uniformly.
        drift_speed: radians a second, standard deviation of the angular velocity of each axis.
        drift_memory: seconds, after which the angular velocity has forgotten itself.
        tremor_angle: radians, root mean square of the tremor of each axis.
        tremor_band: Hz, its lowest and highest frequency.
    """

    exposure: float = 1.0
    focal: tuple[float, float] = (250.0, 900.0)
    drift_speed: float = 0.037
    drift_memory: float = 0.7
    tremor_angle: float = 0.00035
    tremor_band: tuple[float, float] = (7.0, 12.0)

    def scaled(self, ratio: float) -> Self:
        """Returns the same hand with a camera whose kernels are `ratio` times as large."""
        return dataclasses.replace(self, focal=(self.focal[0] * ratio, self.focal[1] * ratio))


@dataclasses.dataclass(frozen=True)
class Wander:
    """A random walk of constant speed; each strength is drawn between zero and its bound.

    Attributes:
        length: pixels, of the whole path.
        jitter: radians, of the turn at each two thousandth of the path.
        pull: per pixel of distance, the pull towards the start at each two thousandth.
        jerk: probability of a jerk at each two thousandth.
        anxiety: what jitter, pull and jerk are multiplied by.
        exposures: the shares of the path, one of which is drawn, during which the shutter is
            open. The authors have 0.01 too, which leaves no blur to be seen.
        steps: how many steps are made. Fewer than two thousand are rescaled to the same walk.
    """

    length: float = 60.0
    jitter: float = 10.0
    pull: float = 0.7
    jerk: float = 0.2
    anxiety: float = 0.1
    exposures: tuple[float, ...] = (0.1, 0.5, 1.0)
    steps: int = 500

    def scaled(self, ratio: float) -> Self:
        """Returns the walk whose kernels are `ratio` times as large."""
        return dataclasses.replace(self, length=self.length * ratio, pull=self.pull / ratio)


def draw_tremor(key: jax.Array, tremor: Tremor = Tremor()) -> jax.Array:
    """Draws the angles of a trembling camera, `[t, 2]` in radians, with a mean of zero.

    Multiplied by the focal length in pixels this is the path of the image, to the right and down.
    """
    poses = max(2, round(tremor.exposure * POSES_A_SECOND))
    keys = jax.random.split(key)
    step = tremor.exposure / poses
    memory = math.exp(-step / tremor.drift_memory)
    # What is left at one pose (row) of each kick before it. The first kick is the velocity at the
    # start, which is as large as any later one, so that a path does not favour its beginning.
    pose = jnp.arange(poses, dtype=jnp.float32)
    age = pose[:, None] - pose[None]
    kept = jnp.where(age >= 0, memory ** jnp.maximum(age, 0), 0)
    kicks = jax.random.normal(keys[0], (poses, 2), jnp.float32)
    kicks = kicks.at[1:].multiply(math.sqrt(1 - memory**2))
    velocity = jnp.matmul(kept, kicks, precision="highest")
    drift = tremor.drift_speed * step * jnp.cumsum(velocity, axis=0)
    # Frequencies at a quarter of the resolution of the exposure: the band looks continuous.
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
    # A jerk adds twice the velocity, turned back by half a turn give or take half a radian.
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
    """The kernel of a camera that stays equally long at every point of `path`.

    Args:
        path: `[t, 2]`, pixels to the right and down of the kernel's centre. What lies outside
            the kernel is lost.
        side: of the kernel, pixels, odd.
        smooth: between 0 and 1, how much of a 3x3 binomial filter (the sensor, diffraction) is
            mixed in along each axis.

    Returns:
        The kernel, `[s, s]`, with a sum of one.

    Raises:
        ValueError: if `side` is even.
    """
    _check_side(side)
    cells = jnp.arange(-1, side + 1, dtype=path.dtype) - side // 2  # one more on either side
    hats = jnp.maximum(0, 1 - jnp.abs(path[:, :, None] - cells[None, None]))  # [t, 2, s + 2]
    before, hats, after = hats[..., :-2], hats[..., 1:-1], hats[..., 2:]
    hats = hats + smooth * (before - 2 * hats + after) / 4
    # A product of matrices, not a scatter: the same bits on every run, on a GPU too.
    kernel = jnp.matmul(hats[:, 1].T, hats[:, 0], precision="highest")
    return kernel / jnp.sum(kernel)


def tremor_path(
    key: jax.Array, side: int, tremor: Tremor = Tremor(), *, attempts: int = 4
) -> jax.Array:
    """The path `[t, 2]` of a trembling hand, centred on its mean, within a kernel of `side`.

    Args:
        key: a JAX random key.
        side: of the kernel, pixels, odd. The default focal lengths suit a side of 33; for
            another one, `Tremor().scaled(side / 33)` draws the same shapes.
        tremor: how the hand trembles.
        attempts: how many paths are drawn, of which the first that fits is taken. If none
            fits, the one that comes nearest is shrunk.

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
    """The path `[t, 2]` of a random walk, centred, and shrunk where it leaves a kernel of `side`.

    Args:
        key: a JAX random key.
        side: of the kernel, pixels, odd. The default suits a side of 33 or more; for a smaller
            one, `Wander().scaled(side / 33)` draws the same shapes.
        wander: how the camera walks.

    Source:
        Boracchi and Foi, "Modeling the Performance of Image Restoration from Motion Blur", IEEE
        Transactions on Image Processing 21 (2012), with the parameters that deblurring networks
        have been trained with since DeblurGAN.
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
    """A random camera-shake kernel: tremor, wander, or now and then none at all.

    Non-negative, with a sum of one and its centre of mass in the middle. For many kernels,
    `jax.vmap` over keys.

    Args:
        key: a JAX random key.
        side: of the kernel, pixels, odd.
        tremor: see `tremor_path`.
        wander: see `wander_path`.
        wander_share: probability of a random walk; the others tremble.
        still_share: probability of a camera at rest, whose kernel is a single one.
        smooth_share: probability of a sensor that smooths the kernel a little.

    Returns:
        The kernel, `[s, s]`.

    Raises:
        ValueError: if `side` is even.

    Example:
        >>> kernel = shake_kernel(jax.random.key(0), 21)
        >>> kernel.shape, bool(jnp.isclose(kernel.sum(), 1))
        ((21, 21), True)
    """
    _check_side(side)
    choosing, trembling, walking = jax.random.split(key, 3)
    walks, rests, smooths = jax.random.uniform(choosing, (3,), jnp.float32)
    # Under vmap both are drawn, and one is chosen before the dearer part.
    path = jnp.where(
        walks < wander_share,
        wander_path(walking, side, wander),
        tremor_path(trembling, side, tremor),
    )
    smooth = (smooths < smooth_share) & (rests >= still_share)
    path = jnp.where(rests < still_share, 0, path)
    return path_kernel(path, side, smooth=smooth.astype(path.dtype))


def _exposed(path: jax.Array, share: jax.Array | float) -> jax.Array:
    """Returns `SAMPLES` points, evenly in time, on the first `share` of `path`, centred."""
    last = path.shape[0] - 1
    times = share * last * (jnp.arange(SAMPLES, dtype=path.dtype) + 0.5) / SAMPLES
    whole = jnp.minimum(jnp.floor(times), last - 1)
    before, after = whole.astype(jnp.int32), (times - whole)[:, None]
    points = (1 - after) * path[before] + after * path[before + 1]
    return points - jnp.mean(points, axis=0, keepdims=True)


def _complex(real: jax.Array) -> jax.Array:
    return lax.complex(real, jnp.zeros_like(real))


def _unit(angle: jax.Array) -> jax.Array:
    """Returns the complex numbers of length one at an angle."""
    return jnp.exp(lax.complex(jnp.zeros_like(angle), angle))


def _fitted(path: jax.Array, side: int) -> jax.Array:
    """Returns `path`, shrunk if it leaves a kernel of `side`."""
    peak = jnp.maximum(jnp.max(jnp.abs(path)), jnp.finfo(path.dtype).tiny)
    return path * jnp.minimum(1, (side // 2) / peak)


def _check_side(side: int) -> None:
    if side < 1 or side % 2 == 0:
        raise ValueError(f"side must be odd so that a kernel has a centre, got {side}")
