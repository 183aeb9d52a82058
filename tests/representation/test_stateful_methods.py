"""Methods with state or without negatives, against slow loops written from their papers; what they keep, and how."""

from __future__ import annotations

import math
from collections import deque

import pytest
import torch
from torch import Tensor

from mibounds.errors import DataError, ParameterError, UnknownNameError
from mibounds.representation import methods
from mibounds.representation.methods import Method
from mibounds.representation.methods._momentum import MomentumNetwork
from mibounds.representation.methods._queue import Queue
from mibounds.representation.methods._sinkhorn import sinkhorn
from mibounds.representation.network import Network
from mibounds.representation.per_run import Temperature
from mibounds.representation.sources import Pairs
from mibounds.representation.sources.vmf import VMF

SEEDS = [0, 1]
N, DIM_X, D = 5, 3, 4
TAU = Temperature(0.3, 1).double()().item()  # 0.3 as it is kept, by its logarithm in float32
Rows = list[list[float]]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network_of(seeds: list[int] = SEEDS, norm: str = "none") -> Network:
    return Network.build(
        (DIM_X,),
        seeds,
        encoder_options={"hidden": (8,), "dim": 6, "norm": norm},
        embedding=D,
        projector_options={"layers": 1},
    ).double()


def pairs_of(n: int = N, seed: int = 0) -> Pairs:
    label = torch.arange(n).remainder(3).expand(2, -1)
    return Pairs(normal(2, n, DIM_X, seed=seed), normal(2, n, DIM_X, seed=seed + 100), {"label": label})


def made(name: str, network: Network, **options) -> Method:
    return methods.load(name).example(network, SEEDS, **options).double()


def stirred(network: Network, seed: int) -> None:
    """Stands for an optimiser's step."""
    with torch.no_grad():
        for i, p in enumerate(network.parameters()):
            p.add_(0.1 * normal(*p.shape, seed=1000 * seed + i))


def embedded(network: Network, pairs: Pairs, run: int) -> tuple[Rows, Rows]:
    return tuple(network(view).embedding[run].tolist() for view in (pairs.view_a, pairs.view_b))


def dot(u: list[float], v: list[float]) -> float:
    return sum(a * b for a, b in zip(u, v, strict=True))


def unit(rows: Rows) -> Rows:
    return [[value / math.sqrt(dot(row, row)) for value in row] for row in rows]


def cosine(u: list[float], v: list[float]) -> float:
    return dot(u, v) / math.sqrt(dot(u, u) * dot(v, v))


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def assert_losses(losses: Tensor, expected: list[float]) -> None:
    torch.testing.assert_close(losses, torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=1e-9)


# ---- losses against loops


def slow_moco(q: Rows, k: Rows, past: Rows, n_negatives: int | None) -> float:
    losses = []
    for i in range(len(q)):
        in_batch = [k[(i + step) % len(k)] for step in range(1, len(k))]
        negatives = (in_batch + past[::-1])[:n_negatives]
        scores = [dot(q[i], key) / TAU for key in (k[i], *negatives)]
        losses.append(-math.log(math.exp(scores[0]) / sum(math.exp(s) for s in scores)))
    return mean(losses)


@pytest.mark.parametrize("n_negatives", [None, 2, 7, [3, 9]])
@pytest.mark.parametrize("length", [0, 3, 7, 12])
def test_moco_is_a_cross_entropy_over_an_explicit_list_of_keys(length, n_negatives):
    if n_negatives in (7, [3, 9]) and length < 5:
        n_negatives = 4 + length
    network = network_of()
    method = made("moco", network, temperature=TAU, queue=length, n_negatives=n_negatives, momentum=0.7)
    wanted = n_negatives if isinstance(n_negatives, list) else [n_negatives] * 2
    past: list[Rows] = [[], []]
    for step in range(4):
        pairs = pairs_of(seed=step)
        queries = [unit(embedded(network, pairs, run)[0]) for run in (0, 1)]
        keys = [unit(embedded(method.keys.network, pairs, run)[1]) for run in (0, 1)]
        losses = method(network, pairs)
        assert_losses(losses, [slow_moco(queries[r], keys[r], past[r], wanted[r]) for r in (0, 1)])
        stirred(network, step)
        method.after_step(network, step / 4)
        past = [(past[r] + keys[r])[max(0, len(past[r]) + N - length) :] for r in (0, 1)]
    assert [len(p) for p in past] == [length] * 2, "the queue was full in the end"


