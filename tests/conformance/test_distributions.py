"""What every distribution owes: a sampler that is exact, seeded and alone, and a ratio that fits it.

The checks are plain functions of a law, so that a family of the user's own can be put through them too.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch

from mibounds import distributions
from mibounds.distributions import Distribution, maps
from mibounds.distributions.additive_uniform import AdditiveUniform
from mibounds.distributions.finite import FiniteTable
from mibounds.distributions.gaussian import Gaussian
from mibounds.distributions.many_symbols import ManySymbols
from mibounds.distributions.maps.arcsinh import Arcsinh
from mibounds.distributions.maps.lift import Lift
from mibounds.distributions.maps.normal_cdf import NormalCDF
from mibounds.distributions.maps.random_network import RandomNetwork
from mibounds.distributions.maps.spiral import Spiral
from mibounds.distributions.maps.swiss_roll import SwissRoll
from mibounds.distributions.mixture import Mixture
from mibounds.distributions.noisy_labels import NoisyLabels
from mibounds.distributions.rare_event import RareEvent
from mibounds.distributions.rendered import Rendered
from mibounds.distributions.student_t import StudentT
from mibounds.distributions.transformed import Transformed
from mibounds.distributions.von_mises_fisher import VonMisesFisher
from mibounds.errors import ParameterError
from mibounds.seeding import generator

N = 20_000


def z_score(values: torch.Tensor, truth: float, its_error: float = 0.0) -> float:
    """How many standard errors the mean of `values` lies off the truth; 1e-6 of them are left to rounding."""
    values = values.double()
    error = math.hypot(float(values.std()) / len(values) ** 0.5, its_error)
    return (float(values.mean()) - truth) / (error + 1e-6)


def check_shapes_and_dtypes(law: Distribution) -> None:
    for n in (1, 7):
        for dtype in (torch.float32, torch.float64):
            x, y = law.sample(n, 0, dtype=dtype)
            assert x.shape == (n, law.dim_x) and y.shape == (n, law.dim_y)
            assert x.dtype == y.dtype == dtype and x.isfinite().all() and y.isfinite().all()
    assert law.sample(2, 0)[0].dtype == torch.float32
    assert isinstance(law.mutual_information, float) and law.mutual_information >= 0
    assert 0 <= law.mutual_information_error < 0.1 * law.mutual_information + 1e-9


def check_seeding(law: Distribution) -> None:
    first, again, other = law.sample(500, 3), law.sample(500, 3), law.sample(500, 4)
    for side in (0, 1):
        assert torch.equal(first[side], again[side]) and not torch.equal(first[side], other[side])
    source = generator(3)
    from_generator, later = law.sample(500, source), law.sample(500, source)
    assert torch.equal(from_generator[0], first[0]) and torch.equal(from_generator[1], first[1])
    assert not torch.equal(later[0], first[0]) and not torch.equal(later[1], first[1])


def check_global_random_state_untouched(law: Distribution) -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    law.sample(100, 0)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1].tolist(), random.getstate()) == before[1:]  # noqa: NPY002


def check_mean_log_ratio_is_the_truth(law: Distribution) -> None:
    for dtype in (torch.float32, torch.float64):
        ratio = law.log_density_ratio(*law.sample(N, 1, dtype=dtype))
        if ratio is not None:
            assert ratio.shape == (N,) and ratio.dtype == dtype
            assert abs(z_score(ratio, law.mutual_information, law.mutual_information_error)) < 4


def check_ratio_carries_one_law_into_the_other(law: Distribution) -> None:
    """E_q[r; ln r <= c] = P_p(ln r <= c): bounded, hence fit for ratios of infinite variance too."""
    joint = law.log_density_ratio(*law.sample(N, 2, dtype=torch.float64))
    x, y = law.sample(N, 3, dtype=torch.float64)[0], law.sample(N, 4, dtype=torch.float64)[1]
    product = law.log_density_ratio(x, y)
    if joint is None or product is None:
        return
    for level in (0.3, 0.7):
        threshold = joint.quantile(level) + 1e-6
        moved = torch.where(product <= threshold, product.exp(), 0)
        kept = (joint <= threshold).double()
        spread = (moved.var() / N + kept.var() / N).sqrt()
        assert abs(moved.mean() - kept.mean()) < 4 * spread + 1e-9


def check_matrix_is_the_ratio_of_all_pairs(law: Distribution) -> None:
    x, y = law.sample(12, 5, dtype=torch.float64)
    stack_x, stack_y = x.view(2, 6, -1), y.view(2, 6, -1)[:, :4]
    matrix = law.log_density_ratio_matrix(stack_x, stack_y)
    pairs = law.log_density_ratio(stack_x.unsqueeze(-2), stack_y.unsqueeze(-3))
    if matrix is None or pairs is None:
        assert matrix is pairs
        return
    assert matrix.shape == (2, 6, 4)
    torch.testing.assert_close(matrix, pairs)
    one_by_one = [[law.log_density_ratio(stack_x[1, i], stack_y[1, j]) for j in range(4)] for i in range(6)]
    torch.testing.assert_close(matrix[1], torch.tensor(one_by_one, dtype=torch.float64))


def check_single_precision_agrees(law: Distribution) -> None:
    x, y = law.sample(2000, 6, dtype=torch.float64)
    double, single = law.log_density_ratio(x, y), law.log_density_ratio(x.float(), y.float())
    if double is not None:
        torch.testing.assert_close(single.double(), double, atol=2e-3, rtol=1e-3)


def check_inputs_stay_as_they_are(law: Distribution) -> None:
    x, y = law.sample(20, 7)
    copies = x.clone(), y.clone()
    law.log_density_ratio(x, y)
    law.log_density_ratio_matrix(x, y)
    assert torch.equal(x, copies[0]) and torch.equal(y, copies[1])


def check_no_pairs_are_refused(law: Distribution) -> None:
    for n in (0, -1):
        with pytest.raises(ParameterError, match="at least 1"):
            law.sample(n, 0)


CHECKS: list[Callable[[Distribution], None]] = [
    value for name, value in globals().items() if name.startswith("check_")
]


def base_law(map_: maps.Map) -> Distribution:
    """A law that `map_` takes: as many dimensions as it wants, in its domain."""
    dim = getattr(map_, "dim", 1 if map_.domain == "unit" else 3)
    law = Gaussian.from_mutual_information(dim, 1.0)
    return law if map_.domain == "real" else Transformed(law, NormalCDF(), NormalCDF())


def laws() -> dict[str, Distribution]:
    """Each family's example, and more members of the families that stand here."""
    found = {f"{name} example": distributions.load(name).example() for name in distributions.names()}
    for name in maps.names():
        map_ = maps.load(name).example()
        found[f"map {name}"] = Transformed(base_law(map_), map_, map_)
    return found | {
        "gaussian one dimension": Gaussian.from_correlation(1, 0.75),
        "gaussian negative": Gaussian.from_correlation(2, -0.6),
        "gaussian independent": Gaussian.from_correlation(2, 0.0),
        "gaussian 4 nats": Gaussian.from_mutual_information(20, 4.0),
        "gaussian 10 nats": Gaussian.from_mutual_information(20, 10.0),
        "gaussian 6 nats in one dimension": Gaussian.from_mutual_information(1, 6.0),
        "gaussian wide": Gaussian.from_mutual_information(128, 2.0),
        "gaussian dense": Gaussian.dense(3, 2, 0.5),
        "gaussian sparse": Gaussian.sparse(5, 4, 2, 0.8),
        "student cauchy": StudentT.identity(1, 1, dof=1),
        "student uneven": StudentT.identity(2, 3, dof=2),
        "student 5 x 5": StudentT.identity(5, 5, dof=3),
        "student below one": StudentT(Gaussian.dense(1, 2, 0.5).covariance, 1, dof=0.8),
        "student nearly gaussian": StudentT(Gaussian.sparse(2, 2, 1, 0.7).covariance, 2, dof=1e4),
        "additive 0.1": AdditiveUniform(0.1),
        "additive 0.5": AdditiveUniform(0.5),
        "additive 0.75": AdditiveUniform(0.75),
        "additive 3": AdditiveUniform(3),
        "vmf circle": VonMisesFisher(2, 3.0),
        "vmf sphere": VonMisesFisher(3, 5.0),
        "vmf independent": VonMisesFisher(3, 0.0),
        "vmf 2.48 nats": VonMisesFisher(10, 10.0),
        "vmf 8.39 nats": VonMisesFisher(10, 50.0),
        "vmf narrow": VonMisesFisher(3, 1e4),
        "vmf wide": VonMisesFisher(200, 100.0),
        "finite identity": FiniteTable(torch.eye(5)),
        "finite with empty cells": FiniteTable(torch.tensor([[0.0, 0.3, 0.0], [0.5, 0.0, 0.2]])),
        "finite independent": FiniteTable(torch.ones(2, 3)),
        "transformed on one side": Transformed(Gaussian.dense(2, 3, 0.4), map_x=Spiral()),
        "transformed twice": Transformed(base_law(SwissRoll()), map_x=SwissRoll()),
        "transformed student": Transformed(StudentT.identity(2, 2, dof=1), Arcsinh(), Arcsinh()),
        "mixture crossed": Mixture.crossed(0.9, truth_samples=2**16),
        "mixture of one": Mixture([1], torch.zeros(1, 5), [Gaussian.dense(3, 2, 0.5).covariance], 3, 2**16),
        "rare event of a wide law": RareEvent(0.02, Gaussian.from_mutual_information(20, 6.0)),
        "rare event of a mixture": RareEvent(0.3, Mixture.crossed(0.9, truth_samples=2**16)),
        "many symbols 10 nats": ManySymbols(9, 4, 0.05),
        "many symbols without errors": ManySymbols(2, 3, 0.0),
        "rendered without errors": Rendered(0.0),
        "noisy labels of two kinds": NoisyLabels(torch.tensor([[0.9, 0.1], [0.2, 0.8]]).repeat(5, 1)),
        "lifted far": Transformed(Gaussian.dense(2, 2, 0.5), Lift(2, 200), Lift(2, 200, seed=1)),
        "transformed vmf": Transformed(VonMisesFisher(10, 20.0), RandomNetwork(10), RandomNetwork(10)),
    }


