r"""How often is the verdict of `deblur` right about a restoration that should not be trusted?

    python experiments/verdicts.py --images BSDS500/val --limit 6 --height 160 --width 208 \
        --seed 0 --out experiments/results/verdicts.json

The middle of each photo is spoilt in one of these ways, with noise of 0.005 and
8 bits, and restored by `restore_blur` with the motion that the case names; motions are a camera's,
of up to 12 pixels.

    right       blurred by the motion that the solver is told
    across      by a motion; the solver is told the same turned by 90 degrees
    long        by a motion; the solver is told twice as much
    objects     a half of the photo moves otherwise; the solver is told one motion for all of it
    defocus     by a disc of 4 pixels radius; the solver is told a motion
    saturated   three times brighter than the sensor can show, by the motion that is told

`right` should be trusted and the others not.
"""

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from recorded import origin
from unrolled_gain import middle

from deblur_jax import psnr
from deblur_jax.io.files import write_json
from deblur_jax.ops.basis_blur import basis_blur
from deblur_jax.ops.line_blur import line_blur
from deblur_jax.ops.operators import LineBlur
from deblur_jax.ops.sensor import quantize
from deblur_jax.restore import restore_blur
from deblur_jax.simulate.camera_flow import MILD, camera_flow
from deblur_jax.solvers.diagnosis import DOUBTFUL, EXPLAINED, diagnose


LONGEST, NOISE, RADIUS, BORDER, BRIGHTER = 12.0, 0.005, 4, 8, 3.0
CASES = ("right", "across", "long", "objects", "defocus", "saturated")


class Case(NamedTuple):
    """A blurry photo, and the motion that the solver is told."""

    sharp: jax.Array
    blurry: jax.Array
    flow: jax.Array


def main() -> None:
    """Restores, judges, prints and writes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--height", type=int, default=240, help="of the middle of each photo")
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    make = jax.jit(make_cases)
    judge = jax.jit(judged)
    rows = []
    for index, path in enumerate(sorted(arguments.images.glob("*.jpg"))[: arguments.limit]):
        key = jax.random.fold_in(jax.random.key(arguments.seed), index)
        for name, case in make(key, middle(path, arguments.height, arguments.width)).items():
            scores = {k: float(v) for k, v in judge(case).items()}
            rows.append({"photo": path.name, "case": name, **scores})
        print(path.name, {r["case"]: round(r["explained"], 2) for r in rows[-len(CASES) :]},
              flush=True)  # fmt: skip
        write(arguments, rows)
    print(table(rows))


def make_cases(key: jax.Array, sharp: jax.Array) -> dict[str, Case]:
    """Returns the photo, spoilt in every way."""
    keys = jax.random.split(key, 3)
    height, width, _ = sharp.shape
    inside = (slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    flow, other = (camera_flow(k, height, width, MILD.scaled(LONGEST)) for k in keys[:2])

    def case(blurry: jax.Array, told: jax.Array, truth: jax.Array = sharp) -> Case:
        noisy = blurry + NOISE * jax.random.normal(keys[2], blurry.shape)
        return Case(truth[inside], quantize(noisy)[inside], told[inside])

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
    """Restores a case and diagnoses it."""
    blur = LineBlur(case.flow)
    restored, error = restore_blur(blur, case.blurry)
    found = diagnose(blur, restored, case.blurry)
    return {
        "explained": found.explained,
        "energy": found.energy,
        "noise": found.noise,
        "reblur_error": error,
        "gain": psnr(restored, case.sharp) - psnr(case.blurry, case.sharp),
    }


def summary(rows: list[dict]) -> dict[str, dict[str, float]]:
    """Returns for each case how often it is trusted, and what it is about."""
    result = {}
    for name in CASES:
        chosen = [row for row in rows if row["case"] == name]
        shares = np.asarray([row["explained"] for row in chosen])
        result[name] = {
            "trusted": float(np.mean(shares >= DOUBTFUL)),
            "without_doubt": float(np.mean(shares >= EXPLAINED)),
            "explained": float(np.mean(shares)),
            "gain": float(np.mean([row["gain"] for row in chosen])),
        }
    return result


def write(arguments: argparse.Namespace, rows: list[dict]) -> None:
    """Writes the summary and all rows."""
    write_json(arguments.out, {
        "command": "python experiments/verdicts.py",
        "seed": arguments.seed,
        "photos": len(rows) // len(CASES),
        "cases": summary(rows),
        **origin(),
        "rows": rows,
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
    main()
