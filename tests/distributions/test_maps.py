"""What every map owes: an exact inverse, its width, and rows that do not mix; then what each is."""

from __future__ import annotations

import math
import sys

import pytest
import torch
from scipy import stats

from mibounds import registry
from mibounds.distributions import maps
from mibounds.distributions.maps.arcsinh import Arcsinh
from mibounds.distributions.maps.bimodal import Bimodal
from mibounds.distributions.maps.cubic import Cubic
from mibounds.distributions.maps.half_cube import HalfCube
from mibounds.distributions.maps.lift import Lift
from mibounds.distributions.maps.normal_cdf import NormalCDF
from mibounds.distributions.maps.random_network import RandomNetwork
from mibounds.distributions.maps.spiral import Spiral
from mibounds.distributions.maps.swiss_roll import SwissRoll
from mibounds.distributions.maps.wiggly import Wiggly
from mibounds.errors import DataError, ParameterError, ShapeError, UnknownNameError
from mibounds.seeding import generator


def points(map_: maps.Map, n: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """`n` points of the map's domain, in a number of dimensions that it takes."""
    dim = getattr(map_, "dim", 1 if map_.domain == "unit" else 3)
    draw = torch.rand if map_.domain == "unit" else torch.randn
    return draw(n, dim, generator=generator(0), dtype=dtype)


@pytest.fixture(params=maps.names())
def map_(request):
    return maps.load(request.param).example()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-3)])
def test_the_inverse_undoes_the_map(map_, dtype, tolerance):
    x = points(map_, 5000, dtype)
    image = map_.forward(x)
    assert image.dtype == dtype and image.shape == (5000, map_.width(x.shape[1]))
    back = map_.inverse(image)
    assert back.dtype == dtype
    torch.testing.assert_close(back, x, atol=tolerance, rtol=tolerance)
    torch.testing.assert_close(map_.forward(back), image, atol=tolerance, rtol=tolerance)


def test_the_map_changes_something(map_):
    x = points(map_, 50)
    image = map_.forward(x)
    assert image.shape != x.shape or not torch.allclose(image, x, atol=0.1)


def test_each_point_is_mapped_by_itself_in_any_stack(map_):
    x = points(map_, 12)
    image = map_.forward(x)
    stack = map_.forward(x.view(2, 2, 3, -1))
    torch.testing.assert_close(stack.view(12, -1), image)
    torch.testing.assert_close(map_.inverse(stack).view(12, -1), x)
    torch.testing.assert_close(map_.forward(x[3]), image[3])


def test_the_input_stays_as_it_is(map_):
    x = points(map_, 20)
    image = map_.forward(x)
    before = x.clone(), image.clone()
    map_.forward(x)
    map_.inverse(image)
    assert torch.equal(x, before[0]) and torch.equal(image, before[1])


def test_equal_parameters_make_equal_maps(map_):
    other = type(map_).example()
    x = points(map_, 5)
    assert other == map_ and hash(other) == hash(map_)
    assert torch.equal(other.forward(x), map_.forward(x))


def test_maps_are_listed_by_their_files(tmp_path, monkeypatch):
    assert {"arcsinh", "cubic", "random_network", "spiral", "swiss_roll"} <= set(maps.names())
    with pytest.raises(UnknownNameError, match="did you mean 'cubic'"):
        maps.load("cubik")
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "doubled.py").write_text(
        "from mibounds.distributions.maps import Map\n\n"
        "class Doubled(Map):\n"
        "    @classmethod\n"
        "    def example(cls): return cls()\n"
        "    def forward(self, x): return 2 * x\n"
        "    def inverse(self, y): return y / 2\n"
    )
    monkeypatch.setenv("MIBOUNDS_PATH", str(tmp_path))
    monkeypatch.setattr(maps, "__path__", [*maps.__path__, *registry.user_folders("maps")])
    assert "doubled" in maps.names()
    assert maps.load("doubled").example().width(4) == 4
    del sys.modules["mibounds.distributions.maps.doubled"]


# Each by itself


