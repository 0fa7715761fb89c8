"""What the command did with a photo: a line of JSON for scripts, and for the record of a folder."""

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


DEBLURRED, UNCHANGED, BEFORE, FAILED = "deblurred", "unchanged", "done before", "failed"
DIGITS = 4  # of numbers, behind the point


@dataclass(frozen=True)
class Outcome:
    """What was done with a photo, and what was found. The fields are those of `--json`.

    Attributes:
        input: the photo.
        output: the file of its result, also if it is not written.
        state: "deblurred", "unchanged", "done before" (in an earlier run) or "failed".
        model: name of the model.
        blur: kind of the estimated blur: "none", "kernel", "kernels" or "motion".
        kernel_pixels: side of the kernels.
        longest_motion: longest motion in pixels.
        verdict: how far to trust the restoration, in words.
        likely: probability that the restoration is better than the photo.
        explained: share of the photo that the blur explains.
        trusted: whether the restoration is trusted enough to be written without `--force`.
        written: whether the result was written, now or before.
        reason: why not.
        seconds: duration of the work.
        lost: what the photo holds and the result does not.
    """

    input: str
    output: str
    state: str
    model: str
    blur: str | None = None
    kernel_pixels: int | None = None
    longest_motion: float | None = None
    verdict: str | None = None
    likely: float | None = None
    explained: float | None = None
    trusted: bool | None = None
    written: bool = False
    reason: str = ""
    seconds: float = 0.0
    lost: tuple[str, ...] = ()

    def line(self) -> str:
        """Returns the fields as one line of JSON."""
        return json.dumps(asdict(self))


def findings(result: Any) -> dict[str, Any]:
    """Returns the fields of an `Outcome` that describe a `deblurring.Result`."""
    likely = None if result.likely is None else round(float(result.likely), DIGITS)
    return {
        **_blur(result),
        "verdict": result.verdict,
        "likely": likely,
        "explained": round(float(result.explained), DIGITS),
        "trusted": bool(result.trusted),
    }


def _blur(result: Any) -> dict[str, Any]:
    """Returns the kind and the size of the estimated blur."""
    if result.reason:
        return {"blur": "none"}
    blur = result.blur
    if hasattr(blur, "flow"):
        longest = float(np.linalg.norm(np.asarray(blur.flow), axis=-1).max())
        return {"blur": "motion", "longest_motion": round(longest, DIGITS)}
    if hasattr(blur, "kernel"):
        return {"blur": "kernel", "kernel_pixels": int(blur.kernel.shape[-1])}
    return {"blur": "kernels", "kernel_pixels": int(blur.kernels.shape[-1])}
