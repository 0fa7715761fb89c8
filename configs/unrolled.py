r"""Learns to see a camera's motion and to take it out, as one: the solver's steps are learned too.

    python -m deblur_jax.main --config configs/unrolled.py --workdir runs/unrolled \
        --config.source.name=folder --config.source.folder=PHOTOS \
        --config.evaluation_source.name=folder --config.evaluation_source.folder=OTHER_PHOTOS

It begins with the weights of the quick start and the fixed schedule of the solver. `:smoke` takes
seconds. Without the two folders the photos are the embedded ones.
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
    config.task = "unrolled"
    config.steps, config.log_every, config.checkpoint_every = 300, 10, 100
    config.best_metric, config.best_is = "psnr/restored", "max"
    config.optimizer.peak_rate = 3e-4

    config.source = photo_source("train", smallest=112)
    config.evaluation_source = photo_source("test", smallest=112)
    config.batches = photo_batches(crop=112, batch_size=8, largest_scale=3.0)

    config.simulate = ConfigDict()  # training.tasks.motion_flow.make_simulate
    config.simulate.limit = 12.0  # pixels
    config.simulate.noise = 0.005  # standard deviation
    config.simulate.border = 8  # pixels

    config.model = ConfigDict()  # models.unrolled.UnrolledNet
    config.model.name = "unrolled"
    config.model.widths = (32, 64, 96)
    config.model.blocks = 2
    config.model.scale = 4.0  # pixels
    config.model.reach = 2.5  # places of 8 pixels
    config.model.denoisings = 8
    config.model.descents = 2
    config.model.margin = 8  # pixels
    config.model.strength = 0.25  # of total variation, in units of the noise level
    config.model.denoising_steps = 5
    config.model.schedule_rate = 10.0  # times the rate of the estimator

    config.loss = ConfigDict()  # training.tasks.unrolled.make_loss
    config.loss.flow_weight = 0.1
    config.loss.start = "motion-flow-quickstart"  # weights of the estimator; "" for none

    config.evaluate = held_out_examples(height=240, width=320, per_example=2)
    config.evaluate.start = config.loss.start

    if variant == "smoke":
        config.steps, config.log_every, config.checkpoint_every = 4, 1, 2
        config.batches.update(crop=48, batch_size=8)
        config.source.limit = config.evaluation_source.limit = 1
        config.model.update(widths=(4, 4, 8), blocks=1, denoisings=2, denoising_steps=2)
        config.loss.start = config.evaluate.start = ""
        config.evaluate.update(height=64, width=80, per_example=1, pictures=1)
    return config
