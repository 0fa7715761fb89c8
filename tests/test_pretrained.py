"""Shipped weights: they load as arguments of the solvers, and other files are refused."""

import subprocess

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from deblur_jax.data.photos import PhotoSource, embedded_photos
from deblur_jax.deblurring import deblur
from deblur_jax.io.weights import write_weights
from deblur_jax.metrics import psnr
from deblur_jax.models.denoiser import DenoiserNet
from deblur_jax.models.learned_plug_and_play import LearnedPlugAndPlayNet
from deblur_jax.ops.line_blur import line_blur
from deblur_jax.pretrained import (
    DEFAULT,
    RENAMED_WEIGHTS,
    WEIGHTS,
    load,
    load_denoiser,
    load_mixture,
    read_card,
    shipped,
)
from deblur_jax.simulate.training_sets import make_segment_blur


def test_a_denoiser_file_is_loaded_as_a_function_of_a_photo_and_sigma(tmp_path, key):
    model = DenoiserNet(widths=(4, 8), blocks=1, fold=2, residual=True)
    variables = jax.jit(model.init)(key, jnp.zeros((1, 8, 8, 3)))
    fields = {"name": "denoiser", "widths": [4, 8], "blocks": 1, "fold": 2, "residual": True}
    half = jax.tree.map(lambda x: np.asarray(x, np.float16), variables)
    write_weights(tmp_path / "net.safetensors", half, {"model": fields})
    denoise = load_denoiser(str(tmp_path / "net.safetensors"))
    image = jax.random.uniform(key, (7, 9, 3))
    restored = jax.jit(denoise)(image, jnp.asarray(0.1))
    assert restored.dtype == jnp.float32  # float16 is how the file keeps them, not how they act
    expected = model.apply(variables, image[None], 0.1)[0]
    np.testing.assert_allclose(restored, expected, atol=0.01)


def test_fields_of_former_model_cards_are_renamed(tmp_path):
    fields = {"name": "unrolled", "prior_widths": [4, 8], "denoisings": 2}
    write_weights(tmp_path / "net.safetensors", {"params": {"x": np.ones(1)}}, {"model": fields})
    network = load(str(tmp_path / "net.safetensors"))
    assert network.model == LearnedPlugAndPlayNet(prior_widths=(4, 8), denoising_steps=2)


def test_other_weights_are_no_denoiser_and_no_mixture():
    with pytest.raises(ValueError, match="holds a CameraMotionNet, expected a DenoiserNet"):
        load_denoiser(DEFAULT)
    with pytest.raises(ValueError, match="holds no patch mixture; expected the arrays"):
        load_mixture(DEFAULT)
    if "gmm" in shipped():
        with pytest.raises(
            ValueError, match="gmm: holds no network; load a mixture of Gaussians with"
        ):
            load("gmm")


@pytest.mark.skipif("gmm" not in shipped(), reason="no mixture ships with this version")
def test_the_shipped_mixture_is_one_of_eight_by_eight_patches():
    mixture = load_mixture()
    assert mixture.directions.shape == (200, 64, 63)
    assert jnp.sum(jnp.exp(mixture.log_weights)) == pytest.approx(1, abs=1e-4)
    assert jnp.all(mixture.eigenvalues > 0)
    products = jnp.einsum("mdr,mds->mrs", mixture.directions, mixture.directions)
    np.testing.assert_allclose(products, jnp.broadcast_to(jnp.eye(63), (200, 63, 63)), atol=1e-3)
    assert jnp.max(jnp.abs(jnp.sum(mixture.directions, axis=1))) < 1e-3


@pytest.mark.parametrize("name", shipped())
def test_each_model_card_states_the_command_the_data_and_the_score(name):
    card = read_card(name)
    assert card["licence"].startswith("Apache-2.0")
    assert card["data"]
    assert card.get("step") or card["steps"]
    assert card.get("metrics") or card["held_out_log_density"]
    assert card["seed" if "seed" in card else "config"] is not None
    git = ["git", "-C", str(WEIGHTS)]
    shallow = [*git, "rev-parse", "--is-shallow-repository"]
    asked = subprocess.run(shallow, capture_output=True, text=True, check=False)
    if asked.stdout.strip() == "false":  # a clone with its history: the revision is in it
        ancestor = [*git, "merge-base", "--is-ancestor", card["revision"], "HEAD"]
        assert subprocess.run(ancestor, check=False).returncode == 0


@pytest.mark.skipif("denoiser" not in shipped(), reason="no denoiser ships with this version")
def test_the_shipped_denoiser_takes_most_of_the_noise_off_a_photo(key):
    photo = PhotoSource(embedded_photos("test")[:1], smallest=64, in_memory=True)[0]["sharp"]
    sharp = jnp.asarray(photo[100:164, 100:164], jnp.float32) / 255
    noisy = sharp + 0.1 * jax.random.normal(key, sharp.shape)
    restored = jax.jit(load_denoiser())(noisy, jnp.asarray(0.1))
    assert psnr(restored, sharp) > psnr(noisy, sharp) + 7


@pytest.mark.skipif("learned-plug-and-play" not in shipped(), reason="no net that restores ships")
@pytest.mark.slow  # to compile
def test_the_shipped_net_that_restores_takes_a_motion_out_of_a_photo():
    photo = PhotoSource(embedded_photos("test")[:1], smallest=64, in_memory=True)[0]["sharp"]
    sharp = jnp.asarray(photo[100:260, 100:292], jnp.float32) / 255
    flow = jnp.broadcast_to(jnp.asarray([9.0, 4.0]), (160, 192, 2))
    blurry = jnp.round(255 * jax.jit(line_blur)(sharp, flow)) / 255
    inside = (slice(12, -12), slice(12, -12))
    result = deblur(np.asarray(blurry), "learned-plug-and-play")
    gain = psnr(result.image[inside], sharp[inside]) - psnr(blurry[inside], sharp[inside])
    assert gain > 2


@pytest.mark.skipif(
    "kernel-basis" not in shipped(), reason="no network that estimates kernels is shipped"
)
@pytest.mark.slow  # to compile
def test_the_shipped_kernel_network_explains_and_reduces_a_shake():
    photo = PhotoSource(embedded_photos("test")[:1], smallest=64, in_memory=True)[0]["sharp"]
    network = load("kernel-basis")
    simulate = jax.jit(make_segment_blur(**network.card["config"]["simulate"]))
    whole = {"sharp": jnp.asarray(photo[:240, :240], jnp.float32) / 255}
    inside = (slice(8, -8), slice(8, -8))
    gains, explained = [], []
    for number in range(4):
        shaken = simulate(jax.random.fold_in(jax.random.key(0), number), whole)
        sharp, blurry = shaken["sharp"], jnp.clip(shaken["blurry"], 0, 1)
        result = deblur(np.asarray(blurry), network)
        gains.append(psnr(result.image, sharp) - psnr(blurry, sharp))
        again = jnp.asarray(result.blur(sharp))
        explained.append(psnr(again[inside], blurry[inside]) - psnr(sharp[inside], blurry[inside]))
    assert np.mean(gains) > 0.3
    assert np.mean(explained) > 3


@pytest.mark.parametrize(("former", "now"), sorted(RENAMED_WEIGHTS.items()))
def test_old_names_of_weights_load_with_a_notice(former, now):
    with pytest.warns(FutureWarning, match=f"'{former}' are now called '{now}'"):
        assert read_card(former) == read_card(now)
    assert former not in shipped()
