r"""The quick start: estimates a camera's motion in a few minutes, on photos inside scikit-image.

    python -m deblur_jax.main --config configs/quickstart.py --workdir runs/quickstart

`smoke` only shows in seconds that everything works:

    python -m deblur_jax.main --config configs/quickstart.py:smoke --workdir runs/smoke
"""

from ml_collections import ConfigDict

from deblur_jax.config_file import make_config


FIELDS = {
    "task": "estimate_motion",  # a module of training.tasks
    "licence": "Apache-2.0; trained on photographs that scikit-image distributes",
    "seed": 0,
    "steps": 1200,
    "log_every": 20,  # steps; 0 for the last only
    "checkpoint_every": 200,  # steps; 0 for the last only
    "keep_checkpoints": 2,  # of the newest; the best is kept, too
    "evaluate_every": 0,  # steps; 0 for the last only
    "best_metric": "flow/mse",  # of the evaluation
    "best_is": "min",  # or "max"
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
        "warmup_fraction": 0.05,
    },
    "source": {  # data.sources.make_source
        "name": "embedded",  # see data.sources.SOURCES
        "folder": "",
        "split": "train",
        "smallest": 112,  # pixels, the shortest side of a photo
        "in_memory": True,
        "limit": 0,  # examples; 0 for all
        "on_bad": "stop",  # or "skip": bad files are listed either way
    },
    "evaluation_source": {  # data.sources.make_source
        "name": "embedded",  # see data.sources.SOURCES
        "folder": "",
        "split": "test",
        "smallest": 112,  # pixels, the shortest side of a photo
        "in_memory": True,
        "limit": 0,  # examples; 0 for all
        "on_bad": "stop",  # or "skip": bad files are listed either way
    },
    "batches": {  # data.pipeline.training_batches
        "crop": 112,  # pixels
        "largest_scale": 3.0,  # of the piece that is shrunk to a crop
        "batch_size": 16,  # over all devices
        "workers": 0,  # processes that decode; 0 decodes in this one
    },
    "simulate": {  # training.tasks.estimate_motion.make_simulate
        "limit": 12.0,  # pixels
        "noise": 0.005,  # standard deviation
        "border": 8,  # pixels
    },
    "model": {  # models.motion_context.MotionContextNet
        "name": "motion_context",
        "widths": (32, 64, 96),
        "blocks": 2,
        "scale": 4.0,  # pixels
        "reach": 2.5,  # places of 8 pixels
    },
    "init": {  # training.initial.start_from
        "weights": "",  # a name or path to start from, where it fits; "" for random weights
    },
    "loss": {  # training.tasks.estimate_motion.make_loss
        "kind": "doubled_angle",  # see training.tasks.estimate_motion.LOSSES
    },
    "evaluate": {  # training.evaluation.make_evaluation
        "seed": 0,
        "height": 288,  # pixels
        "width": 400,  # pixels
        "per_example": 8,  # simulations of each photo
        "pictures": 16,  # examples to draw
    },
}

VARIANTS = {
    "full": {},
    "smoke": {
        "steps": 4,
        "log_every": 1,
        "checkpoint_every": 2,
        "source.limit": 1,
        "evaluation_source.limit": 1,
        "batches.crop": 48,
        "batches.batch_size": 8,
        "model.widths": (4, 4, 8),
        "model.blocks": 1,
        "evaluate.height": 64,
        "evaluate.width": 80,
        "evaluate.per_example": 1,
        "evaluate.pictures": 1,
    },
}


def get_config(variant: str = "full") -> ConfigDict:
    """Return the config of one of `VARIANTS`."""
    return make_config(FIELDS, VARIANTS, variant)
