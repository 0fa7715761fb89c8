"""Small folders of photos, pairs, segments and frames in the layouts of the sources."""

import numpy as np
from PIL import Image

from deblur_jax.data.sources import make_source
from deblur_jax.io.flow import write_flow


SIZE = (16, 20)  # rows and columns


def noise(seed, size=SIZE):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def save_photo(root, name, seed):
    save(root / f"{name}.png", noise(seed))


def save_pair(root, name, seed):
    for number, kind in enumerate(("blur", "sharp")):
        save(root / kind / f"{name}.png", noise([seed, number]))
    (root / "flow").mkdir(exist_ok=True)
    flow = np.random.default_rng(seed).normal(size=(*SIZE, 2))
    write_flow(root / "flow" / f"{name}.flo", flow)


def save_segments(root, name, seed):
    save(root / "images" / f"{name}.png", noise(seed))
    save(root / "segments" / f"{name}.png", noise([seed, 1])[..., 0])


def save_frames(root, name, seed):
    for number in range(3):
        save(root / name / f"{number}.png", noise([seed, number]))


SAVE = {
    "folder": save_photo,
    "pairs": save_pair,
    "segments": save_segments,
    "frames": save_frames,
}
OPTIONS = {
    "folder": {"in_memory": False, "limit": 0},
    "pairs": {"limit": 0},
    "segments": {"layout": "labels", "split": "", "limit": 0},
    "frames": {
        "counts": (3,), "fastest": float("inf"), "shrink": 1, "transfer": 2.2, "flow": True,
    },
}  # fmt: skip
KINDS = tuple(SAVE)


def open_source(kind, root, *, on_bad="stop"):
    return make_source(name=kind, folder=str(root), smallest=8, on_bad=on_bad, **OPTIONS[kind])
