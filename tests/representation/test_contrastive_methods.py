"""Each contrastive loss against a slow version of its paper's equation, the bound that it is, and its controls."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mibounds import bounds
from mibounds.errors import DataError, ParameterError, ShapeError, UnknownNameError
from mibounds.representation import methods
from mibounds.representation.contrast import Contrast, contrast
from mibounds.representation.encoders import Encoder
from mibounds.representation.geometry import spread
from mibounds.representation.heads import Projector
from mibounds.representation.loop import Pretrainer
from mibounds.representation.methods import Method
from mibounds.representation.network import Network
from mibounds.representation.sources import Pairs
from mibounds.representation.sources.vmf import VMF
from mibounds.seeding import generator
from tests.representation import contrastive_oracles as oracles
from tests.representation.contrastive_oracles import LABELS, TAU, drawn

N, DIM, RUNS = 6, 3, 2


class _AsIs(Encoder):
    """Inputs as representations: a test chooses the embeddings."""

    def __init__(self, dim: int, n_runs: int):
        super().__init__((dim,), n_runs)
        self.dim = dim
        self.gain = nn.Parameter(torch.ones(n_runs, 1, 1, dtype=torch.float64))

    def layers(self, x: Tensor) -> dict[str, Tensor]:
        return {"as_is": self.gain * x}


def as_is(n_runs: int = RUNS, dim: int = DIM) -> Network:
    return Network(_AsIs(dim, n_runs), Projector(dim, None, [generator(0)] * n_runs, layers=0))


def loss_of(name: str, z_a: Tensor, z_b: Tensor, **options: Any) -> Tensor:
    network = as_is(z_a.shape[0])
    method = methods.load(name).example(network, list(range(z_a.shape[0])), **options).double()
    labels = LABELS[:, : z_a.shape[1]] if z_a.shape[1] <= 6 else torch.arange(z_a.shape[1]).expand(RUNS, -1)
    return method(network, Pairs(z_a, z_b, {"label": labels}))


TEMPERED = {"temperature": TAU}
LEVELLED = TEMPERED | {"bias": -1.5}
SLOW: dict[str, tuple[str, Callable[..., Tensor], dict[str, Any]]] = {
    "info_nce": ("info_nce", oracles.info_nce, TEMPERED),
    "symmetric_info_nce": ("symmetric_info_nce", oracles.symmetric_info_nce, TEMPERED),
    "simclr": ("simclr", oracles.simclr, TEMPERED),
    "dcl": ("dcl", oracles.dcl, TEMPERED),
    "debiased": ("debiased", oracles.debiased, TEMPERED | {"tau_plus": 0.1}),
    "debiased, guarded": ("debiased", oracles.strongly_debiased, TEMPERED | {"tau_plus": 0.5}),
    "spectral": ("spectral", oracles.spectral, {}),
    "spectral, scaled": ("spectral", oracles.scaled_spectral, {"radius": 2.0}),
    "sigmoid": ("sigmoid", oracles.sigmoid, LEVELLED),
    "alignment_uniformity": ("alignment_uniformity", oracles.alignment_uniformity, {}),
    "alignment_uniformity, other": (
        "alignment_uniformity",
        oracles.other_alignment_uniformity,
        {"alpha": 1.0, "t": 3.0, "weight": 0.5},
    ),
    "nwj": ("nwj", oracles.nwj, LEVELLED),
    "donsker_varadhan": ("donsker_varadhan", oracles.donsker_varadhan, TEMPERED),
    "jensen_shannon": ("jensen_shannon", oracles.jensen_shannon, LEVELLED),
    "triplet": ("triplet", oracles.triplet, {}),
    "triplet, hardest": ("triplet", oracles.hardest_triplet, {"mining": "hardest", "margin": 1.0}),
    "n_pair": ("n_pair", oracles.n_pair, {"l2": 0.01}),
    "supcon": ("supcon", oracles.supcon, TEMPERED),
}
CONTRASTIVE = sorted({name for name, _, _ in SLOW.values()})
COUNTS = [1, 3, 5, 8, 10]


def two_views(name: str) -> bool:
    return methods.load(name).arrangement == "two-view"


def counts_of(name: str) -> list[int]:
    """Some numbers of negatives, the last being all."""
    return [k for k in COUNTS if k <= (2 * N - 2 if two_views(name) else N - 1)]


@pytest.mark.parametrize("case", SLOW)
def test_value_and_gradient_are_those_of_the_papers_equation(case):
    name, slow, options = SLOW[case]
    for k in counts_of(name):
        for seed in range(3):
            views = [z[:1].requires_grad_() for z in drawn(seed=seed)]
            expected = slow(views[0][0], views[1][0], k)
            got = loss_of(name, *views, n_negatives=k, **options)[0]
            torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-6)
            for g, h in zip(
                torch.autograd.grad(got, views), torch.autograd.grad(expected, views), strict=True
            ):
                torch.testing.assert_close(g, h, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("case", SLOW)
def test_all_negatives_is_the_default_and_runs_may_differ(case):
    name, _, options = SLOW[case]
    few, *_, most = counts_of(name)
    z_a, z_b = (z[:1].expand(2, -1, -1) for z in drawn())
    every = loss_of(name, z_a, z_b, **options)
    assert torch.equal(loss_of(name, z_a, z_b, n_negatives=most, **options), every)
    mixed = loss_of(name, z_a, z_b, n_negatives=[few, None], **options)
    assert torch.allclose(mixed[0], loss_of(name, z_a, z_b, n_negatives=few, **options)[0])
    assert torch.allclose(mixed[1], every[1]) and abs(mixed[0] - every[0]) > 1e-4


def test_every_contrastive_method_has_a_slow_version():
    taking = {n for n in methods.names() if hasattr(methods.load(n), "arrangement")}
    assert taking - {"moco"} == set(CONTRASTIVE)


# A contrastive loss is a bound


@pytest.mark.parametrize("tau", [0.05, 0.3, 2.0])
@pytest.mark.parametrize("name", ["info_nce", "nwj", "donsker_varadhan", "jensen_shannon"])
def test_the_loss_is_minus_the_bound_of_the_scores(name, tau):
    z_a, z_b = drawn(n=9)
    bias = {"bias": -0.7} if name in ("nwj", "jensen_shannon") else {}
    loss = loss_of(name, z_a, z_b, temperature=tau, **bias)
    scores = normalize(z_a, dim=-1) @ normalize(z_b, dim=-1).mT / tau + bias.get("bias", 0.0)
    offset = math.log(9) if name == "info_nce" else 0.0
    torch.testing.assert_close(offset - loss, bounds.load(name)().objective(scores), rtol=1e-6, atol=1e-5)


def test_symmetric_info_nce_is_the_mean_of_the_bound_and_its_transposes():
    z_a, z_b = drawn(n=9)
    scores = normalize(z_a, dim=-1) @ normalize(z_b, dim=-1).mT / 0.3
    bound = bounds.load("info_nce")()
    expected = (bound(scores) + bound(scores.mT)) / 2
    got = math.log(9) - loss_of("symmetric_info_nce", z_a, z_b, temperature=0.3)
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("name", ["nwj", "donsker_varadhan"])
def test_the_facts_are_the_bounds_facts(name):
    assert methods.load(name).validity == bounds.load(name).validity


def test_nwj_is_greatest_at_the_level_where_it_equals_donsker_varadhan():
    """NWJ needs a level of its own: at the best b it is DV, at others less."""
    z_a, z_b = drawn(n=40)
    scores = normalize(z_a, dim=-1) @ normalize(z_b, dim=-1).mT / TAU
    best = 1 - contrast(normalize(z_a, dim=-1), normalize(z_b, dim=-1), TAU).log_partition
    levelled = loss_of("nwj", z_a, z_b, temperature=TAU, bias=best.tolist())
    torch.testing.assert_close(-levelled, bounds.load("donsker_varadhan")()(scores), rtol=1e-5, atol=1e-5)
    assert (loss_of("nwj", z_a, z_b, temperature=TAU, bias=0.0) > levelled + 0.1).all()


def test_the_bias_starts_where_no_score_is_positive_and_is_learned():
    network = as_is()
    method = methods.load("nwj")(network, [0, 1], temperature=[0.1, 0.5])
    torch.testing.assert_close(method.bias, torch.tensor([[-10.0], [-2.0]]))
    assert method.level.requires_grad
    assert not methods.load("nwj")(network, [0, 1], temperature=0.1, learn_bias=False).level.requires_grad


def test_nt_xent_is_no_bound_in_expectation():
    """A shared bit, 7 pairs: negatives come in pairs of equal views, and the mean of ln K - loss passes ln 2."""
    n = 7
    bits = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=n)), dtype=torch.float64).unsqueeze(-1)

    def mean_value(arrangement):
        scores = contrast(bits, bits, 0.02, arrangement)
        return (math.log(scores.n_negatives[0] + 1) - scores.cross_entropy.mean(-1)).mean().item()

    assert mean_value("two-view") > math.log(2) + 0.003
    assert mean_value("one-way") < math.log(2) and mean_value("symmetric") < math.log(2)


# Relations between losses


def test_losses_that_are_one_another_at_some_setting():
    z_a, z_b = drawn()
    simclr = loss_of("simclr", z_a, z_b, **TEMPERED)
    torch.testing.assert_close(loss_of("debiased", z_a, z_b, tau_plus=0.0, **TEMPERED), simclr)
    supervised = loss_of("supcon", z_a, z_b, **TEMPERED)
    torch.testing.assert_close(supervised[1], simclr[1])  # run 1 has no label twice
    assert abs(supervised[0] - simclr[0]) > 0.01
    on_sphere = [normalize(z, dim=-1) / TAU**0.5 for z in (z_a, z_b)]
    no_penalty = loss_of("n_pair", *on_sphere, l2=0.0)
    torch.testing.assert_close(no_penalty, loss_of("info_nce", z_a, z_b, **TEMPERED))


@pytest.mark.parametrize("name", [n for n in CONTRASTIVE if n not in ("supcon", "alignment_uniformity")])
def test_the_denominator_is_what_the_facts_say(name):
    """Without the positive in it, a positive's pull is 1 whatever it has reached; with it, the pull fades."""
    cls = methods.load(name)
    positives = torch.tensor([[-1.0, 0.0, 2.0, 4.0]], dtype=torch.float64, requires_grad=True)
    negatives = torch.randn(1, 4, 3, generator=generator(0), dtype=torch.float64)
    method = cls.example(as_is(1), [0]).double()
    loss = method.loss(Contrast(positives, negatives, torch.tensor([[3.0]], dtype=torch.float64)))
    pull = -4 * torch.autograd.grad(loss.sum(), positives)[0]
    if cls.denominator == "without positive":
        torch.testing.assert_close(pull, torch.ones_like(pull))
    if cls.denominator == "with positive":
        assert (pull.diff() < 0).all() and (pull > 0).all() and (pull < 1).all()


