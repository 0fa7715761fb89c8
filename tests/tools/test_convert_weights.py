"""Published networks, built in PyTorch with random weights, give the same outputs here."""

import importlib.util
import itertools
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from deblur_jax.models.ffdnet import FfdNet
from deblur_jax.models.registry import make_model
from deblur_jax.pretrained import load, load_denoiser


TOOL = Path(__file__).parents[2] / "tools" / "convert_weights.py"
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("convert_weights", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def drunet(torch, widths, blocks, channels):
    """The layers of DRUNet under the names of the published file."""
    nn = torch.nn

    def conv(inputs, outputs):
        return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)

    class Block(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.res = nn.Sequential(conv(width, width), nn.ReLU(), conv(width, width))

        def forward(self, x):
            return x + self.res(x)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.m_head = conv(channels + 1, widths[0])
            for level, (fine, coarse) in enumerate(itertools.pairwise(widths), 1):
                down = nn.Conv2d(fine, coarse, 2, stride=2, bias=False)
                up = nn.ConvTranspose2d(coarse, fine, 2, stride=2, bias=False)
                same = [Block(fine) for _ in range(2 * blocks)]
                setattr(self, f"m_down{level}", nn.Sequential(*same[:blocks], down))
                setattr(self, f"m_up{level}", nn.Sequential(up, *same[blocks:]))
            self.m_body = nn.Sequential(*[Block(widths[-1]) for _ in range(blocks)])
            self.m_tail = conv(widths[0], channels)

        def forward(self, photos, sigma):
            maps = [self.m_head(torch.cat([photos, sigma.expand_as(photos[:, :1])], 1))]
            levels = range(1, len(widths))
            for level in levels:
                maps.append(getattr(self, f"m_down{level}")(maps[-1]))
            x = self.m_body(maps[-1])
            for level in reversed(levels):
                x = getattr(self, f"m_up{level}")(x + maps[level])
            return self.m_tail(x + maps[0])

    return Net()


def ffdnet(torch, width, depth, channels):
    """The layers of FFDNet under the names of the published file."""
    nn = torch.nn
    sizes = [4 * channels + 1, *[width] * (depth - 1), 4 * channels]
    layers = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = nn.Sequential(*layers[:-1])

        def forward(self, photos, sigma):
            height, width = photos.shape[2:]
            padded = nn.functional.pad(photos, (0, width % 2, 0, height % 2), mode="replicate")
            x = nn.functional.pixel_unshuffle(padded, 2)
            x = self.model(torch.cat([x, sigma.expand_as(x[:, :1])], 1))
            return nn.functional.pixel_shuffle(x, 2)[..., :height, :width]

    return Net()


def two_heads(torch, width, basis, side, version):
    """The layers of the two-headed network under the names of the published files."""
    nn = torch.nn
    functional = nn.functional

    def conv(inputs, outputs, size=3, padding=1):
        return nn.Conv2d(inputs, outputs, size, padding=padding)

    def pair(inputs, outputs):
        return [conv(inputs, outputs), nn.LeakyReLU(), conv(outputs, outputs), nn.LeakyReLU()]

    class Down(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.double_conv = nn.Sequential(*pair(inputs, outputs))

        def forward(self, x):
            return self.double_conv(x)

    class Up(nn.Module):
        def __init__(self, inputs, skip, outputs):
            super().__init__()
            self.up = nn.ConvTranspose2d(inputs, inputs, 2, stride=2)
            self.double_conv = nn.Sequential(*pair(inputs, outputs))
            self.feat = nn.Sequential(conv(skip + outputs, outputs), nn.LeakyReLU())

        def forward(self, x, skip=None):
            x = self.double_conv(self.up(x))
            if skip is not None:  # cropped at the end, as by the version of PyTorch that they used
                x = torch.cat([skip, x[..., : skip.shape[2], : skip.shape[3]]], 1)
            return self.feat(x)

    def tiled_mean(x, places):
        return x.mean((2, 3), keepdim=True).repeat(1, 1, places, places)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.inc_rgb = nn.Sequential(conv(3, width), nn.LeakyReLU())
            self.inc_gray = nn.Sequential(conv(1, width), nn.LeakyReLU())
            factors = (1, 1, 2, 4, 8, 16)
            for index, (inputs, outputs) in enumerate(itertools.pairwise(factors)):
                setattr(self, f"down{index + 1}", Down(inputs * width, outputs * width))
            self.feat = nn.Sequential(conv(16 * width, 16 * width), nn.LeakyReLU())
            ups = ((16, 16, 8), (8, 8, 4), (4, 4, 2), (2, 2, 1), (1, 1, 1))
            for index, factors in enumerate(ups):
                setattr(self, f"up{index + 1}", Up(*(factor * width for factor in factors)))
            self.masks_end = nn.Sequential(*pair(width, width), conv(width, basis))
            kernel_ups = [(16, 16, 8), (8, 8, 4), (4, 4, 4), (4, 2, 2)]
            if version == "grid":
                kernel_ups += [(2, 1, 1)] + [(1, 0, 1)] * (side > 33)
            self.places = [1, 2, 4, 8] if version == "dense" else [2, 4, 8, 16, 32]
            for index, factors in enumerate(kernel_ups):
                setattr(self, f"kernel_up{index + 1}", Up(*(factor * width for factor in factors)))
            if version == "grid":
                first, last = conv(width, width, 2), conv(width, basis)
                middle = [nn.LeakyReLU(), conv(width, width), nn.LeakyReLU()]
                self.kernels_end = nn.Sequential(first, *middle, last)
            else:
                last = conv(2 * width, basis * side**2, 8, padding=0)
                self.kernels_end = nn.Sequential(*pair(2 * width, 2 * width), last)

        def forward(self, x):
            x, maps = self.inc_rgb(x), []
            for index in range(5):
                maps.append(getattr(self, f"down{index + 1}")(x))
                x = functional.max_pool2d(maps[-1], 2)
            x = self.feat(x)
            k, mixing = x.mean((2, 3), keepdim=True), x
            for index, places in enumerate(self.places):
                skip = tiled_mean(maps[-1 - index], places)
                k = getattr(self, f"kernel_up{index + 1}")(k, skip)
            k = self.kernel_up6(k) if hasattr(self, "kernel_up6") else k
            k = self.kernels_end(k).reshape(len(k), basis, side**2).softmax(2)
            for index in range(5):
                mixing = getattr(self, f"up{index + 1}")(mixing, maps[-1 - index])
            return k.reshape(len(k), basis, side, side), self.masks_end(mixing).softmax(1)

    return Net()


def randomised(torch, net, gain=1.0):
    """Sets random weights; with a gain of 2 ReLUs keep the scale of their input."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 100
            parameter.normal_(std=(gain / fan_in) ** 0.5)
    return net.eval()


def state_of(net):
    return {name: tensor.numpy() for name, tensor in net.state_dict().items()}


def photos_of(shape, channels):
    return np.random.default_rng(1).random((*shape, channels), dtype=np.float32)


def channels_first(torch, photos):
    return torch.tensor(photos.transpose(0, 3, 1, 2).copy())


def compare_denoiser(torch, tool, net, photos, sigma):
    fields, params = tool.convert(state_of(net))
    model = make_model(**fields)
    found = model.apply({"params": params}, photos, jnp.float32(sigma))
    with torch.no_grad():
        noise_level = torch.full((1, 1, 1, 1), sigma)
        expected = net(channels_first(torch, photos), noise_level).numpy()
    assert np.std(expected) > 0.1
    np.testing.assert_allclose(found, expected.transpose(0, 2, 3, 1), **CLOSE)
    return model


@pytest.mark.parametrize("channels", [1, 3])
def test_drunet_gives_the_same_output(torch, tool, channels):
    net = randomised(torch, drunet(torch, (4, 6, 8, 10), 2, channels))
    model = compare_denoiser(torch, tool, net, photos_of((2, 16, 24), channels), 0.1)
    assert (model.widths, model.blocks, model.channels) == ((4, 6, 8, 10), 2, channels)


@pytest.mark.parametrize("channels", [1, 3])
def test_ffdnet_gives_the_same_output_also_for_odd_sides(torch, tool, channels):
    net = randomised(torch, ffdnet(torch, 8, 5, channels))
    model = compare_denoiser(torch, tool, net, photos_of((2, 15, 21), channels), 0.1)
    assert model == FfdNet(width=8, depth=5, channels=channels)


@pytest.mark.parametrize(("version", "side"), [("grid", 33), ("grid", 65), ("dense", 7)])
def test_the_two_headed_network_gives_the_same_kernels_and_mixing(torch, tool, version, side):
    net = randomised(torch, two_heads(torch, 4, 3, side, version), gain=2.0)
    fields, params = tool.convert(state_of(net))
    assert (fields["head"], fields["side"], fields["basis"]) == (version, side, 3)
    photos = photos_of((1, 64, 96), 3)
    model = make_model(**fields)
    field, _ = model.apply({"params": params}, photos, mutable=True)
    light = photos if version == "dense" else photos**2.2
    with torch.no_grad():
        kernels, mixing = net(channels_first(torch, light - 0.5))
    assert kernels.std() * side**2 > 0.03  # taps have a mean of 1 / side^2
    np.testing.assert_allclose(field.kernels * side**2, kernels.numpy() * side**2, **CLOSE)
    np.testing.assert_allclose(field.mixing, mixing.numpy().transpose(0, 2, 3, 1), **CLOSE)


def test_the_full_networks_have_the_published_sizes(tool):
    def parameters(**fields):
        model = make_model(**fields)
        photo = jax.ShapeDtypeStruct((1, 32, 32, fields.get("channels", 3)), jnp.float32)
        params = jax.eval_shape(model.init, jax.random.key(0), photo)["params"]
        return sum(leaf.size for leaf in jax.tree.leaves(params))

    assert parameters(name="denoiser") == 32_640_960
    assert parameters(name="denoiser", channels=1) == 32_638_656
    assert parameters(name="ffdnet") == 852_108
    assert parameters(name="ffdnet", width=64, depth=15, channels=1) == 485_316


def test_a_pytorch_file_becomes_a_denoiser(torch, tmp_path):
    net = randomised(torch, ffdnet(torch, 4, 3, 3))
    torch.save({"state_dict": {f"module.{k}": v for k, v in net.state_dict().items()}},
               tmp_path / "net.pth")  # fmt: skip
    output = tmp_path / "net.safetensors"
    command = [sys.executable, str(TOOL), str(tmp_path / "net.pth"), str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{output}: {{'name': 'ffdnet', 'width': 4")
    photo = photos_of((9, 12), 3)
    with torch.no_grad():
        sigma = torch.full((1, 1, 1, 1), 0.2)
        expected = net(channels_first(torch, photo[None]), sigma).numpy()[0].transpose(1, 2, 0)
    denoise = load_denoiser(str(output))
    np.testing.assert_allclose(denoise(jnp.asarray(photo), jnp.float32(0.2)), expected, **CLOSE)
    grey = denoise(jnp.asarray(photo[..., :1]), jnp.float32(0.2))
    assert grey.shape == (9, 12, 1)
    assert load(str(output)).card["source"] == "net.pth"


@pytest.fixture
def state():
    """A tiny FFDNet without PyTorch."""
    rng = np.random.default_rng(0)
    sizes = [13, 4, 4, 12]
    state = {}
    for index, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        state[f"model.{2 * index}.weight"] = rng.normal(size=(outputs, inputs, 3, 3))
        state[f"model.{2 * index}.bias"] = rng.normal(size=outputs)
    return {name: array.astype(np.float32) for name, array in state.items()}


def test_a_safetensors_file_is_converted(tool, state, tmp_path, monkeypatch, capsys):
    save_file(state, tmp_path / "state.safetensors")
    output = tmp_path / "net.safetensors"
    monkeypatch.setattr("sys.argv", ["tool", str(tmp_path / "state.safetensors"), str(output)])
    tool.main()
    assert "'depth': 3" in capsys.readouterr().out
    assert load(str(output)).model == FfdNet(width=4, depth=3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model.2.weight": None}, "the state dict has no model.2.weight"),
        ({"model.2.bias": None}, "the state dict has no model.2.bias"),
        ({"model.2.weight": np.zeros(4)}, r"model.2.weight must have 4 axes, got \[4\]"),
        ({"model.0.weight": None}, "unknown network; expected an array named inc_rgb.0.weight"),
        ({"other": np.zeros(1)}, r"arrays of another network: \['other'\]"),
    ],
)
def test_a_state_dict_of_another_network_is_refused(tool, state, change, message):
    changed = {name: array for name, array in {**state, **change}.items() if array is not None}
    with pytest.raises(ValueError, match=message):
        tool.convert(changed)


@pytest.mark.parametrize("name", ["nowhere.pth", "damaged.safetensors", "out.pth"])
def test_a_bad_file_ends_in_one_line_and_no_file(tool, state, tmp_path, monkeypatch, name):
    (tmp_path / "damaged.safetensors").write_bytes(b"damaged")
    save_file(state, tmp_path / "good.safetensors")
    source, output = tmp_path / name, tmp_path / "new.safetensors"
    if name == "out.pth":
        source, output = tmp_path / "good.safetensors", tmp_path / "out.pth"
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr("sys.argv", ["tool", str(source), str(output)])
    with pytest.raises(SystemExit) as caught:
        tool.main()
    assert str(caught.value).startswith("error: ")
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before
