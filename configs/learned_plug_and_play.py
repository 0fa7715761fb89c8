r"""Learns to see a camera's motion and to take it out, as one: the weights `deblur`.

    python -m deblur_jax.main --config configs/learned_plug_and_play.py --workdir runs/unrolled \
        --config.source.name=folder --config.source.folder=PHOTOS \
        --config.evaluation_source.name=folder --config.evaluation_source.folder=BSDS500/images/val

It begins with the weights `camera-motion` and `denoiser` and a fixed schedule of the solver. The
estimator is kept as it is (`--config.loss.frozen=False` trains it, too) and part of its error taken
off, as `refine_motion` does for a whole photo. Blur, noise and JPEG are those of
`configs/camera_motion.py`, and so were PHOTOS. `:smoke` takes seconds. Without the two folders the
photos are the embedded ones.
"""

from ml_collections import ConfigDict

from deblur_jax.training.settings import (
    held_out_examples,
    photo_batches,
    photo_source,
    run_settings,
)


def get_config(variant: str = "full") -> ConfigDict:
    """Returns the `full` run, or a `smoke` run that only shows that everything works."""
    if variant not in ("full", "smoke"):
        raise ValueError(f"variant must be one of ['full', 'smoke'], got {variant!r}")
    config = run_settings()
    config.task = "restore_unrolled"
    config.steps, config.log_every, config.checkpoint_every = 560, 10, 25
    config.ema_decay = 0.98
    config.best_metric, config.best_is = "psnr/restored", "max"
    config.optimizer.peak_rate = 3e-4

    config.source = photo_source("train", smallest=264)
    config.evaluation_source = photo_source("test", smallest=264)
    config.evaluation_source.limit = 12
    config.batches = photo_batches(crop=264, batch_size=4)

    config.simulate = ConfigDict()  # training.tasks.estimate_motion.make_simulate
    config.simulate.limit = 36.0  # pixels
    config.simulate.noise = 0.01  # standard deviation, the largest
    config.simulate.least_noise = 0.001  # that of rounding to 8 bits
    config.simulate.compressed = 0.5  # share of photos that went through a JPEG file
    config.simulate.still = 0.02  # share of photos without a motion
    config.simulate.border = 20  # pixels
    config.simulate.setting = "both"
    config.simulate.centre_jitter = 60.0  # pixels: crops of photos of 321 x 481

    config.model = ConfigDict()  # models.learned_plug_and_play.LearnedPlugAndPlayNet
    config.model.name = "learned_plug_and_play"
    config.model.width = 192
    config.model.blocks = 5
    config.model.window = 64  # pixels
    config.model.scale = 8.0  # pixels
    config.model.unit = 128.0  # pixels
    config.model.prior_widths = (32, 64, 128)
    config.model.prior_blocks = 1
    config.model.denoising_steps = 3
    config.model.linear_steps = 6
    config.model.margin = 16  # pixels
    config.model.schedule_rate = 10.0  # times the rate of the rest

    config.loss = ConfigDict()  # training.tasks.restore_unrolled.make_loss
    config.loss.part = 112  # pixels
    config.loss.corrected = 1.0  # the motion's error is multiplied by u to this power
    config.loss.frozen = True  # the estimator
    config.loss.flow_weight = 0.0
    config.loss.start = "camera-motion"  # weights of the estimator; "" for none
    config.loss.prior = "denoiser"  # weights of the denoiser; "" for none

    config.evaluate = held_out_examples(height=320, width=320)
    config.evaluate.update(start=config.loss.start, prior=config.loss.prior, pictures=8)

    if variant == "smoke":
        config.steps, config.log_every, config.checkpoint_every = 4, 1, 2
        config.batches.update(crop=72, batch_size=8)
        config.source.smallest = config.evaluation_source.smallest = 72
        config.source.limit = config.evaluation_source.limit = 1
        config.simulate.update(limit=8.0, border=8)
        config.model.update(width=8, blocks=1, window=16, prior_widths=(4, 8), denoising_steps=2)
        config.model.update(linear_steps=2, margin=4)
        config.loss.update(part=24, start="", prior="")
        config.evaluate.update(start="", prior="")
        config.evaluate.update(height=64, width=80, per_example=1, pictures=1)
    return config