def test_values():
    x = torch.tensor([-4.0, 0.0, 1.0], dtype=torch.float64)
    assert Cubic().forward(x).tolist() == [-64, 0, 1]
    assert HalfCube().forward(x).tolist() == [-8, 0, 1]
    torch.testing.assert_close(Arcsinh().forward(x), torch.tensor([math.asinh(v) for v in x]).double())
    torch.testing.assert_close(NormalCDF().forward(x), torch.tensor(stats.norm.cdf(x.numpy())))
    quarter = Spiral(speed=math.pi / 2).forward(torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(quarter, torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(SwissRoll().forward(torch.zeros(1)), torch.tensor([0, -1.5 * math.pi / 21]))


@pytest.mark.parametrize("map_", [Cubic(), HalfCube(), Arcsinh(), NormalCDF(), Wiggly(), Bimodal()], ids=str)
def test_maps_by_entry_increase(map_):
    image = map_.forward(torch.linspace(-6, 6, 2001, dtype=torch.float64))
    assert (image.diff() > 0).all()


def test_the_lower_tail_of_the_normal_cdf_is_exact():
    x = torch.tensor([-9.0, -6.0])
    torch.testing.assert_close(NormalCDF().inverse(NormalCDF().forward(x)), x)


@pytest.mark.parametrize(("dtype", "reach"), [(torch.float32, 20.0), (torch.float64, 40.0)])
def test_tails_of_the_normal_cdf_come_back_finite(dtype, reach):
    x = torch.tensor([-reach, reach], dtype=dtype)
    back = NormalCDF().inverse(NormalCDF().forward(x))
    assert back.isfinite().all() and back[0] < -5 and back[1] > 5


def test_heavy_tails_survive_arcsinh():
    x = torch.tensor([-1e20, 1e20])
    torch.testing.assert_close(Arcsinh().inverse(Arcsinh().forward(x)), x, rtol=1e-4, atol=0)


def test_a_normal_becomes_bimodal():
    map_ = Bimodal(0.5, (-1.0, 3.0))
    x = torch.randn(5000, generator=generator(0), dtype=torch.float64)

    def mixture(y):
        return (stats.norm.cdf(y + 1) + stats.norm.cdf(y - 3)) / 2

    assert stats.kstest(map_.forward(x).numpy(), mixture).pvalue > 1e-4


def test_both_tails_of_the_bimodal_map_are_exact():
    x = torch.tensor([-9.0, 9.0], dtype=torch.float64)
    torch.testing.assert_close(Bimodal().inverse(Bimodal().forward(x)), x, rtol=1e-10, atol=0)


def test_a_spiral_keeps_norms_and_all_but_two_axes():
    x = torch.randn(100, 5, generator=generator(0), dtype=torch.float64)
    turned = Spiral(speed=2.0, plane=(1, 3)).forward(x)
    torch.testing.assert_close(turned.norm(dim=1), x.norm(dim=1))
    assert torch.equal(turned[:, [0, 2, 4]], x[:, [0, 2, 4]])


def test_random_networks_differ_by_seed_and_bend_space():
    x = torch.randn(100, 4, generator=generator(0), dtype=torch.float64)
    first, second = RandomNetwork(4).forward(x), RandomNetwork(4, seed=1).forward(x)
    assert not torch.allclose(first, second, atol=0.1)
    bent = RandomNetwork(4).forward(-x) + first - 2 * RandomNetwork(4).forward(0 * x)
    assert bent.abs().mean() > 0.1


def test_a_random_network_is_as_well_conditioned_as_it_says():
    network = RandomNetwork(4, depth=3, slope=0.5)
    for x in points(network, 20):
        singular = torch.linalg.svdvals(torch.autograd.functional.jacobian(network.forward, x))
        assert singular.min() > 0.5**3 - 1e-9 and singular.max() < 1 + 1e-9


def test_a_lift_fills_a_thousand_columns_alike_and_comes_back():
    x = torch.randn(300, 2, generator=generator(0))
    image = Lift(2).forward(x)
    assert image.shape == (300, 1000) and (image.std(0) > 0).all()
    torch.testing.assert_close(Lift(2).inverse(image), x, atol=1e-3, rtol=1e-3)
    assert torch.linalg.matrix_rank(image - image.mean(0)) > 100, "no linear map gives it"
    assert not torch.allclose(image, Lift(2, seed=1).forward(x), atol=0.1)


@pytest.mark.parametrize(
    "build",
    [
        lambda: Lift(0),
        lambda: Lift(5, ambient=4),
        lambda: Lift(2, steepness=0.0),
        lambda: Wiggly((0.5,), (2.0,), (0.0,)),
        lambda: Wiggly((0.1, 0.1), (1.0,), (0.0,)),
        lambda: Wiggly((math.nan,), (1.0,), (0.0,)),
        lambda: Bimodal(weight=0.0),
        lambda: Bimodal(centers=(0.0, math.inf)),
        lambda: Spiral(plane=(1, 1)),
        lambda: Spiral(plane=(-1, 1)),
        lambda: Spiral(speed=math.inf),
        lambda: RandomNetwork(0),
        lambda: RandomNetwork(3, depth=0),
        lambda: RandomNetwork(3, slope=0.0),
        lambda: RandomNetwork(3, slope=1.5),
    ],
)
def test_parameters_out_of_their_domain_are_refused(build):
    with pytest.raises(ParameterError):
        build()


def test_vectors_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="got 2"):
        Spiral(plane=(0, 2)).width(2)
    with pytest.raises(ShapeError, match="got 2"):
        SwissRoll().width(2)
    with pytest.raises(ShapeError, match="got 2"):
        RandomNetwork(3).width(2)
    with pytest.raises(ShapeError, match="got 2"):
        Lift(3).width(2)
    with pytest.raises(DataError, match=r"\[0, 1\]"):
        SwissRoll().forward(torch.tensor([[math.nan]]))