def test_symmetric_moco_asks_both_ways_and_keeps_both_views_keys():
    network, pairs = network_of(), pairs_of()
    swapped = Pairs(pairs.view_b, pairs.view_a, pairs.factors)
    both = made("moco", network, temperature=TAU, queue=30, symmetric=True)
    one_way = made("moco", network, temperature=TAU, queue=30)
    expected = (one_way(network, pairs) + one_way(network, swapped)) / 2
    torch.testing.assert_close(both(network, pairs), expected)
    both.after_step(network, 0.0)
    assert both.queue.filled == 2 * N


def slow_sinkhorn(scores: Rows, eps: float, iterations: int) -> Rows:
    """Algorithm of SwAV's appendix: all mass 1, columns to 1/P, rows to 1/n, in turn."""
    n, p = len(scores), len(scores[0])
    q = [[math.exp(s / eps) for s in row] for row in scores]
    for _ in range(iterations):
        columns = [sum(q[i][j] for i in range(n)) for j in range(p)]
        q = [[q[i][j] / columns[j] / p for j in range(p)] for i in range(n)]
        q = [[value / sum(row) / n for value in row] for row in q]
    return [[value * n for value in row] for row in q]


def slow_swav(scores: tuple[Rows, Rows], codes: tuple[Rows, Rows]) -> float:
    def cross_entropy(code: Rows, score: Rows) -> float:
        total = []
        for q, s in zip(code, score, strict=True):
            partition = sum(math.exp(value / TAU) for value in s)
            total.append(-sum(a * math.log(math.exp(b / TAU) / partition) for a, b in zip(q, s, strict=True)))
        return mean(total)

    return (cross_entropy(codes[1], scores[0]) + cross_entropy(codes[0], scores[1])) / 2


@pytest.mark.parametrize("queue", [0, 3, 8])
@pytest.mark.parametrize("balanced", [True, False])
def test_swav_is_a_swapped_prediction_of_plain_sinkhorns_codes(queue, balanced):
    network = network_of()
    options = {"temperature": TAU, "prototypes": 6, "queue": queue, "sinkhorn": balanced}
    method = made("swav", network, **options)
    past: list[tuple[Rows, Rows]] = [([], []), ([], [])]
    for step in range(3):
        pairs, expected = pairs_of(seed=step), []
        for run in (0, 1):
            columns = method.prototypes[run].T.tolist()
            z = [unit(rows) for rows in embedded(network, pairs, run)]
            scores = [[[dot(row, c) for c in columns] for row in rows] for rows in z]
            behind = [[[dot(row, c) for c in columns] for row in rows] for rows in past[run]]
            if balanced:
                codes = [slow_sinkhorn(scores[v] + behind[v], 0.05, 3)[:N] for v in (0, 1)]
            else:
                weights = [[[math.exp(s / 0.05) for s in row] for row in rows] for rows in scores]
                codes = [[[w / sum(row) for w in row] for row in rows] for rows in weights]
            expected.append(slow_swav(tuple(scores), tuple(codes)))
            kept = [(past[run][v] + z[v])[max(0, len(past[run][v]) + N - queue) :] for v in (0, 1)]
            past[run] = tuple(kept)
        assert_losses(method(network, pairs), expected)
        stirred(network, step)
        method.after_step(network, step / 3)


@pytest.mark.parametrize("predictor", [True, False])
@pytest.mark.parametrize("stop_gradient", [True, False])
def test_byol_is_two_squared_distances_of_unit_vectors(predictor, stop_gradient):
    network, pairs = network_of(norm="batch"), pairs_of()
    method = made("byol", network, predictor=predictor, stop_gradient=stop_gradient)
    stirred(network, 1)  # so that target and online network differ
    target = method.target.network if stop_gradient else network
    expected = []
    for run in (0, 1):
        a, b = (unit(method.predictor(network(v).embedding)[run].tolist()) for v in pairs[:2])
        t_a, t_b = (unit(rows) for rows in embedded(target, pairs, run))
        distances = [
            sum((x - y) ** 2 for x, y in zip(p, t, strict=True))
            for p, t in zip(a + b, t_b + t_a, strict=True)
        ]
        expected.append(sum(distances) / N)
    assert_losses(method(network, pairs), expected)


