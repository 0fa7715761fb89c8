"""The models that the page offers, in its words."""

from typing import NamedTuple


class Method(NamedTuple):
    """A model, its title on the page, and when to choose it."""

    model: str
    title: str
    words: str


FAST = "camera-motion"  # of a part of a photo, where nothing else was chosen
METHODS = (
    Method("auto", "Automatic", "The most likely of several blurs. Best for most photos."),
    Method("blind", "Any shake", "A kernel of any shape, without a network."),
    Method("camera-motion", "Straight motion", "The camera moved on a straight line. Fast."),
    Method("learned-plug-and-play", "Straight motion, learned", "Restores with learned steps."),
    Method("kernel-basis", "Small curved shake", "A mixture of small kernels at each pixel."),
)


def offered_methods(model: str | None) -> tuple[Method, ...]:
    """Returns the models that the page offers, the default one first.

    Args:
        model: as given on the command line; None for "auto".
    """
    chosen = model or METHODS[0].model
    known = [method for method in METHODS if method.model == chosen]
    first = known or [Method(chosen, chosen, "As chosen on the command line.")]
    return (*first, *(method for method in METHODS if method.model != chosen))
