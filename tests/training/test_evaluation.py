"""The evaluation: one source and one program per run, on all devices."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.training import assembly
from deblur_jax.training.evaluation import held_out, make_evaluation
from deblur_jax.training.loop import train


class Source:
    """Five examples, each a constant picture of its number."""

    skipped = ()

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return {"sharp": np.full((8, 10 + index % 2, 3), 10 * index, np.uint8)}

    def name(self, index):
        return f"{index}.png"


def simulate(key, example):
    return {"sharp": example["sharp"] + jax.random.uniform(key)}


def score(variables, example, key):
    return {"mean": variables["w"] * jnp.mean(example["sharp"]), "luck": jax.random.uniform(key)}, {
        "picture": jnp.clip(example["sharp"], 0, 1)
    }


TASK = types.SimpleNamespace(
    make_score=lambda model: score, draw=lambda example, shown, metrics: shown
)


@pytest.mark.parametrize("size", [6, 0])
def test_any_number_of_devices_gives_the_same_means_and_pictures(size, tmp_path):
    """With whole pictures (0) the shapes differ from example to example."""
    sizes = {"height": size, "width": size, "per_example": 2}
    evaluation = make_evaluation(TASK, None, Source(), simulate, seed=1, pictures=3, **sizes)
    found = {}
    for count in (1, 3, 8):
        folder = tmp_path / str(count)
        folder.mkdir()
        found[count] = evaluation({"w": jnp.float32(2)}, folder, jax.devices()[:count])
        drawn = sorted(path.name for path in (folder / "pictures").iterdir())
        assert drawn == ["0-0.png", "0-1.png", "1-0.png"]
    assert found[3] == pytest.approx(found[1], rel=1e-6)
    assert found[8] == pytest.approx(found[1], rel=1e-6)
    means = [
        2 * float(jnp.mean(example["sharp"]))
        for _, example, _ in held_out(Source(), simulate, seed=1, **sizes)
    ]
    assert len(means) == 10
    assert found[1]["mean"] == pytest.approx(np.mean(means), rel=1e-6)


def test_the_shares_of_processes_are_every_nth_example():
    options = {"seed": 0, "height": 6, "width": 6, "per_example": 2}
    every = [name for name, _, _ in held_out(Source(), simulate, **options)]
    shares = [
        [name for name, _, _ in held_out(Source(), simulate, part=(part, 3), **options)]
        for part in range(3)
    ]
    assert shares == [every[part::3] for part in range(3)]


def test_a_run_opens_its_evaluation_once(tiny_config, tmp_path, monkeypatch):
    opened, make_source = [], assembly.make_source
    monkeypatch.setattr(
        assembly, "make_source", lambda **fields: opened.append(fields) or make_source(**fields)
    )
    train(tiny_config(evaluate_every=1), tmp_path, devices=jax.devices()[:1])
    assert len(opened) == 1
