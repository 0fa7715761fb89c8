"""The fields that every config has, with their defaults: the loop's, the optimizer's, the photos'.

A config file starts from `run_settings()`, changes what its run needs otherwise, and adds its
task's groups: `source`, `batches`, `simulate`, `model`, `loss`, `evaluation_source` and `evaluate`,
each the keyword arguments of the function that its comment names.
"""

from typing import Any

from ml_collections import ConfigDict


EMBEDDED_LICENCE = "Apache-2.0; trained on photographs that scikit-image distributes"


def run_settings() -> Any:
    """Returns what `training.loop` and `training.optimizer` read; the task's groups are missing."""
    config = ConfigDict()
    config.task = ""  # a module of training.tasks
    config.licence = EMBEDDED_LICENCE  # of the weights, for the model card
    config.seed = 0
    config.steps = 1000
    config.log_every = 20
    config.checkpoint_every = 200
    config.keep_checkpoints = 2  # of the newest; the best is kept beside them
    config.evaluate_every = 0  # steps; 0 evaluates at the end only
    config.best_metric = ""  # of task.evaluate
    config.best_is = "min"  # or "max"
    config.profile = 0  # steps to write a profiler trace of, after the second
    config.parallel = "pmap"  # or "shard_map"
    config.accumulate = 1  # parts that a device works through its share of a batch in
    config.precision = "float32"  # or "bfloat16", for the network alone
    config.remat = "none"  # or "pointwise" or "all": computed again in the backward pass
    config.ema_decay = 0.0  # of a running mean of the parameters; 0 keeps none

    config.optimizer = ConfigDict()  # training.optimizer.make_optimizer
    config.optimizer.name = "adam"  # or "adamw" or "sgd"
    config.optimizer.momentum = 0.9
    config.optimizer.second_moment = 0.999
    config.optimizer.weight_decay = 0.0
    config.optimizer.clip_norm = 1.0  # 0 for no clipping
    config.optimizer.schedule = "cosine"  # or "constant", "step", "halving" or "poly"
    config.optimizer.peak_rate = 1e-3
    config.optimizer.warmup_fraction = 0.05
    return config


def photo_source(split: str, *, smallest: int) -> Any:
    """Returns the fields of a source of sharp photos, see `data.sources.make_source`.

    Args:
        split: of the embedded photos, `train` or `test`.
        smallest: the shortest side in pixels that a photo may have.
    """
    source = ConfigDict()
    source.name = "embedded"  # or "folder"
    source.split = split
    source.folder = ""  # for name "folder"
    source.smallest = smallest
    source.in_memory = True
    source.limit = 0  # all
    source.on_bad = "stop"  # or "skip": bad photos are named either way
    return source


def photo_batches(*, crop: int, batch_size: int, largest_scale: float = 1.0) -> Any:
    """Returns the fields of `data.pipeline.training_batches`.

    Args:
        crop: side of the crops in pixels.
        batch_size: over all devices.
        largest_scale: how much a photo is shrunk at most before it is cropped.
    """
    batches = ConfigDict()
    batches.crop = crop
    batches.largest_scale = largest_scale
    batches.batch_size = batch_size
    batches.workers = 0  # processes that decode; 0 decodes in this one
    return batches


def pair_source(*, smallest: int, neighbours: int = 0) -> Any:
    """Returns the fields of a source of real pairs, `data.sources.pair_source`.

    Args:
        smallest: the shortest side in pixels that an image may have.
        neighbours: 1 for pairs with the one that follows, 2 for the one before as well.
    """
    source = ConfigDict()
    source.name = "pairs"
    source.folder = ""  # that holds blur/ and sharp/, and perhaps flow/
    source.smallest = smallest
    source.limit = 0  # all
    source.on_bad = "stop"  # or "skip"
    source.neighbours = neighbours
    return source


def prepared_source(name: str, split: str, *, smallest: int) -> Any:
    """Returns the fields of a data set that `tools/prepare.py` prepared.

    Args:
        name: one of `data.sources.PREPARED`.
        split: such as "train[:90%]".
        smallest: the shortest side in pixels that an image may have.
    """
    source = ConfigDict()
    source.name = name
    source.data_dir = ""  # where it was prepared
    source.variant = ""  # its first
    source.split = split
    source.smallest = smallest
    source.limit = 0  # all
    return source


def frame_source() -> Any:
    """Returns the fields of a source of averaged frames, Noroozi's: `data.sources.frame_source`."""
    source = ConfigDict()
    source.name = "frames"
    source.folder = ""  # of folders of frames, one a video
    source.counts = tuple(range(7, 24, 2))  # frames that are averaged
    source.fastest = 1.0  # pixels from frame to frame, after shrinking
    source.shrink = 3
    source.transfer = "linear"  # display values are averaged
    source.flow = False
    source.smallest = 192  # pixels, after shrinking
    source.on_bad = "stop"  # or "skip"
    return source


def scene_simulation(*, margin: int, limit: float, motion: float = 1.0) -> Any:
    """Returns the fields of moving scenes for crops of about 64 pixels.

    Args:
        margin: pixels around a crop that the layers may move in from.
        limit: the longest motion of a point during an exposure in pixels.
        motion: what a hand-held camera's motion, and that of what crosses its view, is multiplied
            by.
    """
    simulate = ConfigDict()  # simulate.training_sets.make_scene_blur
    simulate.name = "scenes"
    simulate.margin = margin
    simulate.subframes = 2 * int(limit / 2) + 1  # about a pixel apart where all is fastest
    simulate.limit = limit
    simulate.motion = motion
    simulate.exposure = (0.4, 1.0)  # share of the time between frames
    simulate.transfer = "linear"  # display values are averaged
    simulate.noise = 0.005  # the largest standard deviation
    simulate.levels = 256
    return simulate


def use_small_scenes(config: Any, *, motion: float = 1.0) -> None:
    """Fills in data for minutes on a CPU: scenes made of the embedded photos.

    Args:
        config: gets `source`, `evaluation_source`, `batches`, `simulate` and `evaluate`.
        motion: see `scene_simulation`.
    """
    config.source = photo_source("train", smallest=88)
    config.evaluation_source = photo_source("test", smallest=88)
    config.batches = photo_batches(crop=88, batch_size=8, largest_scale=2.0)
    config.batches.group = 2  # photos: a background, and the texture of an object
    config.simulate = scene_simulation(margin=12, limit=12.0, motion=motion)
    config.evaluate = held_out_examples(height=216, width=280, group=2, per_example=4)


def held_out_examples(*, height: int, width: int, group: int = 0, per_example: int = 1) -> Any:
    """Returns the fields of an evaluation over `training.examples.held_out`.

    Args:
        height: of the middle part of each picture, in pixels.
        width: likewise.
        group: how many pictures make one example, as in `batches`; 0 for one.
        per_example: how often each is simulated.
    """
    evaluate = ConfigDict()
    evaluate.seed = 0
    evaluate.height = height
    evaluate.width = width
    evaluate.group = group
    evaluate.per_example = per_example
    evaluate.pictures = 16
    return evaluate
