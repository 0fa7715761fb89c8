r"""Carbajal et al. 2021, "blurring to deblur" (`deblurgan`): restores photos with a reblur loss.

    python -m deblur_jax.main --config configs/blurring_to_deblur.py:paper --workdir runs/gan \
        --config.source.folder=GOPRO/train --config.evaluation_source.folder=GOPRO/test \
        --config.loss.features=vgg19.safetensors

trains DeblurGAN on pairs (`blur/` and `sharp/` in the folders). The rates are DeblurGAN's: constant
for half of the steps, then falling linearly to zero. The paper's fine-tuning continues in the same
workdir, with kernels of a network that `configs/carbajal.py` trained, at the full rate again:

    python -m deblur_jax.main --config configs/blurring_to_deblur.py:fine_tune --workdir runs/gan \
        ... --config.loss.kernels=kernels.safetensors

The weight and the schedule of the fine-tuning are not published; they are ours. Not run in full
yet. `pod` is `paper` on 8 devices, a photo on each: both rates are multiplied by the square root of
8 (the usual rule for Adam), and the steps are divided by 8.

    python -m deblur_jax.main --config configs/blurring_to_deblur.py --workdir runs/small

`small` is a narrow generator on the embedded photos, with simulated blurs whose kernels are known,
for a computer without a GPU; `smoke` takes seconds.
"""

from ml_collections import ConfigDict

from deblur_jax.config_file import make_config


STEPS = 300 * 2103  # epochs of GoPro's training pairs

FIELDS = {
    "task": "restore_adversarially",  # a module of training.tasks
    "licence": "Apache-2.0; trained on photographs that scikit-image distributes",
    "seed": 0,
    "steps": STEPS,
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
        "momentum": 0.5,
        "second_moment": 0.999,
        "weight_decay": 0.0,
        "clip_norm": 0.0,  # 0 for no clipping
        "schedule": "linear",  # see training.optimizer.make_schedule
        "peak_rate": 0.0001,
        "warmup_fraction": 0.0,
        "constant_steps": STEPS // 2,  # then linearly to zero
    },
    "source": {  # data.sources.make_source
        "name": "pairs",  # see data.sources.SOURCES
        "folder": "",  # that holds blur/ and sharp/
        "smallest": 256,  # pixels, the shortest side of a photo
        "neighbours": 0,
        "limit": 0,  # examples; 0 for all
        "on_bad": "stop",  # or "skip": bad files are listed either way
    },
    "evaluation_source": {  # data.sources.make_source
        "name": "pairs",  # see data.sources.SOURCES
        "folder": "",  # that holds blur/ and sharp/
        "smallest": 256,  # pixels, the shortest side of a photo
        "neighbours": 0,
        "limit": 64,  # examples; 0 for all
        "on_bad": "stop",  # or "skip": bad files are listed either way
    },
    "batches": {  # data.pipeline.training_batches
        "crop": 256,  # pixels
        "largest_scale": 1.0,  # of the piece that is shrunk to a crop
        "batch_size": 1,  # over all devices
        "workers": 0,  # processes that decode; 0 decodes in this one
    },
    "simulate": {  # training.simulations.make_simulate
        "name": "developed",
    },
    "model": {  # models.adversarial.Generator
        "name": "deblurgan",
        "width": 64,
        "blocks": 9,
    },
    "init": {  # training.initial.start_from, training.tasks.restore_adversarially.first_memory
        "weights": "",  # a name or path to start from, where it fits; "" for random weights
        "critic_width": 64,  # channels of the critic's first maps
    },
    "loss": {  # training.tasks.restore_adversarially.make_loss
        "features": "",  # a file of VGG19's weights; "" compares pixels
        "content_weight": 100.0,
        "critic_weight": 1.0,
        "reblur_weight": 0.0,  # 10 for the paper's fine-tuning
        "kernels": "",  # weights of a kernel_basis network, or "truth"
        "transfer": "linear",  # with "truth"
        "critic_width": 64,  # of init
        "critic_steps": 5,
        "critic_rate": 0.0001,
        "critic_momentum": 0.5,
        "critic_schedule": "linear",  # or "constant"
        "critic_constant_steps": STEPS // 2,  # of the optimizer
        "critic_total_steps": STEPS,  # of the run
    },
    "evaluate": {  # training.evaluation.make_evaluation
        "seed": 0,
        "height": 704,  # pixels
        "width": 1280,  # pixels
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
    "optimizer.schedule": "cosine",
    "optimizer.peak_rate": 0.001,
    "source": {
        "name": "embedded",
        "folder": "",
        "split": "train",
        "smallest": 72,
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
    "batches.crop": 72,
    "batches.largest_scale": 3.0,
    "batches.batch_size": 8,
    "simulate": {
        "name": "segments",
        "side": 9,
        "objects": 1,
        "least": 100,
        "wander_share": 0.5,
        "brighten": 0.0,
        "lights": 0.0,
        "transfer": "linear",
        "noise": 0.005,
    },
    "model.width": 16,
    "model.blocks": 3,
    "loss.critic_weight": 0.01,
    "loss.reblur_weight": 100.0,
    "loss.kernels": "truth",
    "init.critic_width": 8,
    "loss.critic_steps": 2,
    "loss.critic_rate": 0.001,
    "loss.critic_schedule": "constant",
    "evaluate.height": 200,
    "evaluate.width": 264,
    "evaluate.per_example": 4,
}

VARIANTS = {
    "paper": {},
    "fine_tune": {
        "steps": STEPS + 50_000,
        "optimizer.constant_steps": STEPS + 25_000,
        "loss.reblur_weight": 10.0,
        "loss.kernels": "kernel-basis",  # that ships; one of the full size is better
    },
    "pod": {
        "steps": STEPS // 8,
        "checkpoint_every": 1000,
        "evaluate_every": 10_000,
        "batches.batch_size": 8,
        "optimizer.peak_rate": 2.8e-4,
        "optimizer.constant_steps": STEPS // 16,
        "loss.critic_rate": 2.8e-4,
    },
    "small": SMALL,
    "smoke": {
        **SMALL,
        "steps": 4,
        "log_every": 1,
        "checkpoint_every": 2,
        "source.limit": 1,
        "evaluation_source.limit": 1,
        "batches.crop": 40,
        "model.width": 4,
        "model.blocks": 1,
        "init.critic_width": 2,
        "evaluate.height": 48,
        "evaluate.width": 56,
        "evaluate.pictures": 1,
        "evaluate.per_example": 1,
    },
}


def get_config(variant: str = "small") -> ConfigDict:
    """Return the config of one of `VARIANTS`."""
    config = make_config(FIELDS, VARIANTS, variant)
    config.loss.critic_width = config.init.get_ref("critic_width")
    config.loss.critic_constant_steps = config.optimizer.get_ref("constant_steps")
    config.loss.critic_total_steps = config.get_ref("steps")
    return config
