"""`deblur-video VIDEO -o OUT --model NET`: takes the blur out of every frame of a video."""

import argparse
import sys
from pathlib import Path

from deblur_jax.io.video import check_writable, frame_rate, read_frames, write_frames


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(prog="deblur-video", description=__doc__)
    parser.add_argument("video", type=Path, metavar="VIDEO", help="a folder of frames, or a file")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="OUT", required=True,
        help="a new folder, or a new .mp4, .mov, .mkv or .avi file (the last two lose nothing)",
    )  # fmt: skip
    parser.add_argument(
        "--model", required=True, help="a .safetensors file of a network that restores"
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    arguments = parse(argv)
    try:
        _deblur(arguments)
    except (OSError, ValueError) as error:
        print(f"deblur-video: {error}", file=sys.stderr)
        return 1
    return 0


def _deblur(arguments: argparse.Namespace) -> None:
    check_writable(arguments.output)
    names: list[str] = []

    def pictures():
        for name, pixels in read_frames(arguments.video):
            names.append(name)
            yield pixels

    # Loaded only now: a mistake above is answered at once.
    from deblur_jax.restore_video import deblur_video

    restored = deblur_video(pictures(), arguments.model)
    # A restored frame comes before its successor's name is looked at, but after that is read.
    named = ((names[number], frame) for number, frame in enumerate(restored))
    count = write_frames(arguments.output, named, rate=frame_rate(arguments.video))
    print(f"{arguments.output}: {count} frames deblurred with {arguments.model}.")


if __name__ == "__main__":
    sys.exit(main())
