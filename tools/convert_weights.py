r"""Converts published PyTorch weights to safetensors files of this package.

    python tools/convert_weights.py drunet_color.pth drunet-color.safetensors

| network | published file | loads as |
| --- | --- | --- |
| Carbajal's two-headed network, 2nd version | `TwoHeads.pkl` | `kernel_basis`, head `grid` |
| Carbajal's two-headed network, 1st version | a state dict of it | `kernel_basis`, head `dense` |
| DRUNet, colour or grey | `drunet_color.pth`, `drunet_gray.pth` | `denoiser` |
| FFDNet, colour or grey | `ffdnet_color.pth`, `ffdnet_gray.pth` | `ffdnet` |
| VGG19, for the perceptual loss | torchvision's `vgg19-dcbb9e9d.pth` | `vgg_features` |

The input is a state dict as a `.pth` or `.pkl` file, which PyTorch reads, or as a `.safetensors`
file with the same names. The network and its size follow from the names and shapes of the arrays.
The weights belong to their authors: check their terms before you publish a converted file.
"""

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from deblur_jax.io.files import check_writable
from deblur_jax.io.weights import write_weights
from deblur_jax.models.vgg import GROUPS


State = dict[str, np.ndarray]
Converted = tuple[dict[str, Any], dict[str, Any]]  # fields of the network, its parameters


def main() -> None:
    """Converts one file."""
    parser = argparse.ArgumentParser(
        description="Convert published PyTorch weights to a safetensors file of this package."
    )
    parser.add_argument("source", type=Path, help=".pth, .pkl or .safetensors file")
    parser.add_argument("output", type=Path, help=".safetensors file to write")
    arguments = parser.parse_args()
    try:
        if arguments.output.suffix != ".safetensors":
            raise ValueError(f"{arguments.output}: the name must end in .safetensors")
        check_writable(arguments.output)
        fields, params = convert(read_state(arguments.source))
        card = {"model": fields, "source": arguments.source.name}
        write_weights(arguments.output, {"params": params}, card)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
    print(f"{arguments.output}: {fields}")


