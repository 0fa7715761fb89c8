"""Measures how many samples a second each simulation draws on this machine's first device.

python tools/benchmark_simulation.py --size 256 --batch 4
"""

import argparse
import statistics
import time
from functools import partial

import jax

from deblur_jax.ops.line_blur import line_blur
from deblur_jax.simulate.camera_flow import LARGE, camera_flow
from deblur_jax.simulate.scenes import draw_scene
from deblur_jax.simulate.segments import draw_segment_blur
from deblur_jax.simulate.shake_kernels import shake_kernel


def simulations(size: int, batch: int) -> dict:
    """Returns, by name, a function of keys and how many samples one call of it draws."""
    photos = jax.random.uniform(jax.random.key(0), (batch, 3, size + 32, size + 32, 3))
    inner = photos[:, 0, :size, :size]

    def flow_and_blur(key, photo):
        return line_blur(photo, camera_flow(key, size, size, LARGE))

    return {
        "camera flow": (jax.vmap(partial(camera_flow, height=size, width=size)), batch),
        "camera flow and line blur": (lambda keys: jax.vmap(flow_and_blur)(keys, inner), batch),
        "shake kernels 33x33": (
            lambda keys: jax.vmap(partial(shake_kernel, side=33))(jax.random.split(keys[0], 1000)),
            1000,
        ),
        "segments, 4 kernels 33x33": (
            lambda keys: jax.vmap(draw_segment_blur)(keys, photos[:, 0]),
            batch,
        ),
        "scenes, 3 layers, 2 frames of 17": (
            lambda keys: jax.vmap(draw_scene)(keys, photos),
            batch,
        ),
    }


def main() -> None:
    """Prints one line a simulation: the median over the repeats."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    print(f"{jax.devices()[0].device_kind}, {options.size}x{options.size}, batch {options.batch}")
    for name, (draw, count) in simulations(options.size, options.batch).items():
        compiled = jax.jit(draw)
        seconds = []
        for repeat in range(options.repeats + 1):
            keys = jax.random.split(jax.random.key(repeat), options.batch)
            start = time.perf_counter()
            jax.block_until_ready(compiled(keys))
            seconds.append(time.perf_counter() - start)
        seconds = seconds[1:]  # the first call compiles
        median = statistics.median(seconds)
        print(f"{name:34s} {count / median:10.1f}/s   best {count / min(seconds):10.1f}/s")


if __name__ == "__main__":
    main()
