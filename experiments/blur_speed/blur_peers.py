"""Other implementations of the basis blur, each optional.

A contender is a function of a case's arrays (NumPy, `image [h, w, c]`, `kernels [k, s, s]`,
`mixing [h, w, k]`, `probe [h, w, c]`) that returns the operations it offers by name:

    forward    the blurred image, zero outside the frame
    adjoint    the adjoint with respect to the image, applied to the probe
    gradient   of the inner product of the blurred image and the probe, to all three arrays

Each operation takes no argument and returns finished arrays that NumPy can convert.
"""

import functools
import time
from importlib import import_module

import numpy as np


def torch_convolution(image, kernels, mixing, probe):
    """PyTorch: `conv2d` with one output channel for each kernel, then the mixture."""
    torch = import_module("torch")

    functional = torch.nn.functional
    x, k, m, y = _torch_arrays(image, kernels, mixing, probe)
    radius = kernels.shape[-1] // 2

    def forward(x, k, m):
        return (functional.conv2d(x, k[:, None], padding=radius) * m).sum(1, keepdim=True)

    def adjoint():
        return functional.conv_transpose2d(y * m, k[:, None], padding=radius)

    return _torch_operations(forward, adjoint, x, k, m, y)


def torch_transform(image, kernels, mixing, probe):
    """PyTorch: real transforms of the whole image at an efficient size, one kernel at a time."""
    torch = import_module("torch")
    from scipy.fft import next_fast_len

    x, k, m, y = _torch_arrays(image, kernels, mixing, probe)
    reach, (height, width, _) = kernels.shape[-1] - 1, image.shape
    radius = reach // 2
    sizes = tuple(next_fast_len(n + reach, real=True) for n in (height, width))
    pad, fft = torch.nn.functional.pad, torch.fft

    def forward(x, k, m):
        spectrum = fft.rfft2(pad(x, (radius,) * 4), sizes)
        total = 0
        for index in range(len(kernels)):
            filtered = fft.irfft2(spectrum * fft.rfft2(k[index], sizes).conj(), sizes)
            total = total + m[0, index] * filtered[..., :height, :width]
        return total

    def adjoint():
        total = 0
        for index in range(len(kernels)):
            total = total + fft.rfft2(m[0, index] * y, sizes) * fft.rfft2(k[index], sizes)
        spread = fft.irfft2(total, sizes)
        return spread[..., radius : radius + height, radius : radius + width]

    return _torch_operations(forward, adjoint, x, k, m, y)


def deepinv(image, kernels, mixing, probe, *, use_fft: bool):
    """DeepInverse's spatially varying blur, with the mask after the convolution."""
    torch = import_module("torch")
    functional = import_module("deepinv.physics.functional")

    arrays = (image, kernels[:, ::-1, ::-1], mixing, probe)  # DeepInverse convolves, we correlate
    x, k, m, y = _torch_arrays(*arrays)
    x, y = x[:, 0][None], y[:, 0][None]  # [1, c, h, w]
    # Its transforms offer no zero padding, so the image is padded first.
    radius = kernels.shape[-1] // 2 if use_fft else 0
    padding = "valid" if use_fft else "constant"
    options = {"padding": padding, "use_fft": use_fft, "mask_first": False}

    def forward(x, k, m):
        x = torch.nn.functional.pad(x, (radius,) * 4)
        return functional.product_convolution2d(x, m[None, 0, None], k[None, None], **options)

    def adjoint():
        spread = functional.product_convolution2d_adjoint(
            y, m[None, 0, None], k[None, None], **options
        )
        return spread[..., radius : radius + y.shape[-2], radius : radius + y.shape[-1]]

    return _torch_operations(forward, adjoint, x, k, m, y, channel_axis=1)