def slow_variance_hinge(z: Rows) -> float:
    hinges = []
    for column in zip(*z, strict=True):
        variance = sum((value - mean(column)) ** 2 for value in column) / (len(z) - 1)
        hinges.append(max(0.0, 1 - math.sqrt(variance + 1e-4)))
    return mean(hinges)


def slow_covariance(z: Rows) -> float:
    columns = [[value - mean(column) for value in column] for column in zip(*z, strict=True)]
    return sum(
        (dot(columns[i], columns[j]) / (len(z) - 1)) ** 2 for i in range(D) for j in range(D) if i != j
    ) / len(columns)


@pytest.mark.parametrize("predictor", [True, False])
@pytest.mark.parametrize("redundancy", [0.0, 0.7])
def test_simsiam_is_minus_a_mean_cosine_plus_redundancy(predictor, redundancy):
    network, pairs = network_of(norm="batch"), pairs_of()
    method = made("simsiam", network, predictor=predictor, redundancy=redundancy)
    expected = []
    for run in (0, 1):
        p_a, p_b = (method.predictor(network(v).embedding)[run].tolist() for v in pairs[:2])
        z_a, z_b = embedded(network, pairs, run)
        loss = -mean([cosine(p_a[i], z_b[i]) / 2 + cosine(p_b[i], z_a[i]) / 2 for i in range(N)])
        for z in (z_a, z_b):
            scaled = [[2.0 * value for value in row] for row in unit(z)]  # sqrt(d) = 2
            loss += redundancy * (slow_variance_hinge(scaled) + slow_covariance(scaled)) / 2
        expected.append(loss)
    assert_losses(method(network, pairs), expected)


@pytest.mark.parametrize("off_diagonal", [0.0, 0.005, 0.5])
def test_barlow_twins_is_the_distance_of_correlations_from_the_identity(off_diagonal):
    network, pairs = network_of(), pairs_of(n=7)
    expected = []
    for run in (0, 1):
        standard = []
        for z in embedded(network, pairs, run):
            columns = [[value - mean(column) for value in column] for column in zip(*z, strict=True)]
            standard.append([[v / math.sqrt(dot(c, c) / 7 + 1e-5) for v in c] for c in columns])
        loss = 0.0
        for i in range(D):
            for j in range(D):
                correlation = dot(standard[0][i], standard[1][j]) / 7
                loss += (1 - correlation) ** 2 if i == j else off_diagonal * correlation**2
        expected.append(loss)
    assert_losses(made("barlow_twins", network, off_diagonal=off_diagonal)(network, pairs), expected)


@pytest.mark.parametrize("weights", [(25.0, 25.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)])
def test_vicreg_is_invariance_variance_covariance(weights):
    network, pairs = network_of(), pairs_of()
    expected = []
    for run in (0, 1):
        z_a, z_b = embedded(network, pairs, run)
        s = mean([(x - y) ** 2 for u, v in zip(z_a, z_b, strict=True) for x, y in zip(u, v, strict=True)])
        v = (slow_variance_hinge(z_a) + slow_variance_hinge(z_b)) / 2
        c = slow_covariance(z_a) + slow_covariance(z_b)
        expected.append(weights[0] * s + weights[1] * v + weights[2] * c)
    named = dict(zip(("invariance", "variance", "covariance"), weights, strict=True))
    assert_losses(made("vicreg", network, **named)(network, pairs), expected)


def test_supervised_is_a_cross_entropy_of_the_first_view():
    network, pairs = network_of(), pairs_of()
    method, expected = made("supervised", network, n_classes=3), []
    for run in (0, 1):
        logits = (
            method.classifier.bias + torch.bmm(network(pairs.view_a).representation, method.classifier.weight)
        )[run].tolist()
        labels = pairs.factors["label"][run].tolist()
        expected.append(
            mean([math.log(sum(map(math.exp, row))) - row[c] for row, c in zip(logits, labels, strict=True)])
        )
    assert_losses(method(network, pairs), expected)


