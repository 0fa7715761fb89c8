"""Other ways to blur along lines, for `benchmark.py`; as in `blur_peers`, with a flow.

A contender takes `image [h, w, c]`, `flow [h, w, 2]` and `probe [h, w, c]`, and offers `forward`,
`adjoint` to the image and `gradient` to the flow. Sampling is not exact: a line of unit width is
replaced by points on it.
"""

import functools
from importlib import import_module

import numpy as np


def torch_samples(image, flow, probe, *, samples: int):
    """PyTorch: the mean of bilinear samples along the line, by `grid_sample`."""
    torch = import_module("torch")
    height, width, _ = image.shape
    x, y = (
        torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, 2, 0)))[None]
        for array in (image, probe)
    )
    motion = torch.from_numpy(flow)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centre = torch.stack([columns, rows], -1).float()
    scale = torch.tensor([2 / (width - 1), 2 / (height - 1)])

    def forward(x, motion):
        total = torch.zeros_like(x)
        for step in np.linspace(-0.5, 0.5, samples):
            grid = (centre + float(step) * motion) * scale - 1
            total = total + torch.nn.functional.grid_sample(
                x, grid[None], padding_mode="border", align_corners=True
            )
        return total / samples

    def run():
        with torch.no_grad():
            return forward(x, motion)[0].movedim(0, -1)

    def derivative(of_flow: bool):
        leaves = [x.clone(), motion.clone()]
        leaves[of_flow].requires_grad_()
        (forward(*leaves) * y).sum().backward()
        gradient = leaves[of_flow].grad
        return gradient if of_flow else gradient[0].movedim(0, -1)

    return {
        "forward": run,
        "adjoint": lambda: derivative(False),
        "gradient": lambda: derivative(True),
    }


# Name -> (contender, packages); neither draws the exact line.
PEERS = {
    "torch 37 samples": (functools.partial(torch_samples, samples=37), ("torch",)),
    "torch 73 samples": (functools.partial(torch_samples, samples=73), ("torch",)),
}
