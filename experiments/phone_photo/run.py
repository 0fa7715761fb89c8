r"""A phone's photo through the command `deblur`: minutes, peak memory, and which metadata are kept.

    python -m experiments.phone_photo.run --width 4000 --height 3000 --profile P3.icc --out OUT.json
    python -m experiments.phone_photo.run --width 20000 --height 5000 --steps 1 --out OUT.json

The photo comes with scikit-image. It is moved by `--motion` pixels, enlarged, given noise, and
saved as a rotated JPEG with a phone's EXIF block (camera, exposure, place) and optionally a colour
profile such as Display P3. The command runs in a process of its own. Its result is read by Pillow
and, if it is installed, by exiftool.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import jax.numpy as jnp
import numpy as np
from PIL import Image
from skimage import data

from deblur_jax import line_blur
from experiments.shared import origin, run_command, write_record


ORIENTATION, EXIF, PLACE = 0x0112, 0x8769, 0x8825
ABOUT_FILE = ("SourceFile", "System:", "File:", "Composite:", "ExifTool:", "JFIF:")


def main() -> None:
    """Runs the experiment, prints the figures and writes the record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--width", type=int, default=4000, help="pixels")
    parser.add_argument("--height", type=int, default=3000, help="pixels")
    parser.add_argument("--motion", type=float, default=18.0, help="to the right, pixels")
    parser.add_argument("--steps", type=int, default=15, help="solver steps")
    parser.add_argument("--profile", type=Path, help="a colour profile, an ICC file")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photo, output = Path(folder, "phone.jpg"), Path(folder, "phone-deblurred.jpg")
        make_photo(photo, arguments)
        command = [sys.executable, "-m", "deblur_jax.cli.deblur", str(photo), "--force"]
        command += ["--model", "camera-motion", "--steps", str(arguments.steps)]
        started = time.time()
        shown = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds = time.time() - started
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        record = {
            "command": "python -m experiments.phone_photo.run",
            **origin(),
            "photo": f"{arguments.width}x{arguments.height}",
            "steps": arguments.steps,
            "minutes": round(seconds / 60, 1),
            "processor_minutes": round((used.ru_utime + used.ru_stime) / 60, 1),
            "peak_gigabytes": round(used.ru_maxrss / 2**20, 2),
            "said": shown.stdout.replace(folder, "").splitlines(),
            "kept": kept(photo, output),
        }
    write_record(arguments.out, record)
    print(json.dumps(record, indent=1))


def make_photo(path: Path, arguments: argparse.Namespace) -> None:
    """Writes a blurred photo as a phone does, with rotated pixels and an orientation tag."""
    sharp = jnp.asarray(data.coffee(), jnp.float32) / 255
    ratio = arguments.width / sharp.shape[1]
    flow = jnp.full((*sharp.shape[:2], 2), jnp.asarray([arguments.motion / ratio, 0.0]))
    blurry = np.asarray(line_blur(sharp, flow))
    large = cv2.resize(blurry, (arguments.width, arguments.height), interpolation=cv2.INTER_CUBIC)
    random = np.random.default_rng(0)
    for row in large:  # row by row, to save memory
        row += random.normal(0, 0.01, row.shape).astype(np.float32)
    pixels = np.rint(np.clip(large, 0, 1, out=large) * 255).astype(np.uint8)
    exif = Image.Exif()
    exif[271], exif[272], exif[ORIENTATION] = "a maker", "a phone", 8
    exif.get_ifd(EXIF).update(
        {0x829A: 1 / 30, 0x829D: 1.8, 0x8827: 400, 0x9003: "2026:01:02 03:04:05", 0x920A: 4.25,
         0x927C: bytes(range(200)), 0xA002: arguments.height, 0xA003: arguments.width}
    )  # fmt: skip
    exif.get_ifd(PLACE).update({1: "N", 2: (48.0, 8.0, 30.0), 3: "E", 4: (11.0, 34.0, 30.0)})
    profile = arguments.profile.read_bytes() if arguments.profile else None
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(pixels, 3)))
    turned.save(path, exif=exif, icc_profile=profile, quality=92)


def kept(photo: Path, output: Path) -> dict[str, Any]:
    """Compares the result's metadata with the photo's, read by Pillow and exiftool."""
    with Image.open(photo) as before, Image.open(output) as after:
        was, now = before.getexif(), after.getexif()
        found: dict[str, Any] = {
            "size": f"{after.width}x{after.height}",
            "size_of_stored_photo": f"{before.width}x{before.height}",
            "orientation": now.get(ORIENTATION, "none: upright"),
            "profile_unchanged": before.info.get("icc_profile") == after.info.get("icc_profile"),
            "place_unchanged": was.get_ifd(PLACE) == now.get_ifd(PLACE),
        }
    if shutil.which("exiftool"):
        before, after = (_exiftool(path) for path in (photo, output))
        found["exiftool_tags"] = len(before)
        found["exiftool_changed"] = sorted(
            tag for tag in before | after if before.get(tag) != after.get(tag)
        )
    return found


def _exiftool(path: Path) -> dict[str, Any]:
    command = ["exiftool", "-json", "-G", "-a", "-u", str(path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    (tags,) = json.loads(shown.stdout)
    return {tag: value for tag, value in tags.items() if not tag.startswith(ABOUT_FILE)}


if __name__ == "__main__":
    run_command(main)
