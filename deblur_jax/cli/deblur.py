"""Estimate the motion blur of photos, undo it, and write the results."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from deblur_jax.cli.deblur_video import deblur_file
from deblur_jax.cli.photos import Job, find_photos, plan
from deblur_jax.cli.restore_photo import (
    Settings,
    describe,
    describe_network,
    find_network,
    finished,
    forecast,
    keepable,
    offered,
    print_any_name,
    restore_photo,
)
from deblur_jax.io.files import check_writable
from deblur_jax.io.images import Photo, read_photo, write_photo
from deblur_jax.io.video import VIDEO_SUFFIXES


INTERRUPTED = 130  # the exit code of shells after Ctrl-C
REPORT = "-report.png"  # ends the names of reports
BAR = "{percentage:3.0f} %|{bar}| {remaining} left"
LONGEST_NAME = 255  # bytes of a file name that common file systems allow


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(prog="deblur", description=__doc__)
    parser.add_argument(
        "photos",
        nargs="+",
        metavar="PHOTO",
        help="image files, folders, or patterns such as '*.jpg'; videos with a --model for videos",
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="OUT",
        help="a file or an existing folder (default: beside the photo, named ...-deblurred)",
    )  # fmt: skip
    parser.add_argument(
        "--model",
        default=None,
        help="auto (the most likely of several blurs; default), blind (the same without a "
        "network), name of shipped weights, or a file",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace existing results")
    parser.add_argument(
        "--force", action="store_true",
        help="write the result even if it is unlikely to be better than the photo",
    )  # fmt: skip
    parser.add_argument(
        "--strength", type=_number(0, 1), default=1.0, metavar="0..1",
        help="how much of the restoration to mix into the photo (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--max-blur", type=_number(0.1, 1e4), metavar="PIXELS",
        help="clip the motions of a network to this length in pixels (default: no limit)",
    )  # fmt: skip
    parser.add_argument(
        "--steps", type=_number(1, 1000, int), default=None, metavar="N",
        help="denoising steps (default: 5 for kernels, 15 for motions)",
    )  # fmt: skip
    parser.add_argument(
        "--device", default=None, help="cpu, gpu, gpu:1 ... (default: the fastest available)"
    )
    parser.add_argument(
        "--report",
        type=Path,
        metavar="DIR",
        help="write pictures of the estimated blur and the residual into this folder",
    )
    parser.add_argument("--show", action="store_true", help="show the same pictures in a window")
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
    """Runs the command and returns its exit code: 0, 1 if a photo failed, 130 after Ctrl-C."""
    options = parse(argv)
    print_any_name()
    try:
        if options.model is not None and hasattr(find_network(options.model).model, "restored"):
            return _deblur_videos(options)
    except (OSError, ValueError) as error:
        print(f"deblur: {error}", file=sys.stderr)
        return 1
    done = failed = unchanged = 0
    jobs: list[Job] = []
    try:
        found = find_photos(options.photos)
        for message in (*found.missing, *found.empty):
            print(f"deblur: {message}", file=sys.stderr)
        failed = len(found.missing)
        jobs = plan(found.photos, options.output)
        if options.report is not None:
            options.report.mkdir(parents=True, exist_ok=True)
        for job in jobs:
            try:
                written = _deblur(job, options)
            except Exception as error:  # an error of any kind must not stop the other photos
                print(f"deblur: {_complaint(error, job.photo, job.output)}", file=sys.stderr)
                failed += 1
            else:
                done, unchanged = done + written, unchanged + (not written)
    except KeyboardInterrupt:
        print(f"deblur: stopped after {done} of {len(jobs)} photos", file=sys.stderr)
        return INTERRUPTED
    except (OSError, ValueError) as error:
        print(f"deblur: {error}", file=sys.stderr)
        return 1
    left_out = ((found.others, "other files"), (found.hidden, "hidden files and folders"))
    notes = [f"{count} {what} in the folders were left out" for count, what in left_out if count]
    if len(jobs) > 1:
        counts = f"{done} deblurred, {unchanged} left unchanged, {failed} failed"
        notes.insert(0, f"{len(jobs)} photos: {counts}")
    if notes:
        print(f"{'; '.join(notes)}.")
    return 1 if failed else 0


def _complaint(error: Exception, file: Path, output: Path | None = None) -> str:
    """Returns an error message in one line that names the file, or the file of its result."""
    words = " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return f"{file}: does not fit in memory {words}".rstrip()
    if isinstance(error, (OSError, ValueError)):
        named = any(place is not None and place.name in str(error) for place in (file, output))
        return words if named else f"{file}: {words}"
    return f"{file}: internal error in deblur_jax ({type(error).__name__}: {words})"


def _deblur_videos(options: argparse.Namespace) -> int:
    """Restores folders of frames and video files with a network that restores them directly."""
    if options.output is not None and len(options.photos) > 1:
        raise ValueError(f"{options.output}: -o is for one video; restore the videos one by one")
    failed = 0
    for name in options.photos:
        try:
            if not Path(name).is_dir() and Path(name).suffix.lower() not in VIDEO_SUFFIXES:
                raise ValueError(
                    f"{name}: not a video, but {options.model} restores videos; give a folder of "
                    f"frames or a file that ends in one of {', '.join(VIDEO_SUFFIXES)}"
                )
            print(deblur_file(Path(name), options.output, options.model))
        except KeyboardInterrupt:
            print(f"deblur: stopped at {name}", file=sys.stderr)
            return INTERRUPTED
        except Exception as error:  # an error of any kind must not stop the other videos
            print(f"deblur: {_complaint(error, Path(name), options.output)}", file=sys.stderr)
            failed += 1
    return 1 if failed else 0


def _deblur(job: Job, options: argparse.Namespace) -> bool:
    """Restores one photo; returns whether the result was worth writing."""
    there = os.path.exists(job.output)  # noqa: PTH110  pathlib raises for names that are too long
    if there and not options.overwrite:
        raise FileExistsError(f"{job.output}: exists already; give --overwrite or another -o")
    if job.photo.suffix.lower() in VIDEO_SUFFIXES:
        raise ValueError(
            f"{job.photo}: is a video; use --model with the weights of a network that restores "
            "frames, such as one trained with configs/zhang.py"
        )
    photo = read_photo(job.photo)
    check_writable(job.output)
    if options.report is not None:
        check_writable(_report_path(job, options))
    photo, lost = keepable(photo, job.output)
    if lost:
        print(f"{job.photo}: left out of {job.output.name}: {lost}.", flush=True)
    network = find_network(options.model)
    print(f"{job.photo}: estimating blur with {describe_network(network)} ...", flush=True)
    settings = Settings(options.model, options.max_blur, options.steps, options.device)
    report_wait = forecast(lambda words: print(f"{job.photo}: {words}.", flush=True))
    with tqdm(total=100, leave=False, disable=None, bar_format=BAR) as bar:

        def advance(share: float) -> None:
            bar.update(100 * share - bar.n)
            report_wait(share)

        result = restore_photo(
            job.photo, photo, settings, strength=options.strength, progress=advance
        )
    if options.report is not None or options.show:
        _report(job, photo, result, options)
    if not (result.trusted or options.force):
        print(
            f"{job.photo}: left unchanged: {result.verdict}. "
            "Use --force to write the result anyway."
        )
        return False
    chosen = {"strength": options.strength, "verdict": result.verdict}
    pixels = offered(photo, result, strength=options.strength)
    write_photo(job.output, finished(photo, pixels, network.name, **chosen))
    print(f"{job.output}: {describe(result)}.")
    return True


def _report_path(job: Job, options: argparse.Namespace) -> Path:
    name = job.photo.name
    while len(os.fsencode(name)) > LONGEST_NAME - len(REPORT):
        name = name[:-1]
    return options.report / f"{name}{REPORT}"


def _report(job: Job, photo: Photo, result: Any, options: argparse.Namespace) -> None:
    from PIL import Image

    from deblur_jax.cli.report import draw_report

    board = draw_report(job.photo.name, photo, result)
    if options.report is not None:
        write_photo(_report_path(job, options), Photo(board.astype("float32") / 255))
    if options.show:
        Image.fromarray(board).show()


if __name__ == "__main__":
    sys.exit(main())