def read_state(path: Path) -> State:
    """Returns the arrays of a state dict by name.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if the file is damaged or not a state dict, or PyTorch is not installed.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; give a published state dict")
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise ValueError(f"{path}: damaged or not a safetensors file ({error})") from None
    try:
        import torch  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ValueError(
            f"{path}: PyTorch is needed to read it; pip install torch, or give a .safetensors file"
        ) from None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path}: damaged or not a state dict ({reason})") from None
    state = state.get("state_dict", state) if isinstance(state, dict) else {}
    arrays = {
        name.removeprefix("module."): value.numpy()
        for name, value in state.items()
        if torch.is_tensor(value)
    }
    if not arrays:
        raise ValueError(f"{path}: has no named arrays; expected a state dict")
    return arrays


def convert(state: State) -> Converted:
    """Returns the fields and parameters of the network that a state dict belongs to.

    Raises:
        ValueError: if the network is unknown, or arrays are missing, of another shape, or unused.
    """
    for name, converter in CONVERTERS.items():
        if name in state:
            return converter(state)
    raise ValueError(
        f"unknown network; expected an array named {', '.join(CONVERTERS)}, got {sorted(state)[:5]}"
    )


class Reader:
    """Takes arrays out of a state dict, and reports missing and unused ones."""

    def __init__(self, state: State):
        """Starts with all arrays unused."""
        self.state, self.used = state, set()

    def array(self, name: str, dimensions: int) -> np.ndarray:
        """Returns an array in single precision."""
        if name not in self.state:
            raise ValueError(f"the state dict has no {name}; is it of another version?")
        array = np.asarray(self.state[name], np.float32)
        if array.ndim != dimensions:
            raise ValueError(f"{name} must have {dimensions} axes, got {list(array.shape)}")
        self.used.add(name)
        return array

    def conv(self, name: str, *, bias: bool = True) -> dict[str, np.ndarray]:
        """Returns a convolution: `[out, in, y, x]` becomes `[y, x, in, out]`."""
        kernel = self.array(f"{name}.weight", 4).transpose(2, 3, 1, 0)
        return self._layer(name, kernel, bias)

    def doubling_conv(self, name: str) -> dict[str, np.ndarray]:
        """Returns a transposed convolution: `[in, out, y, x]` becomes `[-y, -x, in, out]`."""
        kernel = self.array(f"{name}.weight", 4).transpose(2, 3, 0, 1)[::-1, ::-1]
        return self._layer(name, kernel, bias=True)

    def _layer(self, name: str, kernel: np.ndarray, bias: bool) -> dict[str, np.ndarray]:
        layer = {"kernel": np.ascontiguousarray(kernel)}
        return {**layer, "bias": self.array(f"{name}.bias", 1)} if bias else layer

    def count(self, pattern: str) -> int:
        """Returns how many arrays `pattern` names with the numbers 0, 1, ..."""
        number = 0
        while pattern.format(number) in self.state:
            number += 1
        return number

    def check_all_used(self, ignored: tuple[str, ...] = ()) -> None:
        """Raises a ValueError if arrays are unused, except those that start with `ignored`."""
        unused = [name for name in self.state if name not in self.used]
        unused = sorted(name for name in unused if not name.startswith(ignored))
        if unused:
            raise ValueError(f"the state dict has arrays of another network: {unused[:5]}")


def convert_drunet(state: State) -> Converted:
    """Converts DRUNet to a `DenoiserNet`."""
    reader = Reader(state)
    blocks = reader.count("m_body.{}.res.0.weight")
    levels = 1 + sum(f"m_down{level}.0.res.0.weight" in state for level in range(1, 10))
    params = {"head": reader.conv("m_head", bias=False), "tail": reader.conv("m_tail", bias=False)}

    def add_blocks(name: str, source: str, first: int) -> None:
        for index in range(blocks):
            for part, layer in (("first", 0), ("second", 2)):
                conv = reader.conv(f"{source}.{first + index}.res.{layer}", bias=False)
                params[f"{name}_block{index}_{part}"] = conv

    widths = [params["head"]["kernel"].shape[-1]]
    for level in range(levels - 1):
        add_blocks(f"down{level}", f"m_down{level + 1}", 0)
        # A convolution of 2x2 pixels with a stride of 2 is a dense layer on folded pixels.
        kernel = reader.array(f"m_down{level + 1}.{blocks}.weight", 4)
        widths.append(kernel.shape[0])
        flat = kernel.transpose(2, 3, 1, 0).reshape(-1, kernel.shape[0])
        params[f"shrink{level}"] = {"kernel": flat}
        add_blocks(f"up{level}", f"m_up{level + 1}", 1)
        kernel = reader.array(f"m_up{level + 1}.0.weight", 4)
        flat = kernel.transpose(0, 2, 3, 1).reshape(kernel.shape[0], -1)
        params[f"enlarge{level}"] = {"kernel": flat}
    add_blocks("bottom", "m_body", 0)
    reader.check_all_used()
    channels = params["tail"]["kernel"].shape[-1]
    fields = {"name": "denoiser", "widths": widths, "blocks": blocks, "channels": channels}
    return fields, params


def convert_ffdnet(state: State) -> Converted:
    """Converts FFDNet to an `FfdNet`."""
    reader = Reader(state)
    depth = sum(name.endswith(".weight") for name in state)
    layers = [reader.conv(f"model.{2 * index}") for index in range(depth)]
    reader.check_all_used()
    width, outputs = layers[0]["kernel"].shape[-1], layers[-1]["kernel"].shape[-1]
    channels = outputs // 4
    # PyTorch folds pixels into channels in the order (c, y, x), this package in (y, x, c).
    order = np.arange(4 * channels).reshape(channels, 4).T.ravel()
    first = layers[0]["kernel"]
    layers[0]["kernel"] = first[:, :, [*order, *range(4 * channels, first.shape[2])]]
    layers[-1] = {name: array[..., order] for name, array in layers[-1].items()}
    fields = {"name": "ffdnet", "width": width, "depth": depth, "channels": channels}
    return fields, {f"conv{index + 1}": layer for index, layer in enumerate(layers)}


def convert_two_heads(state: State) -> Converted:
    """Converts either version of Carbajal's two-headed network to a `KernelBasisNet`."""
    reader = Reader(state)

    def pair(name: str) -> dict[str, Any]:
        return {f"conv{index + 1}": reader.conv(f"{name}.{2 * index}") for index in range(2)}

    def up(name: str) -> dict[str, Any]:
        return {
            "double": reader.doubling_conv(f"{name}.up"),
            "pair": pair(f"{name}.double_conv"),
            "join": reader.conv(f"{name}.feat.0"),
        }

    params: dict[str, Any] = {"stem": reader.conv("inc_rgb.0"), "bottleneck": reader.conv("feat.0")}
    params |= {f"down{index}": pair(f"down{index}.double_conv") for index in range(1, 6)}
    mixing = {f"up{index}": up(f"up{index}") for index in range(1, 6)}
    mixing |= {"end": pair("masks_end"), "shares": reader.conv("masks_end.4")}
    ups = 1
    while f"kernel_up{ups + 1}.up.weight" in state:
        ups += 1
    kernels: dict[str, Any] = {f"up{index}": up(f"kernel_up{index}") for index in range(1, ups + 1)}
    basis = mixing["shares"]["kernel"].shape[-1]
    taps = reader.conv("kernels_end.4")
    dense = taps["kernel"].shape[-1] != basis
    if dense:
        side = math.isqrt(taps["kernel"].shape[-1] // basis)
        # The authors order the outputs by kernel and tap, this package by tap and kernel.
        order = np.arange(basis * side**2).reshape(basis, -1).T.ravel()
        taps = {name: array[..., order] for name, array in taps.items()}
        kernels |= {"end": pair("kernels_end"), "taps": taps}
    else:
        side = 2**ups + 1
        kernels |= {"grow": reader.conv("kernels_end.0"), "end": reader.conv("kernels_end.2")}
        kernels["taps"] = taps
    reader.check_all_used(ignored=("inc_gray.",))  # an alternative first layer for grey photos
    fields = {
        "name": "kernel_basis",
        "basis": basis,
        "side": side,
        "width": params["stem"]["kernel"].shape[-1],
        "head": "dense" if dense else "grid",
        "transfer": "linear" if dense else 2.2,
    }
    return fields, {**params, "mixing_head": mixing, "kernel_head": kernels}


def convert_vgg(state: State) -> Converted:
    """Converts the first layers of torchvision's VGG19 to `VggFeatures`."""
    reader, params = Reader(state), {}
    layer = 0  # torchvision counts convolutions, ReLUs and poolings
    for group, count in enumerate(GROUPS):
        for index in range(count):
            params[f"conv{group + 1}_{index + 1}"] = reader.conv(f"features.{layer}")
            layer += 2
        layer += 1
    return {"name": "vgg_features", "width": int(params["conv1_1"]["bias"].size)}, params


CONVERTERS: dict[str, Callable[[State], Converted]] = {  # by an array that only this network has
    "inc_rgb.0.weight": convert_two_heads,
    "m_head.weight": convert_drunet,
    "model.0.weight": convert_ffdnet,
    "features.0.weight": convert_vgg,
}


if __name__ == "__main__":
    main()
