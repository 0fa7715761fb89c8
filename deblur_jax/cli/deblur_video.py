"""Restore every frame of a video."""

import argparse
import sys
from pathlib import Path

from deblur_jax.cli.photos import MARK
from deblur_jax.cli.restore_photo import print_any_name
from deblur_jax.io.video import CODECS, check_video_writable, frame_rate, read_frames, write_frames


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(prog="deblur-video", description=__doc__)
    parser.add_argument(
        "video", type=Path, metavar="VIDEO", help="a folder of frames or a video file"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="OUT", required=True,
        help="a new folder, or a new .mp4, .mov, .mkv or .avi file (the last two are lossless)",
    )  # fmt: skip
    parser.add_argument(
        "--model", required=True, help="a .safetensors file of a network that restores frames"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    arguments = parse(argv)
    print_any_name()
    try:
        said = deblur_file(arguments.video, arguments.output, arguments.model)
    except (OSError, ValueError) as error:
        print(f"deblur-video: {error}", file=sys.stderr)
        return 1
    if not arguments.quiet:
        print(said)
    return 0


def deblur_file(video: Path, output: Path | None, model: str) -> str:
    """Restores a video and returns a message about it.

    Args:
        video: a folder of frames or a video file.
        output: a new folder or file; beside the video, with -deblurred in its name, if None.
        model: the network, see `pretrained.load`.

    Raises:
        OSError: if something cannot be read or written, or `output` exists.
        ValueError: if `video` is not a video, or the network does not restore frames.
    """
    output = output or _beside(video)
    check_video_writable(output)
    names: list[str] = []

    def pictures():
        for name, pixels in read_frames(video):
            names.append(name)
            yield pixels

    # Imported here, so that the errors above are reported at once.
    from deblur_jax.restore_video import deblur_video

    restored = deblur_video(pictures(), model)
    # When a restored frame is yielded, `names` already holds its name and that of the next frame.
    named = ((names[number], frame) for number, frame in enumerate(restored))
    count = write_frames(output, named, rate=frame_rate(video))
    return f"{output}: {count} frames deblurred with {model}."


def _beside(video: Path) -> Path:
    if video.is_dir():
        return video.with_name(f"{video.resolve().name}{MARK}")
    suffix = video.suffix.lower()
    return video.with_name(f"{video.stem}{MARK}{suffix if suffix in CODECS else '.mp4'}")


if __name__ == "__main__":
    sys.exit(main())
