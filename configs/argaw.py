r"""B2F-net, which reads optical flow from one blurred photo (Argaw 2021).

    python -m deblur_jax.main --config configs/argaw.py:small --workdir runs/flow

`small` is a narrow net, trained in minutes on scenes made of embedded photos. `paper` is the
paper's net, batch, rates and weights of the loss on Monkaa, whose frames are interpolated and
averaged (`tools/prepare.py monkaa` prepares them). `gopro` is the same on frames of a 240 Hz
camera, seven of which are averaged, with optical flow for the truth:

    python -m deblur_jax.main --config configs/argaw.py:paper --workdir runs/monkaa \
        --config.source.data_dir=DATA --config.evaluation_source.data_dir=DATA
    python -m deblur_jax.main --config configs/argaw.py:gopro --workdir runs/gopro \
        --config.source.folder=GOPRO/train --config.evaluation_source.folder=GOPRO/test

`no_transformer`, `no_refining` and `plain` (neither) are the small net without the parts that
table 3 leaves out; `smoke` takes seconds. In simulated scenes either end of a motion is as likely
to be the first, and a net that must say which learns to see no motion; so the small ones are
trained in whichever direction fits better, and `paper` and `gopro` from first to last, as printed.
"""

from typing import Any

from ml_collections import ConfigDict

from deblur_jax.losses.flow_pyramid import ARGAW_WEIGHTS
from deblur_jax.training.settings import (
    frame_source,
    held_out_examples,
    photo_batches,
    prepared_source,
    run_settings,
    use_small_scenes,
)


VARIANTS = (
    "gopro", "no_refining", "no_transformer", "paper", "plain", "small", "smoke"
)  # fmt: skip


def get_config(variant: str = "small") -> ConfigDict:
    """Returns the run of one of `VARIANTS`."""
    if variant not in VARIANTS:
        raise ValueError(f"variant must be one of {sorted(VARIANTS)}, got {variant!r}")
    config = run_settings()
    config.task = "estimate_flow"
    config.best_metric = "flow/epe"

    config.model = ConfigDict()  # models.blur_to_flow.BlurToFlowNet
    config.model.name = "blur_to_flow"
    config.model.widths = (16, 32, 64, 96, 128, 196)
    config.model.flow_widths = (128, 128, 96, 64, 32)
    config.model.context_widths = (128, 128, 128, 96, 64, 32)
    config.model.reach = 4  # pixels of each level
    config.model.transform = variant not in ("no_transformer", "plain")
    config.model.refine = variant not in ("no_refining", "plain")

    config.loss = ConfigDict()  # training.tasks.estimate_flow.make_loss
    config.loss.weights = ARGAW_WEIGHTS
    config.loss.direction = "first_to_last" if variant in ("paper", "gopro") else "either"

    if variant in ("paper", "gopro"):
        _paper(config)
    else:
        _small(config)
    if variant == "gopro":
        config.source, config.evaluation_source = frame_source(), frame_source()
        for source in (config.source, config.evaluation_source):
            source.update(counts=(7,), fastest=float("inf"), shrink=1, flow=True, smallest=256)
        config.simulate = ConfigDict()  # simulate.training_sets.make_developed: as they are
        config.simulate.name = "developed"
    if variant == "smoke":
        config.steps, config.log_every, config.checkpoint_every = 4, 1, 2
        config.source.limit = config.evaluation_source.limit = 1
        config.batches.update(crop=56, batch_size=8)
        config.simulate.subframes = 3
        config.model.update(widths=(4, 4), flow_widths=(4, 4), context_widths=(4,), reach=1)
        config.loss.weights = ARGAW_WEIGHTS[:2]
        config.evaluate.update(height=56, width=64, per_example=1, pictures=1)
    return config


def _paper(config: Any) -> None:
    config.steps, config.log_every, config.checkpoint_every = 750_000, 100, 5000  # 300 epochs
    config.evaluate_every = 50_000
    config.optimizer.update(peak_rate=1e-4, weight_decay=4e-4, clip_norm=0.0, warmup_fraction=0.0)
    config.optimizer.update(schedule="halving", milestones=(250_000, 375_000, 500_000, 625_000))
    config.source = prepared_source("monkaa", "train[:90%]", smallest=256)
    config.evaluation_source = prepared_source("monkaa", "train[90%:]", smallest=256)
    config.batches = photo_batches(crop=256, batch_size=4)
    config.simulate = ConfigDict()  # simulate.training_sets.make_interpolated
    config.simulate.name = "interpolated"
    config.simulate.subframes = 33
    config.evaluate = held_out_examples(height=256, width=256)


def _small(config: Any) -> None:
    config.steps = 500
    config.model.update(widths=(16, 24, 32, 48), flow_widths=(32, 32, 24, 16))
    config.model.context_widths = (32, 32, 32, 24, 16)
    config.loss.weights = ARGAW_WEIGHTS[:4]
    config.optimizer.clip_norm = 0.0
    use_small_scenes(config)