def test_debiased_is_guarded_from_below_and_leaves_the_negatives_alone_there():
    z = normalize(drawn()[0], dim=-1)
    z.requires_grad_()
    close = z.detach() + 0.01
    scores = contrast(z, close, 0.3, "two-view")
    method = methods.load("debiased")(as_is(), [0, 1], temperature=0.3, tau_plus=0.9).double()
    log_g = method.log_g(scores)
    assert (log_g >= -1 / 0.3 - 1e-6).all() and (log_g < -1 / 0.3 + 1e-6).any()
    guarded = log_g < -1 / 0.3 + 1e-6
    assert not torch.autograd.grad(log_g[guarded].sum(), scores.negatives)[0].any()


def test_debiased_estimates_the_mean_over_true_negatives():
    """Negatives of which exactly a share tau_plus equals the positive: g is the mean of the others, as it should be."""
    positive, other = torch.tensor([[1.0]], dtype=torch.float64), torch.tensor([-0.5, 0.3, 0.1])
    negatives = torch.cat([positive[0].expand(1), other.double()]).view(1, 1, 4)
    method = methods.load("debiased")(as_is(1), [0], temperature=1.0, tau_plus=0.25).double()
    log_g = method.log_g(Contrast(positive, negatives, torch.tensor([[4.0]], dtype=torch.float64)))
    torch.testing.assert_close(log_g[0, 0].exp(), other.double().exp().mean())