def test_an_autoencoder_rebuilds_both_views():
    network, pairs = network_of(), pairs_of()
    method = made("autoencoder", network, hidden=(7,))
    expected = [
        mean(
            [
                (x - y) ** 2
                for view in pairs[:2]
                for row, rebuilt in zip(
                    view[run].tolist(), method.decoder(network.encoder(view))[run].tolist(), strict=True
                )
                for x, y in zip(row, rebuilt, strict=True)
            ]
        )
        for run in (0, 1)
    ]
    assert_losses(method(network, pairs), expected)


# ---- the queue


@pytest.mark.parametrize("length", [1, 4, 5, 7, 23])
def test_a_queue_is_first_in_first_out(length):
    queue, expected = Queue(length, dim=1, n_runs=2), deque(maxlen=length)
    count = 0
    for n in (3, 5, 1, 7, 2, 9):
        values = [float(v) for v in range(count, count + n)]
        count += n
        queue.push(torch.tensor([values, [-v for v in values]]).unsqueeze(-1))
        expected.extend(values)
        newest_first = queue.place.argsort()[: int(queue.filled)]
        assert queue.rows[0, newest_first, 0].tolist() == list(expected)[::-1]
        assert queue.rows[1, newest_first, 0].tolist() == [-v for v in list(expected)[::-1]]


def test_ages_are_counted_in_steps():
    queue = Queue(6, dim=1, n_runs=1)
    assert queue.mean_age == 0.0
    for expected in (1.0, 1.5, 2.0, 2.0):  # 2, 4, then 6 rows of ages 1, 1, 2, 2, 3, 3
        queue.push(torch.zeros(1, 2, 1))
        assert queue.mean_age == expected


@pytest.mark.parametrize("name", ["moco", "swav"])
def test_places_that_are_not_filled_are_never_used(name):
    network, pairs = network_of(), pairs_of(seed=5)
    outcomes = []
    for poison in (0.0, 1e3):
        method = made(name, network, queue=8, temperature=TAU)
        method(network, pairs_of())
        method.after_step(network, 0.0)
        for queue in [method.queue] if name == "moco" else (method.queue_a, method.queue_b):
            assert queue.filled == N < queue.length
            queue.rows[:, N:] = poison
        loss = method(network, pairs)
        gradients = torch.autograd.grad(loss.sum(), list(network.parameters()))
        outcomes.append([loss, *gradients])
    torch.testing.assert_close(outcomes[0], outcomes[1], rtol=0, atol=0)


STATEFUL = {
    "moco": {"queue": 8, "momentum": 0.8},
    "swav": {"queue": 8, "prototypes": 5, "frozen_steps": 4},
    "byol": {"momentum": 0.8},
}


@pytest.mark.parametrize("name", STATEFUL)
def test_what_a_method_keeps_goes_with_its_state(name):
    network = network_of(norm="batch")
    first = made(name, network, **STATEFUL[name])
    for step in range(5):
        first(network, pairs_of(seed=step))
        stirred(network, step)
        first.after_step(network, step / 5)
    second = made(name, network_of(norm="batch"), **STATEFUL[name])
    forgetful = first(network, pairs_of(seed=9)) != second(network, pairs_of(seed=9))
    assert forgetful.all(), "without the state the losses are others"
    second.load_state_dict(first.state_dict())
    for step in range(5, 8):
        losses = [method(network, pairs_of(seed=step)) for method in (first, second)]
        assert torch.equal(*losses)
        stirred(network, step)
        for method in (first, second):
            method.after_step(network, step / 8)
    assert all(torch.equal(a, b) for a, b in zip(first.buffers(), second.buffers(), strict=True))


# ---- momentum


def test_the_momentum_network_starts_as_the_network_and_follows_it():
    network = network_of(norm="batch")
    target = MomentumNetwork(network, [0.9, 0.5], "constant")
    old = [p.clone() for p in target.network.parameters()]
    assert all(torch.equal(p, q) for p, q in zip(old, network.parameters(), strict=True))
    network(pairs_of().view_a)
    stirred(network, 1)
    target.follow(network, 0.3)
    for run, m in enumerate((0.9, 0.5)):
        for before, new, now in zip(old, network.parameters(), target.network.parameters(), strict=True):
            torch.testing.assert_close(now[run], m * before[run] + (1 - m) * new[run])
    averages = dict(target.network.named_buffers())
    assert averages and all(torch.equal(b, averages[name]) for name, b in network.named_buffers())


