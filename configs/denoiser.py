r"""Learns to take noise out of photos: the prior of the plug-and-play solvers.

    python -m deblur_jax.main --config configs/denoiser.py --workdir runs/denoiser \
        --config.source.name=folder --config.source.folder=PHOTOS \
        --config.evaluation_source.name=folder --config.evaluation_source.folder=OTHER_PHOTOS

`:medium` and `:full` are larger nets, for a GPU; `:smoke` takes seconds.
"""

from ml_collections import ConfigDict

from deblur_jax.models.denoiser import SIZES


def get_config(variant: str = "small") -> ConfigDict:
    """Returns the run of a `small`, `medium` or `full` net, or a `smoke` run."""
    if variant not in (*SIZES, "smoke"):
        raise ValueError(f"variant must be one of {sorted((*SIZES, 'smoke'))}, got {variant!r}")
    config = ConfigDict()
    config.task = "denoising"
    config.licence = "Apache-2.0; trained on photographs that scikit-image distributes"
    config.seed = 0
    config.steps = 30_000
    config.log_every = 100
    config.checkpoint_every = 1000
    config.keep_checkpoints = 2  # of the newest; the best is kept beside them
    config.evaluate_every = 0  # steps; 0 evaluates at the end only
    config.best_metric = "psnr/25"  # of task.evaluate
    config.best_is = "max"  # or "min"
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
    config.source.smallest = 64  # pixels
    config.source.in_memory = True
    config.source.limit = 0  # all
    config.source.on_bad = "stop"  # or "skip": bad photos are named either way

    config.batches = ConfigDict()  # data.pipeline.training_batches
    config.batches.crop = 64  # pixels
    config.batches.largest_scale = 1.0
    config.batches.batch_size = 16  # over all devices
    config.batches.workers = 0

    config.simulate = ConfigDict()  # training.tasks.denoising.make_simulate
    config.simulate.strongest = 50 / 255  # standard deviation

    config.model = ConfigDict()  # models.denoiser.DenoiserNet
    config.model.name = "denoiser"
    config.model.channels = 3
    config.model.update(SIZES.get(variant, SIZES["small"]))

    config.loss = ConfigDict()  # training.tasks.denoising.make_loss

    config.optimizer = ConfigDict()  # training.optimizer.make_optimizer
    config.optimizer.name = "adam"  # or "adamw" or "sgd"
    config.optimizer.momentum = 0.9
    config.optimizer.second_moment = 0.999
    config.optimizer.weight_decay = 0.0
    config.optimizer.clip_norm = 1.0  # 0 for no clipping
    config.optimizer.schedule = "cosine"  # or "constant", "step", "halving" or "poly"
    config.optimizer.peak_rate = 1e-3
    config.optimizer.warmup_fraction = 0.02

    config.evaluation_source = config.source.copy_and_resolve_references()
    config.evaluation_source.split = "test"

    config.evaluate = ConfigDict()  # training.tasks.denoising.evaluate
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
