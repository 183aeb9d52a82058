"""Held-out bounds against a slow version, their limits, and what a measured row holds."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from mibounds import bounds, theory
from mibounds.errors import DataError, ParameterError, ShapeError, UnknownNameError
from mibounds.representation import _anchors, reading
from mibounds.representation._anchors import anchor_terms
from mibounds.representation.evaluation import evaluate
from mibounds.representation.few_labels import few_labels
from mibounds.representation.held_out import held_out_bound
from mibounds.representation.loop import Pretrainer
from mibounds.representation.measuring import Sizes, baselines, features, measure
from mibounds.representation.methods.info_nce import InfoNCE
from mibounds.representation.network import Network
from mibounds.representation.probes import Folds, Ridge
from mibounds.representation.sources import Examples, Factor, Pairs, Source
from mibounds.representation.sources.vmf import VMF
from mibounds.seeding import Seed, generator

SOURCE = VMF(3, kappa=10.0, n_classes=3, depth=1)
SMALL = Sizes(300, 150, 200, anchors=128, pool=127)
POOL = {"n_anchors": 128, "n_pool": 127}
ENCODER: Mapping = {"hidden": (16,), "dim": 8}


def sphere(dim: int, kappa: float) -> VMF:
    """Directions as they are, so that a network that changes nothing is the optimal critic at temperature 1/kappa."""
    return VMF(dim, kappa, n_classes=0, depth=0)


class Table(Source):
    """A finite source: rows of numbers with a label, as many as it is given."""

    name = "table"

    def __init__(self, n: int, labels: int = 3):
        self.shape, self.n_train = (3,), n
        self.x = torch.randn(n, 3, generator=generator(n))
        self.factors = {"label": Factor(n_classes=labels)}
        self.labels = torch.arange(n) % labels

    @classmethod
    def example(cls) -> Table:
        return cls(60)

    def _rows(self, n: int, seed: Seed) -> Tensor:
        if n > len(self.x):
            raise DataError(f"table has {len(self.x)} rows; got a request for {n}")
        return torch.randperm(len(self.x), generator=generator(seed))[:n]

    def pairs(self, n: int, seed: Seed, *, device="cpu", split="test") -> Pairs:
        rows = self._rows(n, seed)
        return Pairs(self.x[rows], self.x[rows] + 0.1, {"label": self.labels[rows]})

    def examples(self, n, seed: Seed, *, device="cpu", split="test") -> Examples:
        rows = self._rows(len(self.x) if n is None else n, seed)
        return Examples(self.x[rows], {"label": self.labels[rows]})


def network_of(n_runs: int = 2, dim: int = 3, first: int = 0) -> Network:
    seeds = list(range(first, first + n_runs))
    return Network.build((dim,), seeds, encoder_options=ENCODER, embedding=4)


def unchanged(dim: int, n_runs: int = 1) -> Network:
    """z = x: the first layer gives x and -x after its ReLU, the projector takes the difference."""
    network = Network.build(
        (dim,),
        [0] * n_runs,
        encoder_options={"hidden": (), "dim": 2 * dim},
        embedding=dim,
        projector_options={"layers": 1},
    )
    eye = torch.eye(dim)
    with torch.no_grad():
        for p in network.parameters():
            p.zero_()
        network.encoder.blocks[0][0].weight.copy_(torch.cat([eye, -eye], dim=1))
        network.projector[0].weight.copy_(torch.cat([eye, -eye], dim=0))
    return network


@pytest.fixture(scope="module")
def trained() -> Pretrainer:
    network = network_of(2)
    training = Pretrainer(
        network, InfoNCE(network, [0, 1], temperature=[0.1, 0.3]), SOURCE, [0, 1], batch_size=64, steps=300,
        learning_rate=3e-3,
    )  # fmt: skip
    training.fit()
    return training


# The held-out bound


def slow_terms(positives: Tensor, negatives: Tensor, count: int) -> list[list[float]]:
    """One anchor and one group at a time."""
    groups = negatives.shape[1] // count
    return [
        [
            math.log(count + 1)
            - math.log(
                1 + sum(math.exp(negatives[i, j] - positives[i]) for j in range(g * count, (g + 1) * count))
            )
            for g in range(groups)
        ]
        for i in range(len(positives))
    ]


@pytest.mark.parametrize("count", [1, 3, 10])
def test_terms_are_those_of_the_equation(count):
    source = generator(0)
    positives = 3 * torch.randn(6, generator=source, dtype=torch.float64)
    negatives = 3 * torch.randn(6, 10, generator=source, dtype=torch.float64)
    terms, shares = anchor_terms(positives, negatives, count)
    torch.testing.assert_close(
        terms, torch.tensor(slow_terms(positives, negatives, count), dtype=torch.float64)
    )
    partition = positives.exp().view(-1, 1, 1) + negatives[:, : 10 // count * count].exp().unflatten(
        1, (10 // count, count)
    ).sum(-1, keepdim=True)
    expected = (negatives[:, : 10 // count * count].exp().unflatten(1, (10 // count, count)) / partition).sum(
        0
    )
    torch.testing.assert_close(shares, expected)


def test_terms_of_extreme_scores_are_finite_and_never_over_the_ceiling():
    for scale in (1.0, 1000.0, -1000.0):
        terms, shares = anchor_terms(torch.full((4,), scale), -torch.full((4, 9), scale), 3)
        assert terms.isfinite().all() and shares.isfinite().all() and (terms <= math.log(4) + 1e-6).all()


def mean_and_largest(terms: list[list[float]]) -> tuple[float, float]:
    """Over all, and the largest of the groups' means over anchors."""
    groups = [sum(column) / len(terms) for column in zip(*terms, strict=True)]
    return sum(groups) / len(groups), max(groups)


