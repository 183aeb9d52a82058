"""Every method that trains an encoder, found by its file, against its own facts, before anyone writes a test of it.

Each check takes a method's class; networks are small, pairs come from the source whose truth is known.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Iterator
from itertools import islice
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

from mibounds.errors import DataError, MiboundsError, ParameterError, ShapeError
from mibounds.representation import methods
from mibounds.representation.batches import stacked_pairs
from mibounds.representation.encoders import Encoder
from mibounds.representation.heads import Projector
from mibounds.representation.loop import Pretrainer
from mibounds.representation.methods import Method
from mibounds.representation.methods.base import Need
from mibounds.representation.network import Network
from mibounds.representation.sources import Pairs
from mibounds.representation.sources.vmf import VMF
from mibounds.seeding import generator

SOURCE = VMF(4, kappa=10.0, n_classes=10)  # ten classes, as the supervised method's example has
SEEDS = [0, 1, 2]
BATCH = 16


def network_of(seeds: list[int] = SEEDS) -> Network:
    options = {"encoder_options": {"hidden": (16,), "dim": 16}, "projector_options": {"hidden": 16}}
    return Network.build(SOURCE.shape, seeds, embedding=8, **options)


def method_of(cls: type[Method], seeds: list[int] = SEEDS, **options: Any) -> tuple[Network, Method]:
    network = network_of(seeds)
    return network, cls.example(network, seeds, **options)


def batches(n: int, batch_size: int = BATCH, seeds: list[int] = SEEDS) -> Iterator[Pairs]:
    return islice(stacked_pairs([SOURCE] * len(seeds), seeds, batch_size), n)


def batch(batch_size: int = BATCH) -> Pairs:
    return next(batches(1, batch_size))


def mapped(pairs: Pairs, change: Any) -> Pairs:
    return Pairs(change(pairs.view_a), change(pairs.view_b), {k: change(v) for k, v in pairs.factors.items()})


def as_double(x: Tensor) -> Tensor:
    return x.double() if x.is_floating_point() else x


def options_of(cls: type[Method]) -> set[str]:
    """What the constructor takes, its own and what it hands on to the class above."""
    inits = [vars(c)["__init__"] for c in cls.__mro__ if issubclass(c, Method) and "__init__" in vars(c)]
    return {name for init in inits for name in inspect.signature(init).parameters}


def gradients(losses: Tensor, *modules: nn.Module) -> list[Tensor]:
    parameters = [p for m in modules for p in m.parameters() if p.requires_grad]
    found = torch.autograd.grad(losses.sum(), parameters, allow_unused=True)
    return [g for g in found if g is not None]


# Facts


def check_facts_are_complete(cls: type[Method]) -> None:
    assert cls.name == cls.__module__.rpartition(".")[2]
    assert cls.references and "References:" in (inspect.getdoc(cls) or "")
    assert cls.denominator in ("with positive", "without positive", "none")
    assert cls.validity in ("bound in expectation", "plug-in", "none")
    assert cls.collapse in ("complete", "dimensional", "none")
    assert cls.needs <= set(get_args(Need))
    assert bool(cls.prevents_collapse) == bool(cls.broken) == (cls.collapse != "none")


def check_the_broken_method_can_be_made_and_trained(cls: type[Method]) -> None:
    if cls.broken:
        network, method = method_of(cls, **cls.broken)
        losses = method(network, batch())
        assert losses.shape == (3,) and losses.isfinite().all()
        assert not torch.equal(losses, method_of(cls)[1](network, batch())) or cls.needs
        assert all(g.isfinite().all() for g in gradients(losses, network, method))
        value, ceiling = method.value_nats(losses, BATCH), method.ceiling(BATCH)
        assert value is None or ceiling is None or (value <= torch.tensor(ceiling)).all(), "no loss, no value"


def check_labels_are_asked_for_where_they_are_needed(cls: type[Method]) -> None:
    network, method = method_of(cls)
    unlabelled = batch()._replace(factors={})
    if "labels" in cls.needs:
        with pytest.raises(DataError, match="label"):
            method(network, unlabelled)
    else:
        assert torch.equal(method(network, unlabelled), method_of(cls)[1](network, batch()))


# Losses of a stack


def check_losses_are_one_a_run_and_finite(cls: type[Method]) -> None:
    network, method = method_of(cls)
    losses = method(network, batch())
    assert losses.shape == (3,) and losses.dtype == torch.float32 and losses.isfinite().all()


def check_every_parameter_has_a_run_dimension(cls: type[Method]) -> None:
    _, method = method_of(cls)
    assert all(p.shape[0] == 3 for p in method.parameters())


def check_gradients_reach_the_encoder_of_each_run(cls: type[Method]) -> None:
    network, method = method_of(cls)
    method(network, batch()).sum().backward()
    reached = [p.grad for p in network.encoder.parameters()]
    assert all(g is not None and g.isfinite().all() for g in reached)
    assert all(g[run].abs().max() > 0 for g in reached for run in range(3))


def check_a_run_is_touched_by_no_other(cls: type[Method]) -> None:
    network, method = method_of(cls)
    method(network, batch())[1].backward()
    grads = [p.grad for p in network.parameters() if p.grad is not None]
    assert all(not g[[0, 2]].any() for g in grads)


def check_a_run_alone_equals_that_run_in_a_stack(cls: type[Method]) -> None:
    def trained(seeds: list[int]) -> tuple[Tensor, Network]:
        network, method = method_of(cls, seeds)
        trainer = Pretrainer(network, method, SOURCE, seeds, batch_size=BATCH, steps=10, learning_rate=3e-3)
        return trainer.fit(), network

    together, network = trained(SEEDS)
    assert not torch.equal(together[0], together[-1])
    for run, seed in enumerate(SEEDS):
        losses, alone = trained([seed])
        torch.testing.assert_close(losses[:, 0], together[:, run], rtol=1e-4, atol=1e-5)
        for p, q in zip(alone.parameters(), network.parameters(), strict=True):
            torch.testing.assert_close(p[0], q[run], rtol=1e-2, atol=1e-3)


def check_a_state_dict_holds_all_that_the_next_losses_need(cls: type[Method]) -> None:
    network, method = method_of(cls)
    trainer = Pretrainer(network, method, SOURCE, SEEDS, batch_size=BATCH, steps=3)
    trainer.fit()
    fresh_network, fresh_method = network_of([7, 8, 9]), cls.example(network_of([7, 8, 9]), [7, 8, 9])
    fresh_network.load_state_dict(network.state_dict())
    fresh_method.load_state_dict(method.state_dict())
    pairs = batch(12)
    assert torch.equal(fresh_method.train()(fresh_network.train(), pairs), method(network, pairs))


def check_the_order_of_rows_does_not_matter(cls: type[Method]) -> None:
    network, method = (part.double() for part in method_of(cls))
    pairs = mapped(batch(), as_double)
    order = torch.randperm(BATCH, generator=generator(0))
    shuffled = mapped(pairs, lambda x: x[:, order])
    torch.testing.assert_close(
        copy.deepcopy(method)(network, shuffled), copy.deepcopy(method)(network, pairs)
    )


def check_the_callers_pairs_are_left_alone(cls: type[Method]) -> None:
    network, method = method_of(cls)
    pairs = batch()
    kept = mapped(pairs, torch.clone)
    method(network, pairs)
    for tensor, before in zip(
        (*pairs[:2], *pairs.factors.values()), (*kept[:2], *kept.factors.values()), strict=True
    ):
        assert torch.equal(tensor, before) and tensor._version == 0


# Numbers


def check_float32_agrees_with_float64(cls: type[Method]) -> None:
    network, method = method_of(cls)
    double_network, double_method = copy.deepcopy(network).double(), copy.deepcopy(method).double()
    single, double = method(network, batch()), double_method(double_network, mapped(batch(), as_double))
    assert double.dtype == torch.float64
    torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-4)
    of_single, of_double = (
        torch.cat([g.flatten() for g in gradients(*of)])
        for of in ((single, network), (double, double_network))
    )
    torch.testing.assert_close(
        of_single.double(), of_double, rtol=1e-2, atol=1e-4 * of_double.abs().max().item()
    )


def check_a_tiny_temperature_gives_finite_losses_and_gradients(cls: type[Method]) -> None:
    if "temperature" not in options_of(cls):
        return
    for dtype in (torch.float32, torch.float64):
        network, method = (part.to(dtype) for part in method_of(cls, temperature=0.005))
        pairs = mapped(batch(), lambda x, dtype=dtype: x.to(dtype) if x.is_floating_point() else x)
        for shown in (pairs, *(p._replace(factors=pairs.factors) for p in adversaries(dtype))):
            if shown.view_a.shape[-1] != SOURCE.dim:
                continue
            losses = method(network, shown)
            assert losses.isfinite().all()
            assert all(g.isfinite().all() for g in gradients(losses, network, method))


# What a loss says of the MI


class _AsIs(Encoder):
    """Inputs as representations, so that a test chooses the embeddings."""

    def __init__(self, dim: int, n_runs: int):
        super().__init__((dim,), n_runs)
        self.dim = dim
        self.gain = nn.Parameter(torch.ones(n_runs, 1, 1))

    def layers(self, x: Tensor) -> dict[str, Tensor]:
        return {"as_is": self.gain * x}


def chosen_embeddings(dim: int) -> Network:
    sources = [generator(seed) for seed in SEEDS]
    return Network(_AsIs(dim, 3), Projector(dim, None, sources, layers=0))


def adversaries(dtype: torch.dtype = torch.float64) -> list[Pairs]:
    """Embeddings of three runs: random, equal, opposite, all in a point, in two, orthogonal, a simplex, long."""
    random, other = (torch.randn(3, BATCH, 4, generator=generator(seed), dtype=dtype) for seed in (0, 1))
    point = torch.ones_like(random)
    signs = torch.tensor([1.0, -1.0], dtype=dtype).repeat(BATCH // 2).view(1, -1, 1) * point
    eye = torch.eye(BATCH, dtype=dtype).expand(3, -1, -1)
    simplex = eye - 1 / BATCH
    views = [(random, other), (random, random), (random, -random), (point, point), (point, -point)]
    views += [(signs, signs), (signs, -signs), (eye, eye), (simplex, simplex), (100 * random, 100 * random)]
    labels = {"label": torch.arange(BATCH).expand(3, -1) % 4}
    return [Pairs(a, b, labels) for a, b in views]


def check_a_valid_value_is_given_and_no_batch_lifts_it_over_its_ceiling(cls: type[Method]) -> None:
    highest = -math.inf
    choices: list[dict[str, Any]] = [{}]
    if "temperature" in options_of(cls):
        choices += [{"temperature": tau} for tau in (0.005, [0.1, 1.0, 5.0])]
    if "n_negatives" in options_of(cls):
        choices += [{"n_negatives": [1, 3, BATCH - 1]}]
    if "bias" in options_of(cls):
        choices += [{"bias": [0.0, 1.0, 5.0]}]
    for options in choices:
        for pairs in adversaries():
            network = chosen_embeddings(pairs.view_a.shape[-1])
            method = cls.example(network, SEEDS, **options).double()
            value = method.value_nats(method(network.double(), pairs).detach(), BATCH)
            if value is None:
                assert cls.validity == "none" and method.ceiling(BATCH) is None
                return
            ceiling = method.ceiling(BATCH)
            assert value.shape == (3,) and value.isfinite().all()
            assert ceiling is None or (value <= torch.tensor(ceiling) + 1e-6).all()
            highest = max(highest, value.max().item())
    assert highest > 0.5, "a value that stays near zero tests no ceiling"


def check_the_mean_of_a_bound_in_expectation_stays_below_the_mi(cls: type[Method]) -> None:
    if cls.validity != "bound in expectation":
        return
    network, method = method_of(cls)
    trainer = Pretrainer(network, method, SOURCE, SEEDS, batch_size=BATCH, steps=200, learning_rate=1e-2)
    for steps in (0, 200):
        if steps:
            trainer.fit()
        with torch.no_grad():
            held_out = stacked_pairs([SOURCE] * 3, [100, 101, 102], BATCH)
            losses = torch.stack([method.eval()(network.eval(), p) for p in islice(held_out, 200)])
        values = torch.stack([method.value_nats(loss, BATCH) for loss in losses])
        error = values.std(0) / math.sqrt(len(values))
        assert (values.mean(0) <= SOURCE.mutual_information + 3 * error).all()
    assert (values.mean(0) > 0.3 * min(SOURCE.mutual_information, math.log(BATCH))).all(), "hardly trained"


# A user's mistakes


def check_a_temperature_that_is_not_positive_is_refused(cls: type[Method]) -> None:
    if "temperature" in options_of(cls):
        for wrong in (0.0, -0.5, math.nan, [0.1, 0.0, 0.1]):
            with pytest.raises(ParameterError, match="temperature must be"):
                method_of(cls, temperature=wrong)
        with pytest.raises(ShapeError, match="temperature"):
            method_of(cls, temperature=[0.1, 0.2])
        own = [
            inspect.signature(c).parameters.get("temperature") for c in cls.__mro__ if issubclass(c, Method)
        ]
        assert all(p.default is inspect.Parameter.empty for p in own if p), "tau has no default"


def check_the_number_of_negatives_is_an_argument_of_its_own(cls: type[Method]) -> None:
    taken = "n_negatives" in options_of(cls)
    assert taken or cls.denominator == "none"
    if not taken:
        return
    some, every, per_run = (
        method_of(cls, n_negatives=k)[1](network_of(), batch()) for k in (3, None, [3, 5, 7])
    )
    assert (some != every).all() and some[0] == per_run[0] and (some[1:] != per_run[1:]).all()
    for wrong in (0, -1, 10**6, [3, 3, 10**6]):
        with pytest.raises(ParameterError, match="n_negatives must"):
            method_of(cls, n_negatives=wrong)[1](network_of(), batch())
    with pytest.raises(ShapeError, match="n_negatives"):
        method_of(cls, n_negatives=[3, 3])[1](network_of(), batch())


def check_a_batch_of_one_is_refused(cls: type[Method]) -> None:
    network, method = method_of(cls)
    with pytest.raises(ParameterError, match="batch"):
        method(network, batch(1))


def check_views_of_another_shape_are_refused(cls: type[Method]) -> None:
    network, method = method_of(cls)
    pairs = batch()
    with pytest.raises(MiboundsError):
        method(network, pairs._replace(view_a=pairs.view_a[..., :3]))


CHECKS = {
    name.removeprefix("check_"): check for name, check in list(globals().items()) if name.startswith("check_")
}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", methods.names())
def test_method(name: str, check: str) -> None:
    CHECKS[check](methods.load(name))
