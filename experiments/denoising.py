r"""Measures how well a denoiser removes known noise, beside published results.

    python experiments/denoising.py --images BSDS500/images/val --only cbsd --seed 0 \
        --out experiments/results/denoising_cbsd.json

The colour photos of CBSD68 are 68 of the 100 of BSDS500's validation set; `--only cbsd` takes
those of a folder and complains about missing ones.
"""

import argparse
import json
import time
from pathlib import Path

from recorded import origin

from deblur_jax import load
from deblur_jax.data.photos import PhotoSource, folder_photos
from deblur_jax.io.files import write_json
from deblur_jax.training.evaluation import evaluate
from deblur_jax.training.tasks import denoise


LEVELS = (15, 25, 50)  # 255ths
PUBLISHED = {  # on CBSD68, in the tables of the papers
    "FFDNet": {"psnr/15": 33.87, "psnr/25": 31.21, "psnr/50": 27.96},
    "DRUNet": {"psnr/15": 34.30, "psnr/25": 31.69, "psnr/50": 28.51},
}
CBSD = (
    "101085", "101087", "102061", "103070", "105025", "106024", "108005", "108070", "108082",
    "109053", "119082", "12084", "123074", "126007", "130026", "134035", "14037", "143090",
    "145086", "147091", "148026", "148089", "157055", "159008", "160068", "16077", "163085",
    "167062", "167083", "170057", "175032", "175043", "182053", "189080", "19021", "196073",
    "197017", "208001", "210088", "21077", "216081", "219090", "220075", "223061", "227092",
    "229036", "236037", "24077", "241004", "241048", "253027", "253055", "260058", "271035",
    "285079", "291000", "295087", "296007", "296059", "299086", "300091", "302008", "304034",
    "304074", "306005", "3096", "33039", "351093",
)  # fmt: skip


def main() -> None:
    """Measures, prints and writes."""
    arguments = _arguments()
    paths = folder_photos(arguments.images)
    if arguments.only == "cbsd":
        paths = [path for path in paths if path.stem in CBSD]
        if len(paths) != len(CBSD):
            raise ValueError(
                f"{arguments.images}: {len(paths)} of CBSD68's {len(CBSD)} photos are here; give "
                "the folder of BSDS500's validation photos"
            )
    paths = paths[: arguments.limit] if arguments.limit else paths
    network = load(arguments.model)
    started = time.perf_counter()
    photos = PhotoSource(paths, smallest=1, in_memory=True)
    metrics = evaluate(
        denoise, network.model, network.variables, photos, denoise.make_simulate(strongest=0.0),
        seed=arguments.seed, workdir=arguments.out.parent, levels=LEVELS,
    )  # fmt: skip
    result = {
        **{name: round(value, 3) for name, value in metrics.items()},
        "photos": len(paths),
        "set": "CBSD68" if arguments.only == "cbsd" else Path(arguments.images).name,
        "seed": arguments.seed,
        "model": arguments.model,
        "trained_steps": network.card.get("step"),
        "published_on_CBSD68": PUBLISHED,
        "minutes": round((time.perf_counter() - started) / 60, 1),
        **origin(),
    }
    write_json(arguments.out, result)
    print(json.dumps(result, indent=2))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures a denoiser.")
    parser.add_argument("--images", required=True, help="folder of clean colour photos")
    parser.add_argument("--only", choices=("all", "cbsd"), default="all")
    parser.add_argument("--limit", type=int, default=0, help="photos at most; 0 for all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--model", default="denoiser", help="name or path")
    return parser.parse_args()


if __name__ == "__main__":
    main()
