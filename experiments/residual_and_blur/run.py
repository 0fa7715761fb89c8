r"""Figure 9 of Noroozi et al. 2017: does DeblurNet change blurrier pictures more?

    python -m experiments.residual_and_blur.run --frames FRAMES --model deblurnet.safetensors \
        --out experiments/residual_and_blur/results.json
    python -m experiments.residual_and_blur.run --scenes PHOTOS --limit 64 --model ... --out ...

The paper uses 700 averaged pictures of an unpublished set; `--frames` takes any folders of 240 Hz
frames. `--scenes` simulates scenes of a folder's photos, whose motion is known exactly.
"""

import argparse
import itertools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.simulate.training_sets import Example
from experiments.shared import (
    FAST_VIDEOS,
    add_arguments,
    as_floats,
    find_source,
    load_named,
    moved_photos,
    origin,
    run_command,
    write_record,
)


PROTOCOL = (
    "mean absolute difference of the third stage's output to its input, against the mean length of "
    "the motion during the exposure: of optical flow from the first to the last averaged frame, or "
    "of the simulated scene. Both axes with mean 0 and deviation 1, as in the paper's plot of 700 "
    "pictures, which gives no number"
)


def main() -> None:
    """Runs the experiment, prints the figures and writes the record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add_arguments(parser, counts=tuple(range(7, 24, 2)), shrink=3, scenes=True)
    arguments = parser.parse_args()
    examples = list(itertools.islice(pictures(arguments), arguments.limit or None))
    record = {
        "command": "python -m experiments.residual_and_blur.run",
        "protocol": PROTOCOL,
        "pictures": len(examples),
        "seed": arguments.seed,
        **origin(),
        "ours": {},
    }
    for name, network in load_named(arguments.model).items():
        model, variables = network.model, network.variables

        @jax.jit
        def measure(blurry: jax.Array, model=model, variables=variables) -> jax.Array:
            return jnp.mean(jnp.abs(model.restored(model.apply(variables, blurry[None])) - blurry))

        residuals = [float(measure(example["blurry"])) for example in examples]
        blurs = [float(np.mean(np.linalg.norm(x["flow"], axis=-1))) for x in examples]
        record["ours"][name] = {
            "correlation": round(float(np.corrcoef(blurs, residuals)[0, 1]), 4),
            "rank_correlation": round(rank_correlation(blurs, residuals), 4),
            "blur_size": standardised(blurs),
            "residual": standardised(residuals),
        }
        print(f"{name}: correlation {record['ours'][name]['correlation']}, of the ranks "
              f"{record['ours'][name]['rank_correlation']}, {len(examples)} pictures")  # fmt: skip
    write_record(arguments.out, record)
    print(f"paper: a clear correlation, no number | Protocol: {PROTOCOL}.")


def pictures(arguments: argparse.Namespace) -> Iterator[Example]:
    """Yields scenes or averaged frames, with the flow during the exposure."""
    if arguments.scenes:
        yield from moved_photos(arguments.scenes, "noroozi.py:small", arguments.seed, 0)
        return
    missing = f"give --frames: folders of 240 Hz frames, one a video, such as {FAST_VIDEOS}"
    source = find_source(arguments, flow=True, missing=missing)
    for index in np.random.default_rng(arguments.seed).permutation(len(source)):
        example = source[int(index)]
        yield {
            "blurry": jnp.asarray(as_floats(example["blurry"])),
            "flow": jnp.asarray(example["flow"]),
        }


def standardised(values: list[float]) -> list[float]:
    """Returns the values scaled to mean 0 and deviation 1."""
    array = np.asarray(values)
    return np.round((array - array.mean()) / max(array.std(), 1e-12), 3).tolist()


def rank_correlation(first: list[float], second: list[float]) -> float:
    """Returns Spearman's rank correlation of values without ties."""
    one, other = (np.argsort(np.argsort(np.asarray(values))) for values in (first, second))
    return float(np.corrcoef(one, other)[0, 1])


if __name__ == "__main__":
    run_command(main)