def jax_grouped_convolution(image, kernels, mixing, probe):
    """JAX: a depthwise convolution (`feature_group_count`) of the image repeated k times."""
    import jax
    import jax.numpy as jnp

    basis, side, _ = kernels.shape
    arrays = tuple(map(jnp.asarray, (image, kernels, mixing)))
    y = jnp.asarray(probe)

    def forward(image, kernels, mixing):
        copies = jnp.repeat(jnp.moveaxis(image, 2, 0)[..., None], basis, axis=3)
        filtered = jax.lax.conv_general_dilated(
            copies,
            jnp.moveaxis(kernels, 0, 2)[:, :, None],
            (1, 1),
            [(side // 2,) * 2] * 2,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=basis,
            precision="highest",
        )
        return jnp.einsum("chwk,hwk->hwc", filtered, mixing, precision="highest")

    return jax_operations(forward, arrays, y)


def scipy_loop(image, kernels, mixing, probe):
    """SciPy: `ndimage.correlate` for each kernel and channel."""
    from scipy.ndimage import convolve, correlate

    def each(function, source, weigh_first: bool):
        total = np.zeros_like(image)
        for index, kernel in enumerate(kernels):
            weights = mixing[:, :, index, None]
            filtered = function(
                weights * source if weigh_first else source, kernel[..., None], mode="constant"
            )
            total += filtered if weigh_first else weights * filtered
        return total

    return {
        "forward": lambda: each(correlate, image, False),
        "adjoint": lambda: each(convolve, probe, True),
    }


class Compiled:
    """A JAX function of fixed inputs, compiled at the first call, which waits for its result."""

    def __init__(self, function, inputs):
        self.function, self.inputs, self.compiled = function, inputs, None
        self.compile_seconds = float("nan")

    def __call__(self):
        """Returns the finished result."""
        import jax

        if self.compiled is None:
            start = time.perf_counter()
            self.compiled = jax.jit(self.function).lower(*self.inputs).compile()
            self.compile_seconds = time.perf_counter() - start
        return jax.block_until_ready(self.compiled(*self.inputs))


def jax_operations(forward, arrays, probe):
    """Returns the three operations of a JAX blur of `arrays`."""
    import jax
    import jax.numpy as jnp

    def to_image(image, kernels, mixing, probe):
        return jax.vjp(lambda x: forward(x, kernels, mixing), image)[1](probe)[0]

    def gradient(image, kernels, mixing, probe):
        return jax.grad(lambda *a: jnp.vdot(forward(*a), probe), (0, 1, 2))(image, kernels, mixing)

    return {
        "forward": Compiled(forward, arrays),
        "adjoint": Compiled(to_image, (*arrays, probe)),
        "gradient": Compiled(gradient, (*arrays, probe)),
    }


def _torch_arrays(image, kernels, mixing, probe):
    """Returns torch arrays `[c, 1, h, w]`, `[k, s, s]`, `[1, k, h, w]`, `[c, 1, h, w]`."""
    torch = import_module("torch")

    def channels_first(array):
        return torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, 2, 0)))

    k = torch.from_numpy(np.ascontiguousarray(kernels))
    return (
        channels_first(image)[:, None],
        k,
        channels_first(mixing)[None],
        channels_first(probe)[:, None],
    )


def _torch_operations(forward, adjoint, x, k, m, y, *, channel_axis: int = 0):
    torch = import_module("torch")

    def to_ours(array):
        return array.squeeze(1 - channel_axis).movedim(0, -1)

    def gradient():
        leaves = [array.detach().clone().requires_grad_() for array in (x, k, m)]
        (forward(*leaves) * y).sum().backward()
        return [leaf.grad for leaf in leaves]

    def without_gradient(function, *inputs):
        with torch.no_grad():
            return to_ours(function(*inputs))

    return {
        "forward": lambda: without_gradient(forward, x, k, m),
        "adjoint": lambda: without_gradient(adjoint),
        "gradient": gradient,
    }


# Name -> (contender, required packages, most pixels x taps x kernels that it is timed with).
PEERS = {
    "torch convolution": (torch_convolution, ("torch",), 1e12),
    "torch transform": (torch_transform, ("torch", "scipy"), 1e12),
    "deepinv transform": (functools.partial(deepinv, use_fft=True), ("deepinv",), 1e12),
    "deepinv convolution": (functools.partial(deepinv, use_fft=False), ("deepinv",), 3e9),
    "jax grouped convolution": (jax_grouped_convolution, ("jax",), 2e8),
    "scipy loop": (scipy_loop, ("scipy",), 2e8),
}
