"""Solvers of other libraries take the operators of this one: of JAX, of lineax and of optax.

    python -m experiments.other_solvers.run --out experiments/other_solvers/results.json

A photo that ships with scikit-image is blurred by a motion that varies over the frame, with noise,
and rounded to 8 bits. With the known blur A, the conjugate gradients of JAX and LSMR of lineax
minimise

    |A x - y|^2 + weight |grad x|^2

over the photo x. The problem is linear, and A is never written as a matrix: the solvers call the
operator and its adjoint. L-BFGS of optax minimises `|A x - y|^2 + weight TV(x)`, which is not
quadratic, by the gradient through the operator.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import lineax
import numpy as np
import optax
from skimage import data

from deblur_jax import LineBlur, psnr, restore
from deblur_jax.ops.flow import plane_flow
from deblur_jax.ops.linear import adjoint
from deblur_jax.solvers.total_variation import total_variation
from deblur_jax.typing import Array, standard_promotion
from experiments.shared import as_floats, crop, middle, origin, run_command, write_record


WEIGHT = 3e-3  # of the squared gradients
VARIATION_WEIGHT = 1e-3  # of total variation
TOLERANCE = 1e-6
MOST_STEPS = 500
DESCENT_STEPS = 100
BORDER = 16  # pixels at each edge that are not scored
MOTION = ((8.0, 3.0), (1.0, 1.0), (-1.0, 1.0))  # in the middle, and its growth down and right
NOISE = 0.005

Solve = Callable[[LineBlur, Array, Array], jax.Array]


def main() -> None:
    """Runs the experiment, prints a line for each solver and writes the record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--size", type=int, nargs=2, default=(256, 320), help="height and width")
    parser.add_argument("--weight", type=float, default=WEIGHT, help="of the squared gradients")
    parser.add_argument("--seed", type=int, default=0, help="of the noise")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    arguments = parser.parse_args()
    sharp, blur, photo = make_photo(tuple(arguments.size), arguments.seed)
    figures = {"blurred": score(photo, sharp)}
    for name, solve in SOLVERS.items():
        figures[name] = score(jax.jit(solve)(blur, photo, jnp.float32(arguments.weight)), sharp)
    figures["optax.lbfgs, total variation"] = score(jax.jit(by_descent)(blur, photo), sharp)
    figures["restore, total variation"] = score(restore(blur, photo)[0], sharp)
    for name, decibels in figures.items():
        print(f"{name}: {decibels:.2f} dB", flush=True)
    slope = float(jax.jit(slope_of_weight)(blur, photo, sharp, jnp.float32(arguments.weight)))
    print(f"squared error by the logarithm of the weight: {slope:.2e}")
    record = {
        "command": "python -m experiments.other_solvers.run",
        "size": list(arguments.size),
        "seed": arguments.seed,
        "weight": arguments.weight,
        "psnr": {name: round(decibels, 3) for name, decibels in figures.items()},
        "slope_of_weight": slope,
        **origin(),
    }
    write_record(arguments.out, record)


def make_photo(size: tuple[int, int], seed: int) -> tuple[jax.Array, LineBlur, jax.Array]:
    """Returns a sharp photo, a blur, and the blurred photo with noise, rounded to 8 bits."""
    height, width = size
    sharp = jnp.asarray(as_floats(middle(data.astronaut(), height, width)))
    blur = LineBlur(plane_flow(jnp.asarray(MOTION), height, width))
    noisy = blur(sharp) + NOISE * jax.random.normal(jax.random.key(seed), sharp.shape)
    return sharp, blur, jnp.round(255 * jnp.clip(noisy, 0, 1)) / 255


def gradients(image: Array) -> jax.Array:
    """Returns forward differences down and to the right, `[2, h, w, c]`."""
    image = jnp.asarray(image)
    return jnp.stack([jnp.roll(image, -1, 0) - image, jnp.roll(image, -1, 1) - image])


def squared(blur: LineBlur, photo: Array, weight: Array) -> Callable[[Array], jax.Array]:
    """Returns the map of the normal equations, `x -> A* A x + weight grad* grad x`."""
    transposed = adjoint(gradients, photo)

    def apply(image: Array) -> jax.Array:
        image = jnp.asarray(image)
        return blur.adjoint(blur(image)) + weight * transposed(gradients(image))

    return apply


def by_jax(blur: LineBlur, photo: Array, weight: Array) -> jax.Array:
    """Solves the normal equations by the conjugate gradients of JAX."""
    apply, right = squared(blur, photo, weight), blur.adjoint(photo)
    return jax.scipy.sparse.linalg.cg(apply, right, tol=TOLERANCE, maxiter=MOST_STEPS)[0]


def by_least_squares(blur: LineBlur, photo: Array, weight: Array) -> jax.Array:
    """Solves the least squares by LSMR of lineax, which needs no normal equations."""
    like = jax.ShapeDtypeStruct(photo.shape, photo.dtype)

    def apply(image: Array) -> tuple[jax.Array, jax.Array]:
        image = jnp.asarray(image)
        return blur(image), jnp.sqrt(weight) * gradients(image)

    target = (photo, jnp.zeros((2, *photo.shape), photo.dtype))
    matrix = lineax.FunctionLinearOperator(apply, like)
    solver = lineax.LSMR(TOLERANCE, TOLERANCE, max_steps=MOST_STEPS)
    with standard_promotion():  # `throw`: the last iterate if the tolerance is not reached
        return lineax.linear_solve(matrix, target, solver, throw=False).value


SOLVERS: dict[str, Solve] = {
    "jax.scipy.sparse.linalg.cg": by_jax,
    "lineax.LSMR": by_least_squares,
}


def by_descent(blur: LineBlur, photo: Array) -> jax.Array:
    """Minimises the squared misfit and the total variation by L-BFGS of optax."""
    optimizer = optax.lbfgs()

    def objective(image: jax.Array) -> jax.Array:
        misfit = jnp.sum(jnp.square(blur(image) - photo))
        return misfit + VARIATION_WEIGHT * total_variation(image)

    def step(state: Any, _: None) -> tuple[Any, None]:
        image, memory = state
        value, slope = jax.value_and_grad(objective)(image)
        change, memory = optimizer.update(
            slope, memory, image, value=value, grad=slope, value_fn=objective
        )
        return (optax.apply_updates(image, change), memory), None

    start = (jnp.asarray(photo), optimizer.init(photo))
    return jax.lax.scan(step, start, length=DESCENT_STEPS)[0][0]


def slope_of_weight(blur: LineBlur, photo: Array, sharp: Array, weight: Array) -> jax.Array:
    """Returns the derivative of the squared error by the logarithm of the weight.

    JAX differentiates the solution, not the steps that lead to it.
    """

    def error(logarithm: jax.Array) -> jax.Array:
        return jnp.mean(jnp.square(by_jax(blur, photo, jnp.exp(logarithm)) - sharp))

    return jax.grad(error)(jnp.log(weight))


def score(image: Array, sharp: Array) -> float:
    """Returns the PSNR of an image without its border."""
    shown = np.clip(np.asarray(image), 0, 1)
    return float(psnr(crop(shown, BORDER), crop(np.asarray(sharp), BORDER)))


if __name__ == "__main__":
    run_command(main)
