"""NCE: what does contrasting data with noise find, and what does InfoNCE, its descendant, leave open?

The text takes NCE for a bound on the mutual information. What Gutmann and Hyvarinen show is another thing: telling data
from noise fits a model that is not normalised, its log normaliser being one more parameter. Two things are measured.

"binary": n samples of a law against ratio x n of noise. The model is ln p(x) = theta u(x) + c, both free: a centred
Gaussian in 5 dimensions (theta the precision, 4; noise of precision 1) or a von Mises-Fisher law (theta = kappa = 10;
uniform noise). The noise is of the same family, so that the fit is a logistic regression, solved to rounding. A
replicate is the mean over 32 data sets; ratios share the data, and the noise that both have. Beside stand the maximum
likelihood estimate and the asymptotic variance. The control is told another noise density than the noise has.

"softmax": critics trained by InfoNCE among K = 4, 16, 64 of a batch of 128 pairs, MI 2 nats, and by the variant with an
anchor class ("none of them"), from the same weights on the same pairs. Read on new pairs are the slope of f(x, y) on
the true log ratio within a row, half the weight on y that go with x and half on independent y; the row's offset
c(x) = ln E_y e^f(x,y), which is 0 for a density ratio; and InfoNCE. The control has broken pairs.

Falls short: the critics are small perceptrons with tails flatter than a Gaussian's, so that slopes stay below 1. How
far InfoNCE's c(x) varies is up to the weights it starts from, since no part of its loss sees it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from mibounds import theory
from mibounds.bounds import Bound
from mibounds.seeding import seed_of
from mibounds.study import (
    Cell,
    Claim,
    Measurement,
    Pack,
    Study,
    Verdict,
    all_above,
    all_below,
    all_equivalent,
    if_all_ok,
    provided,
    rows_with,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import Generator, Tensor

Tables = Mapping[str, "pd.DataFrame"]

DIM = 5
LAWS = {"gaussian": "Gaussian", "von_mises_fisher": "von Mises-Fisher"}
RATIOS = (1, 4, 16, 64)
N_SAMPLES = (250, 1_000, 4_000, 16_000, 64_000)
CANDIDATES = (4, 16, 64)
BINARY, SOFTMAX = ("nce", "mistaken"), ("info_nce", "info_nce_anchor", "broken")
MISTAKEN_RATIO, BROKEN_CANDIDATES = 4, 16
INFORMATION_NATS = 2.0
ELEMENTS_AT_ONCE, COLUMNS_AT_ONCE = 2**22, 2**15


def keep(point: dict) -> bool:
    """What an arm does not vary stands at its first value."""
    objective, ratio, n, k = (point[name] for name in ("objective", "ratio", "n_samples", "n_candidates"))
    if point["arm"] == "binary":
        fitted = objective == "nce" or (objective == "mistaken" and ratio == MISTAKEN_RATIO)
        return fitted and k == CANDIDATES[0]
    trained = objective in SOFTMAX and (objective != "broken" or k == BROKEN_CANDIDATES)
    return trained and ratio == RATIOS[0] and n == N_SAMPLES[0]


def measure(pack: Pack) -> Iterator[Measurement]:
    return map(of_binary, pack.cells) if pack.cells[0]["arm"] == "binary" else iter(of_softmax(pack))


# Binary NCE of ln p(x) = theta u(x) + c


class Gaussian:
    """u = -|x|^2/2, theta the precision; densities against Lebesgue measure."""

    theta, noise_theta, mistaken_theta = 4.0, 1.0, 2.0

    def draw(self, n: int, theta: float, source: Generator) -> Tensor:
        import torch

        return -torch.randn(n, DIM, generator=source).square().sum(1).double() / (2 * theta)

    def log_normaliser(self, theta: float) -> float:
        return DIM / 2 * math.log(theta / (2 * math.pi))

    def most_likely(self, mean_u: float) -> float:
        return -DIM / (2 * mean_u)

    def nodes(self) -> tuple[np.ndarray, np.ndarray]:
        """Values of u, and the log of their base measure up to a constant."""
        u = -np.linspace(0, 100 / self.theta, 100_001)[1:]
        return u, (DIM / 2 - 1) * np.log(-u)


class VonMisesFisher:
    """u the cosine to the mean direction, theta = kappa; densities against the uniform law of the sphere."""

    theta, noise_theta, mistaken_theta = 10.0, 0.0, 3.0

    def draw(self, n: int, theta: float, source: Generator) -> Tensor:
        import torch

        from mibounds import distributions

        if theta == 0:
            return torch.nn.functional.normalize(torch.randn(n, DIM, generator=source))[:, 0].double()
        x, y = distributions.load("von_mises_fisher")(DIM, theta).sample(n, source)
        return (x * y).sum(1).double()

    def log_normaliser(self, theta: float) -> float:
        return -theory.vmf_log_partition(DIM, theta)

    def most_likely(self, mean_u: float) -> float:
        from scipy.optimize import brentq

        return brentq(lambda kappa: theory.vmf_mean_resultant(DIM, kappa) - mean_u, 0.0, 1e4)

    def nodes(self) -> tuple[np.ndarray, np.ndarray]:
        u = np.linspace(-1, 1, 100_001)[1:-1]
        return u, (DIM - 3) / 2 * np.log1p(-(u**2))


FAMILIES: dict[str, Any] = {"gaussian": Gaussian(), "von_mises_fisher": VonMisesFisher()}


def logistic(u_data: Tensor, u_noise: Tensor, steps: int = 50) -> tuple[Tensor, Tensor, Tensor]:
    """Slope and intercept of the log odds "data, not noise" on u, `D x n`, `D x m` -> `D`; and where Newton settled.

    They maximise NCE's objective, sum ln h(u_data) + sum ln (1 - h(u_noise)), which is concave.
    """
    import torch

    n, m = u_data.shape[1], u_noise.shape[1]
    a, b = torch.zeros_like(u_data[:, :1]), torch.full_like(u_data[:, :1], math.log(n / m))
    seen = torch.stack([torch.full_like(a[:, 0], n), u_data.sum(1)])
    parts = [*u_data.split(COLUMNS_AT_ONCE, 1), *u_noise.split(COLUMNS_AT_ONCE, 1)]
    for _ in range(steps):
        sums = seen.new_zeros(5, len(a))
        for u in parts:
            p = torch.sigmoid(a * u + b)
            w = p * (1 - p)
            sums += torch.stack([one.sum(1) for one in (p, p * u, w, w * u, w * u * u)])
        (g0, g1), (h0, h1, h2) = seen - sums[:2], sums[2:]
        step = torch.stack([h0 * g1 - h1 * g0, h2 * g0 - h1 * g1]) / (h0 * h2 - h1**2)
        a, b = a + step[0].unsqueeze(1), b + step[1].unsqueeze(1)
        settled = (step.abs() < 1e-9).all(0)
        if settled.all():
            break
    return a[:, 0], b[:, 0], settled


def of_binary(cell: Cell) -> Measurement:
    """ln p - ln(ratio p_noise) is a u + b, so that theta and c are a and b and what the noise has of them."""
    family, fits = FAMILIES[cell["law"]], []
    told = family.mistaken_theta if cell["objective"] == "mistaken" else family.noise_theta
    for data, noise in data_sets(cell, family):
        a, b, settled = logistic(data, noise)
        log_normaliser = family.log_normaliser(told) + math.log(cell["ratio"]) + b
        likely = map(family.most_likely, data.mean(1).tolist())
        fits += zip((told + a).tolist(), log_normaliser.tolist(), likely, settled.tolist(), strict=True)
    theta, log_normaliser, likely, settled = np.array(fits).T
    truth = family.log_normaliser(family.theta)
    errors = {
        "parameter_error": theta - family.theta,
        "log_normaliser_error_nats": log_normaliser - truth,
        "likelihood_parameter_error": likely - family.theta,
        "likelihood_log_normaliser_error_nats": [family.log_normaliser(one) - truth for one in likely],
    }
    square = {name: np.square(of).mean() for name, of in errors.items()}
    row = {name: float(np.abs(of).mean()) for name, of in errors.items()}
    row["log_efficiency"] = math.log(square["likelihood_parameter_error"] / square["parameter_error"])
    return Measurement(row | {"status": "ok" if settled.all() else "Newton's method did not settle"})


def data_sets(cell: Cell, family: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """Data and noise, some data sets at a time. Noise is drawn n at once, so that ratios share what both have."""
    import torch

    from mibounds.seeding import generator

    n, ratio, n_sets = cell["n_samples"], cell["ratio"], cell.settings["data_sets"]
    for sets in np.array_split(range(n_sets), min(n_sets, math.ceil(n_sets * n * ratio / ELEMENTS_AT_ONCE))):
        data, noise = [], []
        for index in sets.tolist():
            data.append(family.draw(n, family.theta, generator(seed_of(cell.seed("data"), index))))
            source = generator(seed_of(cell.seed("noise"), index))
            noise.append(torch.cat([family.draw(n, family.noise_theta, source) for _ in range(ratio)]))
        yield torch.stack(data), torch.stack(noise)


def asymptotic_efficiency(law: str, ratio: float) -> float:
    """Of NCE's theta against maximum likelihood's, from the asymptotic variance of (theta, c),

        I^-1 - (1 + 1/ratio) I^-1 m m^T I^-1,   I = E[P g g^T],  m = E[P g],  P = ratio p_noise / (p + ratio p_noise),

    with g = (u, 1) and expectations over the data, by quadrature.

    References: Gutmann and Hyvarinen 2012, JMLR 13, 307-361, theorem 3.
    """
    family = FAMILIES[law]
    u, log_base = family.nodes()
    p = np.exp(log_base + family.theta * u - np.max(log_base + family.theta * u))
    p /= p.sum()
    log_ratio = family.log_normaliser(family.theta) - family.log_normaliser(family.noise_theta)
    log_ratio = log_ratio + (family.theta - family.noise_theta) * u
    of_noise, g = p / (1 + np.exp(log_ratio) / ratio), np.stack([u, np.ones_like(u)])
    inverse, m = np.linalg.inv((g * of_noise) @ g.T), g @ of_noise
    variance = inverse - (1 + 1 / ratio) * np.outer(inverse @ m, inverse @ m)
    return float(1 / (p @ u**2 - (p @ u) ** 2) / variance[0, 0])


# Critics by softmax


@dataclass(frozen=True)
class AmongCandidates(Bound):
    """A bound's mean over the batch's n / K groups of K pairs: K moves, batch and steps do not."""

    of: Bound
    n_candidates: int

    name, direction, validity, references = "among_candidates", "none", "none", ("none: a mean over groups",)

    def groups(self, scores: Tensor) -> Tensor:
        k = self.n_candidates
        blocks = scores.unflatten(-1, (-1, k)).unflatten(-3, (-1, k))
        return blocks.diagonal(dim1=-4, dim2=-2).movedim(-1, -3)

    def __call__(self, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        return self.of(self.groups(scores)).mean(-1)

    def objective(self, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        return self.of.objective(self.groups(scores)).mean(-1)

    def population(self, joint: Tensor, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        return self.of.population(joint, scores)


def of_softmax(pack: Pack) -> list[Measurement]:
    """One stack of objectives, K and replicates. A broken x has a y of a pair that is not in its batch."""
    import torch

    from mibounds import bounds, critics, distributions
    from mibounds.training import Trainer, fresh_batches

    cells, settings, device = pack.cells, pack.settings, pack.device
    family: Any = distributions.load(cells[0]["law"])
    law = family.from_mutual_information(DIM, INFORMATION_NATS)
    broken = torch.tensor([cell["objective"] == "broken" for cell in cells], device=device).view(-1, 1, 1)

    def batches(purpose: str, n: int) -> Iterator[tuple[Tensor, Tensor]]:
        seeds, laws = [cell.seed(purpose) for cell in cells], [law] * len(cells)
        others = fresh_batches(laws, [seed_of("others", seed) for seed in seeds], n, device)
        for (x, y), (_, other) in zip(fresh_batches(laws, seeds, n, device), others, strict=True):
            yield x, torch.where(broken, other, y)

    names = ["info_nce" if cell["objective"] == "broken" else cell["objective"] for cell in cells]
    counts, weights = ([cell["n_candidates"] for cell in cells], [cell.seed("weights") for cell in cells])
    trained = [AmongCandidates(bounds.load(name)(), k) for name, k in zip(names, counts, strict=True)]
    critic = critics.load("separable")(DIM, DIM, weights, hidden=(64, 64)).to(device)
    trainer = Trainer(critic, trained, weights, learning_rate=settings["learning_rate"])
    trainer.fit(batches("pairs", settings["batch_size"]), settings["steps"])

    (x, y), (_, independent) = islice(batches("evaluation", settings["n_evaluation"]), 2)
    with torch.no_grad():
        scores, paired = critic(x, independent).double(), critic(x, y).double()
    truth = law.log_density_ratio_matrix(x, independent).double()
    oracle = law.log_density_ratio_matrix(x, y).double().masked_fill(broken, 0.0)
    slope, offset = slope_on(scores, truth), row_offset(scores, truth)
    rows = []
    for r, k in enumerate(counts):
        read = AmongCandidates(bounds.load("info_nce")(), k)
        row = {
            "slope": slope[r].item(),
            "offset_variance": offset[r].var().item(),
            "estimate_nats": read(paired[r]).item(),
            "plug_in_nats": paired[r].diagonal().mean().item(),
            "oracle_nats": read(oracle[r]).item(),
            "ceiling_nats": math.log(k),
            "truth_nats": 0.0 if broken[r] else law.mutual_information,
        }
        rows.append(Measurement(row | {"status": trainer.status[r]}))
    return rows


def slope_on(scores: Tensor, truth: Tensor) -> Tensor:
    """Least-squares slope of scores on the true log ratio, an intercept a row: `... x n x m` -> `...`.

    A column y of independent draws weighs (r(x, y) / sum_y r + 1/m) / 2: half as drawn, half as if it went with x.
    """
    weights = (truth.softmax(-1) + 1 / truth.shape[-1]) / 2
    f, t = (values - (weights * values).sum(-1, keepdim=True) for values in (scores, truth))
    return (weights * f * t).sum((-2, -1)) / (weights * t * t).sum((-2, -1))


def row_offset(scores: Tensor, truth: Tensor) -> Tensor:
    """c(x) = ln E_y e^f(x,y), less what the same y make of the true ratio, whose c is 0: `... x n x m` -> `... x n`."""
    return scores.logsumexp(-1) - truth.logsumexp(-1)


# Claims: effect, threshold and interval were written before the full run.

N_CLAIMS = 4
ALPHA = 0.05 / N_CLAIMS
RATE, RATE_MARGIN, STUCK = -0.5, 0.1, -0.25
SLOPE_MARGIN, UNTAUGHT_SLOPE = 0.1, 0.1
TIMES_SMALLER = 5.0
ERRORS = {"parameter_error": "parameter", "log_normaliser_error_nats": "log normaliser"}
Decide = Callable[["pd.DataFrame"], Verdict]


def guarded(tables: Tables, arm: str, control: Decide, decide: Decide) -> Verdict:
    """`decide` on an arm's rows, provided that its control breaks what it must."""

    def with_control(rows: pd.DataFrame) -> Verdict:
        broken = rows_with(rows, objective=("mistaken", "broken"))
        return provided(control(broken), "the control was to break the slope", lambda: decide(rows))

    return if_all_ok(rows_with(tables["table"], arm=arm), with_control)


