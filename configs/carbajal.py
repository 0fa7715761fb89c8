r"""Carbajal et al. 2021 (`kernel_basis`): estimates basis kernels and their mixing from a photo.

    python -m deblur_jax.main --config configs/carbajal.py:paper --workdir runs/carbajal \
        --config.source.folder=ADE20K --config.evaluation_source.folder=ADE20K

ADE20K is the folder that holds `images` and `annotations`; COCO works with `source.layout=coco`.
Which 5,888 of ADE20K's photos the paper took is not published: all that are large enough are used,
for as many steps as 900 epochs of 5,888. The paper does not name the optimizer; Adam, its rate and
the batch are ours. Not run in full yet.
`pod` is `paper` on 8 devices, four photos on each: the batch and the rate stay the same.

    python -m deblur_jax.main --config configs/carbajal.py --workdir runs/carbajal-small

`small` is a network of an eighth of the width for kernels of 17 x 17 pixels, trained on the
embedded photos with an object of random shape in each, for a computer without a GPU; `smoke` takes
seconds. `medium` is twice as wide and trains for an hour on one core, on a folder of photos:

    python -m deblur_jax.main --config configs/carbajal.py:medium --workdir runs/carbajal-medium \
        --config.source.name=folder --config.source.folder=BSDS500/images/train \
        --config.evaluation_source.name=folder --config.evaluation_source.folder=BSDS500/images/val
"""

from ml_collections import ConfigDict

from deblur_jax.config_file import make_config


PHOTOS = 5888  # of ADE20K, in the paper
BATCH = 32

FIELDS = {
    "task": "estimate_kernels",  # a module of training.tasks
    "licence": "Apache-2.0; trained on photographs that scikit-image distributes",
    "seed": 0,
    "steps": 900 * PHOTOS // BATCH,
    "log_every": 100,  # steps; 0 for the last only
    "checkpoint_every": 2000,  # steps; 0 for the last only
    "keep_checkpoints": 2,  # of the newest; the best is kept, too
    "evaluate_every": 20_000,  # steps; 0 for the last only
    "best_metric": "kernel/absolute",  # of the evaluation
    "best_is": "min",  # or "max"
    "profile": 0,  # steps to write a profiler trace of
    "parallel": "pmap",  # or "shard_map"
    "accumulate": 8,  # parts of a device's share, to save memory
    "precision": "float32",  # or "bfloat16", of the network
    "remat": "none",  # or "pointwise" or "all": recompute activations, to save memory
    "ema_decay": 0.999,  # of a running mean of the parameters; 0 keeps none
    "optimizer": {  # training.optimizer.make_optimizer
        "name": "adam",  # or "adamw" or "sgd"
        "momentum": 0.9,
        "second_moment": 0.999,
        "weight_decay": 0.0,
        "clip_norm": 10.0,  # 0 for no clipping
        "schedule": "cosine",  # see training.optimizer.make_schedule
        "peak_rate": 0.0001,
        "warmup_fraction": 0.0,
    },
    "source": {  # data.sources.make_source
        "name": "segments",  # see data.sources.SOURCES
        "folder": "",
        "layout": "ade",  # or "bsds", "coco" or "labels"
        "split": "training",
        "smallest": 256 + 32,  # pixels, the shortest side of a photo
        "limit": 0,  # examples; 0 for all
        "on_bad": "skip",  # photos that are too small are listed
    },
    "evaluation_source": {  # data.sources.make_source
        "name": "segments",  # see data.sources.SOURCES
        "folder": "",
        "layout": "ade",  # or "bsds", "coco" or "labels"
        "split": "validation",
        "smallest": 256 + 32,  # pixels, the shortest side of a photo
        "limit": 32,  # examples; 0 for all
        "on_bad": "skip",  # photos that are too small are listed
    },
    "batches": {  # data.pipeline.training_batches
        "crop": 256 + 32,  # pixels
        "largest_scale": 1.0,  # of the piece that is shrunk to a crop
        "batch_size": BATCH,  # over all devices
        "workers": 0,  # processes that decode; 0 decodes in this one
    },
    "simulate": {  # simulate.training_sets.make_segment_blur
        "side": 33,  # pixels, of the kernels
        "objects": 3,  # at most
        "least": 400,  # pixels, of the smallest object
        "wander_share": 0.5,  # of kernels that are random walks
        "still_share": 0.01,  # of segments that are not blurred
        "brighten": 0.0,
        "lights": 0.0,
        "transfer": "linear",  # the paper's first version; 2.2 in the second
        "noise": 0.01,  # the largest standard deviation
    },
    "model": {  # models.kernel_basis.KernelBasisNet
        "name": "kernel_basis",
        "basis": 25,
        "side": 33,
        "width": 64,
        "head": "grid",
        "transfer": "linear",
        "initial_weights": "he",
    },
    "init": {  # training.initial.start_from
        "weights": "",  # a name or path to start from, where it fits; "" for random weights
    },
    "loss": {  # training.tasks.estimate_kernels.make_loss
        "transfer": "linear",
        "kernel_weight": 1.0,
        "reblur_weight": 1.0,
        "squared_until": 350 * PHOTOS // BATCH,
        "chunk": 4096,  # pixels
    },
    "evaluate": {  # training.evaluation.make_evaluation
        "seed": 0,
        "height": 288,  # pixels
        "width": 288,  # pixels
        "group": 0,
        "per_example": 2,  # simulations of each photo
        "pictures": 16,  # examples to draw
        "denoiser": "denoiser",  # of the restoration; "" for total variation
    },
}

