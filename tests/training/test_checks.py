"""Values that a run cannot use are reported with the field's name, before the first step."""

import json
from pathlib import Path

import pytest

from deblur_jax.config_file import load_config
from deblur_jax.training.checks import FRACTIONS, POSITIVE, check_config
from deblur_jax.training.records import read_evaluations


CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.py"))


def numbers(group, prefix=""):
    for name, value in group.items():
        if hasattr(value, "items"):
            yield from numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield prefix + name


def set_field(config, path, value):
    *groups, name = path.split(".")
    for group in groups:
        config = config[group]
    with config.ignore_type():
        config[name] = value


def config_value(config, path):
    for name in path.split("."):
        config = config[name]
    return config


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_no_number_may_be_negative_or_nan(path):
    names = list(numbers(load_config(f"{path}:smoke")))
    for name in names:
        for bad in (-1, float("nan")):
            config = load_config(f"{path}:smoke")
            set_field(config, name, bad)  # and the fields that are linked to it
            with pytest.raises(
                ValueError, match=r"config\.\S+ must .*, got (-1|nan)(\.0)?$"
            ) as caught:
                check_config(config)
            named = str(caught.value).removeprefix("config.").split()[0]
            assert named == name or config_value(config, named) is config_value(config, name)
    assert {"steps", "seed", "batches.workers", "optimizer.peak_rate"} <= set(names)


@pytest.mark.parametrize("name", [*POSITIVE, *FRACTIONS])
def test_each_limit_is_that_of_a_field_of_some_config(name):
    """A name that no config has would be a limit that checks nothing."""
    found = 0
    argaw = next(path for path in CONFIGS if path.stem == "argaw")
    for path in (*CONFIGS, f"{argaw}:paper"):  # only this variant interpolates frames
        config = load_config(str(path))
        group, field = config, name
        if "." in name:
            head, field = name.split(".")
            group = config[head]
        if field not in group:
            continue
        found += 1
        bad = 0 if name in POSITIVE else 1.0
        set_field(config, name, (bad,) if isinstance(group[field], tuple) else bad)
        with pytest.raises(ValueError, match=rf"config\.(\w+\.)?{field} must be .*, got {bad}"):
            check_config(config)
    assert found


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["seed=-1"], "config.seed must not be negative, got -1"),
        (["seed=4294967296"], "config.seed must be at most 4294967295, got 4294967296"),
        (["batches.workers=-1"], "config.batches.workers must not be negative, got -1"),
        (["batches.crop=0"], "config.batches.crop must be at least 1, got 0"),
        (["batches.largest_scale=0"], "config.batches.largest_scale must be at least 1, got 0.0"),
        (["evaluate.per_example=0"], "config.evaluate.per_example must be at least 1, got 0"),
        (["evaluate.height=1000"], "lower evaluate.width and evaluate.height"),
        (["best_metric=speed"], r"config.best_metric must be one of \['error'\], got 'speed'"),
        (["best_is=best"], r"config.best_is must be one of \['max', 'min'\], got 'best'"),
        (["evaluation_source.name=folder"], "source.folder is empty; give a folder"),
        (
            ["evaluation_source.name=folder", "evaluation_source.folder=nowhere"],
            "nowhere: no such folder",
        ),
        (["evaluation_source.smallest=5000"], "pixels, expected at least 5000 a side"),
    ],
)
def test_an_invalid_value_is_reported_before_the_first_step(tiny_run, tmp_path, flags, message):
    status, shown, error = tiny_run(*(f"--config.{flag}" for flag in flags))
    assert status == 1
    with pytest.raises(ValueError, match=message):
        raise ValueError(error)
    assert "compiling the train step" not in shown
    assert not list((tmp_path / "run").glob("metrics.jsonl"))


def test_zero_means_never_before_the_last_step(tiny_run, tmp_path):
    fields = ("log_every", "checkpoint_every", "evaluate_every")
    assert tiny_run(*(f"--config.{field}=0" for field in fields))[0] == 0
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [4, 4]
    assert list(read_evaluations(tmp_path / "run")) == [4]
    saved = [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()]
    assert [name for name in saved if name.isdigit()] == ["4"]


def test_a_field_that_no_config_has_or_lacks_is_named(tiny_config):
    config = tiny_config()
    config.sted = 4
    with pytest.raises(ValueError, match="the config has an unknown field sted; expected"):
        check_config(config)
    config = tiny_config()
    del config["init"]
    with pytest.raises(ValueError, match="the config has no init; see configs/quickstart.py"):
        check_config(config)
