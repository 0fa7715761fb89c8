r"""Learns to see a camera's motion on a few embedded photos, and takes it out of two others.

    python -m deblur_jax.main --config configs/quickstart.py --workdir runs/quickstart

A few steps, in seconds:

    python -m deblur_jax.main --config configs/quickstart.py:smoke --workdir runs/smoke
"""

from ml_collections import ConfigDict

from deblur_jax.training.settings import photo_batches, photo_source, run_settings


def get_config(variant: str = "full") -> ConfigDict:
    """Returns the `full` run, or a `smoke` run that only shows that everything works."""
    config = run_settings()
    config.task = "estimate_motion"
    config.steps = 1200
    config.best_metric = "flow/mse"

    config.source = photo_source("train", smallest=112)
    config.evaluation_source = photo_source("test", smallest=112)
    config.batches = photo_batches(crop=112, batch_size=16, largest_scale=3.0)

    config.simulate = ConfigDict()  # training.tasks.estimate_motion.make_simulate
    config.simulate.limit = 12.0  # pixels
    config.simulate.noise = 0.005  # standard deviation
    config.simulate.border = 8  # pixels

    config.model = ConfigDict()  # models.motion_context.MotionContextNet
    config.model.name = "motion_context"
    config.model.widths = (32, 64, 96)
    config.model.blocks = 2
    config.model.scale = 4.0  # pixels
    config.model.reach = 2.5  # places of 8 pixels

    config.loss = ConfigDict()  # training.tasks.estimate_motion.make_loss
    config.loss.kind = "doubled_angle"

    config.evaluate = ConfigDict()  # training.tasks.estimate_motion.evaluate
    config.evaluate.seed = 0
    config.evaluate.height = 288  # pixels
    config.evaluate.width = 400  # pixels
    config.evaluate.maps_per_photo = 8
    config.evaluate.pictures = 16

    if variant == "smoke":
        config.steps, config.log_every, config.checkpoint_every = 4, 1, 2
        config.batches.update(crop=48, batch_size=8)
        config.source.limit = config.evaluation_source.limit = 1
        config.model.update(widths=(4, 4, 8), blocks=1)
        config.evaluate.update(height=64, width=80, maps_per_photo=1, pictures=1)
    elif variant != "full":
        raise ValueError(f"variant must be 'full' or 'smoke', got {variant!r}")
    return config
