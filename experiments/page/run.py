"""Draw the picture of the local page, as a headless browser shows it; needs Chromium.

    python -m experiments.page.run --out experiments/page/page.jpg

The photo comes with scikit-image and is moved by 9 pixels.
"""

import argparse
import tempfile
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from skimage import data

from deblur_jax import line_blur
from deblur_jax.cli.page.server import Limits
from deblur_jax.cli.page.worker import start_process
from deblur_jax.io.images import Photo, write_photo
from experiments.shared import run_command
from tests.cli.browser import find_browser, opened_browser, wait_until
from tests.cli.pages import served_page


WIDTH, HEIGHT = 1280, 760  # pixels
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
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "served").mkdir()
        write_photo(folder / "astronaut.jpg", Photo(np.asarray(line_blur(sharp, flow))))
        with (
            served_page(folder / "served", start=start_process, limits=LIMITS) as address,
            opened_browser(browser) as opened,
        ):
            page = opened.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.goto(address)
            page.set_input_files("#files", folder / "astronaut.jpg")
            wait_until(page, "document.querySelector('li[data-state=done]') !== null", seconds=600)
            wait_until(page, "document.querySelector('#stage img.after').naturalWidth > 0")
            page.wait_for_timeout(500)  # labels fade in
            page.screenshot(path=arguments.out, type="jpeg", quality=85)
    print(f"{arguments.out}: {WIDTH}x{HEIGHT}")


if __name__ == "__main__":
    run_command(main)
