"""The latent sources' own laws: what each says is shared, false or known, against slow oracles and simulation."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from scipy import integrate, stats
from torch import Tensor

from mibounds import theory
from mibounds.errors import DataError, MiboundsError, ParameterError, ShapeError, UnknownNameError
from mibounds.representation.sources import Source
from mibounds.representation.sources._redrawn import RedrawnGaussian
from mibounds.representation.sources.classes import Classes
from mibounds.representation.sources.competing import Competing
from mibounds.representation.sources.content_style import ContentStyle
from mibounds.representation.sources.gauss import Gauss
from mibounds.representation.sources.vmf import VMF
from mibounds.seeding import generator

N = 40_000
PLAIN = {"depth": 0}  # views that are the latents themselves


def correlation(x: Tensor, y: Tensor) -> Tensor:
    """Column by column, `n x dim` -> `dim`."""
    x, y = x.double() - x.double().mean(0), y.double() - y.double().mean(0)
    return (x * y).sum(0) / ((x**2).sum(0) * (y**2).sum(0)).sqrt()


def r2(known: Tensor, wanted: Tensor) -> float:
    """Of the least-squares prediction, mean over the columns wanted."""
    known, wanted = known.double(), wanted.double()
    design = torch.cat([known, torch.ones(len(known), 1, dtype=torch.float64)], 1)
    left = wanted - design @ torch.linalg.lstsq(design, wanted).solution
    return float((1 - left.var(0) / wanted.var(0)).mean())


def mean_log_ratio(source: Source, seed: int = 0) -> tuple[float, float]:
    """Over pairs, and its standard error."""
    view_a, view_b, _ = source.pairs(N, seed)
    ratios = source.log_density_ratio_matrix(view_a.unsqueeze(1), view_b.unsqueeze(1)).flatten().double()
    return float(ratios.mean()), float(ratios.std()) / N**0.5


def assert_information_is_the_mean_log_ratio(source: Source) -> None:
    mean, error = mean_log_ratio(source)
    assert abs(mean - source.mutual_information) < 4 * error + 1e-5


# All of them


@pytest.mark.parametrize("family", [VMF, Gauss, ContentStyle, Classes, Competing])
def test_mixing_changes_the_views_and_not_the_law(family):
    mixed, plain = family(), family(**PLAIN)
    a, b = mixed.pairs(50, 0), plain.pairs(50, 0)
    assert a.view_a.shape == b.view_a.shape and not torch.allclose(a.view_a, b.view_a)
    assert all(torch.equal(a.factors[name], b.factors[name]) for name in a.factors)
    assert mixed.mutual_information == plain.mutual_information
    ratios = [source.log_density_ratio_matrix(*draw[:2]) for source, draw in ((mixed, a), (plain, b))]
    torch.testing.assert_close(*ratios, rtol=1e-3, atol=2e-3)


@pytest.mark.parametrize("family", [VMF, Gauss, ContentStyle, Classes, Competing])
def test_the_seed_is_that_of_the_mixing(family):
    one, other = family(seed=0).pairs(50, 0), family(seed=1).pairs(50, 0)
    assert not torch.allclose(one.view_a, other.view_a)


@pytest.mark.parametrize("family", [VMF, Gauss, ContentStyle, Classes, Competing])
def test_bad_counts_and_depths_are_refused(family):
    with pytest.raises(ParameterError, match="at least 1"):
        family().pairs(0, 0)
    with pytest.raises(DataError, match="endless"):
        family().examples(None, 0)
    with pytest.raises(ParameterError, match="depth"):
        family(depth=-1)


@pytest.mark.parametrize("family", [VMF, Gauss, ContentStyle, Competing])
def test_labels_are_cells_of_directions_or_none(family):
    assert family(n_classes=0).label is None
    assert not any("label" in name for name in family(n_classes=0).factors)
    with pytest.raises(ParameterError, match="n_classes"):
        family(n_classes=1)


@pytest.mark.parametrize(("family", "latent"), [(VMF, "latent"), (Gauss, "latent"), (Competing, "hard")])
def test_the_label_depends_on_the_direction_of_the_latent_alone(family, latent):
    source = family(n_classes=3)
    z = source.pairs(500, 0).factors[latent]
    labels = source._labels.known(z)["label"]
    assert torch.equal(labels, source._labels.known(5 * z)["label"]) and len(labels.unique()) == 3
    scores = (z @ source._labels._directions.T).tolist()
    assert labels.tolist() == [max(range(3), key=row.__getitem__) for row in scores]


def test_a_line_has_two_directions():
    labels = Gauss(1, n_classes=2).pairs(500, 0).factors
    assert torch.equal(labels["label"], (labels["latent"][:, 0] > 0).long())
    with pytest.raises(ParameterError, match="two directions"):
        Gauss(1, n_classes=3)


# Gauss


@pytest.mark.parametrize("rho", [-0.6, 0.0, 0.95])
def test_gauss_correlates_as_it_says(rho):
    source = Gauss(3, rho, **PLAIN)
    view_a, view_b, factors = source.pairs(N, 0)
    assert (correlation(view_a, view_b) - rho).abs().max() < 4.5 * (1 - rho**2) / N**0.5
    assert source.mutual_information == pytest.approx(-1.5 * math.log(1 - rho**2))
    assert torch.equal(view_a, factors["latent"]) and source.factors["latent"].shared == (rho != 0)


@pytest.mark.parametrize(("dim", "nats"), [(1, 0.0), (4, 2.0), (32, 12.0)])
def test_gauss_has_the_information_it_was_asked_for(dim, nats):
    source = Gauss.from_mutual_information(dim, nats, n_classes=2)
    assert source.mutual_information == nats
    assert theory.gaussian_mutual_information(dim, source.correlation) == pytest.approx(nats, abs=1e-9)
    assert_information_is_the_mean_log_ratio(source)


@pytest.mark.parametrize("wrong", [{"dim": 0}, {"correlation": 1.0}, {"correlation": -1.2}])
def test_gauss_refuses(wrong):
    with pytest.raises(ParameterError):
        Gauss(**wrong)


# Style that is now and then drawn anew


@pytest.mark.parametrize("rho, p", [(0.9, 0.5), (0.6, 0.05), (0.99, 0.9)])
def test_the_mixtures_information_is_its_integral(rho, p):
    """One dimension: p(x, y) ln r over the plane, by an adaptive rule of scipy's."""
    both = stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]])

    def integrand(y: float, x: float) -> float:
        product = stats.norm.pdf(x) * stats.norm.pdf(y)
        joint = p * product + (1 - p) * both.pdf([x, y])
        return joint * math.log(joint / product)

    def along(x: float) -> float:
        near = rho * x
        points = sorted({-8.0, near - 0.5, near, near + 0.5, 8.0})
        return sum(
            integrate.fixed_quad(lambda ys, x=x: [integrand(y, x) for y in ys], low, high, n=40)[0]
            for low, high in itertools.pairwise(points)
        )

    grid, weights = torch.linspace(-6, 6, 61).tolist(), 0.2
    truth = weights * sum(along(x) for x in grid)
    assert RedrawnGaussian(1, 1, rho, p).mutual_information() == pytest.approx(truth, abs=1e-5)


