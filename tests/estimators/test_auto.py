"""The default: it chooses without the pairs it reads, by the rule it states, and its intervals hold."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

import mibounds
from mibounds.data import Samples
from mibounds.distributions.additive_uniform import AdditiveUniform
from mibounds.distributions.gaussian import Gaussian
from mibounds.distributions.maps.spiral import Spiral
from mibounds.distributions.student_t import StudentT
from mibounds.distributions.transformed import Transformed
from mibounds.errors import DataError, ParameterError
from mibounds.estimators import _trained_critic, auto
from mibounds.estimators._crosswise import Crossed, Read, Reading, Refitted, read_crosswise, survivor
from mibounds.estimators._dependence import inflation, is_autocorrelated
from mibounds.estimators._terms import FromTerms, Terms
from mibounds.estimators._trained_critic import TrainedCritic
from mibounds.estimators.ksg_extrapolated import ExtrapolatedKSG

SIMPLEST_FIRST = [*auto.COPULAS.values(), ExtrapolatedKSG()]


def drawn(law, n, seed):
    return tuple(side.double().numpy() for side in law.sample(n, seed))


def estimated(law, n, seed=0, **options):
    return mibounds.estimate(*drawn(law, n, seed), method="auto", budget="fast", **options)


@pytest.mark.parametrize(
    ("law", "within_nats"),
    [
        (Gaussian.from_mutual_information(5, 1.0), 0.1),
        (Transformed(Gaussian.from_mutual_information(25, 1.0)), 0.2),  # 50 columns, 500 pairs to a half
        (StudentT.identity(3, 3, 2), 0.08),
        (AdditiveUniform(0.1), 0.15),
        (Transformed(Gaussian.from_mutual_information(2, 1.0), Spiral(0.5)), 0.25),
    ],
    ids=["gaussian", "wide", "student", "edges", "spiral"],
)
def test_it_is_near_the_truth_of_unlike_laws(law, within_nats):
    found = estimated(law, 1000)
    assert abs(found.nats - law.mutual_information) < within_nats
    assert found.folds == {"each half": 500}


def crosswise(samples, methods, *others):
    return read_crosswise([*(Refitted(method, samples) for method in methods), *others], len(samples), 0)


def test_what_one_family_misses_another_is_chosen_for():
    chosen = [
        {r.model for r in crosswise(Samples(*drawn(law, 1000, 1)), SIMPLEST_FIRST)}
        for law in (
            Gaussian.from_mutual_information(5, 1.0),
            StudentT.identity(3, 3, 2),
            AdditiveUniform(0.1),
        )
    ]
    assert chosen == [{"gaussian_copula"}, {"student_copula"}, {"ksg_extrapolated"}]


@pytest.mark.parametrize("dim", [1, 5, 12])
def test_independent_data_have_an_interval_that_holds_zero(dim):
    law = Gaussian.from_mutual_information(dim, 0.0)
    found = [estimated(law, 400, seed) for seed in range(30)]
    # 95% less three binomial errors of 30
    assert np.mean([e.interval[0] <= 0 <= e.interval[1] for e in found]) >= 0.95 - 3 * math.sqrt(
        0.95 * 0.05 / 30
    )


def test_halves_that_disagree_by_more_than_chance_are_said():
    def read(*nats, chance=0.1, models=("ksg", "ksg")):
        halves = [
            Reading(m, np.arange(2), Terms(v, np.full(2, v), chance))
            for m, v in zip(models, nats, strict=True)
        ]
        return [said for said in auto._of_models(halves) if "disagree" in said]

    (said,) = read(1.0, 2.0)
    assert "ksg reads 1.000 nats of one and 2.000 of the other" in said
    assert not read(1.0, 1.5) and not read(1.0, 2.0, chance=0.2)
    assert not read(1.0, 2.0, models=("ksg", "gaussian_copula"))  # which is said in other words


def test_the_most_that_could_be_read_is_that_of_all_models_together(monkeypatch):
    def read(*halves):
        found = [
            Reading("ksg", np.arange(2), Terms(v, np.full(2, v), 0.1, ceiling_nats=c)) for v, c in halves
        ]
        monkeypatch.setattr(auto.Auto, "_read", lambda *a: Read.of(found, 2))
        return auto.Auto().estimate(Samples(np.zeros((2, 1)), np.ones((2, 1))), 0, 0.95)

    assert "could show is 7.000 nats" in str(read((5.5, 6.0), (7.0, 8.0)))
    assert "saturated: some of what was read" in str(read((5.5, 6.0), (9.0, math.inf)))
    assert "saturated" not in str(read((4.0, 6.0), (9.0, math.inf)))


class Spy(FromTerms):
    """Reads the number of rows that carry a mark, and says so."""

    def __init__(self, name, value):
        self.name, self.value, self.seen = name, value, []

    def terms(self, samples, seed):
        self.seen.append(samples)
        return Terms(self.value, np.full(len(samples), self.value), 0.01)


def test_halves_are_disjoint_cover_all_pairs_and_swap():
    x = np.arange(101.0)
    models = (Spy("simple", 0.1), Spy("better", 0.2))
    readings = crosswise(Samples(x[:, None], x[:, None]), models)
    assert [r.model for r in readings] == ["better", "better"]
    assert len({*np.concatenate([r.rows for r in readings])}) == 100  # of an odd number one is left out


def test_the_half_that_chooses_is_not_the_one_that_is_read():
    """A model that seems good on one half alone is taken for the other half alone."""

    class Lucky(Spy):
        def terms(self, samples, seed):
            super().terms(samples, seed)
            return Terms(7.0, np.full(len(samples), 1.0 if len(self.seen) == 1 else -1.0), 0.01)

    models = (Spy("plain", 0.0), Lucky("lucky", 0.0))
    random = np.random.default_rng(0)
    samples = Samples(random.normal(size=(100, 1)), random.normal(size=(100, 1)))
    assert [r.model for r in crosswise(samples, models)] == ["lucky", "plain"]


def of(*terms):
    return [Crossed(each, NotImplemented) for each in terms]


def test_each_displaces_the_last_if_it_is_ahead_by_a_standard_error():
    random = np.random.default_rng(0)
    base = random.normal(size=1000)
    noise = random.normal(size=1000)
    noise -= noise.mean()
    error = noise.std(ddof=1) / math.sqrt(1000)
    assert survivor(of(base, base + noise + 0.9 * error)) == 0
    assert survivor(of(base, base + noise + 1.1 * error)) == 1
    assert survivor(of(base, base - 1.0, base + 0.001)) == 2  # a sure difference, however small
    some = np.where(np.arange(1000) < 500, np.nan, base + 0.001)
    assert survivor(of(base, some)) == 1  # on the pairs that both read


@pytest.mark.parametrize("n_halvings", [1, 4])
def test_halves_have_each_their_own_chance_and_share_their_doubt(n_halvings):
    terms = Terms(1.0, np.zeros(50), chance=0.3, doubt=0.4)
    halves = [Reading("any", rows, terms) for rows in (np.arange(50), np.arange(50, 100))]
    assert Read.of(n_halvings * halves, 100).error == pytest.approx(math.sqrt(0.3**2 / 2 + 0.4**2))
    below = [each._replace(terms=replace(terms, doubt=-0.4)) for each in halves[1:]]
    assert Read.of([halves[0], *below], 100).error == pytest.approx(0.3 / math.sqrt(2))


def test_what_is_added_defends_but_does_not_win():
    base = np.random.default_rng(0).normal(size=100)
    simple, added, last = of(base, base - 0.1, base + 0.2)
    assert survivor([simple, added._replace(added=1.0)]) == 0
    assert survivor([added._replace(added=1.0), last]) == 0
    assert survivor([added._replace(added=0.2), last]) == 1


def test_increasing_maps_of_columns_change_nothing():
    x, y = drawn(StudentT.identity(2, 2, 1), 300, 0)
    found, mapped = (
        mibounds.estimate(f(x), y, method="auto", budget="fast") for f in (np.asarray, np.arctan)
    )
    assert mapped.nats == pytest.approx(found.nats) and mapped.interval == pytest.approx(found.interval)


def test_discrete_columns_keep_their_information_and_gain_none():
    random = np.random.default_rng(0)
    independent = mibounds.estimate(*random.integers(0, 3, (2, 1000)), method="auto", budget="fast")
    assert independent.interval[0] <= 0 <= independent.interval[1] and abs(independent.nats) < 0.05
    x = random.integers(0, 2, 2000)
    y = np.where(random.random(2000) < 0.1, 1 - x, x)
    truth_nats = math.log(2) + 0.1 * math.log(0.1) + 0.9 * math.log(0.9)
    assert mibounds.estimate(x, y, method="auto", budget="fast").nats == pytest.approx(truth_nats, abs=0.08)


def test_a_copy_is_said_to_be_saturated():
    x = np.random.default_rng(0).normal(size=400)
    found = mibounds.estimate(x, x, method="auto", budget="fast")
    assert found.saturated and math.isfinite(found.ceiling_nats)


def autoregressive(n, persistence, seed):
    noise = np.random.default_rng(seed).normal(size=n)
    values = np.empty(n)
    values[0] = noise[0]
    for i in range(1, n):
        values[i] = persistence * values[i - 1] + math.sqrt(1 - persistence**2) * noise[i]
    return values


def test_rows_that_follow_each_other_widen_the_interval_and_are_named():
    x, y = autoregressive(2000, 0.95, 0), autoregressive(2000, 0.95, 1)
    found = mibounds.estimate(x, x + y, method="auto", budget="fast")
    order = np.random.default_rng(0).permutation(2000)
    shuffled = mibounds.estimate(x[order], (x + y)[order], method="auto", budget="fast")
    assert any("rows follow each other" in warning for warning in found.warnings)
    assert not any("rows follow each other" in warning for warning in shuffled.warnings)
    assert np.ptp(found.interval) > 1.5 * np.ptp(shuffled.interval)
    for method in ("ksg", "gaussian"):  # whose intervals are not widened
        found, plain = (mibounds.estimate(x[rows], (x + y)[rows], method=method) for rows in (..., order))
        assert any("is for independent pairs and too narrow" in warning for warning in found.warnings)
        assert not any("rows follow each other" in warning for warning in plain.warnings)


def test_inflation_is_that_of_an_autoregression():
    """The variance of its mean is (1 + rho) / (1 - rho) times that of independent values."""
    found = [inflation(autoregressive(10_000, 0.8, seed)) for seed in range(20)]
    assert np.mean(found) == pytest.approx(3.0, rel=0.1)
    assert not any(is_autocorrelated(np.random.default_rng(seed).normal(size=(500, 4))) for seed in range(20))


def test_many_rare_labels_in_no_order_are_not_taken_to_follow_each_other():
    """Scores of values that are mostly equal have a mean, which correlates with itself."""
    rare = np.random.default_rng(0).random((400_000, 1)) < 0.1
    assert not is_autocorrelated(rare.astype(float))
    assert is_autocorrelated(np.sort(rare, axis=0).astype(float))


def test_seeds_repeat_exactly_and_budgets_have_names():
    x, y = drawn(AdditiveUniform(0.75), 300, 0)
    first, again, other = (mibounds.estimate(x, y, method="auto", budget="fast", seed=s) for s in (0, 0, 1))
    assert first == again and first.nats != other.nats
    with pytest.raises(ParameterError, match="budget must be one of fast, standard, thorough; got 'slow'"):
        mibounds.estimate(x, y, method="auto", budget="slow")


def test_too_few_pairs_are_refused():
    random = np.random.default_rng(0)
    with pytest.raises(DataError, match="no model can be fitted to half"):
        mibounds.estimate(random.normal(size=(12, 5)), random.normal(size=(12, 5)), method="auto")


def bent(n, seed, dim=10):
    """Each column of y is the size of one of x, and noise: no correlation, and too many columns for neighbours."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, dim))
    return x, np.abs(x) + 0.5 * random.normal(size=(n, dim))


