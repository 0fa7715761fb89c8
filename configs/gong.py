r"""Gong et al. 2017 (`motion_flow`): a convolutional network that classifies each pixel's motion.

    python -m deblur_jax.main --config configs/gong.py:paper --workdir runs/gong \
        --config.source.name=folder --config.source.folder=BSDS500/images/train \
        --config.evaluation_source.name=folder --config.evaluation_source.folder=BSDS500/images/val

`paper` is the paper's training: one photo per step, and SGD on the loss summed over its pixels (of
crops of 264 pixels, where the paper takes whole photos of 321 x 481). The paper states neither the
momentum nor the factor of its rate steps; they are FCN's. `adam` trains the same network with Adam
in a third of the steps. Neither has been run in full.

`pod` is `paper` on 8 devices, a photo on each: the rate is multiplied by 8 as the batch is (the
linear rule for SGD), and the steps are divided by 8.

    python -m deblur_jax.main --config configs/gong.py --workdir runs/gong-small

`small` is a narrow network for motions of up to 12 pixels, for a computer without a GPU; `smoke`
takes seconds. Without the two folders the photos are the embedded ones.
"""

from ml_collections import ConfigDict

from deblur_jax.config_file import make_config


FIELDS = {
    "task": "estimate_motion",  # a module of training.tasks
    "licence": "Apache-2.0; trained on photographs that scikit-image distributes",
    "seed": 0,
    "steps": 663_000,  # 65 epochs of 200 photos with 51 motions each
    "log_every": 100,  # steps; 0 for the last only
    "checkpoint_every": 5000,  # steps; 0 for the last only
    "keep_checkpoints": 2,  # of the newest; the best is kept, too
    "evaluate_every": 50_000,  # steps; 0 for the last only
    "best_metric": "flow/mse",  # of the evaluation
    "best_is": "min",  # or "max"
    "profile": 0,  # steps to write a profiler trace of
    "parallel": "pmap",  # or "shard_map"
    "accumulate": 1,  # parts of a device's share, to save memory
    "precision": "float32",  # or "bfloat16", of the network
    "remat": "none",  # or "pointwise" or "all": recompute activations, to save memory
    "ema_decay": 0.0,  # of a running mean of the parameters; 0 keeps none
    "optimizer": {  # training.optimizer.make_optimizer
        "name": "sgd",  # or "adamw" or "sgd"
        "momentum": 0.9,
        "second_moment": 0.999,
        "weight_decay": 0.0005,
        "clip_norm": 0.0,  # 0 for no clipping
        "schedule": "step",  # see training.optimizer.make_schedule
        "peak_rate": 1e-09,
        "warmup_fraction": 0.0,
        "factor": 0.1,
        "period": 200_000,  # steps
    },
    "source": {  # data.sources.make_source
        "name": "embedded",  # see data.sources.SOURCES
        "folder": "",
        "split": "train",
        "smallest": 300,  # pixels, the shortest side of a photo
        "in_memory": True,
        "limit": 0,  # examples; 0 for all
        "on_bad": "stop",  # or "skip": bad files are listed either way
    },
    "evaluation_source": {  # data.sources.make_source
        "name": "embedded",  # see data.sources.SOURCES
        "folder": "",
        "split": "test",
        "smallest": 300,  # pixels, the shortest side of a photo
        "in_memory": True,
        "limit": 0,  # examples; 0 for all
        "on_bad": "stop",  # or "skip": bad files are listed either way
    },
    "batches": {  # data.pipeline.training_batches
        "crop": 300,  # pixels, before the border is cut off
        "largest_scale": 1.0,  # of the piece that is shrunk to a crop
        "batch_size": 1,  # over all devices
        "workers": 0,  # processes that decode; 0 decodes in this one
    },
    "simulate": {  # training.tasks.estimate_motion.make_simulate
        "limit": 36.0,  # pixels
        "setting": "large",  # of Gong et al.: "mild", "large" or "both"
        # Pixels, across and down: half of what a photo of 481 x 321 is larger, and its own 15.
        "centre_jitter": (105.5, 25.5),
        "rounded": True,  # to whole pixels
        "still": 1 / 51,  # share of photos without motion
        "noise": 0.0011,  # standard deviation: that of rounding to 8 bits
        "border": 18,  # pixels
    },
    "model": {  # models.motion_flow.MotionFlowNet
        "name": "motion_flow",
        "reach": 36,  # pixels: 37 + 73 labels
        "widths": (96, 256, 512, 512, 1024),
        "extra_horizontal": 0,  # 2 in the released network
        "skip_scales": (0.01, 0.0001),  # of the skip connections
        "initial_weights": "paper",
    },
    "init": {  # training.initial.start_from
        "weights": "",  # a name or path to start from, where it fits; "" for random weights
    },
    "loss": {  # training.tasks.estimate_motion.make_loss
        "kind": "summed_labels",  # see training.tasks.estimate_motion.LOSSES
    },
    "evaluate": {  # training.evaluation.make_evaluation
        "seed": 0,
        "height": 300,  # pixels
        "width": 300,  # pixels
        "per_example": 3,  # simulations of each photo
        "pictures": 16,  # examples to draw
    },
}

