r"""Argaw et al. 2021 (`blur_to_flow`): estimates optical flow from one blurred photo.

    python -m deblur_jax.main --config configs/argaw.py:small --workdir runs/flow

`small` is a narrow network, trained in minutes on scenes made of embedded photos. `paper` is the
paper's network, batch, centre crops, rates and loss weights on Monkaa, whose frames are
interpolated and averaged (`tools/prepare.py monkaa` prepares them, without frames in which a pixel
moves by more than 100 pixels):

    python -m deblur_jax.main --config configs/argaw.py:paper --workdir runs/monkaa \
        --config.source.folder=RECORDS --config.evaluation_source.folder=RECORDS
    python -m deblur_jax.main --config configs/argaw.py:paper --workdir runs/monkaa \
        --mode=export --output=monkaa.safetensors

`gopro` and `nfs` are the same on frames of a 240 Hz camera, seven of which are averaged, with
optical flow as the ground truth. They take 120 epochs, and halve the rate after 60, 80 and 100. The
paper trains on GoPro with and without Monkaa's weights; training on NfS converges with them only:

    python -m deblur_jax.main --config configs/argaw.py:gopro --workdir runs/gopro \
        --config.source.folder=GOPRO/train --config.evaluation_source.folder=GOPRO/test \
        --config.init.weights=monkaa.safetensors
    python -m deblur_jax.main --config configs/argaw.py:nfs --workdir runs/nfs \
        --config.source.folder=NFS/train --config.evaluation_source.folder=NFS/test \
        --config.init.weights=monkaa.safetensors

The folders hold a folder of frames for each video: of NfS's films, FILM/240/FILM without the frames
at 30 Hz. The log names the number of windows; 120 epochs are 30 steps for each of them.

`pod` is `paper` on 8 devices, a photo on each: twice the batch, so the rate is multiplied by the
square root of two (the usual rule for Adam) and the steps are halved.

`no_transformer`, `no_refining` and `plain` (neither) are `small` without the parts that table 3
leaves out; `smoke` takes seconds. In simulated scenes time may run in either direction along a
motion, and a network that is trained on one of them learns to predict no motion; so the small ones
are compared with the direction that fits better, and `paper` and `gopro` with first to last, as
published.
"""

from ml_collections import ConfigDict

from deblur_jax.config_file import make_config


FIELDS = {
    "task": "estimate_flow",  # a module of training.tasks
    "licence": "Apache-2.0; trained on photographs that scikit-image distributes",
    "seed": 0,
    "steps": 750_000,  # 300 epochs
    "log_every": 100,  # steps; 0 for the last only
    "checkpoint_every": 5000,  # steps; 0 for the last only
    "keep_checkpoints": 2,  # of the newest; the best is kept, too
    "evaluate_every": 50_000,  # steps; 0 for the last only
    "best_metric": "flow/epe",  # of the evaluation
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
        "weight_decay": 0.0004,
        "clip_norm": 0.0,  # 0 for no clipping
        "schedule": "halving",  # see training.optimizer.make_schedule
        "peak_rate": 0.0001,
        "warmup_fraction": 0.0,
        "milestones": (1 / 3, 1 / 2, 2 / 3, 5 / 6),  # shares of the run; each halves the rate
    },
    "source": {  # data.sources.make_source
        "name": "monkaa",  # see data.sources.SOURCES
        "folder": "",  # where it was prepared
        "split": "train[:90%]",
        "smallest": 256,  # pixels, the shortest side of a photo
        "limit": 0,  # examples; 0 for all
    },
    "evaluation_source": {  # data.sources.make_source
        "name": "monkaa",  # see data.sources.SOURCES
        "folder": "",  # where it was prepared
        "split": "train[90%:]",
        "smallest": 256,  # pixels, the shortest side of a photo
        "limit": 0,  # examples; 0 for all
    },
    "batches": {  # data.pipeline.training_batches
        "crop": 256,  # pixels
        "largest_scale": 1.0,  # of the piece that is shrunk to a crop
        "batch_size": 4,  # over all devices
        "workers": 0,  # processes that decode; 0 decodes in this one
        "place": "centre",  # or "random", in random scale and orientation
    },
    "simulate": {  # simulate.training_sets.make_interpolated
        "name": "interpolated",
        "fewest": 5,  # pictures between the frames; one a pixel of the longest motion
    },
    "model": {  # models.blur_to_flow.BlurToFlowNet
        "name": "blur_to_flow",
        "widths": (16, 32, 64, 96, 128, 196),
        "flow_widths": (128, 128, 96, 64, 32),
        "context_widths": (128, 128, 128, 96, 64, 32),
        "reach": 4,  # pixels of each level
        "transform": True,
        "refine": True,
    },
    "init": {  # training.initial.start_from
        "weights": "",  # a name or path to start from, where it fits; "" for random weights
    },
    "loss": {  # training.tasks.estimate_flow.make_loss
        "weights": (0.005, 0.01, 0.02, 0.04, 0.08, 0.32),  # losses.flow_pyramid.ARGAW_WEIGHTS
        "direction": "first_to_last",  # or "either"
    },
    "evaluate": {  # training.evaluation.make_evaluation
        "seed": 0,
        "height": 256,  # pixels
        "width": 256,  # pixels
        "group": 0,
        "per_example": 1,  # simulations of each photo
        "pictures": 16,  # examples to draw
    },
}

