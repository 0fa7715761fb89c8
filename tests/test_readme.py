"""The pages are true: their code runs, and the files, options and weights they name exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from deblur_jax.config_file import load_config
from deblur_jax.version import __version__


ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "deblur_jax"
README = (ROOT / "README.md").read_text()
COMMANDS = (PACKAGE / "cli" / "README.md").read_text()
TRAINING = (PACKAGE / "training" / "README.md").read_text()
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "tools").glob("*.md"), *PACKAGE.rglob("*.md"),
     *(ROOT / "experiments").rglob("*.md")]
)  # fmt: skip


def python_blocks():
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 2
    return blocks


def run(code):
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    return names


@pytest.mark.slow
def test_the_first_python_block_prints_the_stated_decibels(capsys):
    code = python_blocks()[0]
    names = run(code)
    said = re.search(r"# ([\d.]+) dB before, ([\d.]+) dB after", code)
    assert said
    before, after = map(float, capsys.readouterr().out.split()[:2])
    assert abs(before - float(said[1])) < 0.1
    assert abs(after - float(said[2])) < 0.1
    assert names["result"].trusted


def test_the_second_python_block_runs_and_restores():
    names = run(python_blocks()[1])
    assert names["gradient"].shape == (*names["transposed"].shape[:2], 2)
    image, blurry = names["image"], names["blurry"]
    assert abs(names["restored"] - image).mean() < abs(blurry - image).mean()


def test_the_first_page_is_short():
    assert len(README.splitlines()) <= 110


def test_the_map_names_what_is_there():
    block = re.search(r"## The map\n\n```\n(.*?)```", README, re.DOTALL)
    assert block
    named = set()
    for line in block[1].splitlines():
        within = "deblur_jax/" if line.startswith("  ") else ""
        for name in re.findall(r"(?:^|\s)([\w./]+/|\w+\.py)(?=\s|$)", line):
            place = within + name
            assert (ROOT / place).exists(), place
            named.add(place.rstrip("/"))
    rooms = {
        str(path.relative_to(ROOT))
        for path in PACKAGE.iterdir()
        if path.is_dir() and path.name != "__pycache__"
    }
    assert rooms <= named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_files_that_a_page_links_to_are_there(page):
    text = page.read_text()
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", text) + re.findall(r'<img src="([^"]+)"', text)
    for target in targets:
        assert "://" in target or (page.parent / target).exists(), target


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "cli", "training"])
def test_the_configs_and_tools_that_a_page_names_are_there(name):
    page = ROOT / name if name.endswith(".md") else PACKAGE / name / "README.md"
    for path in re.findall(r"\b((?:configs|tools|tests)/[\w/]+\.py)", page.read_text()):
        assert "NAME" in path or (ROOT / path).exists(), path


@pytest.mark.parametrize("name", ["run", "test"])
def test_the_two_commands_install_the_pinned_versions(name):
    block = re.search(
        rf"<!-- {name} -->\n```console\n(.*?)\n```\n<!-- /{name} -->", README, re.DOTALL
    )
    assert block
    assert len(block[1].splitlines()) == 1
    assert "-c constraints.txt" in block[1]


def test_the_page_on_tools_lists_every_script():
    named = re.findall(r"^\| `python tools/(\w+\.py)", (ROOT / "tools/README.md").read_text(), re.M)
    assert named == sorted(path.name for path in (ROOT / "tools").glob("*.py"))


def test_the_path_of_a_batch_names_files_that_exist():
    section = TRAINING.split("## One batch, from file to gradient")[1]
    names = re.findall(r"`([\w/]+\.py)`", section)
    assert len(names) >= 10
    for name in names:
        assert (PACKAGE / name).is_file(), name


def test_the_options_of_the_page_on_commands_exist():
    known = ""
    for command in ("deblur", "deblur_video", "deblur_page"):
        shown = subprocess.run(
            [sys.executable, "-m", f"deblur_jax.cli.{command}", "--help"],
            capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
        known += shown.stdout
    ours = re.sub(r"^#SBATCH.*$", "", COMMANDS, flags=re.MULTILINE)
    options = set(re.findall(r"--[a-z][a-z-]+", ours)) - {"--help"}
    assert len(options) > 10
    assert {option for option in options if option not in known} == set()


def test_the_weights_of_the_page_on_commands_are_the_ones_that_ship():
    taken_by_others = {"denoiser", "gmm", "trust"}
    section = COMMANDS.split("## Which model")[1].split("\n## ")[0]
    named = set(re.findall(r"^\| `([\w-]+)`", section, re.MULTILINE)) | taken_by_others
    shipped = {path.stem for path in (PACKAGE / "weights").glob("*.safetensors")}
    assert named == {*shipped, "auto", "blind"}


def test_the_fields_and_flags_of_the_page_on_training_exist():
    config = load_config(str(ROOT / "configs" / "quickstart.py"))
    fields = set(re.findall(r"config\.([a-z_]+(?:\.[a-z_]+)*)", TRAINING))
    assert len(fields) > 8
    for field in fields:
        value = config
        for name in field.split("."):
            assert name in value, field
            value = value[name]
    shown = subprocess.run(
        [sys.executable, "-m", "deblur_jax.main", "--helpfull"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    flags = set(re.findall(r"--([a-z]+)[=`) ,]", TRAINING)) - {"minutes", "carry", "list", "model"}
    assert {flag for flag in flags if not re.search(rf"--(\[no\])?{flag}\b", shown.stdout)} == set()


def test_the_citation_is_of_this_version_and_names_the_five_papers():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == __version__
    assert {"message", "title", "authors", "license"} <= set(citation)
    assert len(citation["references"]) == 5
    for paper in citation["references"]:
        assert {"type", "title", "authors", "year"} <= set(paper), paper["title"]


def test_the_changelog_begins_with_this_version():
    newest = re.search(r"^## ([\d.]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    assert newest[1] == __version__
