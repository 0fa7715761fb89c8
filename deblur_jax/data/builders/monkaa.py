"""Monkaa (Mayer et al. 2016): rendered films with the exact motion from frame to frame."""

from pathlib import Path

from deblur_jax.data.builders.fields import FLOW, IMAGE, Field
from deblur_jax.data.builders.manual import Example, ManualBuilder, folders


class Monkaa(ManualBuilder):
    """Two frames in a row of the left camera, and the flow from the first into the second.

    `backward_flow` leads from the second into the first. The variant says which rendering is
    read. The last frame of a scene has no next one, and begins no example.
    """

    VARIANTS = ("cleanpass", "finalpass")
    HOME = "https://lmb.informatik.uni-freiburg.de/resources/datasets/SceneFlowDatasets.en.html"
    LAYOUT = (
        "the RGB images and the optical flow of Monkaa, unpacked, so that this folder holds "
        "frames_cleanpass/SCENE/left/0000.png (or frames_finalpass), "
        "optical_flow/SCENE/into_future/left/OpticalFlowIntoFuture_0000_L.pfm and "
        "optical_flow/SCENE/into_past/left/OpticalFlowIntoPast_0000_L.pfm"
    )

    def fields(self) -> dict[str, Field]:
        """Returns two frames and the flow between them, both ways."""
        return {"sharp": IMAGE, "next_sharp": IMAGE, "flow": FLOW, "backward_flow": FLOW}

    def find(self) -> dict[str, list[Example]]:
        """Returns all frames that have a next one."""
        examples = []
        for scene in folders(self.source / f"frames_{self.variant}"):
            frames = {
                int(path.stem): path
                for path in sorted((scene / "left").glob("*.*"))
                if path.stem.isdecimal()
            }
            examples += [
                self._example(scene.name, frames[number], frames[number + 1])
                for number in sorted(frames)
                if number + 1 in frames
            ]
        return {"train": examples}

    def _example(self, scene: str, first: Path, second: Path) -> Example:
        flows = self.source / "optical_flow" / scene
        future = flows / "into_future" / "left" / f"OpticalFlowIntoFuture_{first.stem}_L.pfm"
        past = flows / "into_past" / "left" / f"OpticalFlowIntoPast_{second.stem}_L.pfm"
        files = {"sharp": first, "next_sharp": second, "flow": future, "backward_flow": past}
        return Example(f"{scene}/{first.stem}", files)