SMALL = {
    "steps": 500,
    "log_every": 20,
    "checkpoint_every": 200,
    "evaluate_every": 0,
    "optimizer": {
        "name": "adam",
        "momentum": 0.9,
        "second_moment": 0.999,
        "weight_decay": 0.0,
        "clip_norm": 0.0,
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
        "motion": 1.0,  # factor of the default motions
        "exposure": (0.4, 1.0),  # share of the time between frames
        "transfer": "linear",  # display values are averaged
        "noise": 0.005,  # the largest standard deviation
        "levels": 256,
    },
    "model.widths": (16, 24, 32, 48),
    "model.flow_widths": (32, 32, 24, 16),
    "model.context_widths": (32, 32, 32, 24, 16),
    "loss.weights": (0.005, 0.01, 0.02, 0.04),
    "loss.direction": "either",
    "evaluate.height": 216,
    "evaluate.width": 280,
    "evaluate.group": 2,
    "evaluate.per_example": 4,
}

FRAMES = {
    "name": "frames",
    "folder": "",  # of folders of frames, one a video
    "counts": (7,),  # frames that are averaged
    "fastest": float("inf"),  # pixels between frames, after shrinking
    "shrink": 1,
    "transfer": "linear",  # display values are averaged
    "flow": True,
    "smallest": 256,
    "on_bad": "stop",
}
AVERAGED = {
    "optimizer.milestones": (1 / 2, 2 / 3, 5 / 6),
    "source": FRAMES,
    "evaluation_source": FRAMES,
    "simulate": {
        "name": "developed",
    },
}

VARIANTS = {
    "paper": {},
    "pod": {
        "steps": 375_000,
        "batches.batch_size": 8,
        "optimizer.peak_rate": 1.4e-4,
    },
    "gopro": {
        **AVERAGED,
        "steps": 120_000,  # 120 epochs of 4000 windows, about those of 25 videos
    },
    "nfs": {
        **AVERAGED,
        "steps": 1_140_000,  # 120 epochs of 38,000 windows, about those of 70 films
    },
    "small": SMALL,
    "no_transformer": {
        **SMALL,
        "model.transform": False,
    },
    "no_refining": {
        **SMALL,
        "model.refine": False,
    },
    "plain": {
        **SMALL,
        "model.transform": False,
        "model.refine": False,
    },
    "smoke": {
        **SMALL,
        "steps": 4,
        "log_every": 1,
        "checkpoint_every": 2,
        "source.limit": 1,
        "evaluation_source.limit": 1,
        "batches.crop": 56,
        "simulate.subframes": 3,
        "model.widths": (4, 4),
        "model.flow_widths": (4, 4),
        "model.context_widths": (4,),
        "model.reach": 1,
        "loss.weights": (0.005, 0.01),
        "evaluate.height": 56,
        "evaluate.width": 64,
        "evaluate.pictures": 1,
        "evaluate.per_example": 1,
    },
}


def get_config(variant: str = "small") -> ConfigDict:
    """Return the config of one of `VARIANTS`."""
    return make_config(FIELDS, VARIANTS, variant)
