"""What turns gradients into updates."""

import optax


def make_optimizer(
    *, peak_rate: float, warmup_fraction: float, clip_norm: float, total_steps: int
) -> optax.GradientTransformation:
    """Returns Adam with a linear warm-up, a cosine decay to zero and clipped gradients.

    Args:
        peak_rate: the highest learning rate.
        warmup_fraction: the part of the run in which the rate rises from zero, in [0, 1).
        clip_norm: the largest global norm that a gradient may have.
        total_steps: the length of the run in steps.
    """
    if not 0 <= warmup_fraction < 1:
        raise ValueError(f"optimizer.warmup_fraction must be in [0, 1), got {warmup_fraction}")
    schedule = optax.warmup_cosine_decay_schedule(
        init_value=0.0,
        peak_value=peak_rate,
        warmup_steps=int(warmup_fraction * total_steps),
        decay_steps=total_steps,
    )
    return optax.chain(optax.clip_by_global_norm(clip_norm), optax.adam(schedule))