def does_not_converge(rows: pd.DataFrame) -> Verdict:
    return all_above(rates(rows), STUCK, "slope", ALPHA)


def is_not_taught(rows: pd.DataFrame) -> Verdict:
    return all_below(dict(list(rows.groupby("law")["slope"])), UNTAUGHT_SLOPE, "slope", ALPHA)


def rates(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Slopes of ln error on ln n, a value a replicate, for each law, ratio and error; none from a single n."""
    found = {}
    for (law, ratio), of in rows.groupby(["law", "ratio"]):
        for error, name in ERRORS.items():
            log = np.log(of.pivot(index="n_samples", columns="replicate", values=error))
            if len(log) > 1:
                slopes = np.polyfit(np.log(log.index.to_numpy(dtype=float)), log.to_numpy(), 1)[0]
                found[f"{law}, ratio {ratio}, {name}"] = slopes
    return found


def error_falls_as_the_root(tables: Tables) -> Verdict:
    def decide(rows: pd.DataFrame) -> Verdict:
        off = {name: slopes - RATE for name, slopes in rates(rows_with(rows, objective="nce")).items()}
        return all_equivalent(off, RATE_MARGIN, "slope + 1/2", ALPHA)

    return guarded(tables, "binary", does_not_converge, decide)


def efficiency_rises(tables: Tables) -> Verdict:
    """From each ratio to the next, ln efficiency being the mean over n; paired by data."""

    def decide(rows: pd.DataFrame) -> Verdict:
        steps = {}
        for law, of in rows_with(rows, objective="nce").groupby("law"):
            log = of.pivot_table(index="replicate", columns="ratio", values="log_efficiency")
            for a, b in zip(log.columns, log.columns[1:], strict=False):
                steps[f"{law}, ratio {a} to {b}"] = log[b] - log[a]
        return all_above(steps, 0.0, "ln efficiency", ALPHA)

    return guarded(tables, "binary", does_not_converge, decide)


def slope_is_one(tables: Tables) -> Verdict:
    def decide(rows: pd.DataFrame) -> Verdict:
        of = rows_with(rows, objective="info_nce")
        off = (of["slope"] - 1).groupby([of["law"], of["n_candidates"]])
        return all_equivalent(dict(list(off)), SLOPE_MARGIN, "slope - 1", ALPHA)

    return guarded(tables, "softmax", is_not_taught, decide)


def anchor_removes_the_offset(tables: Tables) -> Verdict:
    def decide(rows: pd.DataFrame) -> Verdict:
        cells = ["law", "n_candidates", "replicate"]
        log = np.log(rows.pivot(index=cells, columns="objective", values="offset_variance"))
        if not {"info_nce", "info_nce_anchor"} <= set(log):
            return Verdict.inconclusive("the table lacks one of the objectives that are compared")
        smaller = (log["info_nce"] - log["info_nce_anchor"]).dropna().groupby(level=cells[:2])
        return all_above(dict(list(smaller)), math.log(TIMES_SMALLER), "ln of variances' ratio", ALPHA)

    return guarded(tables, "softmax", is_not_taught, decide)


TEXT = "Contrastive Learning Theory"
MISTAKEN = "Told a wrong noise density, the slope must stay above -0.25."
BROKEN = "With broken pairs that slope must stay below 0.1."
CLAIMS = (
    Claim(
        id="C1.rate",
        text="NCE (Gutmann and Hyvarinen): contrasting data with noise finds a model that is not normalised, and its "
        "log normaliser.",
        source=f"{TEXT} (which says: it shows a bound on MI); Gutmann and Hyvarinen 2012, theorem 2",
        criterion="Supported if for both laws, every noise ratio, parameter and log normaliser, the interval of the "
        "slope of ln absolute error on ln n lies within 0.1 of -1/2; refuted if one lies wholly outside. "
        + MISTAKEN,
        verdict=error_falls_as_the_root,
    ),
    Claim(
        id="C1.efficiency",
        text="The more noise for each sample, the nearer NCE comes to maximum likelihood.",
        source="Gutmann and Hyvarinen 2012",
        criterion="Supported if for both laws ln (mean squared error of maximum likelihood / of NCE) on the parameter "
        "rises from each noise ratio (1, 4, 16, 64) to the next (paired); refuted if it falls. " + MISTAKEN,
        verdict=efficiency_rises,
    ),
    Claim(
        id="C1.ratio",
        text="InfoNCE, normalised along rows, finds the density ratio up to c(x).",
        source=f"{TEXT}; van den Oord et al. 2018, section 2.3",
        criterion="Supported if for both laws and every K the slope of the critic on the true log ratio within rows "
        "lies within 0.1 of 1; refuted if one lies wholly outside. " + BROKEN,
        verdict=slope_is_one,
    ),
    Claim(
        id="C1.offset",
        text="InfoNCE leaves c(x) free; an anchor class fixes it.",
        source="Ryu et al. 2025",
        criterion="Supported if for both laws and every K the variance of c(x) over x is more than 5 times smaller "
        "with the anchor class than without (paired, in logarithms); refuted if less. " + BROKEN,
        verdict=anchor_removes_the_offset,
    ),
)


# Figure


def draw(tables: Tables) -> Figure:
    """Above, the errors of what NCE fits and its efficiency; below, what the critics find and read."""
    from mibounds.plots.style import COLORS, draw_intervals, draw_legend, draw_theory, new_figure

    binary, softmax = (rows_with(tables["table"], arm=arm) for arm in ("binary", "softmax"))
    fits = rows_with(binary, objective="nce").assign(percent=lambda of: 100 * np.exp(of["log_efficiency"]))
    with new_figure(2, 3, height=2.6) as (figure, axes):
        for ax, (error, name) in zip(axes[0], ERRORS.items(), strict=False):
            draw_errors(ax, rows_with(binary, law="gaussian"), error)
            ax.set(xlabel="samples n", ylabel="mean absolute error", title=f"NCE of a Gaussian: {name}")
        for law, color in zip(LAWS, (COLORS[9], COLORS[5]), strict=True):
            of, powers = rows_with(fits, law=law), [2**power for power in range(7)]
            line = {"color": color, "label": LAWS[law], "linestyle": ""}
            draw_intervals(axes[0, 2], of, x="ratio", y="percent", **line)
            limit = [100 * asymptotic_efficiency(law, ratio) for ratio in powers]
            draw_theory(axes[0, 2], limit, powers, label="theory")
        axes[0, 2].set(xlabel="noise ratio", ylabel="efficiency (%)", title="NCE against likelihood")
        for ax, (value, name, title) in zip(axes[1], PANELS, strict=True):
            draw_critics(ax, softmax, value)
            ax.set(xlabel="candidates K", ylabel=name, title=title)
        axes[1, 1].set_yscale("log")
        for ax, ticks in zip(
            axes.flat, (N_SAMPLES[::2], N_SAMPLES[::2], RATIOS, *[CANDIDATES] * 3), strict=True
        ):
            ax.set_xscale("log")
            ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
            ax.minorticks_off()
        draw_legend(figure, columns=3)
    return figure


PANELS = (
    ("slope", "slope", "critic on the true log ratio"),
    ("offset_variance", "variance of c(x)", "what InfoNCE leaves free"),
    ("nats", "InfoNCE, or E[f] (nats)", "what they read"),
)
READ = {
    "info_nce": ("InfoNCE", "estimate_nats"),
    "info_nce_anchor": ("with anchor class", "plug_in_nats"),
}


def draw_errors(ax: Any, rows: pd.DataFrame, error: str) -> None:
    from mibounds.plots.style import COLORS, DARK, GREY, draw_intervals

    fits, mistaken = (rows_with(rows, objective=objective) for objective in BINARY)
    for ratio, color in zip(RATIOS, COLORS, strict=False):
        of = rows_with(fits, ratio=ratio)
        draw_intervals(ax, of, x="n_samples", y=error, color=color, label=f"noise ratio {ratio}")
    line = {"color": GREY, "label": "wrong noise density", "marker": "x"}
    draw_intervals(ax, mistaken, x="n_samples", y=error, **line)
    likely = fits.groupby("n_samples")[f"likelihood_{error}"].mean()
    ax.plot(likely.index, likely, color=DARK, linestyle="--", label="maximum likelihood")
    ax.set_yscale("log")


def draw_critics(ax: Any, rows: pd.DataFrame, value: str) -> None:
    """The laws stand a little apart."""
    from mibounds.plots.style import COLORS, draw_ceiling, draw_intervals, draw_theory, draw_truth

    for law, dashes, shift in zip(LAWS, ("-", ":"), (0.96, 1.04), strict=True):
        of_law = rows_with(rows, law=law).assign(place=lambda of, by=shift: by * of["n_candidates"])
        for (objective, (name, read)), color in zip(READ.items(), (COLORS[0], COLORS[3]), strict=True):
            y = read if value == "nats" else value
            line = {"color": color, "label": f"{name}, {LAWS[law]}", "linestyle": dashes}
            draw_intervals(ax, rows_with(of_law, objective=objective), x="place", y=y, **line)
    if value == "slope":
        draw_truth(ax, 1.0, label="truth")
    if value == "nats":
        limits = rows_with(rows, objective="info_nce").groupby("n_candidates")
        limits = limits[["oracle_nats", "ceiling_nats"]].mean()
        draw_theory(ax, limits["oracle_nats"], limits.index, label="InfoNCE, true ratio")
        draw_ceiling(ax, limits["ceiling_nats"], limits.index, label="ceiling ln K")
        draw_truth(ax, INFORMATION_NATS, label="truth")


STUDY = Study(
    slug="nce",
    question="What does contrasting data with noise find, and what does InfoNCE leave open?",
    axes={
        "arm": ("binary", "softmax"),
        "law": tuple(LAWS),
        "ratio": RATIOS,
        "n_samples": N_SAMPLES,
        "objective": (*BINARY, *SOFTMAX),
        "n_candidates": CANDIDATES,
    },
    stacked=("objective", "n_candidates", "replicate"),
    seeds={
        "data": ("law", "n_samples"),
        "noise": ("law", "n_samples"),
        "weights": (),
        "pairs": ("law",),
        "evaluation": ("law",),
    },
    keep=keep,
    width=35,
    settings={"data_sets": 32, "batch_size": 128, "steps": 4000, "learning_rate": 2e-3, "n_evaluation": 512},
    presets={
        "smoke": {
            "replicates": 1,
            "ratio": (1, 4),
            "n_samples": (250, 1_000),
            "n_candidates": (4, 16),
            "data_sets": 4,
            "batch_size": 16,
            "steps": 3,
            "n_evaluation": 64,
        },
        "quick": {"replicates": 3, "n_samples": (250, 1_000, 4_000), "steps": 600},
        "full": {"replicates": 10},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)
