r"""Zhang et al. 2021 (`flow_rnn`): restores a frame with the help of its neighbours.

    python -m deblur_jax.main --config configs/zhang.py:small --workdir runs/frames

`small` is a narrow network, trained in minutes on scenes made of embedded photos. `paper` is the
paper's network, batch, crops and loss; rate and gradient clipping are those of the released
program, since the printed rate, ten times higher, diverges. It needs the training videos of the DVD
set, one folder per video in `blur` and `sharp`:

    python -m deblur_jax.main --config configs/zhang.py:paper --workdir runs/dvd \
        --config.source.folder=DVD/train --config.evaluation_source.folder=DVD/test

The paper starts the flow network from FlowNetS, whose thin version is a Caffe file. Here it starts
at random, or with `--config.init.weights` from any network of this config, as far as it fits.

`pod` is `paper` on 8 devices, five frames on each: twice the batch, so the rate is multiplied by
the square root of two (the usual rule for Adam) and the steps are halved.

Ablations of table IV, of either: `--config.model.recurrence=none`, `concatenated` or `decoder`;
`--config.loss.flow_weight=0` (no flow losses); `--config.model.frames=1` (no flow) or 3 (flows in
both directions). `svrnn` is the predecessor for single photos (`spatial_rnn`), on GoPro's pairs;
`svrnn_small` its narrow network. `smoke` takes seconds.
"""

from ml_collections import ConfigDict

from deblur_jax.config_file import make_config


FIELDS = {
    "task": "restore_frames",  # a module of training.tasks
    "licence": "Apache-2.0; trained on photographs that scikit-image distributes",
    "seed": 0,
    "steps": 800_000,
    "log_every": 100,  # steps; 0 for the last only
    "checkpoint_every": 5000,  # steps; 0 for the last only
    "keep_checkpoints": 2,  # of the newest; the best is kept, too
    "evaluate_every": 50_000,  # steps; 0 for the last only
    "best_metric": "psnr/restored",  # of the evaluation
    "best_is": "max",  # or "min"
    "profile": 0,  # steps to write a profiler trace of
    "parallel": "pmap",  # or "shard_map"
    "accumulate": 4,  # parts of five frames, to save memory
    "precision": "float32",  # or "bfloat16", of the network
    "remat": "none",  # or "pointwise" or "all": recompute activations, to save memory
    "ema_decay": 0.0,  # of a running mean of the parameters; 0 keeps none
    "optimizer": {  # training.optimizer.make_optimizer
        "name": "adam",  # or "adamw" or "sgd"
        "momentum": 0.9,
        "second_moment": 0.999,
        "weight_decay": 1e-06,
        "clip_norm": 5000.0,  # 0 for no clipping
        "schedule": "poly",  # see training.optimizer.make_schedule
        "peak_rate": 0.0001,
        "warmup_fraction": 0.0,
        "power": 2.0,
    },
    "source": {  # data.sources.make_source
        "name": "pairs",  # see data.sources.SOURCES
        "folder": "",  # that holds blur/ and sharp/
        "smallest": 256,  # pixels, the shortest side of a photo
        "neighbours": 1,  # frames beside each
        "limit": 0,  # examples; 0 for all
        "on_bad": "stop",  # or "skip": bad files are listed either way
    },
    "evaluation_source": {  # data.sources.make_source
        "name": "pairs",  # see data.sources.SOURCES
        "folder": "",  # that holds blur/ and sharp/
        "smallest": 256,  # pixels, the shortest side of a photo
        "neighbours": 1,  # frames beside each
        "limit": 0,  # examples; 0 for all
        "on_bad": "stop",  # or "skip": bad files are listed either way
    },
    "batches": {  # data.pipeline.training_batches
        "crop": 256,  # pixels
        "largest_scale": 2.0,  # of the piece that is shrunk to a crop
        "batch_size": 20,  # over all devices
        "workers": 0,  # processes that decode; 0 decodes in this one
        "permute_channels": True,
    },
    "simulate": {  # training.tasks.restore_frames.make_simulate: the pairs as they are
        "name": "developed",
        "frames": 2,  # that the network takes
    },
    "model": {  # models.flow_rnn.FlowRnnNet
        "name": "flow_rnn",
        "width": 24,
        "frames": 2,
        "recurrence": "encoder",  # or "decoder", "concatenated" or "none"
    },
    "init": {  # training.initial.start_from
        "weights": "",  # a name or path to start from, where it fits; "" for random weights
    },
    "loss": {  # training.tasks.restore_frames.make_loss
        "flow_weight": 1.0,
    },
    "evaluate": {  # training.evaluation.make_evaluation
        "seed": 0,
        "height": 720,  # pixels
        "width": 1280,  # pixels
        "group": 0,
        "per_example": 1,  # simulations of each photo
        "pictures": 16,  # examples to draw
    },
}

SMALL = {
    "steps": 1500,
    "log_every": 20,
    "checkpoint_every": 200,
    "evaluate_every": 0,
    "accumulate": 1,
    "optimizer": {
        "name": "adam",
        "momentum": 0.9,
        "second_moment": 0.999,
        "weight_decay": 0.0,
        "clip_norm": 200.0,
        "schedule": "cosine",
        "peak_rate": 6e-4,  # at 2e-3 flows leave the frame, where no gradient leads back
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
        "frames": 2,
        "margin": 12,  # pixels around a crop for layers that move in
        "subframes": 13,  # about a pixel apart where motion is fastest
        "limit": 12.0,  # pixels, the longest motion during an exposure
        "motion": 0.5,  # factor of the default motions
        "exposure": (0.8, 1.0),  # share of the time between frames, as in averaged frames
        "transfer": "linear",  # display values are averaged
        "noise": 0.005,  # the largest standard deviation
        "levels": 256,
    },
    "model.width": 8,
    "evaluate.height": 152,  # frames of 128 pixels, near the training crops of 64
    "evaluate.width": 152,
    "evaluate.group": 2,
    "evaluate.per_example": 4,
}

VARIANTS = {
    "paper": {},
    "pod": {
        "steps": 400_000,
        "accumulate": 1,
        "batches.batch_size": 40,
        "optimizer.peak_rate": 1.4e-4,
    },
    "svrnn": {
        "steps": 200_000,
        "optimizer.weight_decay": 0.0,
        "source.neighbours": 0,
        "evaluation_source.neighbours": 0,
        "batches.crop": 128,
        "simulate.frames": 1,
        "model": {
            "name": "spatial_rnn",
            "width": 32,
        },
    },
    "small": SMALL,
    "svrnn_small": {
        **SMALL,
        "simulate.frames": 1,
        "model": {
            "name": "spatial_rnn",
            "width": 8,
        },
    },
    "smoke": {
        **SMALL,
        "steps": 4,
        "log_every": 1,
        "checkpoint_every": 2,
        "source.limit": 1,
        "evaluation_source.limit": 1,
        "simulate.subframes": 3,
        "model.width": 2,
        "evaluate.height": 88,
        "evaluate.width": 88,
        "evaluate.pictures": 1,
        "evaluate.per_example": 1,
    },
}


def get_config(variant: str = "small") -> ConfigDict:
    """Return the config of one of `VARIANTS`."""
    config = make_config(FIELDS, VARIANTS, variant)
    if "frames" in config.model:
        frames = config.model.get_ref("frames")
        config.simulate.frames = frames
        if config.source.name == "pairs":
            config.source.neighbours = config.evaluation_source.neighbours = frames - 1
    return config
