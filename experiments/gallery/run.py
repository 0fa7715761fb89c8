r"""What does `deblur` make of real photos?

    python -m experiments.gallery.run --images PHOTOS --reports reports

Photos of more than 600 pixels a side are reduced. Each is restored with each model; `--reports`
draws the photo, the estimated blur, the restoration and the residual side by side.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from deblur_jax.cli.report import draw_report
from deblur_jax.deblurring import Result, deblur
from deblur_jax.estimate import find_estimator
from deblur_jax.io.images import SUFFIXES, Photo, write_photo
from experiments.shared import as_floats, origin, run_command, write_record


LONGEST_SIDE = 600  # pixels


def main() -> None:
    """Restores the photos, prints a line for each and writes the record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--images", type=Path, required=True, help="a folder with photos")
    parser.add_argument("--model", nargs="+", default=["auto"], help="models of `deblur`")
    parser.add_argument("--reports", type=Path, help="a folder to draw a picture of each result in")
    parser.add_argument(
        "--transfer", help="curve of the photos, such as srgb; their values as they are if omitted"
    )
    parser.add_argument("--limit", type=int, default=0, help="most photos, 0 for all")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results.json"))
    arguments = parser.parse_args()
    models = {name: find_estimator(name) for name in arguments.model}
    if arguments.reports:
        arguments.reports.mkdir(parents=True, exist_ok=True)
    rows = []
    for path in find_photos(arguments.images, arguments.limit):
        photo = Photo(as_floats(read_reduced(path)))
        for name, model in models.items():
            result = deblur(photo.pixels, model, transfer=arguments.transfer)
            rows.append({"photo": path.stem, "model": name, **described(result)})
            print(*rows[-1].values(), sep=", ", flush=True)
            if arguments.reports:
                board = draw_report(path.name, photo, result)
                report = arguments.reports / f"{path.stem}-{name}.png"
                write_photo(report, Photo(as_floats(board)))
    command = "python -m experiments.gallery.run"
    write_record(arguments.out, {"command": command, "rows": rows, **origin()})


def find_photos(folder: Path, limit: int) -> list[Path]:
    """Returns the photos of a folder, at most `limit` if it is not 0."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise FileNotFoundError(
            f"{folder}: no photos ({', '.join(SUFFIXES)}); give a folder of some"
        )
    return found[: limit or None]


def read_reduced(path: Path) -> np.ndarray:
    """Returns the 8-bit pixels of a photo, reduced to at most `LONGEST_SIDE` a side."""
    with Image.open(path) as image:
        reduced = image.convert("RGB")
    reduced.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return np.asarray(reduced)


def described(result: Result) -> dict[str, float | bool | str | None]:
    """Returns the share explained, the verdict and the blur of a result."""
    return {
        "explained": round(result.explained, 2),
        "trusted": result.trusted,
        "likely": None if result.likely is None else round(result.likely, 3),
        "blur": result.blur.describe(),
    }


if __name__ == "__main__":
    run_command(main)
