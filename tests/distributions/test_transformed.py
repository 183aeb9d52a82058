from __future__ import annotations

import pytest
import torch

from mibounds.distributions import Distribution
from mibounds.distributions.gaussian import Gaussian
from mibounds.distributions.maps.cubic import Cubic
from mibounds.distributions.maps.normal_cdf import NormalCDF
from mibounds.distributions.maps.random_network import RandomNetwork
from mibounds.distributions.maps.spiral import Spiral
from mibounds.distributions.maps.swiss_roll import SwissRoll
from mibounds.distributions.transformed import Transformed
from mibounds.errors import DataError, ShapeError

LAW = Gaussian.from_mutual_information(3, 1.0)


def test_a_seed_draws_the_mapped_pairs_of_the_law():
    x, y = LAW.sample(100, 5)
    mapped_x, mapped_y = Transformed(LAW, Cubic(), Spiral()).sample(100, 5)
    assert torch.equal(mapped_x, Cubic().forward(x)) and torch.equal(mapped_y, Spiral().forward(y))


def test_the_log_ratio_is_that_of_the_law_where_the_pair_came_from():
    x, y = LAW.sample(100, 5, dtype=torch.float64)
    law = Transformed(LAW, map_y=RandomNetwork(3))
    mapped = RandomNetwork(3).forward(y)
    torch.testing.assert_close(law.log_density_ratio(x, mapped), LAW.log_density_ratio(x, y))


def test_maps_compose_by_nesting():
    law = Transformed(Transformed(Gaussian.from_correlation(1, 0.75), NormalCDF()), SwissRoll())
    assert (law.dim_x, law.dim_y) == (2, 1)
    assert law.mutual_information == Gaussian.from_correlation(1, 0.75).mutual_information


def test_no_map_changes_nothing():
    assert all(map(torch.equal, Transformed(LAW).sample(9, 0), LAW.sample(9, 0)))


def test_an_unknown_ratio_stays_unknown():
    class Unknown(Gaussian):
        log_density_ratio = Distribution.log_density_ratio

        def log_density_ratio_matrix(self, x, y):
            return None

    law = Transformed(Unknown(LAW.covariance, 3), Cubic())
    x, y = law.sample(4, 0)
    assert law.log_density_ratio(x, y) is None and law.log_density_ratio_matrix(x, y) is None


@pytest.mark.parametrize("map_", [RandomNetwork(4), SwissRoll(), Spiral(plane=(0, 3))])
def test_maps_of_other_dimensions_are_refused(map_):
    with pytest.raises(ShapeError, match="got 3"):
        Transformed(LAW, map_y=map_)


def test_a_swiss_roll_of_unbounded_values_is_refused():
    with pytest.raises(DataError, match=r"\[0, 1\]"):
        Transformed(Gaussian.from_correlation(1, 0.5), SwissRoll()).sample(100, 0)