@pytest.mark.parametrize("blocks, width", [(1, 3), (3, 1)])
@pytest.mark.parametrize("p", [0.0, 0.2, 0.7, 1.0])
def test_what_is_drawn_anew_is_a_block_with_chance_p(blocks, width, p):
    law = RedrawnGaussian(blocks, width, 0.999999, p)
    x = torch.randn(N, 3, generator=generator(0))
    anew = (law.partner(x, generator(1)) - x).abs() > 0.02  # a fresh number falls so near by chance in 1%
    assert (anew.double().mean(0) - p * 0.989).abs().max() < 4.5 * (0.25 / N) ** 0.5
    together = (anew[:, 0] == anew[:, 1]).double().mean()
    apart = 1 - 2 * 0.989 * p * (1 - 0.989 * p)
    assert together > 0.97 if width == 3 else abs(together - apart) < 0.015


def test_the_mixtures_information_falls_with_p_between_closed_ends():
    of_p = [RedrawnGaussian(2, 3, 0.9, p).mutual_information() for p in (0, 1e-6, 0.1, 0.4, 0.8, 0.999999, 1)]
    assert of_p == sorted(of_p, reverse=True) and len(set(of_p)) == len(of_p)
    assert of_p[0] == pytest.approx(theory.gaussian_mutual_information(6, 0.9)) and of_p[-1] == 0
    assert of_p[1] == pytest.approx(of_p[0], abs=1e-4) and of_p[-2] == pytest.approx(0, abs=1e-4)