VARIANTS = {
    "paper": {},
    "pod": {
        "steps": 663_000 // 8,
        "optimizer.peak_rate": 8e-9,
        "optimizer.period": 200_000 // 8,
        "checkpoint_every": 1000,
        "evaluate_every": 10_000,
        "batches.batch_size": 8,
    },
    "adam": {
        "steps": 200_000,
        "evaluate_every": 20_000,
        "optimizer": {
            "name": "adam",
            "momentum": 0.9,
            "second_moment": 0.999,
            "weight_decay": 0.0,
            "clip_norm": 1.0,
            "schedule": "cosine",
            "peak_rate": 0.0001,
            "warmup_fraction": 0.05,
        },
        "batches.batch_size": 8,
        "model.skip_scales": (1.0, 1.0),
        "model.initial_weights": "edges",
        "loss.kind": "labels",
    },
    "small": {
        "steps": 1800,
        "log_every": 20,
        "checkpoint_every": 200,
        "evaluate_every": 0,
        "optimizer": {
            "name": "adam",
            "momentum": 0.9,
            "second_moment": 0.999,
            "weight_decay": 0.0,
            "clip_norm": 1.0,
            "schedule": "cosine",
            "peak_rate": 0.001,
            "warmup_fraction": 0.05,
        },
        "source.smallest": 128,
        "evaluation_source.smallest": 240,
        "batches.crop": 128,
        "batches.largest_scale": 3.0,
        "batches.batch_size": 8,
        "simulate.limit": 12.0,
        "simulate.setting": "mild",
        "simulate.centre_jitter": (5.0, 5.0),
        "simulate.rounded": False,
        "simulate.border": 6,
        "model.reach": 12,
        "model.widths": (16, 24, 32, 48, 96),
        "model.skip_scales": (1.0, 1.0),
        "model.initial_weights": "edges",
        "loss.kind": "labels",
        "evaluate.height": 240,
        "evaluate.width": 320,
        "evaluate.per_example": 4,
    },
    "smoke": {
        "steps": 4,
        "log_every": 1,
        "checkpoint_every": 2,
        "evaluate_every": 0,
        "optimizer": {
            "name": "adam",
            "momentum": 0.9,
            "second_moment": 0.999,
            "weight_decay": 0.0,
            "clip_norm": 1.0,
            "schedule": "cosine",
            "peak_rate": 0.001,
            "warmup_fraction": 0.05,
        },
        "source.smallest": 128,
        "source.limit": 1,
        "evaluation_source.smallest": 64,
        "evaluation_source.limit": 1,
        "batches.crop": 48,
        "batches.largest_scale": 3.0,
        "batches.batch_size": 8,
        "simulate.limit": 12.0,
        "simulate.setting": "mild",
        "simulate.centre_jitter": (5.0, 5.0),
        "simulate.rounded": False,
        "simulate.border": 6,
        "model.reach": 12,
        "model.widths": (4, 4, 4, 8, 8),
        "model.skip_scales": (1.0, 1.0),
        "model.initial_weights": "edges",
        "loss.kind": "labels",
        "evaluate.height": 64,
        "evaluate.width": 80,
        "evaluate.per_example": 1,
        "evaluate.pictures": 1,
    },
}


def get_config(variant: str = "small") -> ConfigDict:
    """Return the config of one of `VARIANTS`."""
    return make_config(FIELDS, VARIANTS, variant)
