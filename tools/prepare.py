r"""Prepare a public data set for random access, from files that were downloaded by hand.

    python tools/prepare.py --list
    python tools/prepare.py gopro --source DOWNLOADS/GOPRO_Large --data-dir RECORDS
    python tools/prepare.py gopro --variant blur_gamma --source ... --data-dir ...

If files are missing, the error names them, their folders and the page to download them from. A
config reads the result with `--config.source.name=gopro --config.source.folder=RECORDS`.
"""

import argparse
import sys

from deblur_jax.data.builders.prepared import PreparedSource
from deblur_jax.data.builders.registry import BUILDERS, prepare


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", nargs="?", choices=sorted(BUILDERS), help="the data set")
    parser.add_argument("--list", action="store_true", help="list the data sets and their pages")
    parser.add_argument("--source", help="the folder with the downloaded files")
    parser.add_argument("--data-dir", help="the folder for the records")
    parser.add_argument("--variant", help="of the data set (default: its first)")
    parser.add_argument(
        "--on-bad",
        choices=("stop", "skip"),
        default="stop",
        help="what to do about unreadable files",
    )
    options = parser.parse_args(arguments)
    if options.list:
        for name, builder in sorted(BUILDERS.items()):
            print(f"{name:10s} variants {', '.join(builder.VARIANTS)}\n{'':10s} {builder.HOME}")
        return 0
    if not (options.name and options.source and options.data_dir):
        parser.error("give a name, --source and --data-dir, or --list")
    try:
        folder = prepare(
            options.name,
            options.source,
            options.data_dir,
            variant=options.variant,
            on_bad=options.on_bad,
        )
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{options.name} is in {folder}")
    for split in ("train", "val", "test", "motion", "out_of_focus"):
        try:
            print(f"  {split}: {len(PreparedSource(folder, split))} examples")
        except ValueError:
            continue  # the data set has no such split
    return 0


if __name__ == "__main__":
    sys.exit(main())