# Temperatures, controls and mistakes


@pytest.mark.parametrize("name", [n for n in CONTRASTIVE if "temperature" in SLOW[n][2]])
def test_the_temperature_can_be_learned_and_its_gradient_is_the_slopes(name):
    z_a, z_b = drawn()

    def value(tau: float) -> float:
        options = SLOW[name][2] | {"temperature": tau}
        return loss_of(name, z_a, z_b, **options).sum().item()

    network = as_is()
    method = methods.load(name).example(network, [0, 1], **SLOW[name][2], learn_temperature=True).double()
    loss = method(network, Pairs(z_a, z_b, {"label": LABELS})).sum()
    slope = torch.autograd.grad(loss, method.temperature.log)[0].sum().item() / TAU
    step = 1e-3
    assert math.isclose(
        slope, (value(TAU + step) - value(TAU - step)) / (2 * step), rel_tol=1e-3, abs_tol=1e-4
    )


def trained(name: str, **options: Any) -> tuple[Pretrainer, float, float]:
    """A short training, its last loss, and the embeddings' spread times sqrt(d): 1 on all of the sphere."""
    source = VMF(4, kappa=10.0)
    network = Network.build(source.shape, [0], embedding=8, encoder_options={"hidden": (32,)})
    method = methods.load(name).example(network, [0], **options)
    trainer = Pretrainer(network, method, source, [0], batch_size=32, steps=150, learning_rate=1e-2)
    losses = trainer.fit()
    z = network(source.pairs(256, 1).view_a.unsqueeze(0)).embedding
    return trainer, losses[-1].item(), spread(z).item() * 8**0.5


