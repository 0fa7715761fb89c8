r"""Figure 9 of Noroozi et al. 2017: does DeblurNet change a picture more, the blurrier it is?

    python experiments/residual_and_blur.py --frames FRAMES --model deblurnet.safetensors \
        --out experiments/results/residual_and_blur.json
    python experiments/residual_and_blur.py --scenes PHOTOS --limit 64 --model ... --out ...

The paper takes 700 averaged pictures of a set that was never published; any folders of 240 Hz
frames will do. `--scenes` moves the photos of a folder in front of each other instead, so that the
motion is known exactly.
"""

import argparse
import itertools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from frames import FAST_VIDEOS, add_arguments, find_source, load_named, moved_photos
from recorded import origin

from deblur_jax.io.files import write_json
from deblur_jax.simulate.training_sets import Example


PROTOCOL = (
    "mean absolute value of what the third stage adds to a picture, against the mean length of the "
    "motion during its exposure: of optical flow from the first to the last averaged frame, or of "
    "the simulated scene. The paper plots 700 pictures, both axes with mean 0 and deviation 1, and "
    "says that the correlation is high; it gives no number"
)


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add_arguments(parser, counts=tuple(range(7, 24, 2)), shrink=3, scenes=True)
    arguments = parser.parse_args()
    examples = list(itertools.islice(pictures(arguments), arguments.limit or None))
    record = {
        "command": "python experiments/residual_and_blur.py",
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
    write_json(arguments.out, record)
    print(f"paper: clear correlation, no number | Protocol: {PROTOCOL}.")


def pictures(arguments: argparse.Namespace) -> Iterator[Example]:
    """Yields scenes, or pictures averaged of frames, with the flow from the first to the last."""
    if arguments.scenes:
        yield from moved_photos(arguments.scenes, "noroozi.py:small", arguments.seed, 0)
        return
    missing = f"give --frames: folders of 240 Hz frames, one a video, such as {FAST_VIDEOS}"
    source = find_source(arguments, flow=True, missing=missing)
    for index in np.random.default_rng(arguments.seed).permutation(len(source)):
        example = source[int(index)]
        yield {
            "blurry": jnp.asarray(example["blurry"], jnp.float32) / 255,
            "flow": jnp.asarray(example["flow"]),
        }


def standardised(values: list[float]) -> list[float]:
    """Returns the values with mean 0 and deviation 1."""
    array = np.asarray(values)
    return np.round((array - array.mean()) / max(array.std(), 1e-12), 3).tolist()


def rank_correlation(first: list[float], second: list[float]) -> float:
    """Returns Spearman's correlation of values without ties."""
    one, other = (np.argsort(np.argsort(np.asarray(values))) for values in (first, second))
    return float(np.corrcoef(one, other)[0, 1])


if __name__ == "__main__":
    main()
