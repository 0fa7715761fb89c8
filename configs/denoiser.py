r"""The denoiser: the prior of the plug-and-play solvers, with the weights `denoiser`.

    python -m deblur_jax.main --config configs/denoiser.py --workdir runs/denoiser \
        --config.source.name=folder --config.source.folder=PHOTOS \
        --config.evaluation_source.name=folder --config.evaluation_source.folder=OTHER_PHOTOS

`medium` and `full` are larger networks, for a GPU; `smoke` takes seconds.
"""

from ml_collections import ConfigDict

from deblur_jax.config_file import make_config


FIELDS = {
    "task": "denoise",  # a module of training.tasks
    "licence": "Apache-2.0; trained on photographs that scikit-image distributes",
    "seed": 0,
    "steps": 30_000,
    "log_every": 100,  # steps; 0 for the last only
    "checkpoint_every": 1000,  # steps; 0 for the last only
    "keep_checkpoints": 2,  # of the newest; the best is kept, too
    "evaluate_every": 0,  # steps; 0 for the last only
    "best_metric": "psnr/25",  # of the evaluation
    "best_is": "max",  # or "min"
    "profile": 0,  # steps to write a profiler trace of
    "parallel": "pmap",  # or "shard_map"
    "accumulate": 1,  # parts of a device's share, to save memory
    "precision": "float32",  # or "bfloat16", of the network
    "remat": "none",  # or "pointwise" or "all": recompute activations, to save memory
    "ema_decay": 0.0,  # of a running mean of the parameters; 0 keeps none
    "optimizer": {  # training.optimizer.make_optimizer
        "name": "adam",  # or "adamw" or "sgd"
        "momentum": 0.9,
        "second_moment": 0.999,
        "weight_decay": 0.0,
        "clip_norm": 1.0,  # 0 for no clipping
        "schedule": "cosine",  # see training.optimizer.make_schedule
        "peak_rate": 0.001,
        "warmup_fraction": 0.02,
    },
    "source": {  # data.sources.make_source
        "name": "embedded",  # see data.sources.SOURCES
        "folder": "",
        "split": "train",
        "smallest": 64,  # pixels, the shortest side of a photo
        "in_memory": True,
        "limit": 0,  # examples; 0 for all
        "on_bad": "stop",  # or "skip": bad files are listed either way
    },
    "evaluation_source": {  # data.sources.make_source
        "name": "embedded",  # see data.sources.SOURCES
        "folder": "",
        "split": "test",
        "smallest": 64,  # pixels, the shortest side of a photo
        "in_memory": True,
        "limit": 0,  # examples; 0 for all
        "on_bad": "stop",  # or "skip": bad files are listed either way
    },
    "batches": {  # data.pipeline.training_batches
        "crop": 64,  # pixels
        "largest_scale": 1.0,  # of the piece that is shrunk to a crop
        "batch_size": 16,  # over all devices
        "workers": 0,  # processes that decode; 0 decodes in this one
    },
    "simulate": {  # training.tasks.denoise.make_simulate
        "strongest": 50 / 255,  # standard deviation
    },
    "model": {  # models.denoiser.DenoiserNet
        "name": "denoiser",
        "channels": 3,
        "widths": (32, 64, 128),
        "blocks": 1,
        "fold": 2,
        "residual": True,
    },
    "init": {  # training.initial.start_from
        "weights": "",  # a name or path to start from, where it fits; "" for random weights
    },
    "loss": {},  # training.tasks.denoise.make_loss
    "evaluate": {  # training.evaluation.make_evaluation
        "seed": 0,
        "levels": (15, 25, 50),  # noise, in units of 1/255; whole photos
    },
}

VARIANTS = {
    "small": {},
    "medium": {
        "steps": 400_000,
        "optimizer.peak_rate": 0.0002,
        "batches.crop": 128,
        "batches.batch_size": 32,
        "model.widths": (32, 64, 128, 256),
        "model.blocks": 2,
        "model.fold": 1,
    },
    "full": {
        "steps": 400_000,
        "optimizer.peak_rate": 0.0002,
        "batches.crop": 128,
        "batches.batch_size": 32,
        "model.widths": (64, 128, 256, 512),
        "model.blocks": 4,
        "model.fold": 1,
        "model.residual": False,
    },
    "smoke": {
        "steps": 4,
        "log_every": 1,
        "checkpoint_every": 2,
        "source.limit": 1,
        "evaluation_source.limit": 1,
        "batches.crop": 32,
        "batches.batch_size": 8,
        "model.widths": (4, 8),
        "evaluate.levels": (25,),
    },
}


def get_config(variant: str = "small") -> ConfigDict:
    """Return the config of one of `VARIANTS`."""
    return make_config(FIELDS, VARIANTS, variant)