SMALL = {
    "steps": 600,
    "log_every": 20,
    "checkpoint_every": 200,
    "evaluate_every": 0,
    "accumulate": 1,
    "ema_decay": 0.0,
    "optimizer.peak_rate": 0.002,
    "optimizer.warmup_fraction": 0.05,
    "source": {
        "name": "embedded",
        "folder": "",
        "split": "train",
        "smallest": 112,
        "in_memory": True,
        "limit": 0,
        "on_bad": "stop",
    },
    "evaluation_source": {
        "name": "embedded",
        "folder": "",
        "split": "test",
        "smallest": 200,
        "in_memory": True,
        "limit": 0,
        "on_bad": "stop",
    },
    "batches.crop": 112,
    "batches.largest_scale": 3.0,
    "batches.batch_size": 8,
    "simulate.side": 17,
    "simulate.objects": 1,
    "simulate.least": 100,
    "simulate.still_share": 0.2,
    "model.basis": 8,
    "model.side": 17,
    "model.width": 8,
    "model.initial_weights": "edges",
    "loss.squared_until": 233,
    "evaluate.height": 200,
    "evaluate.width": 264,
    "evaluate.per_example": 4,
    "evaluate.denoiser": "",
}

VARIANTS = {
    "paper": {},
    "pod": {
        "accumulate": 1,  # four photos on each of 8 devices
    },
    "small": SMALL,
    "medium": {
        **SMALL,
        "steps": 4000,
        "checkpoint_every": 500,
        "optimizer.peak_rate": 0.001,
        "model.basis": 12,
        "model.width": 16,
        "loss.squared_until": 1555,
        "log_every": 100,
        "ema_decay": 0.999,
    },
    "smoke": {
        **SMALL,
        "steps": 4,
        "log_every": 1,
        "checkpoint_every": 2,
        "source.limit": 1,
        "evaluation_source.limit": 1,
        "batches.crop": 48,
        "model.basis": 3,
        "model.width": 2,
        "loss.squared_until": 2,
        "evaluate.height": 48,
        "evaluate.width": 56,
        "evaluate.per_example": 1,
        "evaluate.pictures": 1,
    },
}


def get_config(variant: str = "small") -> ConfigDict:
    """Return the config of one of `VARIANTS`."""
    config = make_config(FIELDS, VARIANTS, variant)
    config.model.side = config.simulate.get_ref("side")
    config.model.transfer = config.loss.transfer = config.simulate.get_ref("transfer")
    return config