@pytest.mark.parametrize("name", ["info_nce", "spectral", "alignment_uniformity", "n_pair", "nwj"])
def test_without_the_negatives_it_collapses_and_says_nothing_of_the_mi(name):
    *_, intact = trained(name)
    trainer, loss, collapsed = trained(name, repulsion=False)
    assert intact > 0.7 and collapsed < 0.1
    assert abs(loss) < 10, "without a sphere the positives' products would grow without end"
    assert trainer.method.value_nats(torch.tensor([-5.0]), 32) is None


MISTAKES = [
    ("debiased", {"tau_plus": 1.0}, ParameterError, "tau_plus must be at least 0"),
    ("debiased", {"tau_plus": -0.1}, ParameterError, "tau_plus must be at least 0"),
    ("debiased", {"tau_plus": [0.1, 0.1, 0.1]}, ShapeError, "tau_plus"),
    ("spectral", {"radius": 0.0}, ParameterError, "radius must be greater than 0"),
    ("sigmoid", {"bias": math.nan}, ParameterError, "bias must be finite"),
    ("alignment_uniformity", {"t": 0.0}, ParameterError, "t must be greater than 0"),
    ("alignment_uniformity", {"weight": -1.0}, ParameterError, "weight must be greater than 0"),
    ("triplet", {"margin": 0.0}, ParameterError, "margin must be greater than 0"),
    ("triplet", {"mining": "hard"}, UnknownNameError, "did you mean 'hardest'"),
    ("n_pair", {"l2": -1.0}, ParameterError, "l2 must be 0 or more"),
    ("info_nce", {"n_negatives": [1, 2, 3]}, ShapeError, "n_negatives"),
]


@pytest.mark.parametrize(("name", "options", "error", "says"), MISTAKES)
def test_a_wrong_parameter_is_refused(name, options, error, says):
    with pytest.raises(error, match=says):
        methods.load(name).example(as_is(), [0, 1], **options)


def test_supcon_says_which_label_it_lacks():
    method: Method = methods.load("supcon")(as_is(), [0, 1], temperature=0.1, label="digit")
    with pytest.raises(DataError, match="'digit'; the pairs have label"):
        method(as_is(), Pairs(*drawn(), {"label": LABELS}))
    with pytest.raises(DataError, match="vmf has none called 'digit'"):
        method.require(VMF(4), 16)