def slow_held_out(
    network: Network, run: int, pairs: Pairs, temperature: float, count: int, n: int
) -> tuple[float, float]:
    z_a, z_b = (network(v.expand(network.n_runs, *v.shape)).embedding[run].double() for v in pairs[:2])
    cosines = torch.nn.functional.cosine_similarity(z_a[:n, None], z_b[None], dim=-1) / temperature
    return mean_and_largest(slow_terms(cosines[:, :n].diagonal(), cosines[:, n:], count))


def test_the_bound_is_the_slow_one_whatever_the_chunks(monkeypatch):
    network = network_of(2)
    network.requires_grad_(False)
    (pairs,) = reading.pairs_of([reading.Run(SOURCE, 5)], 20 + 30, "test", ("held out", 0))
    settings = ((0, 0.2, 7), (1, 0.5, 30))
    expected, largest = zip(
        *(slow_held_out(network, *one[:1], pairs, *one[1:], 20) for one in settings), strict=True
    )
    ratio = SOURCE.log_density_ratio_matrix(pairs.view_a[:20], pairs.view_b)
    oracle = [mean_and_largest(slow_terms(ratio[:, :20].diagonal(), ratio[:, 20:], k))[0] for k in (7, 30)]
    for at_once in (2**23, 1, 30 * 2 * 7):
        monkeypatch.setattr(_anchors, "SCORES_AT_ONCE", at_once)
        found = held_out_bound(
            network, SOURCE, [0.2, 0.5], [7, 30], seeds=5, n_anchors=20, n_pool=30, n_validation=20
        )
        assert found.estimate_nats.tolist() == pytest.approx(expected, abs=1e-5)
        assert found.largest_block_nats.tolist() == pytest.approx(largest, abs=1e-5)
        assert found.oracle_nats.tolist() == pytest.approx(oracle, abs=1e-3)
    assert found.n_candidates.tolist() == [8, 31]
    assert found.ceiling_nats.tolist() == pytest.approx([math.log(8), math.log(31)])


