"""The builders by name."""

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
from deblur_jax.data.builders.realblur import RealBlur
from deblur_jax.data.builders.reds import Reds


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
    """Prepares a data set unless it has been, and returns its folder, for `PreparedSource`.

    Args:
        name: one of `BUILDERS`.
        source: the folder with the downloaded files.
        data_dir: where the records go.
        variant: see the builder; its first if None.
        on_bad: "stop" or "skip", see `ManualBuilder`.

    Raises:
        FileNotFoundError: if files are missing, with where to get them and put them.
        ValueError: if an option is unknown, or files are bad, with the list of them.
    """
    if name not in BUILDERS:
        raise ValueError(f"name must be one of {sorted(BUILDERS)}, got {name!r}")
    builder = BUILDERS[name](source, data_dir, variant=variant, on_bad=on_bad)
    builder.download_and_prepare()
    return Path(builder.data_dir)
