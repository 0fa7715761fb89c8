"""Draw the picture of the local page, as a headless browser shows it; needs Chromium.

    python -m experiments.page.run --out experiments/page/page.jpg

The photo comes with scikit-image and is moved by 9 pixels.
"""

import argparse
import base64
import functools
import io
import tempfile
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from PIL import Image
from skimage import data

from deblur_jax import line_blur
from deblur_jax.cli.page.server import Limits
from deblur_jax.cli.page.worker import start_process
from deblur_jax.cli.restore_photo import Settings
from deblur_jax.io.images import Photo, write_photo
from experiments.shared import run_command
from tests.cli.browser import find_browser, opened_browser
from tests.cli.pages import served_page


LIMITS = Limits(most_bytes=100_000_000, most_pixels=50_000_000)  # the command's defaults


def main() -> None:
    """Serves the page, loads a photo into it and saves a screenshot."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="the .jpg file to write")
    arguments = parser.parse_args()
    browser = find_browser()
    if browser is None:
        raise SystemExit("no Chromium was found; install one (apt install chromium)")
    sharp = jnp.asarray(data.astronaut()[:384], jnp.float32) / 255
    flow = jnp.full((*sharp.shape[:2], 2), jnp.asarray([8.0, 4.0]))
    start = functools.partial(start_process, Settings())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "served").mkdir()
        write_photo(folder / "astronaut.jpg", Photo(np.asarray(line_blur(sharp, flow))))
        with (
            served_page(folder / "served", start=start, limits=LIMITS) as server,
            opened_browser(browser, folder) as page,
        ):
            page.open(f"http://127.0.0.1:{server.server_port}/")
            page.choose_file("#file", folder / "astronaut.jpg")
            page.wait("!result.hidden")
            for picture in ("before", "after", "motion"):
                page.wait(f"document.getElementById('{picture}').naturalWidth > 0")
            screenshot = page.send("Page.captureScreenshot", captureBeyondViewport=True)["data"]
    image = Image.open(io.BytesIO(base64.b64decode(screenshot))).convert("RGB")
    image.save(arguments.out, quality=85)
    print(f"{arguments.out}: {image.width}x{image.height}")


if __name__ == "__main__":
    run_command(main)
