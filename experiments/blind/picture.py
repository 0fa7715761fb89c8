"""Draw a simulated shake on a curved path, its estimated kernels, and the result.

    python -m experiments.blind.picture --out experiments/blind/shake.jpg

The photo is one that scikit-image ships. It is averaged along a path of translation and roll, and
gets noise, 8 bits and JPEG compression.
"""

import argparse
from pathlib import Path

import jax
import numpy as np
from skimage import data

from deblur_jax.blur_picture import draw_blur
from deblur_jax.deblurring import deblur
from deblur_jax.pictures import to_bytes, write_panels
from deblur_jax.simulate.develop import Camera, develop
from experiments.blind.simulations import BORDER, roll
from experiments.shared import as_floats, psnr_shifted, run_command


CAMERA = Camera(sigma=(0.002, 0.004), levels=256, quality=(90, 95))
INNER = (slice(BORDER, -BORDER), slice(BORDER, -BORDER))


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--photo", default="coffee", help="function of skimage.data")
    parser.add_argument("--side", type=int, default=45, help="extent of the shake in pixels")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("shake.jpg"))
    options = parser.parse_args()
    light = as_floats(getattr(data, options.photo)()[..., :3])
    shaking, recording = jax.random.split(jax.random.key(options.seed))
    shaken, _ = roll(shaking, light, options.side)
    photo = np.asarray(develop(recording, np.asarray(shaken, np.float32), CAMERA))[INNER]
    sharp = light[INNER]
    result = deblur(photo)
    before, after = (psnr_shifted(each, sharp, BORDER) for each in (photo, result.image))
    print(f"{before:.2f} dB before, {after:.2f} dB after; {result.verdict}")
    height, width, _ = photo.shape
    kernels, enlarged = draw_blur(photo, result.blur, (height, width))
    write_panels(
        options.out,
        {
            "photo": to_bytes(photo),
            f"estimated kernels, x{enlarged}": kernels,
            "restored": to_bytes(result.image),
            "sharp": to_bytes(sharp),
        },
    )


if __name__ == "__main__":
    run_command(main)
