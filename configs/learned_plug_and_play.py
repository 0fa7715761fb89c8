r"""The network with the weights `learned-plug-and-play`: estimates a motion and removes it.

    python -m deblur_jax.main --config configs/learned_plug_and_play.py --workdir runs/restoring \
        --config.source.name=folder --config.source.folder=PHOTOS \
        --config.evaluation_source.name=folder --config.evaluation_source.folder=BSDS500/images/val

Training starts from the weights `camera-motion` and `denoiser` and a fixed schedule of the solver.
The motion estimator is frozen (`--config.loss.frozen=False` trains it, too), and a part of its
error is removed, as `refine_motion` does for a whole photo. Blur, noise, JPEG and PHOTOS are those
of `configs/camera_motion.py`. `smoke` takes seconds. Without the two folders the photos are the
embedded ones.
"""

from ml_collections import ConfigDict

from deblur_jax.config_file import make_config


FIELDS = {
    "task": "restore_unrolled",  # a module of training.tasks
    "licence": "Apache-2.0; trained on photographs that scikit-image distributes",
    "seed": 0,
    "steps": 560,
    "log_every": 10,  # steps; 0 for the last only
    "checkpoint_every": 25,  # steps; 0 for the last only
    "keep_checkpoints": 2,  # of the newest; the best is kept, too
    "evaluate_every": 0,  # steps; 0 for the last only
    "best_metric": "psnr/restored",  # of the evaluation
    "best_is": "max",  # or "min"
    "profile": 0,  # steps to write a profiler trace of
    "parallel": "pmap",  # or "shard_map"
    "accumulate": 1,  # parts of a device's share, to save memory
    "precision": "float32",  # or "bfloat16", of the network
    "remat": "none",  # or "pointwise" or "all": recompute activations, to save memory
    "ema_decay": 0.98,  # of a running mean of the parameters; 0 keeps none
    "optimizer": {  # training.optimizer.make_optimizer
        "name": "adam",  # or "adamw" or "sgd"
        "momentum": 0.9,
        "second_moment": 0.999,
        "weight_decay": 0.0,
        "clip_norm": 1.0,  # 0 for no clipping
        "schedule": "cosine",  # see training.optimizer.make_schedule
        "peak_rate": 0.0003,
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
        "limit": 12,  # examples; 0 for all
        "on_bad": "stop",  # or "skip": bad files are listed either way
    },
    "batches": {  # data.pipeline.training_batches
        "crop": 264,  # pixels
        "largest_scale": 1.0,  # of the piece that is shrunk to a crop
        "batch_size": 4,  # over all devices
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
    "model": {  # models.learned_plug_and_play.LearnedPlugAndPlayNet
        "name": "learned_plug_and_play",
        "width": 192,
        "blocks": 5,
        "window": 64,  # pixels
        "scale": 8.0,  # pixels
        "unit": 128.0,  # pixels
        "prior_widths": (32, 64, 128),
        "prior_blocks": 1,
        "denoising_steps": 3,
        "linear_steps": 6,
        "margin": 16,  # pixels
        "schedule_rate": 10.0,  # times the rate of the other parameters
    },
    "init": {  # and training.tasks.restore_unrolled.first_params
        "weights": "",  # for the whole network, where they fit
        "estimator": "camera-motion",  # weights of the motion estimator; "" for random ones
        "denoiser": "denoiser",  # weights of the prior; "" for random ones
    },
    "loss": {  # training.tasks.restore_unrolled.make_loss
        "part": 112,  # pixels
        "corrected": 1.0,  # the share u of the motion's error that remains has this power
        "frozen": True,  # the motion estimator
        "flow_weight": 0.0,
    },
    "evaluate": {  # training.evaluation.make_evaluation
        "seed": 0,
        "height": 320,  # pixels
        "width": 320,  # pixels
        "group": 0,
        "per_example": 1,  # simulations of each photo
        "pictures": 8,  # examples to draw
        "denoiser": "denoiser",
    },
}

VARIANTS = {
    "full": {},
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
        "model.prior_widths": (4, 8),
        "model.denoising_steps": 2,
        "model.linear_steps": 2,
        "model.margin": 4,
        "init.estimator": "",
        "init.denoiser": "",
        "loss.part": 24,
        "evaluate.height": 64,
        "evaluate.width": 80,
        "evaluate.pictures": 1,
        "evaluate.denoiser": "",
    },
}


def get_config(variant: str = "full") -> ConfigDict:
    """Return the config of one of `VARIANTS`."""
    config = make_config(FIELDS, VARIANTS, variant)
    config.evaluate.denoiser = config.init.get_ref("denoiser")
    return config
