"""The options of the command `deblur`."""

import argparse
from pathlib import Path
from typing import Any

from deblur_jax.io.formats import FORMATS


STANDARD = "-"  # the name of standard input and output
SHELLS = ("bash", "zsh", "fish")
# Names for --model that shells complete, the default first; files are completed as well.
MODELS = (
    "auto", "blind", "camera-motion", "learned-plug-and-play", "kernel-basis", "motion-context",
    "flow-rnn",
)  # fmt: skip
DESCRIPTION = "Estimate the motion blur of photos, undo it, and write the results."
EXIT_CODES = """exit codes:
  0    every photo was restored or left unchanged, now or in an earlier run
  1    a photo failed, or a name or pattern gave no photo
  2    an option is wrong
  130  stopped by Ctrl-C
  141  the reader of standard output closed it, as in 'deblur --json photos/ | head'
"""


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="deblur",
        description=DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "photos",
        nargs="*",
        metavar="PHOTO",
        help="image files, raw files, folders, or patterns such as '*.jpg'; - for standard input; "
        "videos with a --model for videos",
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="OUT",
        help="a file, an existing folder, or - for standard output (default: beside the photo, "
        "named ...-deblurred; standard output for standard input)",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=sorted({ending[1:] for ending in FORMATS}),
        help="format of results whose name is not given (default: that of the photo; tif for raw "
        "files)",
    )  # fmt: skip
    parser.add_argument(
        "--model",
        default=None,
        help="what estimates the blur: auto (the most likely of several blurs; default), blind "
        "(the same without a network), name of shipped weights, or a file",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="restore again, and replace existing results"
    )
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
        help="denoising steps (default: 4 for kernels, 15 for motions)",
    )  # fmt: skip
    parser.add_argument(
        "--transfer", choices=("srgb", "linear"),
        help="curve from the photo's values to light, in which blur adds up (default: that of the "
        "file's colour profile, and linear if it has none)",
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
    parser.add_argument(
        "--part", type=_part, default=(1, 1), metavar="I/N",
        help="restore the I-th of N shares of the photos, for N jobs that run at once",
    )  # fmt: skip
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object a photo instead of words"
    )
    loudness = parser.add_mutually_exclusive_group()
    loudness.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    loudness.add_argument(
        "-v", "--verbose", action="store_true",
        help="also print the photos that were done before, and where an internal error was raised",
    )  # fmt: skip
    parser.add_argument(
        "--print-completion", choices=SHELLS, help="print a script that completes these options"
    )
    return parser


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Parses the command line, and refuses options that exclude each other."""
    parser = make_parser()
    options = parser.parse_args(argv)
    if options.print_completion:
        return options
    if not options.photos:
        parser.error("the following arguments are required: PHOTO")
    if STANDARD in options.photos and len(options.photos) > 1:
        parser.error("- (standard input) must be the only PHOTO")
    if to_standard_output(options):
        if len(options.photos) > 1:
            parser.error("-o - (standard output) is for one PHOTO; give a folder")
        if options.json:
            parser.error("--json and the photo cannot both go to standard output; give -o FILE")
    return options


def to_standard_output(options: argparse.Namespace) -> bool:
    """Returns whether the bytes of the result go to standard output."""
    if options.output is None:
        return options.photos == [STANDARD]
    return str(options.output) == STANDARD


def _number(lowest: float, highest: float, kind: type = float) -> Any:
    def number(text: str) -> float:
        value = kind(text)
        if not lowest <= value <= highest:
            raise argparse.ArgumentTypeError(f"must be from {lowest} to {highest}, got {text}")
        return value

    number.__name__ = {int: "whole number", float: "number"}[kind]
    return number


def _part(text: str) -> tuple[int, int]:
    number, _, count = text.partition("/")
    try:
        part = int(number), int(count)
    except ValueError:
        part = 0, 0
    if not 1 <= part[0] <= part[1]:
        raise argparse.ArgumentTypeError(
            f"must be I/N with I from 1 to N, such as 3/8, got {text!r}"
        )
    return part
