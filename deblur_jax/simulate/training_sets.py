"""The training sets of the papers, made on the device out of a batch of photographs.

Each maker returns `simulate(key, example) -> example`: a pure function of a JAX random key and of
one example of a batch (see `data.examples`), to be mapped over a batch by `jax.vmap`. Its options
are plain numbers, so that a config can hold them.

    make_segment_blur   objects and a background, each with its own camera-shake kernel (Carbajal)
    make_uniform_blur   one kernel for the whole picture (Noroozi's DeblurNet_SI)
    make_scene_blur     moving layers over two frames (Noroozi, Argaw, Zhang)
    make_averaged       frames of a high-speed camera, averaged (Noroozi, Argaw)
    make_interpolated   two rendered frames, and the motion between them (Argaw)
    make_developed      pictures that are blurry already, with noise, rounding or compression

What they take as `camera` are the arguments of `make_camera`.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from deblur_jax.ops.sensor import Transfer
from deblur_jax.simulate.averaging import average_frames
from deblur_jax.simulate.develop import Camera, develop
from deblur_jax.simulate.interpolation import interpolated_blur
from deblur_jax.simulate.scenes import CROSSING, HAND_HELD, draw_scene
from deblur_jax.simulate.segments import draw_segment_blur, draw_segments
from deblur_jax.simulate.shake_kernels import Tremor, Wander, shake_kernel
from deblur_jax.typing import Array


Example = dict[str, Array]
Simulate = Callable[[jax.Array, Example], Example]

USUAL_SIDE = 33  # of the kernels that the default hand and walk were made for


def make_camera(
    *,
    transfer: Transfer = "linear",
    noise: float = 0.0,
    shot: float = 0.0,
    levels: int = 0,
    quality: Sequence[float] = (),
) -> Camera:
    """Returns the camera that plain numbers describe.

    Args:
        transfer: between light and display values, see `ops.sensor`.
        noise: the largest standard deviation; it is drawn uniformly from zero to this.
        shot: the largest variance of the photon noise at full signal, likewise.
        levels: of the file; 0 for no rounding.
        quality: the least and the largest quality of the JPEG file; empty for no compression.
    """
    if len(quality) not in (0, 2):
        raise ValueError(
            f"quality must be a least and a largest one, or empty, got {tuple(quality)}"
        )
    return Camera(
        transfer=transfer,
        sigma=(0.0, noise),
        shot=(0.0, shot),
        levels=levels or None,
        quality=(quality[0], quality[1]) if quality else None,
    )


def make_segment_blur(
    *,
    side: int,
    objects: int,
    least: int,
    wander_share: float,
    brighten: float,
    lights: float,
    still_share: float = 0.01,
    **camera: Any,
) -> Simulate:
    """Returns a simulation of objects that move each in its own way (Carbajal et al., 3.3).

    It takes `sharp` and, where masks are to be had, `segments`; without them the objects are
    random shapes. It gives `sharp`, `blurry`, `kernels`, `mixing` and `weights` as in
    `simulate.segments.SegmentBlur`, with `side - 1` rows and columns less.

    Args:
        side: of the kernels, pixels, odd. Their shapes grow with it.
        objects: how many move at most, besides the background.
        least: pixels of the smallest segment that is chosen as an object.
        wander_share: probability of a random-walk kernel; the others are of a trembling hand.
        brighten: see `simulate.segments.draw_segment_blur`.
        lights: likewise.
        still_share: probability that a segment is not blurred.
        **camera: see `make_camera`.
    """
    recorder = make_camera(**camera)
    draw_kernel = functools.partial(
        shake_kernel, wander_share=wander_share, still_share=still_share, **_sized(side)
    )

    def simulate(key: jax.Array, example: Example) -> Example:
        choosing, drawing = jax.random.split(key)
        chosen = None
        if "segments" in example:
            labels = example["segments"]
            chosen = draw_segments(choosing, labels, objects=objects, least=least)
        blurred = draw_segment_blur(
            drawing,
            example["sharp"],
            chosen,
            side=side,
            draw_kernel=draw_kernel,
            objects=objects,
            brighten=brighten,
            lights=lights,
            camera=recorder,
        )
        return dict(vars(blurred))

    return simulate


def make_uniform_blur(*, side: int, wander_share: float, **camera: Any) -> Simulate:
    """Returns a simulation with one camera-shake kernel for the whole picture.

    It takes `sharp` and gives what `make_segment_blur` does, with a single kernel.

    Args:
        side: of the kernels, pixels, odd.
        wander_share: probability of a random-walk kernel.
        **camera: see `make_camera`.
    """
    simulate = make_segment_blur(
        side=side,
        objects=0,
        least=0,
        wander_share=wander_share,
        brighten=0.0,
        lights=0.0,
        **camera,
    )
    return lambda key, example: simulate(key, {"sharp": example["sharp"]})


def make_scene_blur(
    *,
    margin: int,
    subframes: int,
    limit: float,
    motion: float,
    exposure: Sequence[float],
    **camera: Any,
) -> Simulate:
    """Returns a simulation of consecutive frames of a moving scene.

    It takes a group of photographs, `sharp` `[k, h, w, c]`, of which the first is the background
    and the others show their objects, and perhaps the `segments` of them, of which one each is
    the object; without them the objects are random shapes. It gives what
    `simulate.scenes.Scene` holds.

    Args:
        margin: pixels on each side that the photographs have more than the frames.
        subframes: how many are averaged, odd.
        limit: pixels that nothing moves beyond during an exposure.
        motion: what the motions of a hand-held camera and of objects that cross its view are
            multiplied by; 1 suits frames of about 256 pixels.
        exposure: the least and the largest share of a frame's time that the shutter is open.
        **camera: see `make_camera`.
    """
    recorder = make_camera(**camera)
    camera_motion, object_motion = (
        dataclasses.replace(
            whole,
            translation=whole.translation * motion,
            acceleration=whole.acceleration * motion,
        )
        for whole in (HAND_HELD, CROSSING)
    )

    def simulate(key: jax.Array, example: Example) -> Example:
        choosing, drawing = jax.random.split(key)
        photos, masks = jnp.asarray(example["sharp"]), None
        if "segments" in example:
            keys = jax.random.split(choosing, len(photos))
            choose = functools.partial(draw_segments, objects=1)
            masks = jax.vmap(choose)(keys, example["segments"]).astype(photos.dtype)
        scene = draw_scene(
            drawing,
            photos,
            masks,
            margin=margin,
            camera_motion=camera_motion,
            object_motion=object_motion,
            exposure=(exposure[0], exposure[1]),
            subframes=subframes,
            limit=limit,
            camera=recorder,
        )
        return dict(vars(scene))

    return simulate


def make_averaged(*, shrink: int, transfer: Transfer, **camera: Any) -> Simulate:
    """Returns a simulation that averages the frames of a high-speed camera.

    It takes `frames`, `[n, h, w, c]`, and gives `blurry` and `sharp`, the middle one. Whether the
    frames move slowly enough is not looked at; the source "frames" does, on the host.

    Args:
        shrink: how many times smaller the pictures are than the frames, by area averaging.
        transfer: "linear" averages display values, a gamma such as 2.2 or "srgb" averages light.
        **camera: see `make_developed`.
    """
    degrade = make_developed(**camera)

    def simulate(key: jax.Array, example: Example) -> Example:
        frames = jnp.asarray(example["frames"])
        size = (frames.shape[1] // shrink, frames.shape[2] // shrink)
        blurry, sharp = average_frames(frames, transfer=transfer, size=size)
        return degrade(key, {"blurry": blurry, "sharp": sharp})

    return simulate


def make_interpolated(*, subframes: int, **camera: Any) -> Simulate:
    """Returns a simulation of the blur between two frames whose motion is known (Argaw et al.).

    It takes `sharp`, `next_sharp`, `flow` and `backward_flow`, as rendered films have them, and
    gives `blurry`, the `sharp` picture in the middle, and both flows.

    Args:
        subframes: pictures that are averaged, odd; about one for each pixel of the longest motion.
        **camera: see `make_developed`.
    """
    degrade = make_developed(**camera)

    def simulate(key: jax.Array, example: Example) -> Example:
        first, last = jnp.asarray(example["sharp"]), jnp.asarray(example["next_sharp"])
        flows = {name: jnp.asarray(example[name]) for name in ("flow", "backward_flow")}
        blurry, sharp = interpolated_blur(first, last, *flows.values(), subframes=subframes)
        return degrade(key, {"blurry": blurry, "sharp": sharp, **flows})

    return simulate


def make_developed(**camera: Any) -> Simulate:
    """Returns a simulation that degrades the blurry pictures of an example and keeps the rest.

    It takes and gives whatever a source of real pairs has. Without an option it changes nothing.

    Args:
        **camera: see `make_camera`; without `transfer`, since these are display values already.

    Raises:
        ValueError: if there is a `transfer`.
    """
    recorder = make_camera(**camera)
    if recorder.transfer != "linear":
        raise ValueError(
            "make_developed: pictures are display values already; leave transfer out, got "
            f"{recorder.transfer!r}"
        )

    def simulate(key: jax.Array, example: Example) -> Example:
        degraded = {
            name: develop(jax.random.fold_in(key, number), example[name], recorder)
            for number, name in enumerate(("blurry", "next_blurry", "previous_blurry"))
            if name in example
        }
        return {**example, **degraded}

    return simulate


def _sized(side: int) -> dict:
    """Returns the hand and the walk whose kernels suit a side."""
    ratio = side / USUAL_SIDE
    return {"tremor": Tremor().scaled(ratio), "wander": Wander().scaled(min(ratio, 1.0))}