def test_a_critic_reads_what_bends_in_many_columns():
    samples = Samples(*bent(2000, 0))
    with_it = crosswise(samples, SIMPLEST_FIRST, TrainedCritic(samples, 0, "cpu"))
    without = crosswise(samples, SIMPLEST_FIRST)
    assert {r.model for r in with_it} == {"trained_critic"}
    nats, less = (np.mean([r.terms.nats for r in readings]) for readings in (with_it, without))
    assert nats > less + 0.3
    one = bent(50_000, 1, dim=1)
    truth_nats = 10 * mibounds.estimate(*one, method="ksg").nats  # columns are independent
    error = max(r.terms.error for r in with_it)
    assert truth_nats - 5 * error < nats < truth_nats + 0.1


@pytest.fixture
def hurried(monkeypatch):
    monkeypatch.setattr(_trained_critic, "MOST_STEPS", 25)
    monkeypatch.setitem(auto.N_HALVINGS, "standard", 1)


def test_a_critic_starts_from_the_gaussian_law_and_chooses_by_pairs_it_did_not_train_on(monkeypatch):
    monkeypatch.setattr(_trained_critic, "MOST_STEPS", 0)
    samples = Samples(*drawn(Gaussian.from_mutual_information(3, 1.0), 2000, 0))
    rows = np.arange(1000), np.arange(1000, 2000)
    found = TrainedCritic(samples, 0, "cpu").both_ways(rows, 0)
    for crossed in found:
        assert np.isnan(crossed.choosing[:800]).all() and np.isfinite(crossed.choosing[800:]).all()
        assert crossed.read().nats == pytest.approx(1.0, abs=0.15)
        assert len(crossed.read().pointwise) == 1000


