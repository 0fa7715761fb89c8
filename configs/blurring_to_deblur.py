r"""Carbajal et al. 2021, "blurring to deblur": DeblurGAN, whose results are blurred again.

    python -m deblur_jax.main --config configs/blurring_to_deblur.py:paper --workdir runs/gan \
        --config.source.folder=GOPRO/train --config.evaluation_source.folder=GOPRO/test \
        --config.loss.features=vgg19.safetensors

trains DeblurGAN on pairs (`blur/` and `sharp/` below the folders). The paper's fine-tuning goes on
in the same workdir, with kernels of a net that `configs/carbajal.py` trained:

    ... --config.steps=680000 --config.loss.reblur_weight=10 \
        --config.loss.kernels=kernels.safetensors

Neither weight nor schedule of that is published; they are ours. Not yet run in full.

    python -m deblur_jax.main --config configs/blurring_to_deblur.py --workdir runs/small

is a narrow generator on the embedded photos, with simulated blurs whose kernels are known, for a
computer without a GPU; `:smoke` takes seconds.
"""

from ml_collections import ConfigDict

from deblur_jax.training.settings import (
    held_out_examples,
    pair_source,
    photo_batches,
    photo_source,
    run_settings,
)


VARIANTS = ("paper", "small", "smoke")
PAIRS = 2103  # of GoPro's training set


def get_config(variant: str = "small") -> ConfigDict:
    """Returns the run of the `paper`, of a `small` generator, or a `smoke` run."""
    if variant not in VARIANTS:
        raise ValueError(f"variant must be one of {sorted(VARIANTS)}, got {variant!r}")
    config = run_settings()
    config.task = "restore_adversarially"
    config.steps = 300 * PAIRS
    config.log_every = 100
    config.checkpoint_every = 5000
    config.evaluate_every = 50_000
    config.best_metric, config.best_is = "psnr/restored", "max"
    config.optimizer.update(momentum=0.5, clip_norm=0.0, warmup_fraction=0.0, peak_rate=1e-4)
    config.optimizer.update(schedule="cosine")  # DeblurGAN: constant, then linear to zero

    config.source = pair_source(smallest=256)
    config.evaluation_source = pair_source(smallest=256)
    config.evaluation_source.limit = 64
    config.batches = photo_batches(crop=256, batch_size=1)

    config.simulate = ConfigDict()  # training.simulations.make_simulate
    config.simulate.name = "developed"

    config.model = ConfigDict()  # models.adversarial.Generator
    config.model.name = "deblurgan"
    config.model.width = 64
    config.model.blocks = 9

    config.loss = ConfigDict()  # training.tasks.restore_adversarially.make_loss
    config.loss.features = ""  # a file of VGG19's weights; "" compares pixels
    config.loss.content_weight = 100.0
    config.loss.critic_weight = 1.0
    config.loss.reblur_weight = 0.0  # 10 for the paper's fine-tuning
    config.loss.kernels = ""  # weights of a kernel_basis net, or "truth"
    config.loss.transfer = "linear"  # with "truth"
    config.loss.critic_width = 64
    config.loss.critic_steps = 5
    config.loss.critic_rate = 1e-4
    config.loss.critic_momentum = 0.5

    config.evaluate = held_out_examples(height=704, width=1280)

    if variant == "paper":
        return config
    config.steps, config.log_every, config.checkpoint_every = 500, 20, 200
    config.evaluate_every = 0
    config.source = photo_source("train", smallest=72)
    config.evaluation_source = photo_source("test", smallest=200)
    config.batches = photo_batches(crop=64 + 8, batch_size=8, largest_scale=3.0)
    config.simulate.update(name="segments", side=9, objects=1, least=100, wander_share=0.5)
    config.simulate.update(brighten=0.0, lights=0.0, transfer="linear", noise=0.005)
    config.model.update(width=16, blocks=3)
    config.optimizer.peak_rate = 1e-3
    config.loss.update(critic_weight=0.01, reblur_weight=100.0, kernels="truth")
    config.loss.update(critic_width=8, critic_steps=2, critic_rate=1e-3)
    config.evaluate.update(height=200, width=264, per_example=4)
    if variant == "smoke":
        config.steps, config.log_every, config.checkpoint_every = 4, 1, 2
        config.batches.update(crop=40, batch_size=8)
        config.source.limit = config.evaluation_source.limit = 1
        config.model.update(width=4, blocks=1)
        config.loss.critic_width = 2
        config.evaluate.update(height=48, width=56, per_example=1, pictures=1)
    return config
