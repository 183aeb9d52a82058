"""A certified lower bound: how often it passes the truth, under laws meant to break it, and how near it comes.

Two parts. Twenty laws with 1,500 pairs each ask for validity: independent ones, Gaussian ones from 0.05 to 8 nats,
heavy tails, maps, hard edges, rare events, many symbols, a mixture. The arm "same_pairs" breaks the certificate: the
critic is trained, chosen and read on the same pairs.

The levels of a 20-dimensional Gaussian ask how near it comes: 5,000 held-out pairs, with a fitted critic and with the
true density ratio ("oracle"). There the same scores are also read by Maurer and Pontil's empirical Bernstein, on both
terms of Donsker and Varadhan's bound, half the error each, the partition from disjoint product pairs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from mibounds import statistics
from mibounds.study import Cell, Claim, Measurement, Pack, Study, Verdict, if_all_ok

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import Tensor

    from mibounds.distributions import Distribution

Tables = Mapping[str, "pd.DataFrame"]

CONFIDENCE, ERROR = 0.95, 0.05
LEVELS_NATS = (0.4, 1.0, 2.0, 4.0, 6.0)
DIM = 20
LEVEL_REPLICATES = 10
OFFSET = 10.0


class Law(NamedTuple):
    """Pairs `n x dim` from n and a seed, and their mutual information."""

    sample: Callable[[int, int], tuple[Tensor, Tensor]]
    truth_nats: float


def of(distribution: Distribution) -> Law:
    return Law(distribution.sample, distribution.mutual_information)


def independent(distribution: Distribution) -> Law:
    """The product of the marginals: x of one draw, y of another."""

    def sample(n: int, seed: int) -> tuple[Tensor, Tensor]:
        x, y = distribution.sample(2 * n, seed)
        return x[:n], y[n:]

    return Law(sample, 0.0)


def gaussian(dim: int, nats: float) -> Distribution:
    from mibounds.distributions import load

    return load("gaussian").from_mutual_information(dim, nats)


def student(dim: int, nats: float, dof: float) -> Distribution:
    from mibounds.distributions import load

    return load("student_t")(gaussian(dim, nats).covariance, dim, dof)


def uniform(noise: float) -> Distribution:
    from mibounds.distributions import load

    return load("additive_uniform")(noise)


def mapped(distribution: Distribution, name: str) -> Distribution:
    from mibounds.distributions import load
    from mibounds.distributions.maps import load as load_map

    changed = load_map(name).example()
    return load("transformed")(distribution, changed, changed)


def sphere(dim: int, nats: float) -> Distribution:
    from mibounds.distributions import load

    return load("von_mises_fisher").from_mutual_information(dim, nats)


def symbols(n_symbols: int, share_kept: float) -> Distribution:
    """y is x with this probability, else any symbol; x uniform."""
    import torch

    from mibounds.distributions import load

    eye = torch.eye(n_symbols)
    return load("finite")(share_kept * eye / n_symbols + (1 - share_kept) / n_symbols**2)


def rare(share: float, n_symbols: int) -> Distribution:
    """x = y = 0, but for a `share` of pairs that agree on one of `n_symbols` others."""
    import torch

    from mibounds.distributions import load

    weights = torch.full((n_symbols + 1,), share / n_symbols)
    weights[0] = 1 - share
    return load("finite")(weights.diag())


def example() -> Distribution:
    from mibounds.distributions import load

    return load("finite").example()


def mixture() -> Law:
    """Two uniform laws of unlike noise, far apart: which one it is shows in x and in y, and adds ln 2."""
    first, second = uniform(0.1), uniform(1.0)

    def sample(n: int, seed: int) -> tuple[Tensor, Tensor]:
        import torch

        from mibounds.seeding import generator

        source = generator(seed)
        is_second = torch.rand(n, 1, generator=source) < 0.5
        (x, y), (other_x, other_y) = first.sample(n, source), second.sample(n, source)
        return torch.where(is_second, other_x + OFFSET, x), torch.where(is_second, other_y + OFFSET, y)

    return Law(sample, math.log(2) + (first.mutual_information + second.mutual_information) / 2)


LAWS: dict[str, Callable[[], Law]] = {
    "independent_gaussian_1d": lambda: independent(gaussian(1, 0.5)),
    "independent_gaussian_20d": lambda: independent(gaussian(20, 2.0)),
    "independent_cauchy": lambda: independent(student(2, 0.5, 1.0)),
    "independent_rare": lambda: independent(rare(0.01, 10)),
    "gaussian_weak": lambda: of(gaussian(1, 0.05)),
    "gaussian_5d": lambda: of(gaussian(5, 1.0)),
    "gaussian_20d": lambda: of(gaussian(20, 2.0)),
    "gaussian_8_nats": lambda: of(gaussian(2, 8.0)),
    "cauchy": lambda: of(student(1, 0.5, 1.0)),
    "cauchy_uncorrelated": lambda: of(student(3, 0.0, 1.0)),
    "student_3": lambda: of(student(2, 1.0, 3.0)),
    "spiral": lambda: of(mapped(gaussian(2, 1.0), "spiral")),
    "cubic": lambda: of(mapped(gaussian(3, 2.0), "cubic")),
    "uniform_edges": lambda: of(uniform(0.1)),
    "table": lambda: of(example()),
    "rare_event": lambda: of(rare(0.01, 1)),
    "rare_symbols": lambda: of(rare(0.05, 50)),
    "many_symbols": lambda: of(symbols(64, 0.9)),
    "sphere": lambda: of(sphere(3, 1.5)),
    "mixture": mixture,
}
INDEPENDENT = tuple(name for name in LAWS if name.startswith("independent"))
LEVELS = {f"level_{nats:g}": nats for nats in LEVELS_NATS}


def keep(point: dict) -> bool:
    """The broken arm on independent laws; the levels with trained critic and oracle, a few replicates."""
    if point["law"] in LEVELS:
        return point["arm"] != "same_pairs" and point["replicate"] < LEVEL_REPLICATES
    return point["arm"] == "certified" or (point["arm"] == "same_pairs" and point["law"] in INDEPENDENT)


def measure(pack: Pack) -> list[Measurement]:
    (cell,) = pack.cells
    if cell["arm"] == "oracle":
        return [Measurement(oracle(cell))]
    law = of(gaussian(DIM, LEVELS[cell["law"]])) if cell["law"] in LEVELS else LAWS[cell["law"]]()
    return [Measurement(certificate(cell, law, pack.device))]


def certificate(cell: Cell, law: Law, device: str) -> dict:
    """What `mibounds.certify` gives; under "same_pairs", with one fold in all three roles."""
    from mibounds.data import paired_samples
    from mibounds.estimators._folds import Folds, split
    from mibounds.estimators.certified import certified
    from mibounds.estimators.variational import Variational

    is_level, settings = cell["law"] in LEVELS, cell.settings
    n_held_out, n_select, n_train = sizes(cell)
    n = n_held_out + n_select + n_train
    training = Variational(
        critic_options={"hidden": (settings["level_hidden" if is_level else "hidden"],), "embedding": 32},
        max_steps=settings["level_steps" if is_level else "steps"],
        learning_rate=settings["learning_rate"],
        folds=(n_train / n, n_select / n, n_held_out / n),
        device=device,
    )
    seed = cell.seed("training") % 2**31
    samples = paired_samples(*law.sample(n, cell.seed("data")))
    folds = split(n, training.folds, seed)
    if cell["arm"] == "same_pairs":
        folds = Folds(folds.train, folds.train, folds.train)
    found = certified(samples, folds, training, seed, CONFIDENCE)
    return {
        "truth_nats": law.truth_nats,
        "estimate_nats": found.nats,
        "limit_nats": found.limit_nats,
        "bernstein_nats": math.nan,
        "ceiling_nats": found.ceiling_nats,
        "n_held_out": found.n_held_out,
        "critic": found.critic,
        "status": "ok",
    }


def sizes(cell: Cell) -> tuple[int, int, int]:
    """Pairs held out, selecting, training."""
    settings = cell.settings
    if cell["law"] in LEVELS:
        return settings["level_held_out"], settings["level_select"], settings["level_train"]
    return settings["held_out"], settings["select"], settings["train"]


def oracle(cell: Cell) -> dict:
    """The true density ratio, read by both inequalities; what they clip by is chosen on pairs of their own."""
    import torch

    from mibounds.estimators.certified import ceiling_nats
    from mibounds.estimators.certified.candidates import even_groups
    from mibounds.estimators.certified.rule import choose

    law = gaussian(DIM, LEVELS[cell["law"]])
    n_held_out, n_select, _ = sizes(cell)
    x, y = law.sample(n_held_out + n_select, cell.seed("data"), dtype=torch.float64)

    def scores(rows: Tensor) -> Tensor:
        return torch.stack([law.log_density_ratio_matrix(x[group], y[group]) for group in even_groups(rows)])

    select, held_out = torch.arange(n_select), torch.arange(n_select, n_select + n_held_out)
    rule = choose({"oracle": scores(select).numpy()}, n_held_out, ERROR)
    limit = rule.limit(scores(held_out).numpy(), ERROR)
    return {
        "truth_nats": law.mutual_information,
        "estimate_nats": max(limit, 0.0),
        "limit_nats": limit,
        "bernstein_nats": bernstein(law, (x[select], y[select]), (x[held_out], y[held_out])),
        "ceiling_nats": ceiling_nats(n_held_out, ERROR),
        "n_held_out": n_held_out,
        "critic": "oracle",
        "status": "ok",
    }


def bernstein(law: Distribution, select: tuple[Tensor, Tensor], held_out: tuple[Tensor, Tensor]) -> float:
    """Empirical Bernstein on E_p[f] and on E_q[e^f], half the error each; the clip promises most on `select`."""
    from mibounds.estimators.certified.rule import CLIPS

    promised = {
        clip: both_terms(law, *select, clip, ERROR ** (len(select[0]) / len(held_out[0]))) for clip in CLIPS
    }
    return both_terms(law, *held_out, max(promised, key=lambda clip: promised[clip]), ERROR)


def both_terms(law: Distribution, x: Tensor, y: Tensor, clip: float, error: float) -> float:
    """Lower limit of E_p[f] less ln of the upper limit of E_q[e^f], f = clip(ln r, -clip - 1, clip)."""
    from mibounds.confidence_limits import empirical_bernstein_limit

    low, n_pairs = -clip - 1, len(x) // 2
    positives = law.log_density_ratio(x, y).clamp(low, clip).numpy()
    negatives = law.log_density_ratio(x[:n_pairs], y[n_pairs : 2 * n_pairs]).clamp(low, clip).exp().numpy()
    of_positives = empirical_bernstein_limit(positives, low, clip, error / 2)
    partition = -empirical_bernstein_limit(-negatives, -math.exp(clip), -math.exp(low), error / 2)
    return of_positives - math.log(partition)


# Claims: effect, threshold and interval were written before the full run. A pilot with other seeds (five levels, one to
# six replicates) suggested that the oracle passes the trial and that trained critics reach over 0.8 of it.

N_ERRORS = 3
TRIAL_NATS = {"level_0.4": 0.27, "level_1": 0.75, "level_2": 1.56, "level_4": 2.89, "level_6": 3.80}
SHARE_OF_ORACLE = 0.8
ALPHA = 0.05 / len(LEVELS)


def most_allowed(n: int) -> float:
    """The share of n certificates that may lie above the truth: 5% and three binomial errors."""
    return ERROR + N_ERRORS * math.sqrt(ERROR * (1 - ERROR) / n)


def is_valid(rows: pd.DataFrame) -> Verdict:
    """The pooled share, and each law's, against what is allowed."""
    above = (rows["limit_nats"] > rows["truth_nats"]).groupby(rows["law"]).agg(["sum", "size"])
    total, n = int(above["sum"].sum()), int(above["size"].sum())
    shares = above["sum"] / above["size"]
    worst = shares.idxmax()
    holds = total / n <= most_allowed(n) and (shares <= above["size"].map(most_allowed)).all()
    reason = f"{total} of {n} above the truth, {most_allowed(n):.2%} allowed; worst law {worst}, {shares[worst]:.0%}"
    interval = statistics.clopper_pearson(total, n)
    return Verdict("supported" if holds else "refuted", *interval, "share", reason)


