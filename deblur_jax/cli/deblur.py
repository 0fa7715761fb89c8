"""`deblur PHOTO...`: estimates the motion in photos, takes it out, writes the results."""

import argparse
import contextlib
import dataclasses
import functools
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from deblur_jax.cli.photos import Job, find_photos, plan
from deblur_jax.io.files import check_writable
from deblur_jax.io.images import OPAQUE_SUFFIXES, Photo, read_photo, write_photo
from deblur_jax.io.metadata import with_history
from deblur_jax.version import __version__


INTERRUPTED = 130  # as shells have it


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(prog="deblur", description=__doc__)
    parser.add_argument(
        "photos", nargs="+", metavar="PHOTO", help="image files, folders, or patterns like '*.jpg'"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="OUT",
        help="a file, or a folder that exists (default: beside the photo, marked -deblurred)",
    )  # fmt: skip
    parser.add_argument(
        "--model", default=None, help="shipped weights by name, or a .safetensors file"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace results that exist")
    parser.add_argument(
        "--force", action="store_true", help="write the result of a photo that is not understood"
    )
    parser.add_argument(
        "--strength", type=_number(0, 1), default=1.0, metavar="0..1",
        help="how much of the restoration to mix into the photo (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--max-blur", type=_number(0.1, 1e4), metavar="PIXELS",
        help="take longer motions for this long (default: no limit)",
    )  # fmt: skip
    parser.add_argument(
        "--iterations", type=_number(1, 1000, int), default=15, metavar="N",
        help="of the solver: more is sharper and slower (default: 15)",
    )  # fmt: skip
    parser.add_argument("--device", default=None, help="cpu, gpu, gpu:1 ... (default: the best)")
    parser.add_argument(
        "--report", type=Path, metavar="DIR", help="draw what was seen and done into this folder"
    )
    parser.add_argument("--show", action="store_true", help="show the same in a window")
    return parser.parse_args(argv)


def _number(lowest: float, highest: float, kind: type = float) -> Any:
    def number(text: str) -> float:
        value = kind(text)
        if not lowest <= value <= highest:
            raise argparse.ArgumentTypeError(f"must be from {lowest} to {highest}, got {text}")
        return value

    number.__name__ = {int: "whole number", float: "number"}[kind]
    return number


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns the exit code: 0, 1 if a photo failed, 130 after Ctrl-C."""
    options = parse(argv)
    done = failed = unchanged = 0
    jobs: list[Job] = []
    try:
        photos, others = find_photos(options.photos)
        jobs = plan(photos, options.output)
        if options.report is not None:
            options.report.mkdir(parents=True, exist_ok=True)
        for job in jobs:
            try:
                written = _deblur(job, options)
            except (OSError, ValueError, MemoryError) as error:
                print(f"deblur: {error}", file=sys.stderr)
                failed += 1
            else:
                done, unchanged = done + written, unchanged + (not written)
    except KeyboardInterrupt:
        print(f"deblur: stopped; {done} of {len(jobs)} photos are done", file=sys.stderr)
        return INTERRUPTED
    except (OSError, ValueError) as error:
        print(f"deblur: {error}", file=sys.stderr)
        return 1
    if len(jobs) > 1:
        beside = f"; {others} other files in the folders were left out" if others else ""
        print(
            f"{len(jobs)} photos: {done} deblurred, {unchanged} left unchanged, {failed} failed"
            f"{beside}."
        )
    return 1 if failed else 0


def _deblur(job: Job, options: argparse.Namespace) -> bool:
    """Restores one photo; returns whether the result was worth writing."""
    if job.output.exists() and not options.overwrite:
        raise FileExistsError(f"{job.output}: exists already; give --overwrite or another -o")
    photo = read_photo(job.photo)
    check_writable(job.output)

    # Loaded only now: a mistake above is answered at once.
    from deblur_jax.restore import deblur

    network = _network(options.model)
    print(f"{job.photo}: looking for motion with {_description(network)} ...", flush=True)
    with _on_device(options.device), tqdm(unit="tile", leave=False, disable=None) as bar:
        try:
            result = deblur(
                photo.pixels,
                network,
                strength=options.strength,
                longest=options.max_blur,
                denoisings=options.iterations,
                progress=lambda tiles, total: _advance(bar, tiles, total),
            )
        except ValueError as error:
            problem = str(error).removeprefix("deblur: image ")
            raise ValueError(f"{job.photo}: {problem}") from None
    if options.report is not None or options.show:
        _report(job, photo, result, options)
    if not (result.trusted or options.force):
        print(f"{job.photo}: {result.verdict}; left unchanged (--force writes it all the same).")
        return False
    history = (
        f"deblur_jax {__version__}: motion blur removed, model {network.name}, strength "
        f"{options.strength:g}; {result.verdict}"
    )
    write_photo(
        job.output,
        dataclasses.replace(photo, pixels=result.image, exif=with_history(photo.exif, history)),
    )
    lost = photo.alpha is not None and job.output.suffix.lower() in OPAQUE_SUFFIXES
    print(
        f"{job.output}: {_motion(result)}blurring the result again differs from the photo by "
        f"{result.reblur_error:.4f} (root mean square, of 1); {result.verdict}"
        f"{'; its transparency has no place in this format' if lost else ''}."
    )
    return True


@functools.cache
def _network(name: str | None) -> Any:
    """Returns the network that all photos of a command share."""
    from deblur_jax.pretrained import DEFAULT, load

    return load(name or DEFAULT)


def _report(job: Job, photo: Photo, result: Any, options: argparse.Namespace) -> None:
    from PIL import Image

    from deblur_jax.cli.report import draw_report

    board = draw_report(job.photo.name, photo, result)
    if options.report is not None:
        path = options.report / f"{job.photo.name}-report.png"
        write_photo(path, Photo(board.astype("float32") / 255))
    if options.show:
        Image.fromarray(board).show()


def _advance(bar: Any, tiles: int, total: int) -> None:
    bar.total = total
    bar.update(tiles - bar.n)


def _on_device(name: str | None) -> Any:
    """Returns the context in which work is done on the device called `name`."""
    import jax

    if name is None:
        return contextlib.nullcontext()
    kind, _, number = name.partition(":")
    try:
        return jax.default_device(jax.devices(kind)[int(number or 0)])
    except (RuntimeError, ValueError, IndexError):
        here = ", ".join(f"{device.platform}:{device.id}" for device in jax.devices())
        raise ValueError(f"--device {name}: no such device; here are {here}") from None


def _motion(result: Any) -> str:
    if not hasattr(result, "flow"):
        return ""
    lengths = (result.flow**2).sum(axis=-1) ** 0.5
    return f"motion of {lengths.mean():.1f} pixels on average, {lengths.max():.1f} at most; "


def _description(network: Any) -> str:
    metrics = network.card.get("metrics") or {}
    trained = f"{network.name} ({network.card['step']} training steps"
    if "psnr/restored" in metrics:
        gain = metrics["psnr/restored"] - metrics["psnr/blurred"]
        trained += f", {gain:+.2f} dB on its test photos"
    return trained + ")"


if __name__ == "__main__":
    sys.exit(main())
