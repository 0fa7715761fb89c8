r"""The net that deblurs a frame by recurrences steered by the flow to the next one (Zhang 2021).

    python -m deblur_jax.main --config configs/zhang.py:small --workdir runs/frames

`small` is a narrow net, trained in minutes on scenes made of embedded photos. `paper` is the
paper's net, batch, crops and loss; the rates and the clipping are those of the released program,
since ten times that rate, as printed, is unsafe. It needs the DVD set's training videos, a folder
each in `blur` and `sharp`:

    python -m deblur_jax.main --config configs/zhang.py:paper --workdir runs/dvd \
        --config.source.folder=DVD/train --config.evaluation_source.folder=DVD/test

Table IV's ablations of either: `--config.model.recurrence=none`, `concatenated` or `decoder`;
`--config.loss.flow_weight=0` (no flow losses); `--config.model.frames=1` (no flow) or 3 (flows in
both directions). `svrnn` is the predecessor for single photos, for GoPro's pairs; `svrnn_small` its
narrow net. `smoke` takes seconds.
"""

from typing import Any

from ml_collections import ConfigDict

from deblur_jax.training.settings import (
    held_out_examples,
    pair_source,
    photo_batches,
    run_settings,
    use_small_scenes,
)


VARIANTS = ("paper", "small", "smoke", "svrnn", "svrnn_small")


def get_config(variant: str = "small") -> ConfigDict:
    """Returns the run of one of `VARIANTS`."""
    if variant not in VARIANTS:
        raise ValueError(f"variant must be one of {sorted(VARIANTS)}, got {variant!r}")
    config = run_settings()
    config.task = "restore_frames"
    config.best_metric, config.best_is = "psnr/restored", "max"

    config.model = ConfigDict()
    if variant.startswith("svrnn"):  # models.flow_rnn.SpatialRnnNet
        config.model.name = "spatial_rnn"
        config.model.width = 32
    else:  # models.flow_rnn.FlowRnnNet
        config.model.name = "flow_rnn"
        config.model.width = 24
        config.model.frames = 2
        config.model.recurrence = "encoder"

    config.loss = ConfigDict()  # training.tasks.restore_frames.make_loss
    config.loss.flow_weight = 1.0

    if variant in ("paper", "svrnn"):
        _paper(config)
    else:
        _small(config)
    frames = config.model.get_ref("frames") if "frames" in config.model else 1
    config.simulate.frames = frames
    if variant in ("paper", "svrnn"):
        config.source.neighbours = config.evaluation_source.neighbours = frames - 1

    if variant == "svrnn":
        config.steps = 200_000
        config.optimizer.weight_decay = 0.0
        config.batches.crop = 128
    if variant == "smoke":
        config.steps, config.log_every, config.checkpoint_every = 4, 1, 2
        config.source.limit = config.evaluation_source.limit = 1
        config.batches.update(crop=88, batch_size=8)
        config.simulate.subframes = 3
        config.model.width = 2
        config.evaluate.update(height=88, width=88, per_example=1, pictures=1)
    return config


def _paper(config: Any) -> None:
    config.steps, config.log_every, config.checkpoint_every = 800_000, 100, 5000
    config.evaluate_every = 50_000
    config.accumulate = 4  # parts of five: less memory
    config.optimizer.update(schedule="poly", power=2.0, peak_rate=1e-4, warmup_fraction=0.0)
    config.optimizer.update(weight_decay=1e-6, clip_norm=5000.0)
    config.source = pair_source(smallest=256)
    config.evaluation_source = pair_source(smallest=256)
    config.batches = photo_batches(crop=256, batch_size=20, largest_scale=2.0)
    config.batches.permute_channels = True
    config.simulate = ConfigDict()  # simulate.training_sets.make_developed: pairs as they are
    config.simulate.name = "developed"
    config.evaluate = held_out_examples(height=720, width=1280)


def _small(config: Any) -> None:
    config.steps = 1500
    config.model.width = 8
    config.optimizer.update(peak_rate=2e-3, clip_norm=5000.0)
    use_small_scenes(config, motion=0.5)
    # As in the sets of averaged frames: then the way to the next frame tells how long the blur is.
    config.simulate.exposure = (0.8, 1.0)
    # Frames of 128 pixels. The flow net was trained on 64, a single place of its coarsest features:
    # in frames of 192 x 256 pixels the true neighbour misleads it more than it helps.
    config.evaluate.update(height=152, width=152)
