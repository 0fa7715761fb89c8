r"""Learns to take noise out of photos: the prior of the plug-and-play solvers.

    python -m deblur_jax.main --config configs/denoiser.py --workdir runs/denoiser \
        --config.source.name=folder --config.source.folder=PHOTOS \
        --config.evaluation_source.name=folder --config.evaluation_source.folder=OTHER_PHOTOS

`:medium` and `:full` are larger nets, for a GPU; `:smoke` takes seconds.
"""

from ml_collections import ConfigDict

from deblur_jax.models.denoiser import SIZES
from deblur_jax.training.settings import photo_batches, photo_source, run_settings


def get_config(variant: str = "small") -> ConfigDict:
    """Returns the run of a `small`, `medium` or `full` net, or a `smoke` run."""
    if variant not in (*SIZES, "smoke"):
        raise ValueError(f"variant must be one of {sorted((*SIZES, 'smoke'))}, got {variant!r}")
    config = run_settings()
    config.task = "denoise"
    config.steps, config.log_every, config.checkpoint_every = 30_000, 100, 1000
    config.best_metric, config.best_is = "psnr/25", "max"
    config.optimizer.warmup_fraction = 0.02

    config.source = photo_source("train", smallest=64)
    config.evaluation_source = photo_source("test", smallest=64)
    config.batches = photo_batches(crop=64, batch_size=16)

    config.simulate = ConfigDict()  # training.tasks.denoise.make_simulate
    config.simulate.strongest = 50 / 255  # standard deviation

    config.model = ConfigDict()  # models.denoiser.DenoiserNet
    config.model.name = "denoiser"
    config.model.channels = 3
    config.model.update(SIZES.get(variant, SIZES["small"]))

    config.loss = ConfigDict()  # training.tasks.denoise.make_loss

    config.evaluate = ConfigDict()  # training.tasks.denoise.evaluate
    config.evaluate.seed = 0
    config.evaluate.levels = (15, 25, 50)  # 255ths

    if variant in ("medium", "full"):
        config.steps = 400_000
        config.batches.update(crop=128, batch_size=32)
        config.optimizer.peak_rate = 2e-4
    if variant == "smoke":
        config.steps, config.log_every, config.checkpoint_every = 4, 1, 2
        config.batches.update(crop=32, batch_size=8)
        config.source.limit = config.evaluation_source.limit = 1
        config.model.update(widths=(4, 8), blocks=1)
        config.evaluate.levels = (25,)
    return config
