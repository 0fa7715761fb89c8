"""Monkaa (Mayer et al. 2016): rendered films with exact optical flow."""

from pathlib import Path
from typing import Any

import numpy as np

from deblur_jax.data.builders.fields import FLOW, IMAGE, Field
from deblur_jax.data.builders.manual import ExampleFiles, ManualBuilder, subfolders
from deblur_jax.io.folders import list_files
from deblur_jax.io.images import SUFFIXES


FASTEST = 100  # pixels between two frames


class Monkaa(ManualBuilder):
    """Two consecutive frames of the left camera, with the flow between them in both directions.

    The variant selects the rendering. Frames in which a pixel moves by more than `FASTEST` are left
    out, as in Argaw et al. 2021.
    """

    VARIANTS: tuple[str, ...] = ("cleanpass", "finalpass")
    HOME: str = (
        "https://lmb.informatik.uni-freiburg.de/resources/datasets/SceneFlowDatasets.en.html"
    )
    LAYOUT: str = (
        "the RGB images and the optical flow of Monkaa, unpacked, so that this folder holds "
        "frames_cleanpass/SCENE/left/0000.png (or frames_finalpass), "
        "optical_flow/SCENE/into_future/left/OpticalFlowIntoFuture_0000_L.pfm and "
        "optical_flow/SCENE/into_past/left/OpticalFlowIntoPast_0000_L.pfm"
    )

    def fields(self) -> dict[str, Field]:
        """Returns the fields of two frames and the flow between them in both directions."""
        return {"sharp": IMAGE, "next_sharp": IMAGE, "flow": FLOW, "backward_flow": FLOW}

    def find(self) -> dict[str, list[ExampleFiles]]:
        """Returns an example for every frame with a next one."""
        examples = []
        for scene in subfolders(self.source / f"frames_{self.variant}"):
            files = list_files(scene / "left", SUFFIXES, deep=False).files
            frames = {int(path.stem): path for path in files if path.stem.isdecimal()}
            examples += [
                self._example(scene.name, frames[number], frames[number + 1])
                for number in sorted(frames)
                if number + 1 in frames
            ]
        return {"train": examples}

    def wanted(self, record: dict[str, Any]) -> bool:
        """Returns whether no pixel moves too fast to the next frame."""
        return float(np.max(np.linalg.norm(record["flow"], axis=-1))) <= FASTEST

    def _example(self, scene: str, first: Path, second: Path) -> ExampleFiles:
        flows = self.source / "optical_flow" / scene
        future = flows / "into_future" / "left" / f"OpticalFlowIntoFuture_{first.stem}_L.pfm"
        past = flows / "into_past" / "left" / f"OpticalFlowIntoPast_{second.stem}_L.pfm"
        files = {"sharp": first, "next_sharp": second, "flow": future, "backward_flow": past}
        return ExampleFiles(f"{scene}/{first.stem}", files)