# Content and style


@pytest.mark.parametrize("changes", ["whole", "each"])
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_content_style_information_is_the_mean_log_ratio(changes, p):
    source = ContentStyle(
        2,
        2,
        shared_correlation=[0.8, 0.0],
        style_change=p,
        changes=changes,
        style_correlation=0.8,
        dependence=0.6,
        n_classes=2,
    )
    assert source.content_information == pytest.approx(-0.5 * math.log(1 - 0.8**2))
    assert_information_is_the_mean_log_ratio(source)


def test_private_style_is_independent_and_unchanged_style_is_the_same():
    private = ContentStyle(2, 3, style_change=1.0, **PLAIN).pairs(N, 0)
    assert correlation(private.view_a[:, 2:], private.view_b[:, 2:]).abs().max() < 4.5 / N**0.5
    copied = ContentStyle(2, 3, style_change=0.0, style_correlation=1.0, **PLAIN).pairs(100, 0)
    assert torch.equal(copied.view_a[:, 2:], copied.view_b[:, 2:])
    assert not torch.equal(copied.view_a[:, :2], copied.view_b[:, :2])


def test_private_style_tells_nothing_and_says_so():
    source = ContentStyle(2, 2, style_change=1.0)
    assert source.style_information == 0 and source.mutual_information == source.content_information
    assert not source.factors["style"].shared and not source.factors["style_label"].shared
    assert source.factors["content"].shared and source.factors["label"].shared
    assert ContentStyle(2, 2, style_change=0.5).factors["style"].shared
    assert ContentStyle(2, 2, dependence=0.5).factors["style"].shared
    assert not ContentStyle(2, 2, shared_correlation=0.0, dependence=0.5).factors["style"].shared


def test_a_copy_has_infinite_information_and_no_density_ratio():
    for source in (
        ContentStyle(2, 2, shared_correlation=[0.5, 1.0]),
        ContentStyle(2, 2, style_change=0.5, style_correlation=1.0),
    ):
        assert source.mutual_information == math.inf
        assert source.log_density_ratio_matrix(*source.pairs(5, 0)[:2]) is None
    assert ContentStyle(2, 2, style_correlation=1.0).mutual_information < math.inf  # always drawn anew


@pytest.mark.parametrize("given", ["view", "other_view", "content"])
@pytest.mark.parametrize("factor", ["content", "style"])
@pytest.mark.parametrize("changes", ["whole", "each"])
def test_what_is_attainable_is_what_regression_attains(factor, given, changes):
    """The best predictions are linear in latents, so that least squares finds them."""
    source = ContentStyle(
        3,
        4,
        shared_correlation=[0.9, 0.5, 0.0],
        style_change=0.4,
        changes=changes,
        dependence=0.7,
        **PLAIN,
    )
    view_a, view_b, factors = source.pairs(N, 0)
    known = {"view": view_a, "other_view": view_b, "content": factors["content"]}[given]
    assert source.attainable_r2(factor, given) == pytest.approx(r2(known, factors[factor]), abs=0.015)


def test_style_has_unit_variance_whatever_content_explains():
    style = ContentStyle(3, 5, dependence=0.9).pairs(N, 0).factors["style"].double()
    assert (style.var(0) - 1).abs().max() < 4.5 * (2 / N) ** 0.5


