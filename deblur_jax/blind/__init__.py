"""Blur kernels from a single photo, by optimisation: no network, no training."""

from deblur_jax.blind.choice import Candidate
from deblur_jax.blind.estimate import BlindEstimate, estimate_kernel
from deblur_jax.blind.restoration import restore_uniform


__all__ = ["BlindEstimate", "Candidate", "estimate_kernel", "restore_uniform"]