LAWS = laws()
PRODUCT_REACHES_THE_JOINT = {name for name, law in LAWS.items() if law.mutual_information <= 3}
RATIO_OF_MODEST_VARIANCE = [
    "gaussian example",
    "gaussian one dimension",
    "gaussian dense",
    "finite example",
    "finite with empty cells",
    "additive_uniform example",
    "additive 0.75",
    "von_mises_fisher example",
    "vmf circle",
    "transformed example",
    "map swiss_roll",
]


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_law(check, name):
    if check is check_ratio_carries_one_law_into_the_other and name not in PRODUCT_REACHES_THE_JOINT:
        assert LAWS[name].mutual_information > 3  # independent pairs would hardly ever look dependent
    else:
        check(LAWS[name])


@pytest.mark.parametrize("name", RATIO_OF_MODEST_VARIANCE)
def test_mean_ratio_of_independent_pairs_is_one(name):
    law = LAWS[name]
    x, y = law.sample(N, 8, dtype=torch.float64)[0], law.sample(N, 9, dtype=torch.float64)[1]
    assert abs(z_score(law.log_density_ratio(x, y).exp(), 1.0)) < 4


def test_families_are_listed_by_their_files():
    assert {"additive_uniform", "finite", "gaussian", "student_t", "transformed", "von_mises_fisher"} <= set(
        distributions.names()
    )
    assert "maps" not in distributions.names() and "base" not in distributions.names()


