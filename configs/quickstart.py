r"""Learns to see a camera's motion on a few embedded photos, and takes it out of two others.

    python -m deblur_jax.main --config configs/quickstart.py --workdir runs/quickstart

A few steps, in seconds:

    python -m deblur_jax.main --config configs/quickstart.py:smoke --workdir runs/smoke
"""

from ml_collections import ConfigDict


def get_config(variant: str = "full") -> ConfigDict:
    """Returns the `full` run, or a `smoke` run that only shows that everything works."""
    config = ConfigDict()
    config.task = "motion_flow"
    config.licence = "Apache-2.0; trained on photographs that scikit-image distributes"
    config.seed = 0
    config.steps = 1200
    config.log_every = 20
    config.checkpoint_every = 200
    config.keep_checkpoints = 2  # of the newest; the best is kept beside them
    config.evaluate_every = 0  # steps; 0 evaluates at the end only
    config.best_metric = "flow/mse"  # of task.evaluate
    config.best_is = "min"  # or "max"
    config.profile = 0  # steps to write a profiler trace of, after the second
    config.parallel = "pmap"  # or "shard_map"
    config.accumulate = 1  # parts that a device works through its share of a batch in
    config.precision = "float32"  # or "bfloat16", for the network alone
    config.remat = "none"  # or "pointwise" or "all": computed again in the backward pass
    config.ema_decay = 0.0  # of a running mean of the parameters; 0 keeps none

    config.source = ConfigDict()  # data.sources.make_source
    config.source.name = "embedded"  # or "folder"
    config.source.split = "train"
    config.source.folder = ""  # for name "folder"
    config.source.smallest = 112  # pixels
    config.source.in_memory = True
    config.source.limit = 0  # all
    config.source.on_bad = "stop"  # or "skip": bad photos are named either way

    config.batches = ConfigDict()  # data.pipeline.training_batches
    config.batches.crop = 112  # pixels
    config.batches.largest_scale = 3.0
    config.batches.batch_size = 16  # over all devices
    config.batches.workers = 0

    config.simulate = ConfigDict()  # training.tasks.motion_flow.make_simulate
    config.simulate.limit = 12.0  # pixels
    config.simulate.noise = 0.005  # standard deviation
    config.simulate.border = 8  # pixels

    config.model = ConfigDict()  # models.motion_context.MotionContextNet
    config.model.name = "motion_context"
    config.model.widths = (32, 64, 96)
    config.model.blocks = 2
    config.model.scale = 4.0  # pixels
    config.model.reach = 2.5  # places of 8 pixels

    config.loss = ConfigDict()  # training.tasks.motion_flow.make_loss
    config.loss.kind = "doubled_angle"

    config.optimizer = ConfigDict()  # training.optimizer.make_optimizer
    config.optimizer.name = "adam"  # or "adamw" or "sgd"
    config.optimizer.momentum = 0.9
    config.optimizer.second_moment = 0.999
    config.optimizer.weight_decay = 0.0
    config.optimizer.clip_norm = 1.0  # 0 for no clipping
    config.optimizer.schedule = "cosine"  # or "constant", "step", "halving" or "poly"
    config.optimizer.peak_rate = 1e-3
    config.optimizer.warmup_fraction = 0.05

    config.evaluation_source = config.source.copy_and_resolve_references()
    config.evaluation_source.split = "test"

    config.evaluate = ConfigDict()  # training.tasks.motion_flow.evaluate
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
