"""`deblur PHOTO [-o OUT]`: estimates the motion in a photo, takes it out, writes the result."""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

from deblur_jax.io.images import SUFFIXES, check_writable, read_photo, write_photo


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(prog="deblur", description=__doc__)
    parser.add_argument("photo", type=Path, metavar="PHOTO", help="a JPEG, PNG or other image file")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="OUT",
        help="where to write the result (default: PHOTO with -deblurred before its ending)",
    )  # fmt: skip
    parser.add_argument(
        "--model", default=None, help="shipped weights by name, or a .safetensors file"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    arguments = parse(argv)
    try:
        _deblur(arguments)
    except (OSError, ValueError) as error:
        print(f"deblur: {error}", file=sys.stderr)
        return 1
    return 0


def _deblur(arguments: argparse.Namespace) -> None:
    photo = read_photo(arguments.photo)
    output = arguments.output or arguments.photo.with_stem(f"{arguments.photo.stem}-deblurred")
    _check_output(output, overwrite=arguments.overwrite)

    # Loaded only now: a mistake above is answered at once.
    from deblur_jax.pretrained import DEFAULT, load
    from deblur_jax.restore import deblur

    network = load(arguments.model or DEFAULT)
    print(f"{arguments.photo}: looking for motion with {_description(network)} ...", flush=True)
    try:
        result = deblur(photo.pixels, network)
    except ValueError as error:
        problem = str(error).removeprefix("deblur: image ")
        raise ValueError(f"{arguments.photo}: {problem}") from None
    write_photo(output, dataclasses.replace(photo, pixels=result.image))
    print(
        f"{output}: {_motion(result)}; "
        f"blurring the result again differs from the photo by {result.reblur_error:.4f} "
        f"(root mean square, of 1); {result.verdict}."
    )


def _motion(result: Any) -> str:
    if hasattr(result.blur, "flow"):
        lengths = (result.flow**2).sum(axis=-1) ** 0.5
        return f"motion of {lengths.mean():.1f} pixels on average, {lengths.max():.1f} at most"
    from deblur_jax.models.kernel_basis import blur_map

    share = float(blur_map(result.blur.kernels, result.blur.mixing).mean())
    return f"{share:.0%} of it blurred by {len(result.blur.kernels)} kernels"


def _description(network: Any) -> str:
    metrics = network.card.get("metrics") or {}
    trained = f"{network.name} ({network.card['step']} training steps"
    if "psnr/restored" in metrics:
        gain = metrics["psnr/restored"] - metrics["psnr/blurred"]
        trained += f", {gain:+.2f} dB on its test photos"
    return trained + ")"


def _check_output(output: Path, *, overwrite: bool) -> None:
    if output.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{output}: the name must end in one of {', '.join(SUFFIXES)}")
    if output.exists() and not overwrite:
        raise FileExistsError(f"{output}: exists already; give --overwrite or another -o")
    check_writable(output)


if __name__ == "__main__":
    sys.exit(main())