OF_THE_USER = '''
import torch
from mibounds.distributions import Distribution

class SharedSign(Distribution):
    """x and y share a sign: one bit, ln 2 nats."""

    dim_x = dim_y = 1
    mutual_information = 0.6931471805599453

    @classmethod
    def example(cls):
        return cls()

    def draw(self, n, generator, dtype):
        sizes = torch.rand(n, 2, generator=generator, dtype=dtype, device=generator.device) + 1
        sign = 2 * torch.randint(2, (n, 1), generator=generator, device=generator.device) - 1
        both = sign * sizes
        return both[:, :1], both[:, 1:]

    def log_density_ratio(self, x, y):
        return torch.where(x * y > 0, 2.0, 0.0).to(x).log().squeeze(-1)
'''


@pytest.fixture
def folder_of_the_user(tmp_path, monkeypatch):
    (tmp_path / "distributions").mkdir()
    monkeypatch.setenv("MIBOUNDS_PATH", str(tmp_path))
    monkeypatch.setattr(distributions, "__path__", [*distributions.__path__, str(tmp_path / "distributions")])
    yield tmp_path / "distributions"
    sys.modules.pop("mibounds.distributions.shared_sign", None)


def test_a_file_dropped_into_a_folder_is_a_family(folder_of_the_user):
    (folder_of_the_user / "shared_sign.py").write_text(OF_THE_USER)
    assert "shared_sign" in distributions.names()
    law = distributions.load("shared_sign").example()
    for check in CHECKS:
        check(law)


def test_a_wrong_truth_is_caught(folder_of_the_user):
    (folder_of_the_user / "shared_sign.py").write_text(OF_THE_USER.replace("0.6931471805599453", "0.7"))
    with pytest.raises(AssertionError):
        check_mean_log_ratio_is_the_truth(distributions.load("shared_sign").example())


def test_a_wrong_ratio_is_caught(folder_of_the_user):
    (folder_of_the_user / "shared_sign.py").write_text(
        OF_THE_USER.replace("x * y > 0, 2.0, 0.0", "x > 0, 4.0, 1.0")
    )
    with pytest.raises(AssertionError):
        check_ratio_carries_one_law_into_the_other(distributions.load("shared_sign").example())
