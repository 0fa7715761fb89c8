"""Parameters and arithmetic of a network by module, and the arithmetic of a training step."""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import jax
from flax import linen as nn
from jax import lax

from deblur_jax.training.step import count_parameters


# Dense multiplications and additions a second, from the makers' data sheets; float32 is what XLA
# computes float32 products in by default (TF32 on GPUs, bfloat16 on TPUs).
PEAKS = {
    "NVIDIA A100": {"bfloat16": 312e12, "float32": 156e12},
    "NVIDIA H100 PCIe": {"bfloat16": 756e12, "float32": 378e12},
    "NVIDIA H100": {"bfloat16": 989e12, "float32": 494e12},
    "NVIDIA H200": {"bfloat16": 989e12, "float32": 494e12},
    "TPU v4": {"bfloat16": 275e12, "float32": 275e12},
    "TPU v5 lite": {"bfloat16": 197e12, "float32": 197e12},
    "TPU v5": {"bfloat16": 459e12, "float32": 459e12},
    "TPU v6 lite": {"bfloat16": 918e12, "float32": 918e12},
}


def overview(model: nn.Module, params: Any, inputs: Any) -> str:
    """Returns a table with a line for each module of a network and one for the total.

    Args:
        model: the network.
        params: its parameters.
        inputs: arrays, or their shapes, that it is called with; one example of a batch.
    """
    flops, modules = flops_by_module(model.init, jax.random.key(0), *inputs), Counter()
    for path, count in flops.items():
        modules.update({next((name for name in path.split("/") if name in params), ""): count})
    rows = [(name, count_parameters(tree), modules[name]) for name, tree in params.items()]
    rows.append((type(model).__name__, count_parameters(params), flops.total()))
    width = max(len(module) for module, *_ in rows)
    return "\n".join(
        f"  {module:{width}s} {count:12,d} parameters {arithmetic / 1e6:12,.1f} MFLOP an example"
        for module, count, arithmetic in rows
    )


def step_flops(step: Callable, *arguments: Any) -> int:
    """Returns the FLOP of a step on each device, see `flops_by_module`."""
    return flops_by_module(step, *arguments).total()


def peak_flops(device_kind: str, precision: str) -> float | None:
    """Returns the peak FLOP per second of a device; None if it is unknown.

    Args:
        device_kind: as JAX calls it.
        precision: that the network computes in.
    """
    for name, peaks in PEAKS.items():
        if device_kind.startswith(name):
            return peaks[precision]
    return None


def flops_by_module(function: Callable, *arguments: Any) -> Counter[str]:
    """Counts the multiplications and additions of convolutions and matrix products in a program.

    They are counted in the program before XLA compiles it: the body of a loop of known length once
    per iteration, other loops once. Elementwise operations are not counted.

    Returns:
        Counts by the path of the modules that they belong to, such as `Net/Conv_0`.
    """
    return _count(jax.make_jaxpr(function)(*arguments).jaxpr, "")


def _count(jaxpr: Any, path: str) -> Counter[str]:
    counts = Counter()
    for equation in jaxpr.eqns:
        inside = f"{path}/{equation.source_info.name_stack}"
        parameters = equation.params
        if equation.primitive in (lax.conv_general_dilated_p, lax.dot_general_p):
            counts[inside] += _product(equation)
            continue
        inner = [_count(each, inside) for each in _programs_in(parameters)]
        if equation.primitive is lax.cond_p:
            inner = [max(inner, key=Counter.total)]
        times = parameters["length"] if equation.primitive is lax.scan_p else 1
        for each in inner:
            counts.update({name: times * count for name, count in each.items()})
    return counts


def _programs_in(parameters: dict[str, Any]) -> list[Any]:
    leaves = jax.tree.leaves(list(parameters.values()))
    return [each for each in (getattr(x, "jaxpr", x) for x in leaves) if hasattr(each, "eqns")]


def _product(equation: Any) -> int:
    """Returns the FLOP of a product: two for each pair of multiplied numbers."""
    left, right = (each.aval.shape for each in equation.invars)
    made = equation.outvars[0].aval.size
    if equation.primitive is lax.dot_general_p:
        (contracted, _), _ = equation.params["dimension_numbers"]
        return 2 * made * math.prod(left[axis] for axis in contracted)
    features = right[equation.params["dimension_numbers"].rhs_spec[0]]
    # A strided convolution's transpose puts zeros between the pixels.
    spread = math.prod(equation.params["lhs_dilation"])
    return 2 * made * math.prod(right) // (features * spread)
