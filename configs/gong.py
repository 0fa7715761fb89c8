r"""Gong et al. 2017: a fully convolutional net that classifies the motion of every pixel.

    python -m deblur_jax.main --config configs/gong.py:paper --workdir runs/gong \
        --config.source.name=folder --config.source.folder=BSDS500/images/train \
        --config.evaluation_source.name=folder --config.evaluation_source.folder=BSDS500/images/val

The paper's own training: one photo a step, plain gradient descent on the sum over its pixels (of
squares of 264 pixels, where the paper takes whole photos of 321 x 481). The paper names neither
momentum nor the factor of its steps; they are FCN's. `:adam` is the same net with an optimizer that
needs a third of the steps. Neither has been run in full.

    python -m deblur_jax.main --config configs/gong.py --workdir runs/gong-small

is a narrow net for motions of up to 12 pixels, for a computer without a GPU; `:smoke` takes
seconds. Without the two folders the photos are the embedded ones.
"""

from ml_collections import ConfigDict

from deblur_jax.training.settings import photo_batches, photo_source, run_settings


VARIANTS = ("paper", "adam", "small", "smoke")


def get_config(variant: str = "small") -> ConfigDict:
    """Returns the `paper`'s run, one of its net with `adam`, of a `small` net, or a `smoke` run."""
    if variant not in VARIANTS:
        raise ValueError(f"variant must be one of {sorted(VARIANTS)}, got {variant!r}")
    config = run_settings()
    config.task = "estimate_motion"
    config.steps = 663_000  # 65 epochs of 200 photos with 51 motions each
    config.log_every = 100
    config.checkpoint_every = 5000
    config.evaluate_every = 50_000
    config.best_metric = "flow/mse"

    config.source = photo_source("train", smallest=300)
    config.evaluation_source = photo_source("test", smallest=300)
    config.batches = photo_batches(crop=300, batch_size=1)  # BSDS500's photos have 321 x 481

    config.simulate = ConfigDict()  # training.tasks.estimate_motion.make_simulate
    config.simulate.limit = 36.0  # pixels
    config.simulate.noise = 0.0011  # standard deviation: that of rounding to 8 bits
    config.simulate.border = 18  # pixels
    config.simulate.setting = "large"
    config.simulate.centre_jitter = 90.0  # pixels: the crops of a photo of 321 x 481
    config.simulate.rounded = True  # to whole pixels
    config.simulate.still = 1 / 51  # share of photos without a motion

    config.model = ConfigDict()  # models.motion_flow.MotionFlowNet
    config.model.name = "motion_flow"
    config.model.reach = 36  # pixels: 37 + 73 labels
    config.model.widths = (96, 256, 512, 512, 1024)
    config.model.extra_horizontal = 0  # 2 in the released network
    config.model.skip_scales = (0.01, 0.0001)
    config.model.initial_weights = "paper"

    config.loss = ConfigDict()  # training.tasks.estimate_motion.make_loss
    config.loss.kind = "summed_labels"

    config.optimizer.update(name="sgd", momentum=0.9, weight_decay=5e-4, clip_norm=0.0)
    config.optimizer.update(schedule="step", peak_rate=1e-9, warmup_fraction=0.0)
    config.optimizer.period = 200_000  # steps
    config.optimizer.factor = 0.1

    config.evaluate = ConfigDict()  # training.tasks.estimate_motion.evaluate
    config.evaluate.seed = 0
    config.evaluate.height = 300  # pixels
    config.evaluate.width = 300  # pixels
    config.evaluate.maps_per_photo = 3
    config.evaluate.pictures = 16

    if variant == "paper":
        return config
    config.loss.kind = "labels"
    config.optimizer = run_settings().optimizer
    config.optimizer.peak_rate = 1e-4
    config.steps = 200_000
    config.evaluate_every = 20_000
    config.batches.batch_size = 8
    config.model.initial_weights = "edges"
    config.model.skip_scales = (1.0, 1.0)
    if variant == "adam":
        return config
    config.steps, config.log_every, config.checkpoint_every = 1800, 20, 200
    config.evaluate_every = 0
    config.optimizer.peak_rate = 1e-3
    config.batches.update(crop=128, largest_scale=3.0)
    config.source.smallest, config.evaluation_source.smallest = 128, 240
    config.simulate.update(limit=12.0, border=6, setting="mild", centre_jitter=5.0, rounded=False)
    config.model.update(reach=12, widths=(16, 24, 32, 48, 96))
    config.evaluate.update(height=240, width=320, maps_per_photo=4)
    if variant == "smoke":
        config.steps, config.log_every, config.checkpoint_every = 4, 1, 2
        config.batches.update(crop=48, batch_size=8)
        config.evaluation_source.smallest = 64
        config.source.limit = config.evaluation_source.limit = 1
        config.model.widths = (4, 4, 4, 8, 8)
        config.evaluate.update(height=64, width=80, maps_per_photo=1, pictures=1)
    return config
