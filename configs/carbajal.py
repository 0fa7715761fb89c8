r"""Carbajal et al. 2021: a net that sees a basis of blur kernels and its mixing in a photo.

    python -m deblur_jax.main --config configs/carbajal.py:paper --workdir runs/carbajal \
        --config.source.folder=ADE20K --config.evaluation_source.folder=ADE20K

ADE20K's folder is that with `images` and `annotations`; COCO's will do with `source.layout=coco`.
The paper does not say how it was optimized; Adam, its rate and the batch are ours. Not yet run in
full.

    python -m deblur_jax.main --config configs/carbajal.py --workdir runs/carbajal-small

is a net of an eighth of the width for kernels of 17 x 17 pixels, on the embedded photos, with an
object of random shape in each, for a computer without a GPU; `:smoke` takes seconds. `:medium` is
twice as wide and trains for an hour on one core, on a folder of photos:

    python -m deblur_jax.main --config configs/carbajal.py:medium --workdir runs/carbajal-medium \
        --config.source.name=folder --config.source.folder=BSDS500/images/train \
        --config.evaluation_source.name=folder --config.evaluation_source.folder=BSDS500/images/val
"""

from ml_collections import ConfigDict

from deblur_jax.training.settings import (
    held_out_examples,
    photo_batches,
    photo_source,
    run_settings,
)


VARIANTS = ("paper", "medium", "small", "smoke")
PHOTOS = 5888  # of ADE20K, in the paper
BATCH = 32


def get_config(variant: str = "small") -> ConfigDict:
    """Returns the run of the `paper`, of a `medium` or `small` net, or a `smoke` run."""
    if variant not in VARIANTS:
        raise ValueError(f"variant must be one of {sorted(VARIANTS)}, got {variant!r}")
    config = run_settings()
    config.task = "estimate_kernels"
    config.steps = 900 * PHOTOS // BATCH
    config.log_every = 100
    config.checkpoint_every = 2000
    config.evaluate_every = 20_000
    config.best_metric = "kernel/absolute"
    config.accumulate = 8
    config.ema_decay = 0.999
    config.optimizer.update(peak_rate=1e-4, clip_norm=10.0, warmup_fraction=0.0)

    config.source = segment_source("training")
    config.evaluation_source = segment_source("validation")
    config.evaluation_source.limit = 32
    config.batches = photo_batches(crop=256 + 32, batch_size=BATCH)

    config.simulate = ConfigDict()  # simulate.training_sets.make_segment_blur
    config.simulate.side = 33  # pixels, of the kernels
    config.simulate.objects = 3  # at most
    config.simulate.least = 400  # pixels, of the smallest object
    config.simulate.wander_share = 0.5  # of kernels that are random walks
    config.simulate.still_share = 0.01  # of segments that are not blurred
    config.simulate.brighten = 0.0
    config.simulate.lights = 0.0
    config.simulate.transfer = "linear"  # the paper's first version; 2.2 in the second
    config.simulate.noise = 0.01  # the largest standard deviation

    config.model = ConfigDict()  # models.kernel_basis.KernelBasisNet
    config.model.name = "kernel_basis"
    config.model.basis = 25
    config.model.side = config.simulate.get_ref("side")
    config.model.width = 64
    config.model.head = "grid"
    config.model.transfer = config.simulate.get_ref("transfer")
    config.model.initial_weights = "he"

    config.loss = ConfigDict()  # training.tasks.estimate_kernels.make_loss
    config.loss.transfer = config.simulate.get_ref("transfer")
    config.loss.kernel_weight = 1.0
    config.loss.reblur_weight = 1.0
    config.loss.squared_until = 350 * PHOTOS // BATCH
    config.loss.chunk = 4096
    config.loss.parts = config.get_ref("accumulate")

    config.evaluate = held_out_examples(height=288, width=288, per_example=2)
    config.evaluate.denoiser = "denoiser"  # that ships; "" for total variation

    if variant == "paper":
        return config
    config.steps, config.log_every, config.checkpoint_every = 600, 20, 200
    config.evaluate_every, config.accumulate, config.ema_decay = 0, 1, 0.0
    config.source = photo_source("train", smallest=112)
    config.evaluation_source = photo_source("test", smallest=200)
    config.batches = photo_batches(crop=96 + 16, batch_size=8, largest_scale=3.0)
    config.optimizer.update(peak_rate=2e-3, warmup_fraction=0.05)
    config.simulate.update(side=17, objects=1, least=100, still_share=0.2)
    config.model.update(basis=8, width=8, initial_weights="edges")
    config.loss.squared_until = config.steps * 350 // 900  # the paper's share
    config.evaluate.update(height=200, width=264, per_example=4, denoiser="")
    if variant == "medium":
        config.steps, config.log_every, config.checkpoint_every = 4000, 100, 500
        config.ema_decay = 0.999
        config.optimizer.update(peak_rate=1e-3, clip_norm=10.0)
        config.loss.squared_until = config.steps * 350 // 900
        config.model.update(basis=12, width=16)
    if variant == "smoke":
        config.steps, config.log_every, config.checkpoint_every = 4, 1, 2
        config.loss.squared_until = 2
        config.batches.update(crop=48, batch_size=8)
        config.source.limit = config.evaluation_source.limit = 1
        config.model.update(basis=3, width=2)
        config.evaluate.update(height=48, width=56, per_example=1, pictures=1)
    return config


def segment_source(split: str) -> ConfigDict:
    """Returns the fields of photos with their objects, `data.sources.segment_source`."""
    source = ConfigDict()
    source.name = "segments"
    source.folder = ""
    source.layout = "ade"  # or "bsds", "coco" or "labels"
    source.split = split
    source.smallest = 256 + 32  # pixels
    source.limit = 0  # all
    source.on_bad = "skip"  # photos that are too small; they are named
    return source