def test_the_optimal_critic_reaches_the_oracle_and_its_temperature_is_found():
    """On the sphere as it is, cosine over 1/kappa is the density ratio."""
    for kappa in (5.0, 20.0):
        source = sphere(3, kappa)
        found = held_out_bound(
            unchanged(3), source, 1 / kappa, 127, n_anchors=1024, n_pool=2032, n_validation=1024
        )
        assert found.estimate_nats.item() == pytest.approx(found.oracle_nats.item(), abs=1e-4)
        exact = theory.info_nce_oracle_vmf(3, kappa, 128)
        assert abs(found.estimate_nats.item() - exact) < 4 * found.standard_error_nats.item() < 0.2
        assert found.best_temperature.item() == pytest.approx(1 / kappa, rel=0.15)
        assert found.best_temperature_estimate_nats.item() == pytest.approx(exact, abs=0.1)
        assert found.truth_nats.item() == theory.vmf_mutual_information(3, kappa)


def test_the_training_temperature_is_read_as_it_is_and_the_best_one_repairs_it():
    source = sphere(3, 20.0)
    temperatures = [0.05, 1.0]
    found = held_out_bound(unchanged(3, 2), source, temperatures, 127, n_pool=508)
    assert found.estimate_nats[1] < 0.6 * found.estimate_nats[0]
    torch.testing.assert_close(
        found.best_temperature_estimate_nats[0], found.best_temperature_estimate_nats[1]
    )
    ceilings = [theory.temperature_ceiling(3, tau) for tau in temperatures]
    assert found.temperature_ceiling_nats.tolist() == pytest.approx(ceilings)


def test_the_best_temperature_is_the_best_of_the_validation_pairs_alone():
    """It maximises InfoNCE on the validation pairs, and changes with them but not with the number of test pairs."""
    network = network_of(1)
    found = held_out_bound(network, SOURCE, None, 15, n_validation=64, **POOL)
    reader = _anchors.Reader(network, reading.runs_of(1, SOURCE, 0), [15], 127)
    block = reader.draw(64, "validation", 0)
    grid = found.best_temperature.log() + torch.linspace(-1, 1, 81, dtype=torch.float64)
    values = torch.stack([reader.info_nce(block, tau.view(1)).nats[0] for tau in grid.exp()])
    assert values.argmax() == 40 or values.max() - values[40] < 1e-4
    others = held_out_bound(network, SOURCE, None, 15, n_validation=64, n_anchors=50, n_pool=127, n_blocks=2)
    assert torch.equal(found.best_temperature, others.best_temperature)
    assert found.estimate_nats.isnan().all() and found.best_temperature_estimate_nats.isfinite().all()


def test_no_pair_is_in_two_folds():
    run = reading.Run(SOURCE, 0)
    draws = [
        reading.pairs_of([run], 50, split, purpose)[0].view_a
        for split, purpose in (
            ("test", ("held out", 0)),
            ("test", ("held out", 1)),
            ("validation", ("held out", 0)),
            ("test", ("alignment",)),
        )
    ]
    draws += [reading.examples_of([run], 50, split)[0].x for split in ("train", "validation", "test")]
    rows = torch.cat(draws)
    assert len(rows.unique(dim=0)) == len(rows)


@pytest.mark.parametrize(("n_anchors", "n_pool", "count"), [(60, 240, 15), (500, 16, 8), (100, 20, 20)])
def test_standard_errors_are_the_spread_over_seeds(n_anchors, n_pool, count):
    """Where anchors are few, where negatives are, and where both count. For an untrained critic some are hard."""
    sizes = {"n_anchors": n_anchors, "n_pool": n_pool, "n_validation": 2}
    found = [held_out_bound(network_of(1), SOURCE, 0.05, count, seeds=s, **sizes) for s in range(100)]
    for value, error in (
        ("estimate_nats", "standard_error_nats"),
        ("oracle_nats", "oracle_standard_error_nats"),
    ):
        values, errors = (torch.stack([getattr(one, name) for one in found]) for name in (value, error))
        assert values.std().item() == pytest.approx(errors.square().mean().sqrt().item(), rel=0.25)


