"""Other implementations of the line blur, in the form of `blur_peers`, with a flow.

A contender takes `image [h, w, c]`, `flow [h, w, 2]` and `probe [h, w, c]`, and offers `forward`,
`adjoint` to the image and `gradient` to the flow. Sampling replaces the line of unit width by
points on it and is not exact.
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

    return {"forward": run, **_derivatives(forward, x, motion, y)}


def torch_unfold(image, flow, probe):
    """PyTorch: dense kernels of the exact line, applied to the windows of `unfold`."""
    torch = import_module("torch")
    height, width, channels = image.shape
    radius = int(np.ceil(np.linalg.norm(flow, axis=-1).max() / 2))
    side = 2 * radius + 1
    x, y = (torch.from_numpy(np.ascontiguousarray(np.moveaxis(a, 2, 0))) for a in (image, probe))
    motion = torch.from_numpy(flow)
    place = torch.arange(-radius, radius + 1.0)

    def weights(motion):
        length = motion.norm(dim=-1, keepdim=True)
        along = motion / length
        half = (length[..., None] - 1).clamp(min=0) / 2
        right, down = place, place[:, None]
        forward = right * along[..., :1, None] + down * along[..., 1:, None]
        near = torch.maximum(torch.minimum(forward, half), -half)
        across, beyond = right - near * along[..., :1, None], down - near * along[..., 1:, None]
        off = (across**2 + beyond**2 + 1e-20).sqrt()  # finite gradient on the line
        kernels = (1 - off).clamp(min=0)
        return (kernels / kernels.sum((-1, -2), keepdim=True)).reshape(height * width, side**2)

    def forward(x, motion):
        padded = torch.nn.functional.pad(x[None], (radius,) * 4, mode="replicate")
        windows = torch.nn.functional.unfold(padded, side).reshape(channels, side**2, -1)
        return (windows * weights(motion).T).sum(1).reshape(channels, height, width)

    def run():
        with torch.no_grad():
            return forward(x, motion).movedim(0, -1)

    return {"forward": run, **_derivatives(forward, x, motion, y)}


def _derivatives(forward, x, motion, y):
    """Returns the adjoint to the image and the gradient to the flow, by autograd."""

    def derivative(of_flow: bool):
        leaves = [x.clone(), motion.clone()]
        leaves[of_flow].requires_grad_()
        (forward(*leaves) * y).sum().backward()
        gradient = leaves[of_flow].grad
        return gradient if of_flow else gradient.squeeze(0).movedim(0, -1)

    return {"adjoint": lambda: derivative(False), "gradient": lambda: derivative(True)}


# Name -> (contender, required packages, most pixels x taps that it is timed with). `unfold` copies
# every window, 12 bytes for each pixel and tap.
PEERS = {
    "torch 37 samples": (functools.partial(torch_samples, samples=37), ("torch",), 1e12),
    "torch 73 samples": (functools.partial(torch_samples, samples=73), ("torch",), 1e12),
    "torch unfold": (torch_unfold, ("torch",), 1e8),
}
