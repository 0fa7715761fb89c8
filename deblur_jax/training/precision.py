"""Set a network's compute dtype and rematerialisation policy, transparently to the task."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax


PRECISIONS = ("bfloat16", "float32")
REMAT = ("all", "none", "pointwise")


@dataclasses.dataclass(frozen=True)
class Network:
    """A network with another `apply`; all other attributes are those of the network.

    Attributes:
        module: the network.
        precision: with `bfloat16` the parameters and inputs are rounded to it on the way in, and
            the results are float32 again, so parameters, gradients, statistics and losses stay
            float32.
        remat: `none` keeps what the backward pass needs; `pointwise` keeps the results of
            convolutions and matrix products and computes what lies between again; `all` keeps the
            inputs only.
    """

    module: nn.Module
    precision: str
    remat: str

    def apply(self, variables: Any, *inputs: Any, **options: Any) -> Any:
        """Returns `module.apply(variables, *inputs, **options)`."""

        def forward(variables: Any, *inputs: Any) -> Any:
            if self.precision == "bfloat16":
                params = _cast(variables["params"], jnp.bfloat16)
                variables = {**variables, "params": params}
                inputs = _cast(inputs, jnp.bfloat16)
            return _cast(self.module.apply(variables, *inputs, **options), jnp.float32)

        if self.remat != "none":
            policy = _is_product if self.remat == "pointwise" else None
            forward = jax.checkpoint(forward, policy=policy)
        return forward(variables, *inputs)

    def clone(self, **fields: Any) -> "Network":
        """Returns the network with other fields of the module, such as `axis_name=DEVICES`."""
        return dataclasses.replace(self, module=self.module.clone(**fields))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)


def with_precision(module: nn.Module, *, precision: str, remat: str) -> Network | nn.Module:
    """Returns the network for training, see `Network`."""
    if precision not in PRECISIONS:
        raise ValueError(f"config.precision must be one of {sorted(PRECISIONS)}, got {precision!r}")
    if remat not in REMAT:
        raise ValueError(f"config.remat must be one of {sorted(REMAT)}, got {remat!r}")
    if (precision, remat) == ("float32", "none"):
        return module
    return Network(module, precision, remat)


def _cast(tree: Any, dtype: Any) -> Any:
    return jax.tree.map(
        lambda x: x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x, tree
    )


def _is_product(primitive: Any, *_: Any, **__: Any) -> bool:
    return primitive in (lax.conv_general_dilated_p, lax.dot_general_p)
