"""Transfer curves between light and display values, for JAX and NumPy arrays alike.

The module does not import JAX, so that files and data sources can use it in worker processes. For
JAX arrays prefer `ops.sensor`, which also converts its arguments.
"""

from typing import Any


Transfer = str | float


def light_from_display(display: Any, transfer: Transfer) -> Any:
    """Returns the light of display values, an array of the same kind and dtype.

    Args:
        display: display values, nominally in [0, 1].
        transfer: "srgb" (IEC 61966-2-1), "linear" (the identity), or a gamma such as 2.2, for which
            light is `display ** gamma` and negative values are black.

    Raises:
        ValueError: if `transfer` is none of these.
    """
    gamma = _gamma("to_light", transfer)
    if gamma is not None:
        return safe_power(display, gamma)
    bent = safe_power((display + 0.055) / 1.055, 2.4)
    return display.__array_namespace__().where(display <= 0.04045, display / 12.92, bent)


def display_from_light(light: Any, transfer: Transfer) -> Any:
    """Returns the display values of light, the inverse of `light_from_display`.

    The slope of a plain gamma is infinite at black; its gradient there is defined as zero.

    Args:
        light: light, nominally in [0, 1].
        transfer: see `light_from_display`.

    Raises:
        ValueError: if `transfer` is unknown.
    """
    gamma = _gamma("to_display", transfer)
    if gamma is not None:
        return safe_power(light, 1.0 / gamma)
    bent = 1.055 * safe_power(light, 1.0 / 2.4) - 0.055
    return light.__array_namespace__().where(light <= 0.0031308, light * 12.92, bent)


def _gamma(function: str, transfer: Transfer) -> float | None:
    """Returns the exponent of a power law, None for sRGB."""
    if transfer == "srgb":
        return None
    if transfer == "linear":
        return 1.0
    if isinstance(transfer, str) or not transfer > 0:
        raise ValueError(
            f"{function}: transfer must be 'srgb', 'linear' or a positive gamma, got {transfer!r}"
        )
    return float(transfer)


def safe_power(base: Any, exponent: float) -> Any:
    """Returns `base ** exponent`, zero with zero gradient where `base` is not positive."""
    if exponent == 1.0:
        return base
    where = base.__array_namespace__().where
    positive = base > 0
    return where(positive, where(positive, base, 1.0) ** exponent, 0.0)
