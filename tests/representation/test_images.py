"""Rendered scenes: known factors, views that share what they should, and edges where geometry puts them."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from mibounds.errors import DataError, ParameterError, UnknownNameError
from mibounds.representation import sources
from mibounds.representation.sources._scenes import SHAPES, Strengths, draw_style, hues, render
from mibounds.representation.sources.images import Images

CONTENT = ("shape", "position", "colour", "scale")
PLAIN = {"turn": 0.0, "light": 0.0, "texture": 0.0, "noise": 0.0}


def test_images_are_found_by_name():
    assert sources.load("images") is Images


@pytest.mark.parametrize("shared", [None, ("shape",), ("position", "scale"), ()])
def test_mutual_information_is_the_entropy_of_the_shared_factors(shared):
    images = Images(shapes=5, grid=3, colours=4, scales=2, shared=shared)
    cardinality = {"shape": 5, "position": 9, "colour": 4, "scale": 2}
    carried = CONTENT if shared is None else shared
    assert images.mutual_information == pytest.approx(math.log(math.prod(cardinality[s] for s in carried)))
    assert {name: f.n_classes for name, f in images.factors.items() if name in CONTENT} == cardinality
    assert {name for name, f in images.factors.items() if f.shared} - {"label"} == set(carried)
    assert images.factors["label"].shared == ("shape" in carried)


def test_content_is_uniform_and_factors_are_independent():
    factors = Images.example().examples(20_000, 0).factors
    joint = torch.zeros(3, 1, 3, 2)
    joint.index_put_([factors[name] for name in CONTENT], torch.ones(20_000), accumulate=True)
    chi_squared = ((joint - 20_000 / 18) ** 2 / (20_000 / 18)).sum().item()
    assert chi_squared < 45, "17 degrees of freedom"


def plain_factor(view: torch.Tensor, images: Images, candidates: torch.Tensor) -> torch.Tensor:
    return torch.cdist(view.flatten(1), candidates.flatten(1)).argmin(1)


def all_contents(images: Images) -> dict[str, torch.Tensor]:
    ranges = [range(images.content[name]) for name in CONTENT]
    return dict(zip(CONTENT, torch.tensor(list(itertools.product(*ranges))).T, strict=True))


def test_views_share_the_shared_factors_and_draw_the_others_apart():
    images = Images(size=24, shapes=4, colours=4, shared=("shape", "colour"), **PLAIN)
    contents = all_contents(images)
    n = len(contents["shape"])
    candidates = images._view(contents, torch.zeros(n, 9), torch.Generator())
    pairs = images.pairs(400, seed=0)
    read_a, read_b = (plain_factor(view, images, candidates) for view in (pairs.view_a, pairs.view_b))
    for name in CONTENT:
        assert torch.equal(contents[name][read_a], pairs.factors[name])
        agreement = (contents[name][read_a] == contents[name][read_b]).float().mean().item()
        expected = 1.0 if name in images.shared else 1 / images.content[name]
        assert agreement == pytest.approx(expected, abs=0.1), name


def test_every_content_gives_an_image_of_its_own():
    images = Images(**PLAIN)
    contents = all_contents(images)
    n = len(contents["shape"])
    drawn = images._view(contents, torch.zeros(n, 9), torch.Generator()).flatten(1)
    apart = torch.cdist(drawn, drawn) + 100 * torch.eye(n)
    assert n == 6 * 4 * 6 * 2 and apart.min() > 1.0


def test_style_is_drawn_anew_for_each_view():
    images = Images(noise=0.0)
    pairs = images.pairs(200, seed=0)
    style_a = pairs.factors["style"]
    again = images._view(pairs.factors, style_a, torch.Generator().manual_seed(1))
    torch.testing.assert_close(again, pairs.view_a)
    assert ((pairs.view_a - pairs.view_b).flatten(1).abs().amax(1) > 0.02).all()


def test_scenes_lie_in_the_unit_interval_at_the_strongest_style():
    images = Images(turn=180.0, light=1.0, texture=1.0, noise=0.0)
    x = images.examples(2000, 0).x
    assert x.min() >= 0 and x.max() <= 1 and x.shape == (2000, 3, 32, 32) and x.dtype == torch.float32


def test_noise_has_its_standard_deviation():
    assert (
        Images(noise=0.2).examples(50, 0).x - Images(noise=0.0).examples(50, 0).x
    ).std().item() == pytest.approx(0.2, rel=0.02)


def inside(shape: str, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Whether a point lies in a shape, from its corners or its radii."""
    if shape in ("disc", "ring"):
        inner, outer = (0.0, 0.8) if shape == "disc" else (0.55, 0.95)
        return (torch.hypot(x, y) <= outer) & (torch.hypot(x, y) >= inner)
    if shape == "cross":
        upright, lying = ((x.abs() <= a) & (y.abs() <= b) for a, b in ((0.3, 0.95), (0.95, 0.3)))
        return upright | lying
    if shape == "triangle":
        corners = [(math.cos(a), math.sin(a)) for a in (math.radians(d) for d in (30, 150, 270))]
        sides = [
            (bx - ax) * (y - ay) - (by - ay) * (x - ax) >= 0
            for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True)
        ]
        return sides[0] & sides[1] & sides[2]
    half_width, half_height = (0.7, 0.7) if shape == "square" else (0.95, 0.3)
    return (x.abs() <= half_width) & (y.abs() <= half_height)


