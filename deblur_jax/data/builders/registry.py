"""Preparing and opening data sets by name."""

from pathlib import Path

from deblur_jax.data.builders.ade import Ade
from deblur_jax.data.builders.bsds import Bsds
from deblur_jax.data.builders.cuhk import Cuhk
from deblur_jax.data.builders.dvd import Dvd
from deblur_jax.data.builders.folders import Folders
from deblur_jax.data.builders.gopro import GoPro
from deblur_jax.data.builders.kohler import Kohler
from deblur_jax.data.builders.manual import ManualBuilder
from deblur_jax.data.builders.monkaa import Monkaa
from deblur_jax.data.builders.nfs import Nfs
from deblur_jax.data.builders.prepared import PreparedSource
from deblur_jax.data.builders.realblur import RealBlur
from deblur_jax.data.builders.reds import Reds
from deblur_jax.data.checks import check_option


BUILDERS: dict[str, type[ManualBuilder]] = {
    builder.__name__.lower(): builder
    for builder in (Ade, Bsds, Cuhk, Dvd, Folders, GoPro, Kohler, Monkaa, Nfs, RealBlur, Reds)
}


def prepare(
    name: str,
    source: str | Path,
    data_dir: str | Path,
    *,
    variant: str | None = None,
    on_bad: str = "stop",
) -> Path:
    """Prepares a data set if it is not prepared yet, and returns its folder.

    Args:
        name: one of `BUILDERS`.
        source: folder with the downloaded files.
        data_dir: folder of prepared data sets.
        variant: variant of the data set; the first if None.
        on_bad: "stop" or "skip", see `data.checks.report_problems`.

    Raises:
        FileNotFoundError: if files are missing; the message says where to download them and where
            to place them.
        ValueError: if an option is unknown, or files are bad; the message lists them.
    """
    check_option("name", name, BUILDERS)
    builder = BUILDERS[name](source, data_dir, variant=variant, on_bad=on_bad)
    builder.download_and_prepare()
    return Path(builder.data_dir)


def open_prepared(
    name: str, data_dir: str | Path, variant: str = "", *, split: str, smallest: int, limit: int
) -> PreparedSource:
    """Opens a prepared data set; the downloaded files are not needed.

    Args:
        name: one of `BUILDERS`.
        data_dir: folder of prepared data sets.
        variant: variant of the data set; "" for the first.
        split: see `PreparedSource`.
        smallest: see `PreparedSource`.
        limit: see `PreparedSource`.

    Raises:
        FileNotFoundError: if the data set is not prepared; the message has the command.
        ValueError: if it was prepared several times, from different files.
    """
    variant = variant or BUILDERS[name].VARIANTS[0]
    check_option("variant", variant, BUILDERS[name].VARIANTS)
    # As tfds and `ManualBuilder` name folders: variant, treatment of bad files, a digest.
    folder = Path(data_dir) / BUILDERS[name].name
    found = sorted(folder.glob(f"{variant}-*-*/*/dataset_info.json"))
    if not found:
        raise FileNotFoundError(
            f"{folder}: {name}, variant {variant}, is not prepared; run "
            f"python tools/prepare.py {name} --variant {variant} --source DOWNLOADED "
            f"--data-dir {data_dir}"
        )
    if len(found) > 1:
        folders = ", ".join(str(path.parent) for path in found)
        raise ValueError(f"{name} is prepared more than once; keep one of {folders}")
    return PreparedSource(found[0].parent, split, smallest=smallest, limit=limit)
