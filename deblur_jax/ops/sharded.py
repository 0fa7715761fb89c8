"""Basis blur of one large image whose rows are sharded over several devices.

Every device blurs its own rows. Its neighbours send the `radius` rows above and below, its halo;
the outermost devices pad theirs. So each device receives two strips of rows, and no device holds
the whole image.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec, reshard

from deblur_jax.ops.basis_blur import check_options, choose_method, padded_blur
from deblur_jax.ops.boundary import pad
from deblur_jax.typing import Image, Kernels, Mixing, compute_dtype, typechecked


@typechecked
def sharded_basis_blur(
    image: Image,
    kernels: Kernels,
    mixing: Mixing,
    *,
    mesh: Mesh,
    order: str = "gather",
    padding: str = "reflect",
    method: str = "auto",
    precision: str = "highest",
) -> jax.Array:
    """Blurs `image` like `basis_blur`, with its rows sharded over the devices of `mesh`.

    The function works inside `jit` and is differentiable like `basis_blur`. It also speeds up large
    images on a CPU with several cores, with one device for each core: set the environment variable
    `JAX_NUM_CPU_DEVICES` before Python starts.

    Args:
        image: `[h, w, c]`; `h` must be a multiple of the number of devices.
        kernels: `[k, s, s]` with `s` odd, copied to every device.
        mixing: `[h, w, k]`, sharded like the image.
        mesh: devices along one axis, from `jax.make_mesh` or `jax.sharding.Mesh`.
        order: see `basis_blur`.
        padding: see `basis_blur`.
        method: see `basis_blur`.
        precision: see `basis_blur`.

    Returns:
        The blurred image, `[h, w, c]`, with its rows sharded over the devices.

    Raises:
        ValueError: if the mesh has several axes, `h` is not a multiple of the number of devices, a
            device would have no more rows than the radius, or an option is unknown.

    Example:
        >>> image = jnp.ones((16 * jax.device_count(), 12, 3))
        >>> kernels, mixing = jnp.full((1, 3, 3), 1 / 9), jnp.ones((*image.shape[:2], 1))
        >>> mesh = jax.make_mesh((jax.device_count(),), ("rows",))
        >>> blurred = sharded_basis_blur(image, kernels, mixing, mesh=mesh)
        >>> bool(jnp.allclose(blurred, image))  # a constant image stays constant
        True
    """
    check_options("sharded_basis_blur", kernels, order, padding, method, precision)
    radius, devices = kernels.shape[-1] // 2, mesh.size
    rows = image.shape[0] // devices
    if len(mesh.axis_names) != 1:
        raise ValueError(
            f"sharded_basis_blur: mesh must have one axis, got {list(mesh.axis_names)}"
        )
    if image.shape[0] % devices:
        raise ValueError(
            f"sharded_basis_blur: image must have a multiple of {devices} rows, one share for "
            f"each device, got {image.shape[0]}; pad it"
        )
    if rows <= radius:
        raise ValueError(
            f"sharded_basis_blur: kernels of radius {radius} need more than {radius} rows on each "
            f"device, got {rows}; use fewer devices"
        )
    if method == "auto":
        method = choose_method(kernels.shape[-1], kernels.shape[0], jax.default_backend())
    (axis,) = mesh.axis_names
    extend = functools.partial(_extended, radius=radius, padding=padding, axis=axis, size=devices)
    blur = padded_blur(order, method, precision)

    def blur_rows(image, kernels, mixing):
        return blur(extend(image), kernels, extend(mixing) if order == "scatter" else mixing)

    specs = (PartitionSpec(axis), PartitionSpec(), PartitionSpec(axis))
    dtype, compute = jnp.result_type(image, kernels, mixing), compute_dtype(image, kernels, mixing)
    arrays = tuple(jnp.asarray(x, compute) for x in (image, kernels, mixing))
    if mesh.axis_types == (AxisType.Explicit,):  # the sharding is part of an array's type
        shardings = [NamedSharding(mesh, spec) for spec in specs]
        arrays = tuple(map(reshard, arrays, shardings))
    spread = jax.shard_map(
        blur_rows,
        mesh=mesh,
        in_specs=specs,
        out_specs=PartitionSpec(axis),
        check_vma=False,  # the loops inside start from constants, which do not vary over devices
    )
    return spread(*arrays).astype(dtype)


def _extended(rows: jax.Array, *, radius: int, padding: str, axis: str, size: int) -> jax.Array:
    """Returns a device's rows, padded at the sides and extended by the halos of its neighbours."""
    if radius == 0:
        return rows
    own = pad(rows, radius, padding)
    inner = own[radius:-radius]
    down = [(device, (device + 1) % size) for device in range(size)]
    above = lax.ppermute(inner[-radius:], axis, down)
    below = lax.ppermute(inner[:radius], axis, [(to, start) for start, to in down])
    if padding != "wrap":  # otherwise the ring already delivers the other end of the frame
        place = lax.axis_index(axis)
        above = jnp.where(place == 0, own[:radius], above)
        below = jnp.where(place == size - 1, own[-radius:], below)
    return jnp.concatenate([above, inner, below])