def validity(tables: Tables) -> Verdict:
    table = tables["table"]
    of_laws = table[table["law"].isin(list(LAWS))]
    control = if_all_ok(of_laws[of_laws["arm"] == "same_pairs"], is_valid)
    if control.outcome != "refuted":
        return Verdict.inconclusive(f"the control same_pairs was to be refuted; it is {control.outcome}")
    return if_all_ok(of_laws[of_laws["arm"] == "certified"], is_valid)


def on_levels(
    tables: Tables, effect: Callable[[pd.DataFrame], pd.Series], threshold: float, unit: str
) -> Verdict:
    """`effect` of a level's replicates above the threshold at every level; the weakest level speaks."""

    def decide(rows: pd.DataFrame) -> Verdict:
        parts = [
            Verdict.above(*statistics.mean_interval(effect(of_level), 1 - ALPHA), threshold, unit, str(level))
            for level, of_level in rows.groupby("law")
        ]
        return Verdict.all_of(*sorted(parts, key=lambda part: part.effect))

    table = tables["table"]
    return if_all_ok(table[table["law"].isin(list(LEVELS))], decide)


def by_arm(rows: pd.DataFrame, column: str, arm: str) -> pd.Series:
    return rows[rows["arm"] == arm].set_index("replicate")[column].sort_index()