def test_blocks_are_averaged_and_the_largest_is_kept():
    network = network_of(1)
    one, four = (
        held_out_bound(network, SOURCE, 0.2, 31, n_anchors=64, n_pool=93, n_blocks=n) for n in (1, 4)
    )
    assert four.standard_error_nats.item() == pytest.approx(one.standard_error_nats.item() / 2, rel=0.3)
    assert four.largest_block_nats > four.estimate_nats and four.largest_block_nats >= one.largest_block_nats
    assert four.largest_block_nats <= four.ceiling_nats


def test_a_trained_model_stays_below_everything_that_limits_it(trained):
    found = held_out_bound(trained.network, SOURCE, [0.1, 0.3], [127, 31], n_anchors=512, n_pool=508)
    for estimate, ceiling, error in (
        (found.estimate_nats, found.temperature_ceiling_nats, found.standard_error_nats),
        (
            found.best_temperature_estimate_nats,
            found.best_temperature_ceiling_nats,
            found.best_temperature_standard_error_nats,
        ),
    ):
        assert (estimate <= torch.minimum(found.ceiling_nats, ceiling) + 4 * error).all()
        assert (estimate <= found.truth_nats + 4 * error).all() and (estimate > 0.5).all()
        assert (estimate <= found.oracle_nats + 4 * found.oracle_standard_error_nats).all()
    assert (found.best_temperature_estimate_nats >= found.estimate_nats - 0.05).all()


def test_a_run_is_read_the_same_alone_and_whatever_others_use_of_the_pool():
    sources = [SOURCE, VMF(3, kappa=5.0, depth=1)]
    stack = held_out_bound(network_of(2), sources, [0.2, 0.4], [15, 127], seeds=[3, 4], **POOL)
    for r in range(2):
        alone = held_out_bound(
            network_of(1, first=r), sources[r], [0.2, 0.4][r], [15, 127][r], seeds=3 + r, **POOL
        )
        for name, value in stack.rows()[r].items():
            assert alone.rows()[0][name] == pytest.approx(value, abs=2e-3), name