@pytest.fixture
def fits(hurried, monkeypatch):
    """What critics were made of: rows `R x n`, the scores that trained and stopped them, and rows that they read."""
    found: list[dict] = []
    of_rows, of_scores = TrainedCritic._trained, _trained_critic._trained

    def spy_on_rows(critic, rows, seed):
        found.append({"rows": rows, "read": []})
        read, train, stop = of_rows(critic, rows, seed)
        assert torch.equal(torch.cat([train, stop], 1), rows)
        return (lambda others: found[-1]["read"].append(others) or read(others)), train, stop

    def spy_on_scores(*inputs):
        found[-1]["scores"] = inputs[:2]
        return of_scores(*inputs)

    monkeypatch.setattr(TrainedCritic, "_trained", spy_on_rows)
    monkeypatch.setattr(_trained_critic, "_trained", spy_on_scores)
    return found


def test_what_reads_a_pair_did_not_train_on_it(fits):
    n = 503  # parts wrap round
    nats, _ = TrainedCritic(Samples(*bent(n, 0, dim=1)), 0, "cpu").cross_fitted
    assert np.isfinite(nats).all() and len(nats) == n
    (fit,) = fits
    read, _of_train = fit["read"]
    assert len(read) == 5 and {*read.flatten().tolist()} == {*range(n)}
    for own, others in zip(fit["rows"].tolist(), read.tolist(), strict=True):
        assert not {*own} & {*others} and {*own} | {*others} == {*range(n)}