def test_the_chance_of_a_change_alters_no_other_number():
    always, never = (ContentStyle(style_change=p, **PLAIN).pairs(50, 0) for p in (1.0, 0.0))
    assert torch.equal(always.view_a, never.view_a)
    assert torch.equal(always.view_b[:, :8], never.view_b[:, :8])


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"content_dim": 0}, ParameterError),
        ({"style_dim": 0}, ParameterError),
        ({"shared_correlation": 1.1}, ParameterError),
        ({"shared_correlation": [0.9, 0.9]}, ShapeError),
        ({"style_change": -0.1}, ParameterError),
        ({"style_correlation": 1.5}, ParameterError),
        ({"style_correlation": math.nan}, ParameterError),
        ({"changes": "some"}, UnknownNameError),
        ({"dependence": 1.0}, ParameterError),
    ],
)
def test_content_style_refuses(wrong, error):
    with pytest.raises(error):
        ContentStyle(**wrong)


def test_only_what_is_known_is_attainable():
    for wrong in (("label", "view"), ("style", "label")):
        with pytest.raises(UnknownNameError):
            ContentStyle().attainable_r2(*wrong)


# Classes


@pytest.mark.parametrize("n_classes", [2, 10, 50])
def test_a_negative_is_false_as_often_as_it_says(n_classes):
    source = Classes(n_classes)
    labels = source.pairs(N, 0).factors["label"].view(-1, 8)
    false = labels[:, 1:] == labels[:, :1]
    for simulated, stated in (
        (false[:, 0], source.false_negative_rate),
        (false[:, :3].any(1), source.false_negative_chance(3)),
        (false.any(1), source.false_negative_chance(7)),
    ):
        error = (stated * (1 - stated) / len(labels)) ** 0.5
        assert abs(float(simulated.double().mean()) - stated) < 4 * error
    assert source.false_negative_chance(0) == 0 and source.false_negative_chance(1) == pytest.approx(
        1 / n_classes
    )


@pytest.mark.parametrize("options", [{}, {"positives": "instance", "instance_correlation": 0.8}])
def test_positives_share_the_class_and_only_instances_share_more(options):
    source = Classes(5, 3, noise=0.2, **options, **PLAIN)
    view_a, view_b, factors = source.pairs(N, 0)
    means = source._means.float()[factors["label"]]
    deviation, other = view_a - means, view_b - means
    rho = options.get("instance_correlation", 0.0)
    assert (correlation(deviation, other) - rho).abs().max() < 4.5 / N**0.5
    for side in (deviation, other):
        assert (side.double().var(0) / 0.2**2 - 1).abs().max() < 4.5 * (2 / N) ** 0.5
    torch.testing.assert_close(factors["deviation"], deviation / 0.2, rtol=1e-3, atol=1e-4)
    assert source.factors["deviation"].shared == (rho > 0)


@pytest.mark.parametrize("positives", ["class", "instance"])
def test_the_ratio_of_classes_is_that_of_their_densities(positives):
    """Densities of the mixture by scipy, point by point."""
    rho = 0.7 if positives == "instance" else 0.0
    source = Classes(3, 2, noise=0.4, positives=positives, instance_correlation=0.7, **PLAIN)
    view_a, view_b = (view[:5].double() for view in source.pairs(5, 0)[:2])
    eye = 0.4**2 * torch.eye(2, dtype=torch.float64)
    joint_covariance = torch.kron(torch.tensor([[1, rho], [rho, 1]], dtype=torch.float64), eye)
    means = source._means

    def marginal(z: Tensor) -> float:
        return sum(stats.multivariate_normal(m, eye).pdf(z) for m in means) / 3

    def joint(z: Tensor, other: Tensor) -> float:
        both = torch.cat([z, other])
        return (
            sum(stats.multivariate_normal(torch.cat([m, m]), joint_covariance).pdf(both) for m in means) / 3
        )

    slow = [[math.log(joint(a, b) / (marginal(a) * marginal(b))) for b in view_b] for a in view_a]
    fast = source.log_density_ratio_matrix(view_a, view_b)
    torch.testing.assert_close(fast, torch.tensor(slow, dtype=torch.float64), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"positives": "instance", "instance_correlation": 0.6}])
def test_information_of_classes_rises_to_its_ceiling(options):
    means, errors = zip(
        *(mean_log_ratio(Classes(6, 4, noise=s, **options)) for s in (1.5, 0.6, 0.1)), strict=True
    )
    source = Classes(6, 4, noise=0.1, **options)
    assert source.mutual_information is None and source.separation > 8
    assert means[0] < means[1] < source.information_ceiling
    assert means[2] == pytest.approx(source.information_ceiling, abs=4 * errors[2] + 1e-3)


