"""Views: random from their generator alone, each row by numbers of its own, and what their strengths say."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import ndimage

from mibounds.errors import ParameterError
from mibounds.representation import views
from mibounds.representation.views.augment import Augment
from mibounds.representation.views.noise import Noise
from mibounds.representation.views.shift import Shift

VIEWS = views.names()
STRENGTHS = {
    "augment": {"crop": 0.3, "colour": 1.0, "blur": 0.5},
    "identity": {},
    "noise": {"std": 0.3},
    "shift": {"pixels": 2.0, "degrees": 40.0},
}
NOTHING = {
    "augment": {"crop": 1.0, "flip": 0.0, "colour": 0.0, "grayscale": 0.0},
    "identity": {},
    "noise": {"std": 0.0},
    "shift": {"pixels": 0.0, "degrees": 0.0, "zoom": 0.0, "noise": 0.0},
}


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(n: int = 6, channels: int = 3, height: int = 12, width: int = 12) -> torch.Tensor:
    return torch.rand(n, channels, height, width, generator=source(9))


def test_every_view_of_the_package_is_covered():
    assert set(STRENGTHS) == set(NOTHING) == set(VIEWS)


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_is_a_function_of_its_input_and_generator(name):
    view, x = views.make(name, **STRENGTHS[name]), images()
    kept = x.clone()
    out = view(x, source(1))
    assert out.shape == x.shape and out.dtype == x.dtype and out.isfinite().all()
    assert torch.equal(x, kept), "a view must not change its input"
    assert torch.equal(out, view(x, source(1)))
    if name != "identity":
        assert not torch.equal(out, view(x, source(2)))
        assert not torch.equal(*view(x[:1].expand(2, -1, -1, -1), source(1))), "rows draw apart"


@pytest.mark.parametrize("name", VIEWS)
def test_a_row_does_not_depend_on_the_others(name):
    view, x = views.make(name, **STRENGTHS[name]), images()
    other = torch.cat([x[:2], 1 - x[2:]])
    torch.testing.assert_close(view(x, source())[:2], view(other, source())[:2])


@pytest.mark.parametrize("name", VIEWS)
def test_no_strength_is_no_change(name):
    torch.testing.assert_close(views.make(name, **NOTHING[name])(images(), source()), images())


@pytest.mark.parametrize("name", VIEWS)
def test_strengths_do_not_change_which_numbers_are_drawn(name):
    strong, weak = source(), source()
    views.make(name, **STRENGTHS[name])(images(), strong)
    views.make(name, **NOTHING[name])(images(), weak)
    assert torch.equal(strong.get_state(), weak.get_state())


@pytest.mark.parametrize("name", [name for name in VIEWS if not views.load(name).images])
def test_what_is_not_for_images_alone_takes_vectors(name):
    assert views.load(name).example()(torch.ones(4, 3), source()).shape == (4, 3)


def test_noise_scales_by_its_strength():
    x = images(200)
    small, large = Noise(0.1)(x, source()) - x, Noise(0.2)(x, source()) - x
    torch.testing.assert_close(large, 2 * small, rtol=0, atol=1e-6)
    assert small.std().item() == pytest.approx(0.1, rel=0.01)


@pytest.mark.parametrize(
    "strengths", [{"pixels": 1.5}, {"degrees": 90.0}, {"zoom": 0.5}, STRENGTHS["shift"] | {"zoom": 0.3}]
)
def test_shift_agrees_with_a_slow_warp_in_pixels(strengths):
    view = Shift(**({"pixels": 0.0, "degrees": 0.0, "zoom": 0.0, "noise": 0.0} | strengths))
    x = images(5, 1, 8, 13).double()
    out = view(x, source(3))
    turn, zoom, across, down = 2 * torch.rand(4, 5, generator=source(3), dtype=torch.float64) - 1
    for i in range(5):
        angle, scale = math.radians(view.degrees) * turn[i].item(), math.exp(-view.zoom * zoom[i].item())
        cos, sin = scale * math.cos(angle), scale * math.sin(angle)
        matrix = [[cos, sin], [-sin, cos]]  # of (row, column) about the centre
        centre = torch.tensor([3.5, 6.0], dtype=torch.float64)
        moved = view.pixels * torch.tensor([down[i], across[i]], dtype=torch.float64)
        offset = centre + moved - torch.tensor(matrix, dtype=torch.float64) @ centre
        expected = ndimage.affine_transform(
            x[i, 0].numpy(), matrix, offset.numpy(), order=1, mode="grid-constant"
        )
        torch.testing.assert_close(out[i, 0], torch.from_numpy(expected))


def ramps(n: int, size: int = 64) -> torch.Tensor:
    """Each pixel says where it is: x in channel 0, y in channel 1, from 0 to 1."""
    axis = (torch.arange(size) + 0.5) / size
    return torch.stack(
        [axis.expand(size, size), axis.unsqueeze(1).expand(size, size), torch.zeros(size, size)]
    ).repeat(n, 1, 1, 1)


def test_crops_lie_within_the_image_and_keep_their_share_of_the_area():
    n, size = 3000, 64
    view = Augment(crop=0.25, flip=0.3, colour=0.0, grayscale=0.0)
    out = view(ramps(n, size), source())
    edge = size / (size - 1)  # from the outermost pixels' centres to the crop's edges
    width = (out[:, 0, 0, -1] - out[:, 0, 0, 0]) * edge
    height = (out[:, 1, -1, 0] - out[:, 1, 0, 0]) * edge
    area = width.abs() * height
    assert (area > 0.24).all() and (area < 1.01).all() and (height > 0).all()
    assert area.mean().item() == pytest.approx(0.625, abs=0.02), "uniform between its ends"
    aspect = (width.abs() / height).log()
    assert (aspect.abs() <= math.log(4 / 3) + 0.02).all() and aspect.mean().abs() < 0.02
    assert (width < 0).float().mean().item() == pytest.approx(0.3, abs=0.04)


def test_colours_stay_colours_and_change_as_often_as_asked():
    x = images(1000, 3, 4, 4)
    only = {"crop": 1.0, "flip": 0.0, "grayscale": 0.0}
    out = Augment(**only, colour=1.0, jitter=0.6)(x, source())
    assert out.min() >= 0 and out.max() <= 1
    changed = ((out - x).abs().amax((1, 2, 3)) > 1e-3).float().mean().item()
    assert changed == pytest.approx(0.6, abs=0.06)


def test_grayscale_leaves_no_colour():
    out = Augment(crop=1.0, flip=0.0, colour=0.0, grayscale=0.4)(images(1000, 3, 4, 4), source())
    gray = (out.amax(1) - out.amin(1)).amax((1, 2)) < 1e-6
    assert gray.float().mean().item() == pytest.approx(0.4, abs=0.06)


def test_blur_smooths_and_keeps_the_mean():
    x = images(50, 3, 32, 32)
    out = Augment(crop=1.0, flip=0.0, colour=0.0, grayscale=0.0, blur=1.0)(x, source())
    kept = out.var((1, 2, 3)) / x.var((1, 2, 3))
    assert (kept < 1.001).all() and kept.median() < 0.5
    torch.testing.assert_close(out.mean((1, 2, 3)), x.mean((1, 2, 3)), rtol=0, atol=0.02)


def test_images_of_one_channel_can_be_augmented():
    x = images(4, 1, 8, 8)
    assert Augment(blur=1.0)(x, source()).shape == x.shape


@pytest.mark.parametrize(
    ("name", "strengths", "match"),
    [
        ("noise", {"std": -0.1}, "std must be at least 0; got -0.1"),
        ("shift", {"pixels": -1.0}, "pixels must be at least 0"),
        ("shift", {"degrees": 200.0}, r"degrees must be in \[0, 180\]"),
        ("augment", {"crop": 0.0}, r"crop must be in \[0.01, 1\]"),
        ("augment", {"flip": 1.5}, r"flip must be in \[0, 1\]"),
        ("augment", {"colour": 2.0}, r"colour must be in \[0, 1.25\]"),
        ("augment", {"hue": 2.0}, "strengths do not fit the view augment"),
    ],
)
def test_strengths_out_of_range_are_refused(name, strengths, match):
    with pytest.raises(ParameterError, match=match):
        views.make(name, **strengths)
