"""What a run is about to do, in a table: parameters by module, arithmetic of a step."""

from collections.abc import Callable
from typing import Any

import jax

from deblur_jax.training.state import count_parameters


def parameter_table(name: str, params: Any) -> str:
    """Returns a line for each module of a network, and one for all."""
    rows = [(module, count_parameters(tree)) for module, tree in params.items()]
    rows.append((name, count_parameters(params)))
    width = max(len(module) for module, _ in rows)
    return "\n".join(f"  {module:{width}s} {count:12,d} parameters" for module, count in rows)


def step_flops(step: Callable, *arguments: Any) -> float | None:
    """Returns the floating-point operations that each device does in a step; None if not known.

    They are counted in the program as it is written, before XLA compiles it.
    """
    try:
        costs = step.lower(*arguments).cost_analysis()  # pyright: ignore[reportFunctionMemberAccess]
    except (AttributeError, NotImplementedError, jax.errors.JaxRuntimeError):
        return None
    costs = costs[0] if isinstance(costs, list) else costs
    return (costs or {}).get("flops")
