r"""Noroozi et al. 2017 (`deblurnet`): restores a photo without estimating its motion.

    python -m deblur_jax.main --config configs/noroozi.py:small --workdir runs/deblurnet

`small` is a narrow network, trained in minutes on scenes made of embedded photos. `paper` is the
paper's network, batch, rates and data: frames of a 240 Hz camera, shrunk to a third, 7 to 23 of
them averaged where nothing moves more than a pixel between frames. It needs folders of such frames,
one per video; the authors' set was not published:

    python -m deblur_jax.main --config configs/noroozi.py:paper --workdir runs/wild \
        --config.source.folder=FRAMES --config.evaluation_source.folder=OTHER_FRAMES

`pod` is `paper` on 8 devices, two photos on each: the batch grows by 1.6, the rate by its square
root (the usual rule for Adam), and steps are divided by 1.6. `uniform` is DeblurNet_SI: photos,
each blurred by one kernel. `smoke` takes seconds.
"""

from ml_collections import ConfigDict

from deblur_jax.config_file import make_config


FIELDS = {
    "task": "restore",  # a module of training.tasks
    "licence": "Apache-2.0; trained on photographs that scikit-image distributes",
    "seed": 0,
    "steps": 300_000,
    "log_every": 100,  # steps; 0 for the last only
    "checkpoint_every": 5000,  # steps; 0 for the last only
    "keep_checkpoints": 2,  # of the newest; the best is kept, too
    "evaluate_every": 50_000,  # steps; 0 for the last only
    "best_metric": "psnr/restored",  # of the evaluation
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
        "clip_norm": 0.0,  # 0 for no clipping
        "schedule": "step",  # see training.optimizer.make_schedule
        "peak_rate": 0.001,
        "warmup_fraction": 0.0,
        "factor": 0.75,
        "period": 10_000,  # steps
    },
    "source": {  # data.sources.make_source
        "name": "frames",  # see data.sources.SOURCES
        "folder": "",  # of folders of frames, one per video
        "counts": (7, 9, 11, 13, 15, 17, 19, 21, 23),  # frames that are averaged
        "fastest": 1.0,  # pixels between frames, after shrinking
        "shrink": 3,  # how many times
        "transfer": "linear",  # display values are averaged
        "flow": False,
        "smallest": 192,  # pixels, after shrinking
        "on_bad": "stop",  # or "skip": bad files are listed either way
    },
    "evaluation_source": {  # data.sources.make_source
        "name": "frames",  # see data.sources.SOURCES
        "folder": "",  # of folders of frames, one per video
        "counts": (7, 9, 11, 13, 15, 17, 19, 21, 23),  # frames that are averaged
        "fastest": 1.0,  # pixels between frames, after shrinking
        "shrink": 3,  # how many times
        "transfer": "linear",  # display values are averaged
        "flow": False,
        "smallest": 192,  # pixels, after shrinking
        "on_bad": "stop",  # or "skip": bad files are listed either way
    },
    "batches": {  # data.pipeline.training_batches
        "crop": 192,  # pixels
        "largest_scale": 1.0,  # of the piece that is shrunk to a crop
        "batch_size": 10,  # over all devices
        "workers": 0,  # processes that decode; 0 decodes in this one
    },
    "simulate": {  # simulate.training_sets.make_developed: the pairs as they are
        "name": "developed",
    },
    "model": {  # models.deblurnet.DeblurNet
        "name": "deblurnet",
        "first_widths": (96, 256, 384, 384, 256, 256),
        "later_widths": (256, 256, 256, 256),
        "normalise": True,
    },
    "init": {  # training.initial.start_from
        "weights": "",  # a name or path to start from, where it fits; "" for random weights
    },
    "loss": {},  # training.tasks.restore.make_loss
    "evaluate": {  # training.evaluation.make_evaluation
        "seed": 0,
        "height": 240,  # pixels
        "width": 424,  # pixels
        "group": 0,
        "per_example": 1,  # simulations of each photo
        "pictures": 16,  # examples to draw
    },
}

SMALL = {
    "steps": 700,
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
    "source": {
        "name": "embedded",
        "folder": "",
        "split": "train",
        "smallest": 88,
        "in_memory": True,
        "limit": 0,
        "on_bad": "stop",
    },
    "evaluation_source": {
        "name": "embedded",
        "folder": "",
        "split": "test",
        "smallest": 88,
        "in_memory": True,
        "limit": 0,
        "on_bad": "stop",
    },
    "batches": {
        "crop": 88,
        "largest_scale": 2.0,
        "batch_size": 8,
        "workers": 0,
        "group": 2,  # photos: a background and the texture of an object
    },
    "simulate": {
        "name": "scenes",
        "margin": 12,  # pixels around a crop for layers that move in
        "subframes": 13,  # about a pixel apart where motion is fastest
        "limit": 12.0,  # pixels, the longest motion during an exposure
        "motion": 2.0,  # factor of the default motions
        "exposure": (0.4, 1.0),  # share of the time between frames
        "transfer": "linear",  # display values are averaged
        "noise": 0.005,  # the largest standard deviation
        "levels": 256,
    },
    "model.first_widths": (24, 32, 48, 48, 32, 32),
    "model.later_widths": (24, 24),
    "evaluate.height": 216,
    "evaluate.width": 280,
    "evaluate.group": 2,
    "evaluate.per_example": 4,
}

VARIANTS = {
    "paper": {},
    "pod": {
        "steps": 187_500,
        "batches.batch_size": 16,
        "optimizer.peak_rate": 1.26e-3,
        "optimizer.period": 6250,
    },
    "uniform": {
        "source": {
            "name": "embedded",
            "folder": "",
            "split": "train",
            "smallest": 224,
            "in_memory": True,
            "limit": 0,
            "on_bad": "stop",
        },
        "evaluation_source": {
            "name": "embedded",
            "folder": "",
            "split": "test",
            "smallest": 224,
            "in_memory": True,
            "limit": 0,
            "on_bad": "stop",
        },
        "batches.crop": 224,  # 192, and what the kernels reach beyond
        "simulate": {
            "name": "uniform",
            "side": 33,  # pixels, of the kernels
            "wander_share": 1.0,
            "transfer": "linear",
            "noise": 0.0,
            "levels": 256,
        },
        "evaluate.height": 288,
        "evaluate.width": 416,
    },
    "small": SMALL,
    "smoke": {
        **SMALL,
        "steps": 4,
        "log_every": 1,
        "checkpoint_every": 2,
        "source.limit": 1,
        "evaluation_source.limit": 1,
        "batches.crop": 56,
        "simulate.subframes": 3,
        "model.first_widths": (4, 4, 4, 4, 4, 4),
        "model.later_widths": (4, 4),
        "evaluate.height": 56,
        "evaluate.width": 64,
        "evaluate.pictures": 1,
        "evaluate.per_example": 1,
    },
}


def get_config(variant: str = "small") -> ConfigDict:
    """Return the config of one of `VARIANTS`."""
    return make_config(FIELDS, VARIANTS, variant)
