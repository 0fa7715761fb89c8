r"""Train the network that sees where a restoration went wrong, on simulated training photos.

    DEBLUR_JAX_DATA=DIR python -m experiments.blind.fit collect --limit 16 --keep runs/verdict
    DEBLUR_JAX_DATA=DIR python -m experiments.blind.fit collect --folder photos/train --in-turn \
        --size 288 384 --limit 300 --keep runs/verdict
    python -m experiments.blind.trust validate
    python -m experiments.blind.trust calibrate
    python -m experiments.blind.trust train

    DEBLUR_JAX_DATA=DIR python -m experiments.blind.fit collect --split val --in-turn \
        --size 288 384 --limit 100 --rows runs/val.jsonl --keep runs/val-kept
    python -m experiments.blind.trust evaluate --rows runs/val.jsonl --kept runs/val-kept

`collect` keeps photos, their restorations by every hypothesis, and the sharp originals. `validate`
trains on part of the photos and writes what the networks make of the others. `calibrate` fits the
weights of the verdict to that, writes them to `deblur_jax/blind/verdict.json`, and the figures to
results.json beside this file. `train` trains on all photos and writes
`deblur_jax/weights/trust.safetensors`. `evaluate` records what the shipped network and verdict make
of photos that they were not fitted to.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.optimize import minimize

from deblur_jax.blind.trust import (
    TERMS,
    expectation,
    likely_better,
    terms,
    trust_map,
    trusted_change,
)
from deblur_jax.blind.verdict import LIKELY, WEIGHTS, probability, shipped_weights
from deblur_jax.io.weights import write_weights
from deblur_jax.models.trust import TrustNet
from deblur_jax.pretrained import WEIGHTS as SHIPPED
from deblur_jax.pretrained import load
from deblur_jax.version import __version__, revision
from experiments.blind.fit import choice_loss, fit_weights, stem
from experiments.blind.kept import Kept, pictures_of, read_kept, read_practice
from experiments.blind.rows import read_rows
from experiments.shared import run_command, write_record


SIDE = 192  # pixels, of the parts that the network is trained on
BATCH = 6
RATE = 1e-3  # twice as much made one training in five collapse
DECAY = 1e-3  # of the parameters
MOST = 10.0  # decibels from which a gain counts no more
CAUTION = 2.0  # how much more a loss counts than a gain
LEAST = 2e-6  # squared error below which two pictures are equal
BORDER = 20  # pixels that are not scored
SAME = 0.05  # decibels, gain or loss that nobody sees
COUNTED = 2.0  # decibels from which a gain or loss counts no more for the verdict
RIDGE = 0.01  # of the verdict's weights
FOLDS = 4  # of the photos, for the networks
PARTS = 10  # of the photos, for the verdict
MODEL = {"name": "trust", "widths": [16, 24, 32, 48], "context": 32}
COMMAND = (
    "python -m experiments.blind.trust {0.step} --steps {0.steps} --rate {0.rate}"
    " --start '{0.start}'"
)
LIMITS = (
    "knows restorations of photos of 0.15 megapixel, by 5 steps of the shipped denoiser; it tells "
    "little about photos without texture"
)


def draw_batch(kept: list[Kept], rng: np.random.Generator) -> list[np.ndarray]:
    """Return parts of photos, restorations, residuals and sharp originals, `[b, s, s, 3]` each.

    Half of the restorations are those of the chosen hypothesis. The parts are
    mirrored, and their channels change places.
    """
    parts = []
    for _ in range(BATCH):
        one = kept[rng.integers(len(kept))]
        number = int(rng.integers(len(one.restored)))
        if len(one.preferred) and rng.random() < 0.5:
            number = int(one.preferred[0])
        row, column = (rng.integers(0, length - SIDE + 1) for length in one.photo.shape[:2])
        place = (slice(row, row + SIDE), slice(column, column + SIDE))
        flips = tuple(slice(None, None, step) for step in rng.choice([-1, 1], 2))
        channels = rng.permutation(3)
        pictures = [x[place][flips][..., channels] for x in pictures_of(one, number)]
        parts.append(pictures)
    return [np.stack(each) for each in zip(*parts, strict=True)]


def loss(params: Any, model: TrustNet, pictures: Sequence[jax.Array]) -> jax.Array:
    """Return the negative gain of the mixture in dB; losses count more."""
    photo, restored, residual, sharp = pictures
    share = model.apply({"params": params}, photo, restored, residual)
    mixed = photo + jnp.asarray(share)[..., None] * (restored - photo)
    before, after = (jnp.mean(jnp.square(x - sharp), (1, 2, 3)) + LEAST for x in (photo, mixed))
    gain = 10 * jnp.log10(before / after)
    return -jnp.mean(jnp.where(gain > 0, jnp.minimum(gain, MOST), CAUTION * gain))


def trained(
    kept: list[Kept], options: argparse.Namespace, seed: int
) -> tuple[TrustNet, dict[str, Any]]:
    """Return the network and its parameters after `options.steps` steps of AdamW."""
    steps, rate = options.steps, options.rate
    model = TrustNet(tuple(MODEL["widths"]), MODEL["context"])
    rng = np.random.default_rng(seed)
    params = model.init(jax.random.key(seed), *(jnp.zeros((1, 64, 64, 3)),) * 3)["params"]
    if options.start:
        given = load(options.start).variables["params"]
        params = jax.tree.map(lambda to, x: jnp.asarray(x, to.dtype), params, given)
    schedule = optax.cosine_onecycle_schedule(steps, rate)
    optimizer = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adamw(schedule, weight_decay=DECAY)
    )
    state = optimizer.init(params)

    @jax.jit
    def step(params, state, pictures):
        value, slope = jax.value_and_grad(loss)(params, model, pictures)
        change, state = optimizer.update(slope, state, params)
        return optax.apply_updates(params, change), state, value

    values = []
    for number in range(1, steps + 1):
        params, state, value = step(params, state, draw_batch(kept, rng))
        values.append(float(value))
        if number % 200 == 0 or number == steps:
            print(f"step {number}: loss {np.mean(values[-200:]):.3f} dB", flush=True)
    return model, {"params": jax.device_get(params)}


def scored(model: TrustNet, variables: Any, one: Kept) -> list[dict]:
    """Return what the network makes of the restoration by each hypothesis."""
    return [_scored(model, variables, one, number) for number in range(len(one.preferred))]


def chosen(restorations: list[dict]) -> dict:
    """Return the restoration that `deblur` would choose: that of the highest expectation."""
    return max(
        restorations,
        key=lambda each: expectation(each["name"], each["explained"], each["change"]),
    )


def _scored(model: TrustNet, variables: Any, one: Kept, number: int) -> dict:
    photo, restored, residual, sharp = pictures_of(one, number)
    trust = trust_map(model, variables, photo, restored, residual)
    inner = (slice(BORDER, -BORDER), slice(BORDER, -BORDER))

    def error(picture):
        rounded = np.round(255 * picture) / 255
        return float(np.mean(np.square(rounded.mean(-1) - sharp.mean(-1))[inner])) + 1e-7

    gain, whole = (
        10 * np.log10(error(photo) / error(each))
        for each in (photo + trust * (restored - photo), restored)
    )
    return {
        "name": one.names[number],
        "gain": round(float(gain), 3),
        "whole": round(float(whole), 3),
        "explained": round(float(one.explained[number]), 4),
        "change": trusted_change(trust, photo, restored),
        "number": number,
    }


def fit_verdict(rows: list[dict]) -> np.ndarray:
    """Return the weights of the verdict's terms: logistic regression on whether a photo gains.

    A photo counts by its decibels, between `SAME` and `COUNTED`.
    """
    given = np.stack([_terms(row) for row in rows])
    gains = np.asarray([row["gain"] for row in rows])
    sign, count = np.sign(gains), np.clip(np.abs(gains), SAME, COUNTED)
    count /= count.mean()

    def cost(weights):
        odds = sign * (given @ weights)
        free = np.concatenate([[0.0], weights[1:]])
        slope = -(given.T @ (count * sign / (1 + np.exp(odds)))) / len(rows) + RIDGE * free
        return np.mean(count * np.logaddexp(0, -odds)) + RIDGE * free @ free / 2, slope

    return minimize(cost, np.zeros(len(TERMS)), jac=True, method="L-BFGS-B").x


def _terms(row: dict) -> np.ndarray:
    return terms(row["explained"], row["change"])


def summary(rows: list[dict], best: dict[str, float]) -> dict[str, dict]:
    """Return the figures of each kind of photo, and of all.

    Args:
        rows: from `scored`, each with its probability `likely`.
        best: gain of each photo's best hypothesis in hindsight, or 0.
    """
    table = {}
    for kind in [*dict.fromkeys(kind_of(row) for row in rows), "all"]:
        some = [row for row in rows if kind in (kind_of(row), "all")]
        written = [row for row in some if row["likely"] >= LIKELY]
        gains = [row["gain"] if row["likely"] >= LIKELY else 0.0 for row in some]
        could = [row for row in some if best[row["photo"]] >= 1]
        table[kind] = {
            "photos": len(some),
            "gain": round(float(np.mean(gains)), 3),
            "best": round(float(np.mean([best[row["photo"]] for row in some])), 3),
            "written": len(written),
            "worse": int(sum(row["gain"] < -SAME for row in written)),
            "least": round(float(min(gains)), 3),
            "could": len(could),
            "did": sum(row["likely"] >= LIKELY for row in could),
        }
    return table


def kind_of(row: dict) -> str:
    """Return how the photo of a row was blurred."""
    return row["photo"].split("-")[0]


def validate(options: argparse.Namespace) -> None:
    """Write what networks make of photos that they were not trained on."""
    rows = [row for row in read_rows(options.rows) if row["hypotheses"]]
    stems = sorted({stem(row) for row in rows})
    seen = []
    for fold in options.folds:
        held = set(stems[fold::FOLDS])
        rest = [row for row in rows if stem(row) not in held]
        weights = fit_weights(rest), fit_weights(rest, choice_loss)
        kept = read_kept(options.kept, rest, *weights) + read_practice(options.practice)
        model, variables = trained(kept, options, fold)
        others = [row for row in rows if stem(row) in held]
        for one in read_kept(options.kept, others, *weights):
            row = {"photo": one.name, "fold": fold, "command": COMMAND.format(options)}
            seen.append(row | {"restorations": scored(model, variables, one)})
        options.seen[0].write_text("".join(f"{json.dumps(row)}\n" for row in seen))


def calibrate(options: argparse.Namespace) -> None:
    """Fit the verdict to what `validate` wrote, and record the figures.

    The figures of a photo are those of a verdict that was fitted to other photos.
    """
    rows = read_rows(options.rows)
    best = best_gains(rows)
    seen = [row for path in options.seen for row in read_rows(path)]
    command = seen[0]["command"]
    seen = [{"photo": row["photo"], **chosen(row["restorations"])} for row in seen]
    for part in range(PARTS):
        verdict = fit_verdict([x for index, x in enumerate(seen) if index % PARTS != part])
        for row in seen[part::PARTS]:
            row["likely"] = round(probability(float(_terms(row) @ verdict)), 4)
    table = summary(seen, best)
    for kind, each in table.items():
        print(kind, each)
    results = Path(__file__).with_name("results.json")
    record = {"command": command, "kinds": table}
    write_record(results, json.loads(results.read_text()) | {"trust": record})
    weights = dict(zip(TERMS, (round(float(x), 4) for x in fit_verdict(seen)), strict=True))
    write_record(WEIGHTS, json.loads(WEIGHTS.read_text()) | {"restoration": weights})


def evaluate(options: argparse.Namespace) -> None:
    """Record what the shipped network and verdict make of photos that they were not fitted to."""
    rows = read_rows(options.rows)
    weights = (np.asarray(shipped_weights(group)) for group in ("weights", "choice"))
    judge = load("trust")
    seen = []
    for one in read_kept(options.kept, rows, *weights):
        found = chosen(scored(judge.model, judge.variables, one))
        likely = likely_better(found["explained"], found["change"])
        seen.append({"photo": one.name, **found, "likely": round(likely, 4)})
    table = summary(seen, best_gains(rows))
    for kind, each in table.items():
        print(kind, each)
    results = Path(__file__).with_name("results.json")
    write_record(results, json.loads(results.read_text()) | {"verdict on other photos": table})


def best_gains(rows: list[dict]) -> dict[str, float]:
    """Return the gain of each photo's best hypothesis in hindsight, or 0."""
    return {row["photo"]: max([0.0, *(each["gain"] for each in row["hypotheses"])]) for row in rows}


