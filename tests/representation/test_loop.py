"""The loop's laws: a run is the same alone or among others, whatever trains it; trouble stays private and is named."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from mibounds.errors import DataError, ParameterError, ShapeError, UnknownNameError
from mibounds.representation import alarms, methods
from mibounds.representation.loop import Pretrainer
from mibounds.representation.methods.simclr import SimCLR
from mibounds.representation.network import Network
from mibounds.representation.optimizers import LARS, NAMES, clip_by_run, constant, cosine, is_vector
from mibounds.representation.sources import Pairs
from mibounds.representation.sources.vmf import VMF
from mibounds.seeding import generator

SOURCE = VMF.example()
SMALL = {
    "encoder_options": {"hidden": [16], "dim": 8, "norm": "batch"},
    "embedding": 6,
    "projector_options": {"hidden": 8},
}


class Exact(VMF):
    """In float64: in float32 a bias before batch norm, which has no gradient but rounding, is a walk under Adam."""

    def pairs(self, *arguments, **options) -> Pairs:
        view_a, view_b, factors = super().pairs(*arguments, **options)
        return Pairs(view_a.double(), view_b.double(), factors)


def training_of(
    seeds: list[int],
    cls: type = SimCLR,
    method: dict | None = None,
    source: VMF = SOURCE,
    **options,
) -> Pretrainer:
    network = Network.build(source.shape, seeds, **SMALL)
    made = cls(network, seeds, **({"temperature": 0.2} | (method or {})))
    if isinstance(source, Exact):
        network, made = network.double(), made.double()
    return Pretrainer(network, made, source, seeds, **({"batch_size": 16, "steps": 20} | options))


@pytest.mark.parametrize("optimizer", NAMES)
def test_a_run_alone_equals_that_run_among_others_with_other_rates(optimizer):
    """Steps proportional to the rate, decay, clipping, a learned temperature: in a stack as alone, in float64."""
    scale = 100 if optimizer == "lars" else 1
    rates = [scale * rate for rate in (1e-3, 3e-3, 2e-3)]
    options = {"optimizer": optimizer, "weight_decay": 0.1, "warmup": 0.2, "clip": 0.5}
    options |= {"method": {"learn_temperature": True}, "source": Exact.example()}
    pack = training_of([0, 1, 2], learning_rate=rates, **options)
    losses = pack.fit()
    for run in range(3):
        alone = training_of([run], learning_rate=rates[run], **options)
        torch.testing.assert_close(alone.fit()[:, 0], losses[:, run])
        for single, stacked in zip(alone.parameters(), pack.parameters(), strict=True):
            torch.testing.assert_close(single[0], stacked[run], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("optimizer", NAMES)
def test_every_optimizer_lowers_the_loss(optimizer):
    losses = training_of([0], optimizer=optimizer, steps=150).fit()
    assert losses[-20:].mean() < losses[:5].mean() - 0.3


def test_lars_is_its_equation():
    """Slowly, run by run, in float64: v <- m v + trust (g + decay w), w <- w - rate v."""
    source = generator(0)
    start, *gradients = (torch.randn(2, 3, 4, generator=source, dtype=torch.float64) for _ in range(4))
    p = nn.Parameter(start.clone())
    optimizer = LARS([p], lr=0.5, momentum=0.8, weight_decay=0.1, eta=0.01)
    for gradient in gradients:
        p.grad = gradient.clone()
        optimizer.step()
    for run in range(2):
        w, v = start[run].clone(), torch.zeros(3, 4, dtype=torch.float64)
        for gradient in gradients:
            g = gradient[run]
            trust = 0.01 * w.norm() / (g.norm() + 0.1 * w.norm())
            v = 0.8 * v + trust * (g + 0.1 * w)
            w = w - 0.5 * v
        torch.testing.assert_close(p[run].detach(), w)


def test_biases_norms_and_temperatures_are_neither_decayed_nor_adapted():
    training = training_of([0, 1], method={"learn_temperature": True}, optimizer="lars", weight_decay=0.3)
    matrices, vectors = training.optimizer.param_groups
    assert matrices["weight_decay"] == 0.3 and matrices["adapts"]
    assert vectors["weight_decay"] == 0.0 and not vectors["adapts"]
    names = {id(p): name for name, p in training.named_parameters()}
    assert all("weight" in names[id(p)] for p in matrices["params"])
    assert "method.temperature.log" in {names[id(p)] for p in vectors["params"]}
    norms = [m for m in training.modules() if type(m).__name__ == "StackedBatchNorm"]
    assert norms and all(is_vector(m.weight) and is_vector(m.bias) for m in norms)


def test_schedules_rise_over_the_warmup_and_then_fall_or_stay():
    assert [cosine(p, 0.2) for p in (0.0, 0.1, 0.2, 0.6, 1.0)] == pytest.approx([0, 0.5, 1, 0.5, 0])
    assert [constant(p, 0.2) for p in (0.0, 0.1, 0.2, 1.0)] == pytest.approx([0, 0.5, 1, 1])
    assert cosine(0.0, 0.0) == constant(0.0, 0.0) == 1


def test_the_rate_follows_the_schedule():
    rates = []
    training = training_of([0], steps=4, warmup=0.5, learning_rate=0.01)
    training.fit(watch=lambda t: rates.append(t.optimizer.param_groups[0]["lr"]) or False)
    assert rates == pytest.approx([0.01 * cosine((step + 0.5) / 4, 0.5) for step in range(4)])


def test_clipping_scales_each_runs_whole_gradient_by_itself():
    a, b = nn.Parameter(torch.zeros(3, 4)), nn.Parameter(torch.zeros(3, 1, 2))
    a.grad, b.grad = torch.ones(3, 4), torch.ones(3, 1, 2)
    a.grad[1] *= 1e-3
    a.grad[2], b.grad[1] = math.nan, 0.0
    small = a.grad[1].clone()
    clip_by_run([a, b], 0.5)
    assert torch.cat([a.grad[0], b.grad[0].flatten()]).norm() == pytest.approx(0.5)
    assert torch.equal(a.grad[1], small), "a small gradient is left as it is"
    assert b.grad[2].isnan().all() and a.grad[:2].isfinite().all(), "a diverged run harms no other"


def test_bfloat16_reaches_the_layers_and_not_the_loss():
    training = training_of([0], precision="bfloat16", check_every=5)
    seen = set()
    linear = training.network.encoder.blocks[0][0]
    linear.register_forward_hook(lambda module, inputs, output: seen.add(output.dtype))
    losses = training.fit()
    assert seen == {torch.bfloat16} and losses.dtype == torch.float32
    assert all(p.dtype == torch.float32 for p in training.parameters())
    exact = training_of([0]).fit()
    assert not torch.equal(losses, exact)
    torch.testing.assert_close(losses, exact, rtol=0.1, atol=0.1)


def test_bfloat16_reaches_a_momentum_network_too():
    training = training_of([0], methods.load("moco"), {"queue": 16}, precision="bfloat16")
    assert training.method.keys.network.precision == "bfloat16"


def test_a_compiled_network_trains_to_the_same_numbers(monkeypatch):
    traced = []

    def compiled(
        module: nn.Module,
    ) -> None:  # traced by torch, but run without a compiler: that takes half a minute
        traced.append(module)
        module._compiled_call_impl = torch.compile(module._call_impl, backend="eager")

    monkeypatch.setattr(Network, "compile", compiled)
    training = training_of([0, 1], compile=True, steps=5, check_every=2)
    torch.testing.assert_close(training.fit(), training_of([0, 1], steps=5).fit())
    assert traced == [training.network]
    assert "network.encoder.blocks.0.0.weight" in training.state_dict(), "names are those without it"


class _Breaks(SimCLR):
    """Fails at its third step as torch does."""

    error: RuntimeError
    calls = 0

    def forward(self, network, pairs):
        self.calls += 1
        if self.calls == 3:
            raise self.error
        return super().forward(network, pairs)


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried ..."),
        RuntimeError("[...] can't allocate memory: you ..."),
    ],
    ids=["cuda", "cpu"],
)
def test_out_of_memory_says_which_setting_to_lower_and_loses_nothing(error):
    training = training_of([0, 1], _Breaks)
    training.method.error = error
    with pytest.raises(
        ParameterError, match=r"out of memory at batch_size=16 and 2 runs at once: lower batch_size"
    ):
        training.fit()
    assert training.steps_done == 2
    assert training.fit().shape == (18, 2)


def test_a_missing_compiler_is_named_and_other_failures_are_not_touched():
    missing = type("InvalidCxxCompiler", (RuntimeError,), {"__module__": "torch._inductor.exc"})(
        "no C++ compiler"
    )
    message = r"cannot be compiled here \(no C\+\+ compiler\); leave compile out"
    with pytest.raises(ParameterError, match=message), alarms.named_failures(8, 1, compiled=True):
        raise missing
    for error, compiled in ((missing, False), (RuntimeError("a bug"), True)):
        with pytest.raises(RuntimeError) as caught, alarms.named_failures(8, 1, compiled):
            raise error
        assert caught.value is error


class _Poisoned(SimCLR):
    """Run 1 meets an infinite loss at its third step."""

    calls = 0

    def forward(self, network, pairs):
        self.calls += 1
        losses = super().forward(network, pairs)
        poison = torch.ones_like(losses)
        poison[1] = math.inf if self.calls == 3 else 1.0
        return losses * poison


@pytest.mark.parametrize("optimizer", NAMES)
def test_a_diverging_run_gets_a_status_and_harms_no_other(optimizer):
    options = {"optimizer": optimizer, "clip": 1.0, "steps": 6, "check_every": 2}
    poisoned = training_of([0, 1, 2], _Poisoned, **options)
    losses, clean = poisoned.fit(), training_of([0, 1, 2], **options)
    assert torch.equal(losses[:, [0, 2]], clean.fit()[:, [0, 2]])
    assert poisoned.status == ["ok", "diverged at step 2", "ok"]
    assert poisoned.alarms == ["run 1: diverged at step 2: its loss is not finite; lower learning_rate"]
    assert not losses[2:, 1].isfinite().any(), "a failed run must not look like a value"
    assert poisoned.checks[-1]["loss"][1] is None and poisoned.checks[-1]["spread"][1] is None
    assert poisoned.checks[-1]["effective_rank"][0] == clean.checks[-1]["effective_rank"][0]


def test_complete_collapse_raises_an_alarm_once():
    training = training_of(
        [0, 1], method={"repulsion": False}, steps=300, learning_rate=1e-2, check_every=100
    )
    training.fit()
    assert all(width < 0.1 / math.sqrt(6) for width in training.checks[-1]["spread"])
    for run in range(2):
        (line,) = [line for line in training.alarms if line.startswith(f"run {run}: ")]
        assert line.startswith(f"run {run}: complete collapse at step ")


def test_a_sound_training_raises_none():
    training = training_of([0], steps=200, check_every=50)
    training.fit()
    assert training.alarms == [] and [check["step"] for check in training.checks] == [50, 100, 150, 200]
    check = training.checks[-1]
    assert check.keys() == {"step", "loss", "spread", "effective_rank", "examples_a_second"}
    assert check["examples_a_second"] > 0 and 2 < check["effective_rank"][0] <= 6


def test_looking_for_collapse_changes_nothing():
    often, never = (training_of([0], check_every=each) for each in (1, 1000))
    assert torch.equal(often.fit(), never.fit())
    for (name, a), b in zip(often.state_dict().items(), never.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def on_a_line(n: int, dim: int) -> Tensor:
    """Rows +u and -u: spread like any, rank 1."""
    signs = torch.where(torch.arange(n) % 2 == 0, 1.0, -1.0)
    return (signs.unsqueeze(1) * torch.ones(dim)).unsqueeze(0)


def test_both_collapses_are_told_apart():
    sound = torch.randn(1, 64, 8, generator=generator(0))
    point = torch.ones(1, 64, 8) + 1e-3 * sound
    broken = torch.full((1, 64, 8), math.nan)
    geometry = alarms.geometry_of(torch.cat([sound, point, on_a_line(64, 8), broken]))
    assert [(run, kind) for run, kind, _ in alarms.collapses(geometry)] == [
        (1, "complete"),
        (2, "dimensional"),
    ]
    assert geometry.spread[3] is None and geometry.effective_rank[3] is None
    few = alarms.geometry_of(on_a_line(4, 8))
    assert list(alarms.collapses(few)) == [], "three rows after centring cannot show a rank of much more"


def test_a_training_that_was_paused_goes_on_as_if_undisturbed():
    whole, parts = training_of([0, 1]), training_of([0, 1])
    expected = whole.fit()
    first = parts.fit(watch=lambda t: t.steps_done == 7)
    assert len(first) == 7
    assert torch.equal(torch.cat([first, parts.fit(5), parts.fit()]), expected)
    assert len(parts.fit()) == 0 and parts.steps_done == 20


def test_a_method_is_asked_whether_it_can_train_on_the_source():
    with pytest.raises(DataError, match="supcon needs classes"):
        unlabelled = VMF(4, n_classes=0)
        network = Network.build(unlabelled.shape, [0], **SMALL)
        method = methods.load("supcon")(network, [0], temperature=0.1)
        Pretrainer(network, method, unlabelled, [0], batch_size=8, steps=1)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"batch_size": 0}, ParameterError, "batch_size must be at least 1; got 0"),
        ({"steps": 0}, ParameterError, "steps must be at least 1"),
        ({"warmup": 1.0}, ParameterError, "warmup is a share of the steps"),
        ({"weight_decay": -1.0}, ParameterError, "weight_decay must be 0 or more"),
        ({"clip": 0.0}, ParameterError, "clip must be greater than 0, or None"),
        ({"learning_rate": 0.0}, ParameterError, "learning_rate must be greater than 0"),
        ({"learning_rate": [0.1, 0.2, 0.3]}, ShapeError, "one learning_rate, or 2"),
        ({"optimizer": "adamm"}, UnknownNameError, "did you mean 'adam'"),
        ({"schedule": "cosin"}, UnknownNameError, "did you mean 'cosine'"),
        ({"precision": "bfloat"}, UnknownNameError, "did you mean 'bfloat16'"),
    ],
)
def test_bad_settings_are_named(options, error, message):
    with pytest.raises(error, match=message):
        training_of([0, 1], **options)


def test_more_steps_than_are_left_are_refused():
    with pytest.raises(ParameterError, match=r"steps must lie in 0..20, those left of 20; got 21"):
        training_of([0]).fit(21)


def test_a_batch_of_one_and_seeds_that_do_not_fit_are_refused():
    with pytest.raises(ParameterError, match="a batch of 1 holds no negatives"):
        training_of([0], batch_size=1)
    network = Network.build(SOURCE.shape, [0, 1], **SMALL)
    with pytest.raises(ShapeError, match="sources and seeds for 2 runs"):
        Pretrainer(network, SimCLR(network, [0, 1], temperature=0.1), SOURCE, [0], batch_size=4, steps=1)
