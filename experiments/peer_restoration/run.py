"""The same photo and the same known kernel, restored by other libraries and by ours.

    python -m experiments.peer_restoration.run --out experiments/peer_restoration/results.json

A photo of scikit-image is blurred by one camera-shake kernel, with noise, and rounded to 8 bits.
`scikit-image` is its Richardson-Lucy of 30 steps on each channel. `DeepInverse` is its DPIR of 8
steps, once with its own denoiser DRUNet and once with ours; it is skipped with a reason where the
package or the weights are missing (`--drunet FILE` names the weights). Seconds are the median of
`--repeats` runs, after one run that compiles.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from skimage import data
from skimage.restoration import richardson_lucy

from deblur_jax import load_denoiser, psnr, restore
from deblur_jax.blind.restoration import restore_uniform
from deblur_jax.ops.operators import UniformBlur
from deblur_jax.simulate.shake_kernels import Tremor, path_kernel, tremor_path
from experiments.shared import as_floats, crop, machine, middle, origin, run_command, write_record


STEPS = 30  # of Richardson-Lucy
BORDER = 16  # pixels at each edge that are not scored
NOISE = 0.004


class Problem(NamedTuple):
    """A sharp photo, the blurred one, `[h, w, 3]`, and the correlation kernel, `[s, s]`."""

    sharp: np.ndarray
    photo: np.ndarray
    kernel: np.ndarray


Restore = Callable[[], np.ndarray]


def main() -> None:
    """Restore the photo by each program, print the table and write the record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--size", type=int, nargs=2, default=(400, 480), help="height and width")
    parser.add_argument("--side", type=int, default=21, help="of the kernel, odd")
    parser.add_argument("--repeats", type=int, default=3, help="timed runs of each")
    parser.add_argument("--seed", type=int, default=9, help="of the kernel and the noise")
    parser.add_argument("--drunet", help="weights of DeepInverse's DRUNet (default: download)")
    parser.add_argument("--out", type=Path, required=True, help="the JSON file to write")
    arguments = parser.parse_args()
    height, width = arguments.size
    problem = make_problem((height, width), arguments.side, arguments.seed)
    rows: dict[str, Any] = {"blurred": {"psnr": score(problem.photo, problem.sharp)}}
    print(f"| | dB | seconds |\n|---|--:|--:|\n| blurred | {rows['blurred']['psnr']} | |")
    for name, make in programs(arguments.drunet).items():
        try:
            rows[name] = measured(make(problem), problem.sharp, arguments.repeats)
        except (ImportError, OSError, RuntimeError) as error:
            rows[name] = {"skipped": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(line(name, rows[name]), flush=True)
    record = {
        "command": "python -m experiments.peer_restoration.run",
        "photo": f"{width}x{height}, kernel of {arguments.side} pixels",
        "seed": arguments.seed,
        "repeats": arguments.repeats,
        "rows": rows,
        "processor": machine(),
        **origin(),
    }
    write_record(arguments.out, record)


def make_problem(size: tuple[int, int], side: int, seed: int) -> Problem:
    """Return the photo and its blur."""
    sharp = as_floats(middle(data.astronaut(), *size))
    drawing, noise = jax.random.split(jax.random.key(seed))
    kernel = path_kernel(tremor_path(drawing, side, Tremor().scaled(side / 33)), side, smooth=1.0)
    light = UniformBlur(kernel)(jnp.asarray(sharp))
    noisy = light + NOISE * jax.random.normal(noise, light.shape)
    photo = np.round(255 * np.clip(noisy, 0, 1)) / np.float32(255)
    return Problem(sharp, photo.astype(np.float32), np.asarray(kernel))


def programs(drunet: str | None) -> dict[str, Callable[[Problem], Restore]]:
    """Return the programs by name; each prepares a problem and returns what is timed."""
    return {
        "scikit-image, Richardson-Lucy": by_scikit_image,
        "DeepInverse, DPIR": lambda problem: by_deep_inverse(problem, drunet),
        "DeepInverse, DPIR with our denoiser": by_deep_inverse_with_ours,
        "deblur_jax, restore_uniform": by_restore_uniform,
        "deblur_jax, restore": by_restore,
    }


def by_scikit_image(problem: Problem) -> Restore:
    """Return Richardson-Lucy on each channel; scikit-image convolves, so the kernel is turned."""
    psf = problem.kernel[::-1, ::-1]

    def restored() -> np.ndarray:
        channels = [richardson_lucy(problem.photo[..., c], psf, num_iter=STEPS) for c in range(3)]
        return np.stack(channels, axis=-1)

    return restored


def by_deep_inverse(problem: Problem, weights: str | None) -> Restore:
    """Return DPIR with DeepInverse's DRUNet."""
    import deepinv  # pyright: ignore[reportMissingImports]  # not an extra of ours

    return _dpir(problem, deepinv.models.DRUNet(pretrained=weights or "download"))


def by_deep_inverse_with_ours(problem: Problem) -> Restore:
    """Return DPIR with the denoiser that ships with this package."""
    import deepinv  # pyright: ignore[reportMissingImports]
    import torch  # pyright: ignore[reportMissingImports]

    denoise = jax.jit(load_denoiser())

    class Shipped(deepinv.models.Denoiser):
        def forward(self, x: Any, sigma: Any, **options: Any) -> Any:
            del options
            level = jnp.float32(float(torch.as_tensor(sigma).max()))
            image = jnp.asarray(x[0].permute(1, 2, 0).numpy())
            return torch.tensor(np.asarray(denoise(image, level))).permute(2, 0, 1)[None]

    return _dpir(problem, Shipped())


def _dpir(problem: Problem, denoiser: Any) -> Restore:
    import deepinv  # pyright: ignore[reportMissingImports]
    import torch  # pyright: ignore[reportMissingImports]

    psf = torch.tensor(problem.kernel[::-1, ::-1].copy())[None, None]
    physics = deepinv.physics.Blur(psf, padding="reflect", use_fft=True)
    observed = torch.tensor(problem.photo).permute(2, 0, 1)[None]
    solver = deepinv.optim.DPIR(sigma=NOISE, denoiser=denoiser)

    def restored() -> np.ndarray:
        with torch.no_grad():
            return solver(observed, physics)[0].permute(1, 2, 0).numpy()

    return restored


def by_restore_uniform(problem: Problem) -> Restore:
    """Return our plug-and-play in closed form with the shipped denoiser, 8 steps."""
    denoise = load_denoiser()
    return lambda: restore_uniform(problem.photo, problem.kernel, denoise=denoise, kernel_error=0.0)


def by_restore(problem: Problem) -> Restore:
    """Return `restore` with the shipped denoiser, its default schedule."""
    denoise = load_denoiser()
    blur = UniformBlur(jnp.asarray(problem.kernel))
    return lambda: np.asarray(restore(blur, problem.photo, denoise=denoise)[0])


def measured(restored: Restore, sharp: np.ndarray, repeats: int) -> dict[str, float]:
    """Return the PSNR of a restoration and the median of the seconds it takes."""
    image, seconds = restored(), []
    for _ in range(repeats):
        start = time.perf_counter()
        restored()
        seconds.append(time.perf_counter() - start)
    return {"psnr": score(image, sharp), "seconds": round(statistics.median(seconds), 3)}


def score(image: np.ndarray, sharp: np.ndarray) -> float:
    """Return the PSNR without the border, rounded."""
    return round(float(psnr(crop(np.clip(image, 0, 1), BORDER), crop(sharp, BORDER))), 2)


def line(name: str, row: dict[str, Any]) -> str:
    """Return a line of the table."""
    if "skipped" in row:
        return f"| {name} | skipped: {row['skipped']} | |"
    return f"| {name} | {row['psnr']:.2f} | {row['seconds']:.2f} |"


if __name__ == "__main__":
    run_command(main)