@pytest.mark.parametrize("shape", SHAPES)
def test_edges_agree_with_a_scene_of_many_points_a_pixel(shape):
    size, fine, degrees = 32, 16, 25.0
    radius, centre, angle = 0.6, (0.2, -0.1), math.radians(degrees)
    style = torch.zeros(1, 9)
    style[0, 0] = degrees / 180
    white, ground = torch.ones(1, 3), 0.4
    image = render(
        torch.tensor([SHAPES.index(shape)]),
        torch.tensor([centre]),
        torch.tensor([radius]),
        white,
        style,
        Strengths(turn=180.0, light=0.0, texture=0.0, noise=0.0),
        size,
    )
    covered = (image[0, 0] - ground) / (1 - ground)
    axis = (torch.arange(size * fine) + 0.5) * (2 / (size * fine)) - 1
    x, y = (axis - centre[0]).expand(len(axis), -1) / radius, (axis - centre[1]).unsqueeze(1) / radius
    x, y = math.cos(angle) * x + math.sin(angle) * y, math.cos(angle) * y - math.sin(angle) * x
    exact = inside(shape, x, y).float().unflatten(0, (size, fine)).unflatten(2, (size, fine)).mean((1, 3))
    assert (covered - exact).abs().max() < 0.4, "a corner's pixel"
    assert (covered - exact).abs().mean() < 0.005
    assert covered.sum().item() == pytest.approx(exact.sum().item(), rel=0.02)


def test_shapes_stay_in_their_cells_however_they_are_turned():
    images = Images(grid=2, scales=1, light=0.0, texture=0.0, noise=0.0)
    e = images.examples(300, 0)
    drawn = ((e.x - 0.4).abs().amax(1) > 0.05).unflatten(1, (2, 16)).unflatten(3, (2, 16)).any(4).any(2)
    assert torch.equal(drawn.flatten(1).float().argmax(1), e.factors["position"])
    assert (drawn.flatten(1).sum(1) == 1).all()


def test_hues_are_apart_and_start_with_red():
    colours = hues(torch.arange(12), 12)
    assert torch.cdist(colours, colours).add(torch.eye(12)).min() > 0.4
    torch.testing.assert_close(colours[0], torch.tensor([1.0, 0.15, 0.15]))


def test_a_training_block_repeats_and_blocks_differ():
    images = Images.example()
    one, again, other = (images.training_block(b, 8, seed=3) for b in (5, 5, 6))
    assert torch.equal(one.view_a, again.view_a) and torch.equal(one.view_b, again.view_b)
    assert not torch.equal(one.view_a, other.view_a)


def test_strengths_of_style_leave_the_content_as_it_is():
    weak, strong = (Images(texture=t, noise=s).pairs(50, 0).factors for t, s in ((0.0, 0.0), (1.0, 0.3)))
    assert all(torch.equal(weak[name], strong[name]) for name in weak)


def test_the_label_is_a_copy_of_the_factor_it_names():
    pairs = Images(label="colour").pairs(20, 0)
    assert torch.equal(pairs.factors["label"], pairs.factors["colour"])
    assert draw_style(1000, torch.Generator().manual_seed(0)).abs().max() <= 1


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"shapes": 7}, ParameterError, r"shapes must lie in 1\.\.6; got 7"),
        ({"grid": 0}, ParameterError, r"grid must lie in 1\.\.8"),
        ({"size": 7}, ParameterError, "at least 4 pixels a cell, 8; got 7"),
        ({"light": 1.5}, ParameterError, r"light must lie in \[0, 1\]"),
        ({"noise": -0.1}, ParameterError, "noise must lie in"),
        ({"shared": ("shapes",)}, UnknownNameError, "did you mean 'shape'"),
        ({"label": "hue"}, UnknownNameError, "unknown factor 'hue'"),
    ],
)
def test_options_out_of_range_are_refused(options, error, match):
    with pytest.raises(error, match=match):
        Images(**options)


def test_an_endless_source_has_no_all():
    with pytest.raises(DataError, match="images is endless"):
        Images().examples(None, 0)
