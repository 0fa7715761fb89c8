r"""The motion of a camera from one photo, as well as this package can: the weights `camera-motion`.

    python -m deblur_jax.main --config configs/camera_motion.py --workdir runs/motion-flow \
        --config.source.name=folder --config.source.folder=PHOTOS \
        --config.evaluation_source.name=folder --config.evaluation_source.folder=BSDS500/images/val

Motions of Gong et al. 2017, of at most 36 or 17 pixels, as likely, in crops of 224 pixels, with a
little noise, half of them through a JPEG file. PHOTOS were the 200 of BSDS500's training set and
600 others with a short side of 288 pixels; a folder of any photos will do, and without one the
embedded ones. `:large` is a net of four times the size with the batch of a GPU, not yet trained;
`:smoke` takes seconds.
"""

from ml_collections import ConfigDict

from deblur_jax.training.settings import photo_batches, photo_source, run_settings


VARIANTS = ("full", "large", "smoke")


def get_config(variant: str = "full") -> ConfigDict:
    """Returns the `full` run, one of a `large` net, or a `smoke` run."""
    if variant not in VARIANTS:
        raise ValueError(f"variant must be one of {sorted(VARIANTS)}, got {variant!r}")
    config = run_settings()
    config.task = "estimate_motion"
    config.steps = 2200
    config.checkpoint_every = 200
    config.evaluate_every = 0
    config.ema_decay = 0.998
    config.best_metric = "flow/mse_sign_invariant"

    config.source = photo_source("train", smallest=264)
    config.evaluation_source = photo_source("test", smallest=264)
    config.evaluation_source.limit = 16
    config.batches = photo_batches(crop=264, batch_size=16)

    config.simulate = ConfigDict()  # training.tasks.estimate_motion.make_simulate
    config.simulate.limit = 36.0  # pixels
    config.simulate.noise = 0.01  # standard deviation, the largest
    config.simulate.least_noise = 0.001  # that of rounding to 8 bits
    config.simulate.compressed = 0.5  # share of photos that went through a JPEG file
    config.simulate.still = 0.02  # share of photos without a motion
    config.simulate.border = 20  # pixels
    config.simulate.setting = "both"
    config.simulate.centre_jitter = 60.0  # pixels: crops of photos of 321 x 481

    config.model = ConfigDict()  # models.camera_motion.CameraMotionNet
    config.model.name = "camera_motion"
    config.model.width = 192
    config.model.blocks = 5
    config.model.window = 64  # pixels
    config.model.scale = 8.0  # pixels
    config.model.unit = 128.0  # pixels

    config.loss = ConfigDict()  # training.tasks.estimate_motion.make_loss
    config.loss.kind = "doubled_angle"

    config.evaluate = ConfigDict()  # training.tasks.estimate_motion.evaluate
    config.evaluate.seed = 0
    config.evaluate.height = 320  # pixels
    config.evaluate.width = 320  # pixels
    config.evaluate.maps_per_photo = 2
    config.evaluate.pictures = 8

    if variant == "large":
        config.steps, config.checkpoint_every = 100_000, 2000
        config.model.update(width=384, blocks=8)
        config.batches.update(batch_size=64, workers=8)
    if variant == "smoke":
        config.steps, config.log_every, config.checkpoint_every = 4, 1, 2
        config.batches.update(crop=72, batch_size=8)
        config.source.smallest = config.evaluation_source.smallest = 72
        config.source.limit = config.evaluation_source.limit = 1
        config.simulate.update(limit=8.0, border=8)
        config.model.update(width=8, blocks=1, window=16)
        config.evaluate.update(height=64, width=80, maps_per_photo=1, pictures=1)
    return config
