"""The README keeps its word: its code runs, and what it names is there."""

import re
from pathlib import Path

import pytest


ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_every_python_block_runs(code):
    exec(compile(code, "README.md", "exec"), {})


def test_the_map_names_what_is_there():
    block = re.search(r"## The map\n\n```\n(.*?)```", README, re.DOTALL)
    assert block
    named = set()
    for line in block[1].splitlines():
        within = "deblur_jax/" if line.startswith("  ") else ""
        for name in re.findall(r"(?:^|\s)([\w./]+/|\w+\.py)(?=\s)", line):
            place = within + name
            assert (ROOT / place).exists(), place
            named.add(place.rstrip("/"))
    rooms = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "deblur_jax").iterdir()
        if path.is_dir() and path.name != "__pycache__"
    }
    assert rooms <= named


def test_the_files_that_it_links_to_are_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("name", ["run", "test"])
def test_the_two_commands_install_the_pinned_versions(name):
    block = re.search(
        rf"<!-- {name} -->\n```console\n(.*?)\n```\n<!-- /{name} -->", README, re.DOTALL
    )
    assert block
    assert len(block[1].splitlines()) == 1
    assert "-c constraints.txt" in block[1]


def test_the_path_of_a_batch_names_files_that_exist():
    paragraph = next(part for part in README.split("\n\n") if part.startswith("**One batch"))
    for name in re.findall(r"`([\w/]+\.py)`", paragraph):
        assert (ROOT / "deblur_jax" / name).is_file(), name