def test_a_cosine_schedule_ends_at_a_momentum_of_one():
    network = network_of()
    for progress, m in ((0.0, 0.8), (0.5, 0.9), (1.0, 1.0)):
        target = MomentumNetwork(network, 0.8, "cosine")
        (old, *_), changed = [p.clone() for p in target.network.parameters()], network_of([7, 8])
        target.follow(changed, progress)
        now, new = next(target.network.parameters()), next(changed.parameters())
        torch.testing.assert_close(now, m * old + (1 - m) * new)


def test_without_momentum_the_target_is_the_online_network():
    network = network_of(norm="batch")
    stacked = made("byol", network, momentum=[0.0, 0.9], schedule="constant")
    none = made("byol", network, momentum=None)
    for step in range(3):
        losses = stacked(network, pairs_of(seed=step)), none(network, pairs_of(seed=step))
        torch.testing.assert_close(losses[0][0], losses[1][0])
        stirred(network, step)
        stacked.after_step(network, step / 3)
    assert losses[0][1] != losses[1][1]


@pytest.mark.parametrize("name", ["moco", "byol"])
def test_a_step_moves_the_target_by_its_share(name):
    network = network_of()
    method = made(name, network, momentum=0.75, schedule="constant")
    target = (method.keys if name == "moco" else method.target).network
    old, _ = next(target.parameters()).clone(), stirred(network, 1)
    method.after_step(network, 0.5)
    new = next(network.parameters())
    torch.testing.assert_close(next(target.parameters()), 0.75 * old + 0.25 * new)


@pytest.mark.parametrize("name", ["moco", "byol"])
def test_neither_target_nor_queue_is_trained(name):
    network = network_of()
    method = made(name, network)
    for _ in range(2):
        method(network, pairs_of()).sum().backward()
        method.after_step(network, 0.0)
    target = method.keys if name == "moco" else method.target
    assert all(p.grad is None and not p.requires_grad for p in target.parameters())
    assert all(p.grad is not None for p in network.parameters())
    assert name != "moco" or not method.queue.rows.requires_grad


@pytest.mark.parametrize("name", ["byol", "simsiam"])
def test_a_stopped_gradient_takes_the_target_for_a_constant(name):
    """The gradient is that of the loss against targets written down before: by central differences."""
    network, pairs = network_of(), pairs_of()
    options = {"momentum": None} if name == "byol" else {}
    method = made(name, network, predictor_norm="none", **options)
    targets = [network(view).embedding.detach() for view in pairs[:2]]
    weight, step = network.projector[0].weight, 1e-5

    def loss_against_constants() -> float:
        p_a, p_b = (method.predictor(network(view).embedding) for view in pairs[:2])
        cosines = torch.cosine_similarity(p_a, targets[1], dim=-1) + torch.cosine_similarity(
            p_b, targets[0], dim=-1
        )
        return (-(2.0 if name == "byol" else 0.5) * cosines).mean(-1).sum().item()

    def gradient(stop_gradient: bool) -> float:
        method.stop_gradient = stop_gradient
        (by_weight,) = torch.autograd.grad(method(network, pairs).sum(), weight)
        return by_weight[0, 0, 0].item()

    with torch.no_grad():
        weight[0, 0, 0] += step
        above = loss_against_constants()
        weight[0, 0, 0] -= 2 * step
        below = loss_against_constants()
        weight[0, 0, 0] += step
    assert gradient(True) == pytest.approx((above - below) / (2 * step), rel=1e-6)
    assert gradient(False) != pytest.approx(gradient(True), rel=1e-3)


# ---- prototypes and Sinkhorn


def test_sinkhorns_codes_use_rows_and_prototypes_equally():
    codes = sinkhorn(normal(2, 12, 5), eps=0.3, iterations=500)
    torch.testing.assert_close(codes.sum(-1), torch.ones(2, 12, dtype=torch.float64))
    torch.testing.assert_close(codes.sum(-2), torch.full((2, 5), 12 / 5, dtype=torch.float64))
    assert codes.std(-2).min() > 0.01, "balanced, and not by being constant"


