"""Networks by the names used in configs and model cards."""

from typing import Any

from flax import linen as nn

from deblur_jax.models.adversarial import Generator
from deblur_jax.models.blur_to_flow import BlurToFlowNet
from deblur_jax.models.camera_motion import CameraMotionNet
from deblur_jax.models.deblurnet import DeblurNet
from deblur_jax.models.denoiser import DenoiserNet
from deblur_jax.models.ffdnet import FfdNet
from deblur_jax.models.flow_rnn import FlowRnnNet, SpatialRnnNet
from deblur_jax.models.kernel_basis import KernelBasisNet
from deblur_jax.models.learned_plug_and_play import LearnedPlugAndPlayNet
from deblur_jax.models.motion_context import MotionContextNet
from deblur_jax.models.motion_flow import MotionFlowNet
from deblur_jax.models.trust import TrustNet
from deblur_jax.models.vgg import VggFeatures


MODELS: dict[str, type[nn.Module]] = {
    "blur_to_flow": BlurToFlowNet,
    "camera_motion": CameraMotionNet,
    "deblurgan": Generator,
    "deblurnet": DeblurNet,
    "denoiser": DenoiserNet,
    "ffdnet": FfdNet,
    "flow_rnn": FlowRnnNet,
    "kernel_basis": KernelBasisNet,
    "motion_context": MotionContextNet,
    "motion_flow": MotionFlowNet,
    "spatial_rnn": SpatialRnnNet,
    "learned_plug_and_play": LearnedPlugAndPlayNet,
    "trust": TrustNet,
    "vgg_features": VggFeatures,
}

DENOISERS = (DenoiserNet, FfdNet)  # called with a photo and the standard deviation of its noise


def make_model(*, name: str, **fields: Any) -> nn.Module:
    """Returns the network called `name` with the given fields.

    Raises:
        ValueError: if there is no network of this name.
        TypeError: if the network does not have one of the fields.
    """
    if name not in MODELS:
        raise ValueError(f"model.name must be one of {sorted(MODELS)}, got {name!r}")
    # JSON has no tuples, and a network must be hashable.
    return MODELS[name](
        **{key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
    )