def gain_over_trial(rows: pd.DataFrame) -> pd.Series:
    return by_arm(rows, "limit_nats", "oracle") - rows["law"].map(TRIAL_NATS).iloc[0]


def gain_over_bernstein(rows: pd.DataFrame) -> pd.Series:
    return by_arm(rows, "limit_nats", "oracle") - by_arm(rows, "bernstein_nats", "oracle")


def share_of_oracle(rows: pd.DataFrame) -> pd.Series:
    return by_arm(rows, "limit_nats", "certified") / by_arm(rows, "limit_nats", "oracle")


LEVELS_IN_WORDS = (
    "Levels of 0.4, 1, 2, 4 and 6 nats, 20 dimensions, 5,000 held-out pairs, intervals at 1 - 0.05/5."
)
CLAIMS = (
    Claim(
        id="validity",
        text="The certificate lies above the truth no more often than it says, under any law.",
        source="docs/certify.md, from Hoeffding 1963 and Markov's inequality",
        criterion="Supported if the share of limits above the truth, of 100 on each of 20 laws, is at most 5% plus "
        "three binomial errors, pooled (6.46% of 2,000) and on each law (11.5% of 100); else refuted. The control, "
        "whose critic is trained and chosen on the pairs that are read, must be refuted.",
        verdict=validity,
    ),
    Claim(
        id="above_the_trial",
        text="With the true density ratio it certifies more than a first trial: .27, .75, 1.56, 2.89 and 3.80 nats.",
        source="the project's own trial, with Maurer and Pontil's inequality on both terms",
        criterion=f"Supported if the mean limit lies above the trial's at every level. {LEVELS_IN_WORDS}",
        verdict=lambda tables: on_levels(tables, gain_over_trial, 0.0, "nats"),
    ),
    Claim(
        id="above_bernstein",
        text="It certifies more than empirical Bernstein on both terms, from the same scores.",
        source="docs/certify.md",
        criterion=f"Supported if the mean paired difference is above 0 at every level. {LEVELS_IN_WORDS}",
        verdict=lambda tables: on_levels(tables, gain_over_bernstein, 0.0, "nats"),
    ),
    Claim(
        id="near_the_oracle",
        text="A fitted critic comes close to the true density ratio.",
        source="docs/certify.md",
        criterion="Supported if the mean ratio of the limit with critics fitted to 5,000 pairs to the oracle's is "
        f"above 0.8 at every level. {LEVELS_IN_WORDS}",
        verdict=lambda tables: on_levels(tables, share_of_oracle, SHARE_OF_ORACLE, "ratio"),
    ),
)


