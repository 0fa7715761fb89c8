"""Dynamic scenes of moving layers.

A scene has a background and objects in front of it, each a flat texture with a mask. At time t a
homography H_k(t) maps the points of layer k to the picture. The camera moves all layers, and each
object also moves independently. A sub-frame is composited from back to front,

    S_t <- (1 - a_k) S_t + a_k c_k,    c_k, a_k = texture and mask of layer k at H_k(t)^-1 p

and a blurry frame is the mean of the sub-frames of its exposure, in linear light. Unlike a blur by
kernels, this models occlusion during the exposure, and the motion of every visible point is known
exactly.

Points are (x to the right, y down) in pixels from the middle of the frame; time is in frames.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

from deblur_jax.ops.pytree import register
from deblur_jax.ops.sensor import to_light
from deblur_jax.ops.warp import invert_homography, pixel_grid, project, sample
from deblur_jax.simulate.develop import CAMERA, Camera, develop
from deblur_jax.simulate.shapes import draw_shape
from deblur_jax.typing import Array, typechecked


Photos = Float[Array, "k h w c"]
Masks = Float[Array, "k h w"]
Matrices = Float[Array, "k 3 3"]


@dataclasses.dataclass(frozen=True)
class LayerMotion:
    """Bounds of a layer's motion from one frame to the next; each parameter is drawn uniformly.

    Attributes:
        translation: pixels, along each axis.
        acceleration: change of the translation per frame in pixels, along each axis.
        rotation: radians.
        zoom: logarithm of the magnification.
        perspective: magnification at the right or lower edge of the frame minus that in its middle.
    """

    translation: float
    acceleration: float
    rotation: float
    zoom: float
    perspective: float


# A hand-held camera, and objects that cross its view.
HAND_HELD = LayerMotion(
    translation=12.0, acceleration=6.0, rotation=0.03, zoom=0.02, perspective=0.02
)
CROSSING = LayerMotion(
    translation=24.0, acceleration=12.0, rotation=0.15, zoom=0.06, perspective=0.02
)


@register
@dataclasses.dataclass(frozen=True)
class Scene:
    """Consecutive frames of a moving scene.

    Under `jit`, unused fields are not computed.

    Attributes:
        blurry: `[h, w, c]`, the frame.
        sharp: `[h, w, c]`, its middle sub-frame.
        next_blurry: `[h, w, c]`, the next frame.
        next_sharp: `[h, w, c]`, the middle sub-frame of the next frame.
        previous_blurry: `[h, w, c]`, the previous frame.
        flow: `[h, w, 2]`, from the first to the last sub-frame of the frame: pixel p of the first
            one moves to p + flow[p] in the last one.
        backward_flow: `[h, w, 2]`, from the last to the first sub-frame: pixel p of the last one
            was at p + backward_flow[p] in the first one.
        visible: `[h, w]`, whether the end point of `flow` is visible in the last sub-frame, neither
            occluded nor outside the frame.
    """

    blurry: Array
    sharp: Array
    next_blurry: Array
    next_sharp: Array
    previous_blurry: Array
    flow: Array
    backward_flow: Array
    visible: Array


@typechecked
def render(photos: Photos, masks: Masks, matrices: Matrices, height: int, width: int) -> jax.Array:
    """Composites the layers from back to front.

    Args:
        photos: `[k, h, w, c]`, the textures; the first is the background, padded by reflection.
        masks: `[k, h, w]` in [0, 1]; that of the background is ignored.
        matrices: `[k, 3, 3]`, homographies from the points of each layer to the picture.
        height: rows of the picture; the textures may be larger.
        width: columns of the picture.

    Returns:
        The picture, `[h, w, c]`.
    """
    points = _centred_grid(height, width, photos.dtype)
    picture = jnp.zeros((height, width, photos.shape[-1]), photos.dtype)
    for layer in range(photos.shape[0]):
        places = _places(matrices[layer], points, masks.shape[1:])
        if layer == 0:
            picture = sample(photos[layer], places, padding="reflect")
        else:
            # One gather for both; the mask is zero outside the texture.
            both = jnp.concatenate([photos[layer], masks[layer][..., None]], axis=-1)
            read = sample(both, places, padding="edge")
            inside = _is_inside(places, masks.shape[1:])[..., None]
            mask = jnp.where(inside, read[..., -1:], 0)
            picture = picture + mask * (read[..., :-1] - picture)
    return picture


@typechecked
def scene_flow(
    masks: Masks, first: Matrices, last: Matrices, height: int, width: int
) -> tuple[jax.Array, jax.Array]:
    """Returns the exact flow from a first to a last picture, and where it ends visibly.

    A pixel shows the front layer whose mask exceeds one half.

    Args:
        masks: `[k, h, w]`, see `render`.
        first: `[k, 3, 3]`, the homographies of the first picture.
        last: `[k, 3, 3]`, the homographies of the last picture.
        height: rows of the pictures.
        width: columns of the pictures.

    Returns:
        The flow, `[h, w, 2]`, and whether its end point is visible in the last picture, `[h, w]`.
    """
    points = _centred_grid(height, width, masks.dtype)
    count = masks.shape[0]

    def covers(layer: int, matrix: Array, points: jax.Array) -> jax.Array:
        places = _places(matrix, points, masks.shape[1:])
        read = sample(masks[layer][..., None], places)[..., 0]
        return (read > 0.5) & _is_inside(places, masks.shape[1:])

    shown = jnp.zeros((height, width), jnp.int32)
    ends = project(_from_first(first[0], last[0]), points)
    for layer in range(1, count):
        here = covers(layer, first[layer], points)
        shown = jnp.where(here, layer, shown)
        moved = project(_from_first(first[layer], last[layer]), points)
        ends = jnp.where(here[..., None], moved, ends)
    limit = jnp.asarray([[[width - 1, height - 1]]], ends.dtype) / 2
    visible = jnp.all(jnp.abs(ends) <= limit, axis=-1)
    for layer in range(1, count):
        visible &= ~(covers(layer, last[layer], ends) & (shown < layer))
    return ends - points, visible


@typechecked
def draw_scene(
    key: jax.Array,
    photos: Photos,
    masks: Masks | None = None,
    *,
    margin: int = 16,
    camera_motion: LayerMotion = HAND_HELD,
    object_motion: LayerMotion = CROSSING,
    exposure: tuple[float, float] = (0.4, 1.0),
    subframes: int = 17,
    limit: float = 24.0,
    camera: Camera = CAMERA,
) -> Scene:
    """Draws a scene from photographs: the first is the background, the others give objects.

    Args:
        key: a JAX random key.
        photos: `[k, h, w, c]`, display values in [0, 1].
        masks: `[k, h, w]`, masks of the objects in their photographs; the first is ignored. None
            draws random shapes. Every object but the last appears with a probability of 1/2.
        margin: number of pixels by which the photographs exceed the frames on each side.
        camera_motion: bounds of the camera's motion from frame to frame.
        object_motion: bounds of the additional motion of each object.
        exposure: bounds of the exposure time, as a fraction of the time between two frames.
        subframes: number of averaged sub-frames, odd.
        limit: longest motion during an exposure in pixels; the exposure is shortened where a motion
            would be longer. Sub-frames more than a pixel or two apart cause visible ghosts.
        camera: transfer, noise and rounding of the frames, applied after averaging in light.

    Returns:
        A `Scene` whose arrays are `2 * margin` rows and columns smaller than `photos`.

    Raises:
        ValueError: if `subframes` is even, or the photos are too small for `margin`.
    """
    count, *size = photos.shape[:3]
    height, width = size[0] - 2 * margin, size[1] - 2 * margin
    if subframes % 2 == 0:
        raise ValueError(
            f"draw_scene: subframes must be odd so that one is in the middle, got {subframes}"
        )
    if margin < 0 or min(height, width) < 1:
        raise ValueError(
            "draw_scene: photos must be larger than twice the margin, "
            f"got {size[1]}x{size[0]} and a margin of {margin}"
        )
    keys = jax.random.split(key, 6)
    light = to_light(photos, camera.transfer)
    masks = _draw_masks(keys[0], count, size) if masks is None else jnp.asarray(masks)
    masks = masks * _draw_presence(keys[1], count)[:, None, None].astype(masks.dtype)
    poses = _draw_poses(keys[2], masks, camera_motion, object_motion, height, width)
    span = jax.random.uniform(keys[3], (), jnp.float32, minval=exposure[0], maxval=exposure[1])
    span = span * jnp.minimum(1, limit / _farthest(poses, span, height, width))

    def expose(time: jax.Array) -> tuple[jax.Array, jax.Array]:
        def add(sums: tuple[jax.Array, jax.Array], at: tuple[jax.Array, jax.Array]):
            moment, is_middle = at
            picture = render(light, masks, poses(time + moment), height, width)
            total, middle = sums
            return (total + picture, jnp.where(is_middle, picture, middle)), None

        dark = jnp.zeros((height, width, photos.shape[-1]), light.dtype)
        moments = span * jnp.linspace(-0.5, 0.5, subframes, dtype=jnp.float32)
        is_middle = jnp.arange(subframes) == subframes // 2
        (total, middle), _ = lax.scan(add, (dark, dark), (moments, is_middle))
        return total / subframes, middle

    # Separate calls instead of a scan: jit removes the frames that are not used.
    blurry, sharp = expose(jnp.float32(0))
    next_blurry, next_sharp = expose(jnp.float32(1))
    previous_blurry, _ = expose(jnp.float32(-1))
    first, last = _ends(poses, span)
    flow, visible = scene_flow(masks, first, last, height, width)
    backward_flow, _ = scene_flow(masks, last, first, height, width)
    return Scene(
        blurry=develop(keys[4], blurry, camera),
        sharp=develop(keys[4], sharp, camera.still()),
        next_blurry=develop(keys[5], next_blurry, camera),
        next_sharp=develop(keys[5], next_sharp, camera.still()),
        previous_blurry=develop(jax.random.fold_in(keys[5], 1), previous_blurry, camera),
        flow=flow,
        backward_flow=backward_flow,
        visible=visible,
    )


def _draw_masks(key: jax.Array, count: int, size: list[int]) -> jax.Array:
    return jax.vmap(lambda key: draw_shape(key, size[0], size[1]))(jax.random.split(key, count))


def _draw_presence(key: jax.Array, count: int) -> jax.Array:
    """Draws which layers are present: the first and the last always, others half the time."""
    return jax.random.bernoulli(key, shape=(count,)).at[jnp.asarray([0, count - 1])].set(True)


def _draw_poses(
    key: jax.Array,
    masks: jax.Array,
    camera_motion: LayerMotion,
    object_motion: LayerMotion,
    height: int,
    width: int,
) -> Callable[[jax.Array], jax.Array]:
    """Draws all motions; returns a function from time to the homographies of the layers."""
    count = masks.shape[0]
    keys = jax.random.split(key, count)
    scale = 2.0 / jnp.asarray([width, height], jnp.float32)
    camera = _draw_motion(keys[0], camera_motion)
    objects = jax.vmap(lambda key: _draw_motion(key, object_motion))(keys[1:])
    points = _centred_grid(masks.shape[1], masks.shape[2], masks.dtype)
    weights = masks[1:, ..., None]
    weight = jnp.maximum(jnp.sum(weights, axis=(1, 2)), 1)
    centres = jnp.sum(weights * points[None], axis=(1, 2)) / weight

    def poses(time: jax.Array) -> jax.Array:
        view = _motion_matrix(camera, time, jnp.zeros(2, jnp.float32), scale)
        own = jax.vmap(lambda motion, centre: _motion_matrix(motion, time, centre, scale))
        still = jnp.eye(3, dtype=jnp.float32)[None]
        layers = jnp.concatenate([still, own(objects, centres)]) if count > 1 else still
        return jnp.einsum("ij,kjl->kil", view, layers, precision="highest")

    return poses


def _draw_motion(key: jax.Array, motion: LayerMotion) -> jax.Array:
    """Draws the eight parameters of a motion in the order of `_motion_matrix`."""
    bounds = jnp.asarray(
        [motion.translation] * 2
        + [motion.acceleration] * 2
        + [motion.perspective] * 2
        + [motion.rotation, motion.zoom],
        jnp.float32,
    )
    return bounds * jax.random.uniform(key, (8,), jnp.float32, minval=-1, maxval=1)


def _motion_matrix(
    rates: jax.Array, time: jax.Array, centre: jax.Array, scale: jax.Array
) -> jax.Array:
    """Returns the homography of a motion about `centre` after `time`, the identity at zero."""
    shift = rates[:2] * time + rates[2:4] * time**2 / 2
    tilt = rates[4:6] * time * scale
    angle, growth = rates[6] * time, jnp.exp(rates[7] * time)
    cosine, sine = growth * jnp.cos(angle), growth * jnp.sin(angle)
    turn = jnp.asarray([[cosine, -sine], [sine, cosine]])
    # Translate to the centre, rotate and scale, apply the perspective, translate back and shift.
    top = turn - jnp.outer(centre + shift, tilt)
    offset = centre + shift - top @ centre
    return jnp.block(
        [[top, offset[:, None]], [-tilt[None], (1 + jnp.dot(tilt, centre))[None, None]]]
    )


def _farthest(
    poses: Callable[[jax.Array], jax.Array], span: jax.Array, height: int, width: int
) -> jax.Array:
    """Returns the length of the longest motion in the frame during an exposure, in pixels."""
    corners = [[x * (width - 1), y * (height - 1)] for x in (-1, 1) for y in (-1, 1)]
    corners = jnp.asarray(corners, jnp.float32)
    paths = jax.vmap(_from_first)(*_ends(poses, span))
    moved = jax.vmap(project, in_axes=(0, None))(paths, corners / 2)
    return jnp.max(jnp.linalg.norm(moved - corners[None] / 2, axis=-1))


def _ends(poses: Callable[[jax.Array], jax.Array], span: jax.Array) -> jax.Array:
    """Returns the matrices of all layers at the two ends of an exposure, `[2, k, 3, 3]`."""
    return jax.vmap(poses)(span * jnp.asarray([-0.5, 0.5], jnp.float32))


def _from_first(first: Array, last: Array) -> jax.Array:
    return jnp.matmul(last, invert_homography(first), precision="highest")


def _centred_grid(height: int, width: int, dtype: jnp.dtype) -> jax.Array:
    middle = jnp.asarray([[[width - 1, height - 1]]], dtype) / 2
    return pixel_grid(height, width, dtype) - middle


def _places(matrix: Array, points: jax.Array, size: tuple[int, ...]) -> jax.Array:
    """Maps `points` of the picture to pixel coordinates of a texture of `size`."""
    middle = jnp.asarray([[[size[1] - 1, size[0] - 1]]], points.dtype) / 2
    return project(invert_homography(matrix), points) + middle


def _is_inside(places: jax.Array, size: tuple[int, ...]) -> jax.Array:
    last = jnp.asarray([[[size[1] - 1, size[0] - 1]]], places.dtype)
    return jnp.all((places >= 0) & (places <= last), axis=-1)
