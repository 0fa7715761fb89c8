"""A wrong command line ends at once in a one-line error."""

import re

import pytest


SMOKE = "configs/quickstart.py:smoke"


@pytest.mark.parametrize(
    ("arguments", "config", "message"),
    [
        (["--config.stepz=5"], SMOKE, r"no such field --config.stepz; did you mean --config.steps"),
        (
            ["--config.steps=many"],
            SMOKE,
            "--config.steps must be a whole number like 4, got 'many'",
        ),
        (["--config.steps=1.5"], SMOKE, "--config.steps must be a whole number like 4, got '1.5'"),
        ([], "configs/none.py", "--config configs/none.py: no such file; configs here: configs/"),
        (
            [],
            "configs/quickstart.py:tiny",
            r"variant must be one of \['full', 'smoke'\], got 'tiny'",
        ),
        (["--nosuchflag=1"], SMOKE, "Unknown command line flag 'nosuchflag'"),
        (["extra"], SMOKE, r"unexpected arguments \['extra'\]"),
        (["--mode=export"], SMOKE, "--mode=export needs --output=FILE.safetensors"),
        (["--mode=eval"], SMOKE, "run: holds no checkpoint; train there first"),
        (["--mode=eval", "--checkpoint=last"], SMOKE, "must be newest, best or a step, got 'last'"),
        (
            ["--config.batches.batch_size=0"],
            SMOKE,
            "config.batches.batch_size must be at least 1, got 0",
        ),
        (["--config.batches.batch_size=12"], SMOKE, "12 examples for 8 devices; take a multiple"),
        (
            ["--config.keep_checkpoints=0"],
            SMOKE,
            "config.keep_checkpoints must be at least 1, got 0",
        ),
        (["--config.source.name=web"], SMOKE, r"source.name must be one of \['ade', "),
    ],
)
def test_a_wrong_flag_ends_in_a_one_line_error(main_command, tmp_path, arguments, config, message):
    status, _, error = main_command("--config", config, "--workdir", tmp_path / "run", *arguments)
    assert status == 1
    assert re.match(f"error: .*{message}", error), error
    assert len(error.splitlines()) == 1


def test_a_workdir_that_is_a_file_ends_in_a_one_line_error(main_command, tmp_path):
    (tmp_path / "run").write_text("")
    _, _, error = main_command("--config", SMOKE, "--workdir", tmp_path / "run")
    assert error.startswith(f"error: --workdir {tmp_path / 'run'} cannot be written to")