def test_reading_leaves_the_network_as_it_is():
    network = Network.build((3,), [0], encoder_options={**ENCODER, "norm": "batch"}, embedding=4)
    before = copy.deepcopy(network.state_dict())
    held_out_bound(network, SOURCE, 0.2, 15, **POOL)
    measure(network, SOURCE, temperature=0.2, sizes=SMALL)
    assert network.training and all(p.grad is None for p in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


# Other bounds


@pytest.mark.parametrize("name", ["nwj", "donsker_varadhan", "smile", "leave_one_out", "jensen_shannon"])
def test_other_bounds_are_read_on_batches_of_k_pairs(name):
    source, bound = sphere(3, 5.0), bounds.load(name)()
    found = held_out_bound(unchanged(3), source, 0.2, 31, bound=name, n_anchors=2048, n_pool=1024)
    run = reading.Run(source, 0)
    pairs = reading.pairs_of([run], 2048 + 1024, "test", ("held out", 0))[0]
    a, b = (view[:2048].unflatten(0, (64, 32)) for view in pairs[:2])
    values = bound(bound.optimal_scores(source.log_density_ratio_matrix(a, b).double()))
    assert found.oracle_nats.item() == pytest.approx(values.mean().item(), abs=1e-5)
    assert found.oracle_standard_error_nats.item() == pytest.approx(values.std().item() / 8, rel=1e-3)
    # the cosine over 1/kappa is the ratio up to a constant, which the validation pairs tell
    assert found.estimate_nats.item() == pytest.approx(found.oracle_nats.item(), abs=0.05)
    assert found.temperature_ceiling_nats.isnan().all()


def test_bounds_that_cannot_be_read_are_refused():
    network = network_of(1)
    with pytest.raises(ParameterError, match="trained log-baseline"):
        held_out_bound(network, SOURCE, 0.2, 15, bound="tuba", **POOL)
    with pytest.raises(ParameterError, match="n_anchors of 256"):
        held_out_bound(network, SOURCE, 0.2, 127, bound="nwj", **POOL)
    for wrong in (0, -1, 128, [15, 15]):
        with pytest.raises((ParameterError, ShapeError), match="n_negatives"):
            held_out_bound(network, SOURCE, 0.2, wrong, **POOL)
    for wrong in (0.0, -1.0):
        with pytest.raises(ParameterError, match="temperature must be greater than 0"):
            held_out_bound(network, SOURCE, wrong, **POOL)
    with pytest.raises(ShapeError, match="one source and one seed"):
        held_out_bound(network, [SOURCE, SOURCE], 0.2, **POOL)
    with pytest.raises(DataError, match="60 rows"):
        held_out_bound(network, Table(60), 0.2, **POOL)


# measure


def test_a_row_holds_what_its_parts_say(trained):
    network = trained.network
    row = measure(network, SOURCE, temperature=[0.1, 0.3], n_negatives=31, seeds=2, sizes=SMALL)[1]
    embedded, known = features(network, SOURCE, 200, seeds=2)
    assert embedded.embedding.shape == (2, 200, 4) and known[0]["latent"].shape == (200, 3)
    assert not embedded.representation.requires_grad
    h = Folds(
        *(
            features(network, SOURCE, n, seeds=2, split=split)[0].representation
            for n, split in ((300, "train"), (150, "validation"), (200, "test"))
        )
    )
    factors = [
        features(network, SOURCE, n, seeds=2, split=split)[1][0]
        for n, split in ((300, "train"), (150, "validation"), (200, "test"))
    ]
    ridge = Ridge(h)
    assert row["latent_r2"] == pytest.approx(
        ridge.regress(Folds(*(f["latent"] for f in factors))).r2[1].item()
    )
    accuracy = ridge.classify(Folds(*(f["label"] for f in factors))).accuracy[1].item()
    assert row["accuracy"] == pytest.approx(accuracy) and accuracy > 0.8
    bound = held_out_bound(network, SOURCE, [0.1, 0.3], 31, seeds=2, **POOL).rows()[1]
    assert {name: row[name] for name in bound} == pytest.approx(bound, nan_ok=True)
    assert row["status"] == "ok" and "label_accuracy" not in row
    assert 0 < row["alignment"] < 2 and row["uniformity"] < 0 and 1 <= row["effective_rank"] <= 4
    assert row["tolerance"] > 0 and row["representation_effective_rank"] <= 8


def test_runs_of_different_sources_are_measured_in_one_stack():
    sources = [SOURCE, sphere(3, 5.0), VMF(3, kappa=5.0, n_classes=4, depth=1)]
    stack = measure(network_of(3), sources, temperature=0.2, sizes=SMALL, per_layer=True)
    assert "accuracy" in stack[0] and "accuracy" not in stack[1] and "latent_r2" in stack[1]
    assert stack[0]["truth_nats"] != stack[1]["truth_nats"]
    for r, source in enumerate(sources):
        alone = measure(network_of(1, first=r), source, temperature=0.2, sizes=SMALL, per_layer=True)[0]
        assert alone.keys() == stack[r].keys()
        for name, value in alone.items():
            assert stack[r][name] == pytest.approx(value, abs=2e-3), name


def test_each_layer_is_probed_on_request():
    network = network_of(1)
    row = measure(network, SOURCE, sizes=SMALL, per_layer=True, held_out=False)[0]
    layers = list(network.encoder.layers(torch.zeros(1, 2, 3)))
    for layer in (*layers, "embedding"):
        assert {f"{layer}_accuracy", f"{layer}_latent_r2", f"{layer}_effective_rank"} <= row.keys()
    assert row[f"{layers[-1]}_accuracy"] == row["accuracy"]
    assert row[f"{layers[-1]}_effective_rank"] == row["representation_effective_rank"]
    assert "estimate_nats" not in row


def test_a_layer_is_probed_by_name_as_it_is_among_all():
    network, read = network_of(1), {"sizes": SMALL, "held_out": False}
    every, without = (measure(network, SOURCE, per_layer=which, **read)[0] for which in (True, False))
    one = measure(network, SOURCE, per_layer=("embedding",), **read)[0]
    assert set(one) - set(without) == {name for name in every if name.startswith("embedding_")} != set()
    assert one == {name: every[name] for name in one}
    with pytest.raises(UnknownNameError, match="did you mean 'embedding'"):
        measure(network, SOURCE, per_layer=("embeding",), **read)


def test_data_is_drawn_once_for_runs_that_share_it(monkeypatch):
    drawn: list[object] = []
    original = VMF.pairs

    def counted(self, n, seed, **options):
        drawn.append(seed)
        return original(self, n, seed, **options)

    monkeypatch.setattr(VMF, "pairs", counted)
    measure(network_of(1), SOURCE, sizes=SMALL)
    once = len(drawn)
    measure(network_of(4), SOURCE, sizes=SMALL)
    assert len(drawn) == 2 * once
    measure(network_of(4), SOURCE, seeds=[0, 1, 0, 1], sizes=SMALL)
    assert len(drawn) == 4 * once


def test_a_run_that_diverged_says_so_and_harms_no_other():
    healthy, broken = network_of(2), network_of(2)
    with torch.no_grad():
        next(broken.parameters())[0] = math.inf
    expected = measure(healthy, SOURCE, temperature=0.2, sizes=SMALL, per_layer=True)
    found = measure(broken, SOURCE, temperature=0.2, sizes=SMALL, per_layer=True)
    assert found[0]["status"] == "features are not finite" and found[0].keys() == expected[0].keys()
    known = {"status", "ceiling_nats", "temperature_ceiling_nats", "truth_nats", "n_candidates"}
    known |= {"oracle_nats", "oracle_standard_error_nats"}
    assert all(math.isnan(value) for name, value in found[0].items() if name not in known)
    assert found[1] == pytest.approx(expected[1], abs=1e-6)


def test_a_finite_source_gives_what_it_has():
    row = measure(network_of(1), Table(60), temperature=0.2, sizes=SMALL)[0]
    assert row["n_candidates"] == 41 and math.isnan(row["truth_nats"]) and math.isnan(row["oracle_nats"])
    with pytest.raises(ParameterError, match=r"1\.\.40"):
        measure(network_of(1), Table(60), temperature=0.2, n_negatives=50, sizes=SMALL)
    with pytest.raises(DataError, match="one class"):
        measure(network_of(1), Table(60, labels=1), temperature=0.2, sizes=SMALL)


def test_baselines_probe_the_same_data(trained):
    untrained = network_of(2)
    found = baselines(untrained, SOURCE, sizes=SMALL, seeds=2)
    as_model = measure(untrained, SOURCE, sizes=SMALL, seeds=2, held_out=False)
    for of_run, row in zip(found, as_model, strict=True):
        for name in ("accuracy", "latent_r2", "knn_accuracy"):
            assert of_run[f"random_{name}"] == pytest.approx(row[name])
    inputs = measure(unchanged(3, 2), SOURCE, sizes=SMALL, seeds=2, held_out=False, per_layer=True)[0]
    assert found[0]["raw_latent_r2"] == pytest.approx(inputs["embedding_latent_r2"], abs=1e-6)
    assert {k: v for k, v in found[0].items() if k[:4] == "raw_"} == {
        k: v for k, v in found[1].items() if k[:4] == "raw_"
    }
    alone = baselines(None, SOURCE, n_runs=2, sizes=SMALL, seeds=2)
    assert [row["raw_accuracy"] for row in alone] == [row["raw_accuracy"] for row in found]
    assert not any(name.startswith("random_") for name in alone[0])


# Label fractions, and all of it in one call


def test_few_labels_go_from_little_to_all(trained):
    fractions = (0.01, 0.1, 1.0)
    rows = few_labels(trained.network, SOURCE, fractions, sizes=SMALL, untrained=network_of(2), max_steps=200)
    whole = measure(trained.network, SOURCE, sizes=SMALL, held_out=False)
    for row, full in zip(rows, whole, strict=True):
        assert [row[f"n_labels_at_{f:g}"] for f in fractions[1:]] == pytest.approx([30, 300], abs=2)
        assert 3 <= row["n_labels_at_0.01"] <= 5
        assert row["accuracy_at_1"] == pytest.approx(full["accuracy"])
        assert row["accuracy_at_0.01"] <= row["accuracy_at_1"] + 0.02
        for f in fractions:
            for kind in ("raw_accuracy", "random_accuracy", "fine_tuned_accuracy", "supervised_accuracy"):
                assert 0 <= row[f"{kind}_at_{f:g}"] <= 1
        assert row["fine_tuned_accuracy_at_0.1"] != row["supervised_accuracy_at_0.1"]
    start = trained.network
    (same, _) = few_labels(start, SOURCE, [0.1], sizes=SMALL, untrained=start, max_steps=40)
    assert same["fine_tuned_accuracy_at_0.1"] == same["supervised_accuracy_at_0.1"]
    assert same["random_accuracy_at_0.1"] == same["accuracy_at_0.1"]
    (other, _) = few_labels(start, SOURCE, [0.1], sizes=SMALL, probe="logistic")
    assert other["accuracy_at_0.1"] == pytest.approx(same["accuracy_at_0.1"], abs=0.1)
    assert other["accuracy_at_0.1"] != same["accuracy_at_0.1"]
    with pytest.raises(UnknownNameError, match="did you mean 'ridge'"):
        few_labels(start, SOURCE, [0.1], sizes=SMALL, probe="rigde")
    with pytest.raises(DataError, match="no label"):
        few_labels(network_of(1), sphere(3, 5.0), [0.1], sizes=SMALL)


def test_an_evaluation_reads_by_itself(trained):
    found = evaluate(trained, sizes=SMALL, label_fractions=[0.1], per_layer=True)
    text = str(found)
    assert text.startswith("info_nce after 300 steps, 2 runs")
    for words in ("label accuracy", "raw input", "nats", "true MI", "effective rank", "layer_1", "10.0%: 30"):
        assert words in text
    assert "random_accuracy" not in found.rows[0], "a training without a recipe cannot be made again"
    assert found.as_dict()["rows"][0]["status"] == "ok" and found.as_dict()["method"] == "info_nce"
    elsewhere = evaluate(trained, sphere(3, 5.0), sizes=SMALL)
    assert elsewhere.rows[0]["truth_nats"] == sphere(3, 5.0).mutual_information
    assert elsewhere.as_dict()["rows"][0].get("accuracy") is None


def test_sampled_truth_is_the_truth_on_average_and_takes_the_pairs_luck_out() -> None:
    seeds = list(range(40))
    source = VMF(4, theory.vmf_concentration(4, 4.0), depth=1)
    network = Network.build(source.shape, seeds, embedding=4)
    found = held_out_bound(network, source, seeds=seeds, n_anchors=100, n_pool=400, n_validation=8)
    sampled = found.sampled_truth_nats
    assert sampled.mean().item() == pytest.approx(4.0, abs=4 * sampled.std().item() / math.sqrt(40))
    assert (found.oracle_nats - sampled).std() < 0.6 * found.oracle_nats.std()
