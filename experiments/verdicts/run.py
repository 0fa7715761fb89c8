r"""Is the verdict of `deblur` right about restorations that should not be trusted?

    python -m experiments.verdicts.run --images BSDS500/val --limit 6 --height 160 --width 208 \
        --seed 0 --out experiments/verdicts/results.json

The middle of each photo is degraded in one of the following ways, with noise of 0.005 and 8 bits,
and restored by `restore` with the motion that the case names. Motions are a camera's, of up
to 12 pixels.

    right       blurred by the motion that the solver is given
    across      blurred by a motion; the solver is given the same turned by 90 degrees
    long        blurred by a motion; the solver is given twice that motion
    objects     half of the photo moves differently; the solver is given one motion for all of it
    defocus     blurred by a disc of 4 pixels radius; the solver is given a motion
    saturated   three times brighter than the sensor's limit, blurred by the motion that is given

`right` should be trusted, the others should not.
"""

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax import psnr
from deblur_jax.ops.basis_blur import basis_blur
from deblur_jax.ops.line_blur import line_blur
from deblur_jax.ops.operators import LineBlur
from deblur_jax.ops.sensor import quantize
from deblur_jax.restoration import restore
from deblur_jax.simulate.camera_flow import MILD, camera_flow
from deblur_jax.solvers.diagnosis import DOUBTFUL, EXPLAINED, diagnose
from experiments.shared import middle, origin, read_landscape, run_command, spread, write_record


LONGEST, NOISE, RADIUS, BORDER, BRIGHTER = 12.0, 0.005, 4, 8, 3.0
CASES = ("right", "across", "long", "objects", "defocus", "saturated")


class Case(NamedTuple):
    """A blurry photo, and the motion that the solver is given."""

    sharp: jax.Array
    blurry: jax.Array
    flow: jax.Array


def main() -> None:
    """Runs the experiment, prints the table and writes the record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--images", type=Path, required=True, help="a folder of .jpg photos")
    parser.add_argument("--limit", type=int, default=20, help="most photos")
    parser.add_argument("--seed", type=int, default=0, help="of the motions")
    parser.add_argument("--height", type=int, default=240, help="of the middle of each photo")
    parser.add_argument("--width", type=int, default=320, help="of the middle of each photo")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    arguments = parser.parse_args()
    make = jax.jit(make_cases)
    judge = jax.jit(judged)
    rows = []
    for index, path in enumerate(sorted(arguments.images.glob("*.jpg"))[: arguments.limit]):
        key = jax.random.fold_in(jax.random.key(arguments.seed), index)
        photo = middle(read_landscape(path), arguments.height, arguments.width)
        for name, case in make(key, photo).items():
            scores = {k: float(v) for k, v in judge(case).items()}
            rows.append({"photo": path.name, "case": name, **scores})
        print(path.name, {r["case"]: round(r["explained"], 2) for r in rows[-len(CASES) :]},
              flush=True)  # fmt: skip
        write(arguments, rows)
    print(table(rows))


def make_cases(key: jax.Array, sharp: jax.Array) -> dict[str, Case]:
    """Returns the photo degraded in every way, by case."""
    keys = jax.random.split(key, 3)
    height, width, _ = sharp.shape
    inside = (slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    flow, other = (camera_flow(k, height, width, MILD.scaled(LONGEST)) for k in keys[:2])

    def case(blurry: jax.Array, given: jax.Array, truth: jax.Array = sharp) -> Case:
        noisy = blurry + NOISE * jax.random.normal(keys[2], blurry.shape)
        return Case(truth[inside], quantize(noisy)[inside], given[inside])

    moved = line_blur(sharp, flow)
    rows, columns = jnp.mgrid[-RADIUS : RADIUS + 1, -RADIUS : RADIUS + 1]
    disc = (rows**2 + columns**2 <= RADIUS**2).astype(sharp.dtype)
    everywhere = jnp.ones((height, width, 1), sharp.dtype)
    right = (jnp.arange(width) >= width // 2)[None, :, None]
    bright = BRIGHTER * sharp
    return {
        "right": case(moved, flow),
        "across": case(moved, jnp.stack([-flow[..., 1], flow[..., 0]], axis=-1)),
        "long": case(moved, 2 * flow),
        "objects": case(jnp.where(right, moved, line_blur(sharp, other)), flow),
        "defocus": case(basis_blur(sharp, (disc / disc.sum())[None], everywhere), flow),
        "saturated": case(line_blur(bright, flow), flow, jnp.minimum(bright, 1)),
    }


def judged(case: Case) -> dict[str, Any]:
    """Restores a case; returns the diagnosis and the gain."""
    blur = LineBlur(case.flow)
    restored, residual = restore(blur, case.blurry)
    found = diagnose(blur, restored, case.blurry)
    return {
        "explained": found.explained,
        "energy": found.energy,
        "noise": found.noise,
        "reblur_error": jnp.sqrt(jnp.mean(jnp.square(residual))),
        "gain": psnr(restored, case.sharp) - psnr(case.blurry, case.sharp),
    }


def summary(rows: list[dict]) -> dict[str, dict[str, float]]:
    """Returns for each case the share of trusted restorations, means and spreads."""
    result = {}
    for name in CASES:
        chosen = [row for row in rows if row["case"] == name]
        shares = np.asarray([row["explained"] for row in chosen])
        result[name] = {
            "trusted": float(np.mean(shares >= DOUBTFUL)),
            "without_doubt": float(np.mean(shares >= EXPLAINED)),
            "explained": float(np.mean(shares)),
            "gain": float(np.mean([row["gain"] for row in chosen])),
            "spread": spread({name: row[name] for name in ("explained", "gain")} for row in chosen),
        }
    return result


def write(arguments: argparse.Namespace, rows: list[dict]) -> None:
    """Writes the summary."""
    write_record(arguments.out, {
        "command": "python -m experiments.verdicts.run",
        "seed": arguments.seed,
        "photos": len(rows) // len(CASES),
        "cases": summary(rows),
        **origin(),
    })  # fmt: skip


def table(rows: list[dict]) -> str:
    """Returns the summary as Markdown."""
    lines = ["| case | trusted | without doubt | explained | gain, dB |", "|---|--:|--:|--:|--:|"]
    for name, each in summary(rows).items():
        lines.append(
            f"| {name} | {each['trusted']:.0%} | {each['without_doubt']:.0%} "
            f"| {each['explained']:.2f} | {each['gain']:+.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    run_command(main)