# Figure


def draw(tables: Tables) -> Figure:
    """Left: limits less the truth, a law a row. Right: what is certified at each level."""
    from mibounds.plots.style import COLORS, draw_ceiling, draw_legend, new_figure

    table = tables["table"]
    of_laws = table[table["law"].isin(list(LAWS)) & (table["arm"] == "certified")]
    of_levels = table[table["law"].isin(list(LEVELS))]
    with new_figure(1, 2, height=3.6) as (figure, axes):
        names = [name for name in LAWS if name in set(of_laws["law"])]
        for place, name in enumerate(reversed(names)):
            rows = of_laws[of_laws["law"] == name]
            gap = rows["limit_nats"] - rows["truth_nats"]
            axes[0, 0].plot(gap, [place] * len(gap), "|", color=COLORS[0], markersize=4)
        axes[0, 0].axvline(0, color="black", linewidth=0.8)
        axes[0, 0].set_yticks(range(len(names)), list(reversed(names)), fontsize=6)
        axes[0, 0].set(xlabel="certified limit less the truth (nats)", xlim=(-6, 1))
        arms = (("oracle", "limit_nats", "true density ratio"), ("certified", "limit_nats", "fitted critic"))
        for color, (arm, column, label) in zip(
            COLORS, (*arms, ("oracle", "bernstein_nats", "empirical Bernstein, true ratio")), strict=False
        ):
            means = of_levels[of_levels["arm"] == arm].groupby("truth_nats")[column].mean()
            axes[0, 1].plot(means.index, means, "o-", color=color, label=label, markersize=3)
        levels = sorted(of_levels["truth_nats"].unique())
        axes[0, 1].plot(levels, levels, color="black", label="true MI")
        if levels:
            draw_ceiling(axes[0, 1], of_levels["ceiling_nats"].max(), label="most that so many pairs certify")
        axes[0, 1].set(xlabel="true MI (nats)", ylabel="certified (nats)")
        draw_legend(figure, columns=3)
    return figure


STUDY = Study(
    slug="certified_bound",
    question="Does a certified lower bound hold as often as it says, and how near does it come?",
    axes={"law": (*LAWS, *LEVELS), "arm": ("certified", "same_pairs", "oracle")},
    # the arms see the same pairs
    seeds={"data": ("law",), "training": ("law",)},
    keep=keep,
    settings={
        "train": 700,
        "select": 200,
        "held_out": 600,
        "hidden": 64,
        "steps": 200,
        "level_train": 5000,
        "level_select": 1000,
        "level_held_out": 5000,
        "level_hidden": 256,
        "level_steps": 600,
        "learning_rate": 2e-3,
    },
    presets={
        "smoke": {
            "replicates": 2,
            "law": ("independent_gaussian_20d", "rare_event", "level_1", "level_4"),
            "train": 200,
            "select": 64,
            "held_out": 128,
            "steps": 25,
            "level_train": 200,
            "level_select": 64,
            "level_held_out": 128,
            "level_hidden": 32,
            "level_steps": 25,
        },
        "quick": {"replicates": 5},
        "full": {"replicates": 100},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)
