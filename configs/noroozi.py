r"""DeblurNet, which restores a photo without asking how it moved (Noroozi 2017).

    python -m deblur_jax.main --config configs/noroozi.py:small --workdir runs/deblurnet

`small` is a narrow net, trained in minutes on scenes made of embedded photos. `paper` is the
paper's net, batch, rates and recipe of data: frames of a 240 Hz camera, shrunk to a third, 7 to 23
of them averaged where nothing moves more than a pixel from one to the next. It needs folders of
such frames, one a video; their set was never published:

    python -m deblur_jax.main --config configs/noroozi.py:paper --workdir runs/wild \
        --config.source.folder=FRAMES --config.evaluation_source.folder=OTHER_FRAMES

`uniform` is DeblurNet_SI: photos, each blurred by one kernel. `smoke` takes seconds.
"""

from typing import Any

from ml_collections import ConfigDict

from deblur_jax.training.settings import (
    frame_source,
    held_out_examples,
    photo_batches,
    photo_source,
    run_settings,
    use_small_scenes,
)


VARIANTS = ("paper", "small", "smoke", "uniform")


def get_config(variant: str = "small") -> ConfigDict:
    """Returns the run of one of `VARIANTS`."""
    if variant not in VARIANTS:
        raise ValueError(f"variant must be one of {sorted(VARIANTS)}, got {variant!r}")
    config = run_settings()
    config.task = "restore"
    config.best_metric, config.best_is = "psnr/restored", "max"
    config.loss = ConfigDict()  # training.tasks.restore.make_loss

    config.model = ConfigDict()  # models.deblurnet.DeblurNet
    config.model.name = "deblurnet"
    config.model.first_widths = (96, 256, 384, 384, 256, 256)
    config.model.later_widths = (256, 256, 256, 256)
    config.model.normalise = True

    if variant in ("small", "smoke"):
        _small(config)
    else:
        _paper(config)
    if variant == "uniform":
        config.source = photo_source("train", smallest=224)
        config.evaluation_source = photo_source("test", smallest=224)
        config.simulate = ConfigDict()  # simulate.training_sets.make_uniform_blur
        config.simulate.update(name="uniform", side=33, wander_share=1.0, transfer="linear")
        config.simulate.update(noise=0.0, levels=256)
        config.batches.crop = 224  # 192 and what the kernels reach beyond
        config.evaluate.update(height=288, width=416)
    if variant == "smoke":
        config.steps, config.log_every, config.checkpoint_every = 4, 1, 2
        config.source.limit = config.evaluation_source.limit = 1
        config.batches.update(crop=56, batch_size=8)
        config.simulate.subframes = 3
        config.model.update(first_widths=(4, 4, 4, 4, 4, 4), later_widths=(4, 4))
        config.evaluate.update(height=56, width=64, per_example=1, pictures=1)
    return config


def _paper(config: Any) -> None:
    config.steps, config.log_every, config.checkpoint_every = 300_000, 100, 5000
    config.evaluate_every = 50_000
    config.optimizer.update(schedule="step", period=10_000, factor=0.75, warmup_fraction=0.0)
    config.optimizer.clip_norm = 0.0
    config.source = frame_source()
    config.evaluation_source = frame_source()
    config.batches = photo_batches(crop=192, batch_size=10)
    config.simulate = ConfigDict()  # simulate.training_sets.make_developed: real pairs as they are
    config.simulate.name = "developed"
    config.evaluate = held_out_examples(height=240, width=424)


def _small(config: Any) -> None:
    config.steps = 700
    config.model.update(first_widths=(24, 32, 48, 48, 32, 32), later_widths=(24, 24))
    use_small_scenes(config, motion=2.0)
