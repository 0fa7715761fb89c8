r"""The network with the weights `camera-motion`: estimates a camera's motion from one photo.

    python -m deblur_jax.main --config configs/camera_motion.py --workdir runs/camera-motion \
        --config.source.name=folder --config.source.folder=PHOTOS \
        --config.evaluation_source.name=folder --config.evaluation_source.folder=BSDS500/images/val

Photos are cropped to 224 pixels and blurred by motions of Gong et al. 2017 of at most 36 or, with
the same probability, 17 pixels, with a little noise; half of them are stored as JPEG. PHOTOS were
the 200 of BSDS500's training set and 600 others with a short side of 288 pixels; any folder of
photos works, and without a folder the embedded photos are used. `large` is a network of four times
the size with a batch for a GPU, not trained yet; `smoke` takes seconds.
"""

from ml_collections import ConfigDict

from deblur_jax.config_file import make_config


FIELDS = {
    "task": "estimate_motion",  # a module of training.tasks
    "licence": "Apache-2.0; trained on photographs that scikit-image distributes",
    "seed": 0,
    "steps": 2200,
    "log_every": 20,  # steps; 0 for the last only
    "checkpoint_every": 200,  # steps; 0 for the last only
    "keep_checkpoints": 2,  # of the newest; the best is kept, too
    "evaluate_every": 0,  # steps; 0 for the last only
    "best_metric": "flow/mse_sign_invariant",  # of the evaluation
    "best_is": "min",  # or "max"
    "profile": 0,  # steps to write a profiler trace of
    "parallel": "pmap",  # or "shard_map"
    "accumulate": 1,  # parts of a device's share, to save memory
    "precision": "float32",  # or "bfloat16", of the network
    "remat": "none",  # or "pointwise" or "all": recompute activations, to save memory
    "ema_decay": 0.998,  # of a running mean of the parameters; 0 keeps none
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
        "smallest": 264,  # pixels, the shortest side of a photo
        "in_memory": True,
        "limit": 0,  # examples; 0 for all
        "on_bad": "stop",  # or "skip": bad files are listed either way
    },
    "evaluation_source": {  # data.sources.make_source
        "name": "embedded",  # see data.sources.SOURCES
        "folder": "",
        "split": "test",
        "smallest": 264,  # pixels, the shortest side of a photo
        "in_memory": True,
        "limit": 16,  # examples; 0 for all
        "on_bad": "stop",  # or "skip": bad files are listed either way
    },
    "batches": {  # data.pipeline.training_batches
        "crop": 264,  # pixels
        "largest_scale": 1.0,  # of the piece that is shrunk to a crop
        "batch_size": 16,  # over all devices
        "workers": 0,  # processes that decode; 0 decodes in this one
    },
    "simulate": {  # training.tasks.estimate_motion.make_simulate
        "limit": 36.0,  # pixels
        "setting": "both",  # of Gong et al.: "mild", "large" or "both"
        "centre_jitter": (60.0, 60.0),  # pixels, across and down
        "still": 0.02,  # share of photos without motion
        "noise": 0.01,  # standard deviation, the largest
        "least_noise": 0.001,  # that of rounding to 8 bits
        "compressed": 0.5,  # share of photos stored as JPEG
        "border": 20,  # pixels
    },
    "model": {  # models.camera_motion.CameraMotionNet
        "name": "camera_motion",
        "width": 192,
        "blocks": 5,
        "window": 64,  # pixels
        "scale": 8.0,  # pixels
        "unit": 128.0,  # pixels
    },
    "init": {  # training.initial.start_from
        "weights": "",  # a name or path to start from, where it fits; "" for random weights
    },
    "loss": {  # training.tasks.estimate_motion.make_loss
        "kind": "doubled_angle",  # see training.tasks.estimate_motion.LOSSES
    },
    "evaluate": {  # training.evaluation.make_evaluation
        "seed": 0,
        "height": 320,  # pixels
        "width": 320,  # pixels
        "per_example": 2,  # simulations of each photo
        "pictures": 8,  # examples to draw
    },
}

VARIANTS = {
    "full": {},
    "large": {
        "steps": 100_000,
        "checkpoint_every": 2000,
        "batches.batch_size": 64,
        "batches.workers": 8,
        "model.width": 384,
        "model.blocks": 8,
    },
    "smoke": {
        "steps": 4,
        "log_every": 1,
        "checkpoint_every": 2,
        "source.smallest": 72,
        "source.limit": 1,
        "evaluation_source.smallest": 72,
        "evaluation_source.limit": 1,
        "batches.crop": 72,
        "batches.batch_size": 8,
        "simulate.limit": 8.0,
        "simulate.border": 8,
        "model.width": 8,
        "model.blocks": 1,
        "model.window": 16,
        "evaluate.height": 64,
        "evaluate.width": 80,
        "evaluate.per_example": 1,
        "evaluate.pictures": 1,
    },
}


def get_config(variant: str = "full") -> ConfigDict:
    """Return the config of one of `VARIANTS`."""
    return make_config(FIELDS, VARIANTS, variant)