def test_sinkhorn_stands_where_plain_exponentials_overflow():
    scores = torch.nn.functional.normalize(normal(6, 4), dim=-1).float()
    assert not (scores / 1e-3).exp().isfinite().all()
    codes = sinkhorn(scores, eps=1e-3, iterations=3)
    assert codes.isfinite().all() and torch.allclose(codes.sum(-1), torch.ones(6), atol=1e-4)


def test_prototypes_stay_on_the_sphere_and_may_be_frozen_first():
    network = network_of()
    method = made("swav", network, frozen_steps=2)
    optimizer = torch.optim.SGD(method.parameters(), lr=1.0)
    for step in range(4):
        before = method.prototypes.clone()
        optimizer.zero_grad()
        method(network, pairs_of(seed=step)).sum().backward()
        optimizer.step()
        method.after_step(network, step / 4)
        assert torch.allclose(before, method.prototypes) == (step < 2)
        lengths = method.prototypes.norm(dim=1)
        torch.testing.assert_close(lengths, torch.ones_like(lengths))


# ---- facts and errors


def test_mocos_value_counts_the_candidates_that_there_were():
    network = network_of()
    method = made("moco", network, temperature=TAU, queue=8, n_negatives=[None, 6])
    ceiling = [math.log(13), math.log(7)]
    assert method.ceiling(N) == pytest.approx(ceiling)
    for step, candidates in enumerate(([5, 5], [10, 7], [13, 7])):
        loss = method(network, pairs_of(seed=step))
        value = method.value_nats(loss, N)
        torch.testing.assert_close(value + loss, torch.tensor(candidates).double().log())
        assert (value <= torch.tensor(ceiling)).all()
        method.after_step(network, step / 3)


class _Finite(VMF):
    n_train = 100


def test_a_queue_longer_than_the_data_is_refused_unless_asked_for_by_name():
    network = network_of()
    made("moco", network, queue=100).require(_Finite(3), 10)
    made("moco", network, queue=101).require(VMF(3), 10)
    with pytest.raises(ParameterError, match=r"queue must be at most the 100 training examples.*got 101"):
        made("moco", network, queue=101).require(_Finite(3), 10)
    made("moco", network, queue=101, allow_long_queue=True).require(_Finite(3), 10)


def test_more_negatives_than_batch_and_queue_hold_are_refused():
    network = network_of()
    method = made("moco", network, queue=8, n_negatives=13)
    for ask in (lambda: method.require(VMF(3), N), lambda: method(network, pairs_of())):
        with pytest.raises(ParameterError, match=r"n_negatives must lie in 1\.\.12.*got 13"):
            ask()


@pytest.mark.parametrize(
    "name, options",
    [
        ("moco", {"momentum": 1.5}),
        ("moco", {"momentum": -0.1}),
        ("moco", {"queue": -1}),
        ("swav", {"eps": 0.0}),
        ("swav", {"prototypes": 1}),
        ("swav", {"iterations": 0}),
        ("simsiam", {"redundancy": -1.0}),
        ("barlow_twins", {"off_diagonal": -1.0}),
        ("vicreg", {"variance": -1.0}),
        ("supervised", {"n_classes": 1}),
    ],
)
def test_parameters_outside_their_domain_are_named(name, options):
    (value,) = options.values()
    with pytest.raises(ParameterError, match=str(value)):
        made(name, network_of(), **options)


def test_an_unknown_schedule_is_named():
    with pytest.raises(UnknownNameError, match="did you mean 'cosine'"):
        made("byol", network_of(), schedule="cosin")


def test_labels_are_asked_for():
    network, source = network_of(), VMF(3, n_classes=4)
    method = made("supervised", network, n_classes=4)
    method.require(source, N)
    with pytest.raises(ParameterError, match="n_classes must be the 7 of vmf's 'label'; got 4"):
        method.require(VMF(3, n_classes=7), N)
    with pytest.raises(DataError, match="none called 'label'"):
        method.require(VMF(3, n_classes=0), N)
    with pytest.raises(DataError, match="needs the factor 'label'; the pairs have none"):
        method(network, pairs_of()._replace(factors={}))


@pytest.mark.parametrize(
    "name", ["moco", "swav", "byol", "simsiam", "barlow_twins", "vicreg", "supervised", "autoencoder"]
)
def test_a_batch_of_one_is_refused(name):
    with pytest.raises(ParameterError, match="1"):
        made(name, network_of())(network_of(), pairs_of(n=1))
