"""The training sets of the papers, simulated on the device from a batch of photographs.

Each `make_...` function returns `simulate(key, example) -> example`, a pure function of a JAX
random key and one example of a batch (see `data.examples`), to be vectorised by `jax.vmap`. The
options are plain numbers, so that a config can hold them. `camera` stands for the arguments of
`make_camera`.

    make_segment_blur   objects and a background, each with its own camera-shake kernel (Carbajal)
    make_uniform_blur   one kernel for the whole picture (Noroozi's DeblurNet_SI)
    make_scene_blur     moving layers in consecutive frames (Noroozi, Argaw, Zhang)
    make_averaged       averaged frames of a high-speed camera (Noroozi, Argaw)
    make_interpolated   two rendered frames with known motion (Argaw)
    make_developed      blurry pictures with added noise, rounding or compression
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


Example = dict[str, jax.Array]
Simulate = Callable[[jax.Array, Example], Example]

USUAL_SIDE = 33  # side of the kernels that the defaults of `Tremor` and `Wander` are for


def make_camera(
    *,
    transfer: Transfer = "linear",
    noise: float = 0.0,
    shot: float = 0.0,
    levels: int = 0,
    quality: Sequence[float] = (),
) -> Camera:
    """Returns the camera described by plain numbers.

    Args:
        transfer: curve between light and display values, see `ops.sensor`.
        noise: largest standard deviation of the noise; it is drawn uniformly from zero to this.
        shot: largest variance of the photon noise at full signal; it is drawn uniformly from zero
            to this.
        levels: number of levels of the file; 0 for no rounding.
        quality: bounds of the JPEG quality; empty for no compression.
    """
    if len(quality) not in (0, 2):
        raise ValueError(f"quality must be (lowest, highest) or empty, got {tuple(quality)}")
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
    """Returns a simulation of objects that move independently (Carbajal et al., section 3.3).

    Its input is `sharp` and optionally `segments`; without them the objects are random shapes. Its
    output is `sharp`, `blurry`, `kernels`, `mixing` and `weights` of
    `simulate.segments.SegmentBlur`, with `side - 1` fewer rows and columns.

    Args:
        side: side of the kernels in pixels, odd. Their shapes scale with it.
        objects: largest number of objects besides the background.
        least: smallest size in pixels of a segment that is chosen as an object.
        wander_share: probability of a wander kernel instead of a tremor kernel.
        brighten: see `simulate.segments.draw_segment_blur`.
        lights: see `simulate.segments.draw_segment_blur`.
        still_share: probability that a segment is not blurred.
        **camera: see `make_camera`.
    """
    recorder = make_camera(**camera)
    draw_kernel = functools.partial(
        shake_kernel, wander_share=wander_share, still_share=still_share, **_scaled_paths(side)
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

    Its input is `sharp`. Its output is that of `make_segment_blur` with a single kernel.

    Args:
        side: side of the kernels in pixels, odd.
        wander_share: probability of a wander kernel instead of a tremor kernel.
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

    Its input is a group of photographs, `sharp` `[k, h, w, c]`, the first of which is the
    background, and optionally their `segments`. The object of a photograph is one of its segments,
    or a random shape without `segments`. Its output are the fields of `simulate.scenes.Scene`.

    Args:
        margin: number of pixels by which the photographs exceed the frames on each side.
        subframes: number of averaged sub-frames, odd.
        limit: longest motion during an exposure in pixels.
        motion: factor on the translations `HAND_HELD` and `CROSSING` of camera and objects; 1 suits
            frames of about 256 pixels.
        exposure: bounds of the exposure time, as a fraction of the time between two frames.
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

    Its input is `frames`, `[n, h, w, c]`. Its output is `blurry` and `sharp`, the middle frame. It
    does not check that the motion between frames is small; the source "frames" does, on the host.

    Args:
        shrink: factor by which frames are downsampled, by area averaging.
        transfer: "linear" averages display values; a gamma such as 2.2 or "srgb" averages light.
        **camera: see `make_developed`.
    """
    degrade = make_developed(**camera)

    def simulate(key: jax.Array, example: Example) -> Example:
        frames = jnp.asarray(example["frames"])
        size = (frames.shape[1] // shrink, frames.shape[2] // shrink)
        blurry, sharp = average_frames(frames, transfer=transfer, size=size)
        return degrade(key, {"blurry": blurry, "sharp": sharp})

    return simulate


def make_interpolated(*, fewest: int, **camera: Any) -> Simulate:
    """Returns a simulation of the blur between two frames with known motion (Argaw et al.).

    Its input is `sharp`, `next_sharp`, `flow` and `backward_flow` of a rendered film. Its output is
    `blurry`, the `sharp` picture in the middle, and both flows.

    Args:
        fewest: lower bound of the number of pictures between the frames; there is one for each
            pixel of the longest motion in the crop.
        **camera: see `make_developed`.
    """
    degrade = make_developed(**camera)

    def simulate(key: jax.Array, example: Example) -> Example:
        first, last = jnp.asarray(example["sharp"]), jnp.asarray(example["next_sharp"])
        flows = {name: jnp.asarray(example[name]) for name in ("flow", "backward_flow")}
        blurry, sharp = interpolated_blur(first, last, *flows.values(), fewest=fewest)
        return degrade(key, {"blurry": blurry, "sharp": sharp, **flows})

    return simulate


def make_developed(**camera: Any) -> Simulate:
    """Returns a simulation that degrades the blurry pictures of real pairs and keeps the rest.

    Without options it returns its input.

    Args:
        **camera: see `make_camera`; without `transfer`, since the pictures are display values.

    Raises:
        ValueError: if there is a `transfer`.
    """
    recorder = make_camera(**camera)
    if recorder.transfer != "linear":
        raise ValueError(
            "make_developed: pictures are already display values; remove transfer, got "
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


def _scaled_paths(side: int) -> dict:
    """Returns the parameters of the paths for kernels of `side`."""
    ratio = side / USUAL_SIDE
    # The default walk suits larger kernels, too.
    return {"tremor": Tremor().scaled(ratio), "wander": Wander().scaled(min(ratio, 1.0))}