def test_a_critic_is_trained_and_stopped_by_the_same_scores_whatever_it_reads(fits):
    x, y = bent(503, 0, dim=1)
    assert TrainedCritic(Samples(x, y), 0, "cpu").cross_fitted
    others = fits[0]["read"][0][0].numpy()  # of the first of five
    x[others], y[others] = x[others] + 100, -y[others]
    assert TrainedCritic(Samples(x, y), 0, "cpu").cross_fitted
    before, after = ([side for pairs in fit["scores"] for side in pairs] for fit in fits)
    assert all(torch.equal(a[0], b[0]) for a, b in zip(before, after, strict=True))
    assert not any(torch.equal(a[1], b[1]) for a, b in zip(before, after, strict=True))


def test_increasing_maps_change_nothing_for_a_critic_either(hurried):
    x, y = bent(400, 0, dim=3)
    found, mapped = (mibounds.estimate(f(x), y, device="cpu") for f in (np.asarray, np.arctan))
    assert mapped.nats == pytest.approx(found.nats, abs=1e-5)


def test_too_few_for_a_critic_are_read_by_the_others(hurried):
    x, y = drawn(Gaussian.from_correlation(2, 0.8), 200, 0)
    assert math.isfinite(mibounds.estimate(x, y).nats)


def test_no_critic_trains_between_single_columns(monkeypatch):
    def refuses(*_):
        raise AssertionError("a critic was asked for")

    monkeypatch.setattr(_trained_critic, "TrainedCritic", refuses)
    x, y = bent(500, 0, dim=1)
    assert mibounds.estimate(x, y).nats > 0.3
    with pytest.raises(AssertionError, match="asked for"):
        mibounds.estimate(np.hstack([x, x**2]), y)


