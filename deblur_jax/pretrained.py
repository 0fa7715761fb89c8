"""Load trained networks, with their parameters and model cards, by name or path."""

import dataclasses
import warnings
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from deblur_jax.io.weights import read_weights
from deblur_jax.models.denoiser import make_denoiser
from deblur_jax.models.gmm import PatchMixture
from deblur_jax.models.registry import DENOISERS, make_model
from deblur_jax.typing import Denoiser


WEIGHTS = Path(__file__).parent / "weights"
DEFAULT = "camera-motion"
# Former names of weights, networks and their fields (version 0.1), and the present names.
RENAMED_WEIGHTS = {
    "blur-kernels": "kernel-basis",
    "deblur": "learned-plug-and-play",
    "motion-flow": "camera-motion",
    "motion-flow-quickstart": "motion-context",
}
RENAMED_MODELS = {"unrolled": "learned_plug_and_play"}
RENAMED_FIELDS = {"denoisings": "denoising_steps"}


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """A trained network.

    Attributes:
        name: the name or path that it was loaded by.
        model: the network; `model.apply(variables, ...)` is a pure function.
        variables: its parameters, `{"params": ...}`, and its batch statistics if it has any: nested
            dicts of arrays. Arrays that the file stores as float16 are converted to float32.
        card: the model card: config, data, steps, metrics.
    """

    name: str
    model: Any
    variables: dict[str, Any]
    card: dict[str, Any]

    @property
    def params(self) -> dict[str, Any]:
        """The parameters without other variables."""
        return self.variables["params"]


def shipped() -> list[str]:
    """Returns the names of the weights that ship with the package."""
    return sorted(path.stem for path in WEIGHTS.glob("*.safetensors"))


def read_card(name: str = DEFAULT) -> dict[str, Any]:
    """Returns the model card of trained weights: config, data, steps, machine, metrics, limits.

    Args:
        name: one of `shipped()`, or the path of a `.safetensors` file.

    Raises:
        FileNotFoundError: if it is neither.
        ValueError: if the file is damaged.
    """
    return read_weights(_find(name))[1]


def load(name: str = DEFAULT) -> Pretrained:
    """Loads a trained network.

    Args:
        name: one of `shipped()`, or the path of a `.safetensors` file that a training run exported.

    Raises:
        FileNotFoundError: if it is neither.
        ValueError: if the file is damaged, or its network does not exist in this version.

    Example:
        >>> network = load()
        >>> network.name, network.card["model"]["name"]
        ('camera-motion', 'camera_motion')
    """
    path = _find(name)
    variables, card = read_weights(path)
    if "model" not in card:
        raise ValueError(f"{name}: holds no network; load a mixture of Gaussians with load_mixture")
    if "params" not in variables:  # a file of version 0.1
        variables = {"params": variables}
    half = np.dtype(np.float16)
    variables = jax.tree.map(lambda x: x.astype(np.float32) if x.dtype == half else x, variables)
    try:
        fields: dict[str, Any] = {**card["model"]}
        fields["name"] = RENAMED_MODELS.get(fields["name"], fields["name"])
        for former in RENAMED_FIELDS.keys() & fields.keys():
            fields[RENAMED_FIELDS[former]] = fields.pop(former)
        model = make_model(**fields)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: the model card does not fit this version ({error})") from None
    return Pretrained(name=name, model=model, variables=variables, card=card)


def load_denoiser(name: str = "denoiser") -> Denoiser:
    """Loads a trained denoiser as a function `(image, sigma) -> image` for the solvers.

    Args:
        name: one of `shipped()`, or the path of a `.safetensors` file.

    Raises:
        FileNotFoundError: if it is neither.
        ValueError: if the file is damaged or does not hold a denoiser.

    Example:
        >>> denoise = load_denoiser()
        >>> denoise(jnp.full((16, 16, 3), 0.5), 0.1).shape
        (16, 16, 3)
    """
    network = load(name)
    if not isinstance(network.model, DENOISERS):
        expected = " or ".join(kind.__name__ for kind in DENOISERS)
        raise ValueError(
            f"{name}: holds a {type(network.model).__name__}, expected a {expected}; give the "
            "weights of a denoiser"
        )
    return make_denoiser(network.model, network.variables)


def load_mixture(name: str = "gmm") -> PatchMixture:
    """Loads a Gaussian mixture over patches, the prior of `epll`.

    Args:
        name: "gmm", which ships with the package, or a `.safetensors` file of `tools/fit_gmm.py`.

    Raises:
        FileNotFoundError: if it is neither.
        ValueError: if the file is damaged or does not hold a mixture.

    Example:
        >>> load_mixture().log_weights.shape
        (200,)
    """
    arrays, _ = read_weights(_find(name))
    fields = {field.name for field in dataclasses.fields(PatchMixture)}
    if set(arrays) != fields:
        raise ValueError(f"{name}: holds no patch mixture; expected the arrays {sorted(fields)}")
    return PatchMixture(**{name: jnp.asarray(x, jnp.float32) for name, x in arrays.items()})


def _find(name: str) -> Path:
    if name in RENAMED_WEIGHTS:
        now = RENAMED_WEIGHTS[name]
        warnings.warn(f"the weights {name!r} are now called {now!r}", FutureWarning, stacklevel=3)
        name = now
    if name in shipped():
        return WEIGHTS / f"{name}.safetensors"
    if Path(name).suffix == ".safetensors":
        return Path(name)
    raise FileNotFoundError(
        f"model must be one of {shipped()} or a .safetensors file, got {name!r}"
    )
