r"""Convert torchvision's VGG19 weights for the perceptual loss.

    python tools/convert_vgg.py vgg19-dcbb9e9d.pth vgg19.safetensors

The input is the state dict that `torchvision.models.vgg19(weights="IMAGENET1K_V1")` downloads: a
`.pth` file, which needs PyTorch to be read, or a `.safetensors` file with the same names. The
output holds the seven convolutions that the loss uses. Look up the terms of the weights before
you distribute them.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from deblur_jax.io.weights import write_weights
from deblur_jax.models.vgg import GROUPS


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="torchvision's state dict, .pth or .safetensors")
    parser.add_argument("output", type=Path, help="the .safetensors file to write")
    arguments = parser.parse_args()
    try:
        params = convert(read_state(arguments.source))
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    width = int(params["conv1_1"]["bias"].size)
    card = {"model": {"name": "vgg_features", "width": width}, "source": arguments.source.name}
    write_weights(arguments.output, {"params": params}, card)
    print(f"{arguments.output}: {len(params)} convolutions")


def read_state(path: Path) -> dict[str, np.ndarray]:
    """Returns the arrays of a state dict by name."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; give torchvision's vgg19 state dict")
    if path.suffix == ".safetensors":
        return load_file(path)
    try:
        import torch  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ValueError(
            f"{path}: reading it needs PyTorch; pip install torch, or give a .safetensors file"
        ) from None
    state = torch.load(path, map_location="cpu", weights_only=True)
    return {name: tensor.numpy() for name, tensor in state.items()}


def convert(state: dict[str, np.ndarray]) -> dict[str, Any]:
    """Returns the parameters of `models.vgg.VggFeatures` from a state dict of torchvision's VGG19.

    Raises:
        ValueError: if a layer is missing.
    """
    params = {}
    layer = 0  # torchvision counts convolutions, rectifiers and poolings
    for group, count in enumerate(GROUPS):
        for index in range(count):
            names = f"features.{layer}.weight", f"features.{layer}.bias"
            for name in names:
                if name not in state:
                    raise ValueError(f"the state dict has no {name}; give torchvision's vgg19")
            kernel, bias = (np.asarray(state[name], np.float32) for name in names)
            params[f"conv{group + 1}_{index + 1}"] = {
                "kernel": np.ascontiguousarray(np.transpose(kernel, (2, 3, 1, 0))),
                "bias": bias,
            }
            layer += 2
        layer += 1
    return params


if __name__ == "__main__":
    main()