def test_well_parted_classes_have_finite_ratios():
    source = Classes(50, 16, noise=1e-2, positives="instance")
    matrix = source.log_density_ratio_matrix(*source.pairs(200, 0)[:2])
    assert matrix.isfinite().all() and (matrix.diagonal() > 0).all()


def test_the_posterior_is_the_best_classifier():
    source = Classes(4, 3, noise=1.0)
    x, factors = source.examples(N, 0)
    posterior = source.log_posterior(x).double().exp()
    torch.testing.assert_close(posterior.sum(1), torch.ones(N, dtype=torch.float64), rtol=1e-5, atol=1e-5)
    right = (posterior.argmax(1) == factors["label"]).double()
    claimed = posterior.max(1).values  # calibrated: it is right as often as it says
    assert 0.5 < right.mean() < 0.99
    assert abs((right - claimed).mean()) < 4 * (right - claimed).std() / N**0.5


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"n_classes": 1}, ParameterError),
        ({"dim": 1}, ParameterError),
        ({"noise": 0.0}, ParameterError),
        ({"noise": math.inf}, ParameterError),
        ({"positives": "neighbour"}, UnknownNameError),
        ({"instance_correlation": 1.0}, ParameterError),
    ],
)
def test_classes_refuse(wrong, error):
    with pytest.raises(error):
        Classes(**wrong)
    with pytest.raises(MiboundsError, match="n_negatives"):
        Classes().false_negative_chance(-1)


# Competing


@pytest.mark.parametrize("flip", [0.0, 0.1, 0.5])
def test_the_bits_information_is_that_of_counts(flip):
    """Plug-in MI over the table of both views' words; its bias is about (cells - rows - columns + 1) / 2n."""
    source = Competing(2, 2, flip=flip, amplitude=3.0, **PLAIN)
    view_a, view_b, factors = source.pairs(N, 0)
    assert torch.equal(view_a[:, :2], 3 * factors["bits"])
    words = [(view[:, :2] > 0).long() @ torch.tensor([1, 2]) for view in (view_a, view_b)]
    table = torch.bincount(words[0] * 4 + words[1], minlength=16).view(4, 4).double() / N
    ratio = table / (table.sum(0) * table.sum(1, keepdim=True))
    counted = torch.special.xlogy(table, ratio.clamp(min=1e-300)).sum().item()
    assert counted == pytest.approx(source.bits_information, abs=0.02)
    assert source.bits_information == pytest.approx(2 * (math.log(2) - stats.entropy([flip, 1 - flip])))
    assert source.factors["bits"].shared == (flip < 0.5)


def test_each_feature_tells_what_it_says_and_they_add():
    source = Competing(3, 2, flip=0.05, hard_correlation=0.8, n_classes=2)
    assert source.hard_information == pytest.approx(-math.log(1 - 0.64))
    assert source.mutual_information == source.bits_information + source.hard_information
    assert_information_is_the_mean_log_ratio(source)
    assert_information_is_the_mean_log_ratio(Competing(3, 2, flip=0.0, hard_correlation=0.0))


def test_bits_that_never_flip_forbid_all_else():
    source = Competing(4, 2, flip=0.0)
    view_a, view_b, factors = source.pairs(50, 0)
    matrix = source.log_density_ratio_matrix(view_a, view_b)
    same = (factors["bits"].unsqueeze(1) == factors["bits"]).all(-1)
    assert torch.equal(matrix.isfinite(), same) and (matrix[~same] == -math.inf).all()


def test_the_bits_are_easier_than_the_hard_factor():
    source = Competing()
    view_a, _, factors = source.pairs(N, 0)
    assert r2(view_a, factors["bits"]) > 0.9 > r2(view_a, factors["hard"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_bits": 0},
        {"hard_dim": 0},
        {"hard_depth": -1},
        {"flip": 0.6},
        {"flip": -0.1},
        {"amplitude": 0.0},
        {"hard_correlation": 1.0},
    ],
)
def test_competing_refuses(wrong):
    with pytest.raises(ParameterError):
        Competing(**wrong)
