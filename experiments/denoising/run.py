r"""How well a denoiser removes known noise, beside published results.

    python -m experiments.denoising.run --images BSDS500/images/val --only cbsd --seed 0 \
        --out experiments/denoising/cbsd68.json

The photos of CBSD68 are 68 of the 100 of BSDS500's validation set; `--only cbsd` selects them, and
is an error if one is missing.
"""

import argparse
import json
import time
from pathlib import Path

from deblur_jax import load
from deblur_jax.data.photos import PhotoSource, folder_photos
from deblur_jax.training.evaluation import evaluate
from deblur_jax.training.tasks import denoise
from experiments.shared import origin, run_command, write_record


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
    """Runs the experiment, prints the figures and writes the record."""
    arguments = parse()
    paths = folder_photos(arguments.images)
    if arguments.only == "cbsd":
        paths = [path for path in paths if path.stem in CBSD]
        if len(paths) != len(CBSD):
            raise ValueError(
                f"{arguments.images}: holds {len(paths)} of CBSD68's {len(CBSD)} photos; give the "
                "folder of BSDS500's validation photos"
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
    write_record(arguments.out, result)
    print(json.dumps(result, indent=2))


def parse() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--images", required=True, help="folder of clean colour photos")
    parser.add_argument("--only", choices=("all", "cbsd"), default="all", help="cbsd: CBSD68")
    parser.add_argument("--limit", type=int, default=0, help="most photos, 0 for all")
    parser.add_argument("--seed", type=int, default=0, help="of the noise")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    parser.add_argument("--model", default="denoiser", help="shipped weights by name, or a file")
    return parser.parse_args()


if __name__ == "__main__":
    run_command(main)