def train(options: argparse.Namespace) -> None:
    """Train the network on all kept photos and write its weights."""
    rows = read_rows(options.rows)
    weights = (np.asarray(shipped_weights(group)) for group in ("weights", "choice"))
    kept = read_kept(options.kept, rows, *weights)
    more = read_practice(options.practice)
    model, variables = trained(kept + more, options, options.seed)
    half = jax.tree.map(lambda x: np.asarray(x).astype(np.float16), variables)
    gains = [chosen(scored(model, variables, one))["gain"] for one in kept]
    card = {
        "model": MODEL,
        "data": f"restorations of {len(kept)} simulated training photos, and of {len(more)} others "
        "by wrong kernels",
        "command": COMMAND.format(options),
        "step": options.steps,
        "seed": options.seed,
        "metrics": {"gain on the training photos": round(float(np.mean(gains)), 3)},
        "limits": LIMITS,
        "version": __version__,
        "revision": revision() or "",
        "licence": "Apache-2.0",
        "dtype": "float16",
    }
    write_weights(options.out, half, card)


def main() -> None:
    """Run one of the steps."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("step", choices=("validate", "calibrate", "train", "evaluate"))
    parser.add_argument("--rows", type=Path, default=Path("runs/verdict.jsonl"))
    parser.add_argument("--kept", type=Path, default=Path("runs/verdict"))
    parser.add_argument("--practice", type=Path, default=Path("runs/practice"))
    parser.add_argument(
        "--seen", type=Path, nargs="+", default=[Path("runs/trust.jsonl")],
        help="files of `validate`; it writes the first one",
    )  # fmt: skip
    parser.add_argument(
        "--folds", type=int, nargs="+", default=range(FOLDS), help="parts that are held out"
    )
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--start", default="", help="weights whose training is continued")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=SHIPPED / "trust.safetensors")
    options = parser.parse_args()
    steps = {"validate": validate, "calibrate": calibrate, "train": train, "evaluate": evaluate}
    steps[options.step](options)


if __name__ == "__main__":
    run_command(main)