def test_given_z_that_says_it_all_nothing_is_left(hurried):
    random = np.random.default_rng(0)
    z, of_x, of_y = random.normal(size=(3, 2000))
    x, y = z + of_x, z + of_y
    found, whole = mibounds.estimate(x, y, given=z), mibounds.estimate(x, y)
    assert found.conditional and found.interval[0] < 0 < found.interval[1] and abs(found.nats) < 0.05
    assert whole.nats == pytest.approx(-math.log(1 - 0.5**2) / 2, abs=0.04)
    assert any("as the difference of" in said for said in found.warnings)
    left = mibounds.estimate(x, y + of_x, given=z)
    assert left.nats == pytest.approx(math.log(2) / 2, abs=0.06)
    assert left.interval[0] < math.log(2) / 2 < left.interval[1]


def test_categories_alone_are_counted_and_beside_numbers_are_columns(hurried):
    random = np.random.default_rng(0)
    codes = random.integers(0, 3, 600)
    text = np.array(["a", "b", "c"])[codes]
    alone = mibounds.estimate(text, text[::-1])
    assert alone == mibounds.estimate(text, text[::-1], method="discrete") and alone.method == "discrete"
    beside = mibounds.estimate(text, codes + random.normal(scale=0.1, size=600))
    assert beside.method == "auto" and beside.nats == pytest.approx(math.log(3), abs=0.25)


@pytest.mark.parametrize(("n", "dim", "noise"), [(200, 1, 1e-3), (400, 1, 1e-3), (1000, 3, 1e-2)])
def test_sides_that_nearly_agree_read_no_more_than_there_is_and_are_called_saturated(n, dim, noise):
    random = np.random.default_rng(0)
    x = random.normal(size=(n, dim))
    found = mibounds.estimate(x, x + noise * random.normal(size=(n, dim)), budget="fast")
    assert found.nats < dim * math.log1p(noise**-2) / 2 and found.saturated
    assert any("do not tell how closely" in said or "ceiling" in said for said in found.warnings)


def test_sides_that_share_columns_are_read_up_to_the_ceiling():
    random = np.random.default_rng(0)
    columns = random.normal(size=(500, 2)) @ random.normal(size=(2, 20)) + 0.5 * random.normal(size=(500, 20))
    assert mibounds.estimate(columns[:, :14], columns[:, 6:], budget="fast").saturated


def test_of_small_classes_the_nearest_neighbour_is_read_which_is_not_too_high():
    off = []
    for seed in range(10):
        random = np.random.default_rng(seed)
        centres, label = 3 * random.normal(size=50), random.integers(50, size=1000)
        x = centres[label] + random.normal(size=1000)
        densities = np.exp(-((x[:, None] - centres) ** 2) / 2)
        truth = np.log(densities[np.arange(1000), label] / densities.mean(axis=1)).mean()
        found = mibounds.estimate(x, [f"label {k}" for k in label], budget="fast")
        off.append(found.nats - truth)
    assert abs(np.mean(off)) < 0.045


def test_many_rare_labels_are_not_taken_to_follow_each_other():
    for seed in range(3):
        x, y = np.random.default_rng(seed).integers(200, size=(2, 2000))
        found = mibounds.estimate([f"a{v}" for v in x], [f"b{v}" for v in y], budget="fast")
        assert not any("follow each other" in said for said in found.warnings)
    flags = (np.random.default_rng(0).random((2000, 100)) < 0.005).astype(float)
    assert not is_autocorrelated(flags)


def test_given_z_both_parts_are_read_by_one_model_so_that_what_it_errs_by_cancels():
    read = []
    for seed in range(8):
        z, of_x, of_y = np.random.default_rng(seed).normal(size=(3, 500))
        read.append(mibounds.estimate(z + 0.1 * of_x, z + 0.1 * of_y, given=z, budget="fast").nats)
    assert abs(np.mean(read)) < 0.03
