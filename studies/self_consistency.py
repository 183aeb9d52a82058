"""Self-consistency: three facts of mutual information that an estimate should share, known truth or not.

The tests of Song and Ermon 2020, section 5. x is an image, y a noisy view of its top rows:

    baseline          I(x; y of t rows) grows with t, from nothing to that of all rows;
    data processing   I(x, x; y of t rows, y of t - 2 of them) is I(x; y of t rows): the second adds nothing;
    additivity        two independent images share twice what one shares.

Once on scikit-learn's digits, 8 x 8 pixels, where the truth is not known; once on Gaussian "images" of 8 rows
of two pixels, each pixel of y correlated with its own of x, where every row holds half a nat. All runs are
trained alike and have the same widths: what an arrangement does not use is zero.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from mibounds import statistics, theory
from mibounds.study import Cell, Claim, Measurement, Pack, Study, Verdict, if_all_ok

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Generator, Tensor

    from mibounds.training import Batch

Tables = Mapping[str, "pd.DataFrame"]

N_ROWS = 8
ROWS = (2, 4, 6, 8)
PART = 2  # rows that the second, redundant view lacks
PIXELS = {"gaussian": 2, "digits": 8}  # in a row
GAUSSIAN_NATS = 4.0  # shared by x and all rows of y
DIGITS_TRAINED_ON = 1200  # of 1,797
BOUNDS = ("info_nce", "nwj", "donsker_varadhan", "jensen_shannon", "smile")
ARRANGEMENTS = {
    "one_image": ROWS,
    "with_part": (4, 8),
    "two_images": (4, 8),
    # controls, each of which breaks a test
    "shuffled_pairs": (8,),
    "with_more": (4,),
    "one_image_twice": (4,),
}
CONTROLS = ("shuffled_pairs", "with_more", "one_image_twice")
STEPS_A_DRAW = 32


def keep(point: dict) -> bool:
    if point["rows"] not in ARRANGEMENTS[point["arrangement"]]:
        return False
    if point["law"] == "gaussian":
        return True
    return point["arrangement"] not in CONTROLS


def measure(pack: Pack) -> list[Measurement]:
    """One stack: a training for each arrangement, number of rows and objective, all on the same images."""
    from mibounds import bounds, critics
    from mibounds.training import Trainer

    settings, cells = pack.settings, pack.cells
    read = [bounds.load(cell["bound"])() for cell in cells]
    run_of = [
        (cell["arrangement"], cell["rows"], bound.trained_as) for cell, bound in zip(cells, read, strict=True)
    ]
    runs = list(dict.fromkeys(run_of))
    readings = [(runs.index(run), bound) for run, bound in zip(run_of, read, strict=True)]
    seeds = [cells[0].seed("weights")] * len(runs)
    dim = 2 * N_ROWS * PIXELS[cells[0]["law"]]
    critic = critics.load("separable")(dim, dim, seeds, hidden=(128, 128)).to(pack.device)
    trained, rate = [bound for *_, bound in runs], settings["learning_rate"]
    trainer = Trainer(critic, trained, seeds, readings=readings, learning_rate=rate)
    arranged = [(arrangement, rows) for arrangement, rows, _ in runs]
    trainer.fit(batches(pack, arranged, "data"), settings["steps"])
    values = trainer.evaluate(batches(pack, arranged, "evaluation"), settings["evaluation_batches"])
    return [
        Measurement(row(cell, values[:, c].double(), trainer.status[readings[c][0]]))
        for c, cell in enumerate(cells)
    ]


def row(cell: Cell, values: Tensor, status: str) -> dict:
    truth_nats, oracle_nats = math.nan, math.nan
    batch_size = cell.settings["batch_size"]
    if cell["law"] == "gaussian":
        truth_nats = gaussian_truth_nats(cell["arrangement"], cell["rows"])
        if cell["bound"] == "info_nce":
            oracle_nats = info_nce_oracle_nats(truth_nats, batch_size)
    return {
        "truth_nats": truth_nats,
        "estimate_nats": values.mean().item(),
        "batch_std_nats": values.std().item(),
        "oracle_nats": oracle_nats,
        "ceiling_nats": math.log(batch_size) if cell["bound"] == "info_nce" else math.inf,
        "n_batches": len(values),
        "status": status,
    }


def gaussian_truth_nats(arrangement: str, rows: int) -> float:
    if arrangement == "shuffled_pairs":
        return 0.0
    seen = N_ROWS if arrangement == "with_more" else rows
    images = 2 if arrangement == "two_images" else 1
    return images * seen / N_ROWS * GAUSSIAN_NATS


@cache
def info_nce_oracle_nats(nats: float, batch_size: int) -> float:
    """With the true density ratio. Every correlated pixel holds the same nats: those give the dimension."""
    nats_a_pixel = GAUSSIAN_NATS / (N_ROWS * PIXELS["gaussian"])
    dim = round(nats / nats_a_pixel)
    if dim == 0:
        return 0.0
    return theory.info_nce_oracle_gaussian(dim, theory.gaussian_correlation(dim, nats), batch_size)


# Images and what is shown of them


def batches(pack: Pack, arranged: Sequence[tuple[str, int]], purpose: str) -> Iterator[Batch]:
    """Endless batches `R x batch_size x dim`; every run sees the same images, each in its own arrangement."""
    import torch

    from mibounds.seeding import generator

    cell = pack.cells[0]
    source = generator(cell.seed(purpose))
    draw = draw_gaussian
    if cell["law"] == "digits":
        draw = DigitViews.of_fold(purpose, cell.seed("split")).draw
    distinct = list(dict.fromkeys(arranged))
    order = torch.tensor([distinct.index(one) for one in arranged])
    while True:
        first, second = (draw(STEPS_A_DRAW, cell.settings["batch_size"], source) for _ in range(2))
        sides = zip(*(arrange(*one, first, second) for one in distinct), strict=True)
        x, y = (torch.stack(side).to(pack.device) for side in sides)
        for step in range(STEPS_A_DRAW):
            yield x[order, step], y[order, step]


def arrange(arrangement: str, rows: int, first: Batch, second: Batch) -> Batch:
    """(x, y), two parts a side, from two pairs of image and view `steps x batch_size x rows x pixels`."""
    (image, view), (other_image, other_view) = first, second
    seen = top(view, rows)
    x, y = {
        "one_image": ((image, None), (seen, None)),
        "with_part": ((image, image), (seen, top(view, rows - PART))),
        "two_images": ((image, other_image), (seen, top(other_view, rows))),
        "shuffled_pairs": ((image, None), (top(other_view, rows), None)),
        "with_more": ((image, image), (seen, view)),
        "one_image_twice": ((image, image), (seen, seen)),
    }[arrangement]
    return beside(x), beside(y)


def top(view: Tensor, rows: int) -> Tensor:
    """The view with all but its top rows set to zero."""
    seen = view.clone()
    seen[..., rows:, :] = 0
    return seen


def beside(parts: tuple[Tensor, Tensor | None]) -> Tensor:
    import torch

    first, second = parts
    second = torch.zeros_like(first) if second is None else second
    return torch.cat([first.flatten(-2), second.flatten(-2)], -1)


def draw_gaussian(steps: int, batch_size: int, source: Generator) -> Batch:
    """Images of standard normal pixels and their views, pixel by pixel of one correlation."""
    import torch

    n_pixels = N_ROWS * PIXELS["gaussian"]
    correlation = theory.gaussian_correlation(n_pixels, GAUSSIAN_NATS)
    shape = (steps, batch_size, N_ROWS, PIXELS["gaussian"])
    image, noise = torch.randn(shape, generator=source), torch.randn(shape, generator=source)
    return image, correlation * image + math.sqrt(1 - correlation**2) * noise


@dataclass(frozen=True)
class DigitViews:
    """Two noisy views of digits. No digit comes twice in a batch, where it would be a false negative.

    Pixels run from 0 to 1 and the noise has standard deviation 0.5, so that what the views share is finite.
    """

    images: Tensor
    noise: float = 0.5

    @classmethod
    def of_fold(cls, purpose: str, split_seed: int) -> DigitViews:
        """The training images, or those held out. Raises: DataError if scikit-learn is not installed."""
        import torch

        from mibounds.data.digits import halves
        from mibounds.seeding import generator

        sides = halves()
        left, right = (torch.from_numpy(sides[side]).view(-1, N_ROWS, 4) for side in ("left", "right"))
        images = torch.cat([left, right], 2).float() / 16
        shuffled = images[torch.randperm(len(images), generator=generator(split_seed))]
        return cls(shuffled[:DIGITS_TRAINED_ON] if purpose == "data" else shuffled[DIGITS_TRAINED_ON:])

    def draw(self, steps: int, batch_size: int, source: Generator) -> Batch:
        import torch

        which = torch.stack(
            [torch.randperm(len(self.images), generator=source)[:batch_size] for _ in range(steps)]
        )
        images = self.images[which]
        views = [images + self.noise * torch.randn(images.shape, generator=source) for _ in range(2)]
        return views[0], views[1]


# Claims: effect, threshold and interval were written before the full run.

TESTS = ("baseline", "data_processing", "additivity")
N_CLAIMS = len(BOUNDS) * len(TESTS) + 1
# A claim's share of the study's error rate; Holm's steps divide it further over the claim's ratios.
ALPHA = 0.05 / N_CLAIMS
MARGIN = 0.1  # of the value that a ratio should have, and of the whole for the baseline's shares
TARGET = {"baseline": 1.0, "data_processing": 1.0, "additivity": 2.0}  # the baseline's, with all rows shown
ARRANGEMENT = {"baseline": "one_image", "data_processing": "with_part", "additivity": "two_images"}
CONTROL = {"baseline": "shuffled_pairs", "data_processing": "with_more", "additivity": "one_image_twice"}
CRITICISED = ("info_nce", "nwj", "donsker_varadhan")


@dataclass(frozen=True)
class Ratio:
    """A ratio, a replicate each, and what it should be; without a target it must stay above -margin."""

    name: str
    values: pd.Series
    target: float | None
    margin: float

    @property
    def p_value(self) -> float:
        """Two-sided, of the hypothesis that the mean is at the margin or beyond."""
        if self.target is None:
            return statistics.p_value(self.values, -self.margin)
        return min(1.0, 2 * statistics.equivalence(self.values - self.target, self.margin).p_value)

    @property
    def distance(self) -> float:
        """How far the mean lies from where it should be, in margins."""
        off = -self.values.mean() if self.target is None else abs(self.values.mean() - self.target)
        return float(off / self.margin)

    def decide(self, confidence: float) -> Verdict:
        interval = statistics.mean_interval(self.values, confidence)
        if self.target is None:
            return Verdict.above(*interval, -self.margin, "ratio", self.name)
        off = Verdict.equivalent(*(end - self.target for end in interval), self.margin)
        reason = f"{self.name}, to be {self.target:g} -+ {self.margin:g}"
        return Verdict(off.outcome, *interval, "ratio", reason)


def of(rows: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    """The rows with these values in these columns."""
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    return rows


def estimates(rows: pd.DataFrame) -> pd.DataFrame:
    """One column an (arrangement, rows), one row a replicate, in nats."""
    return rows.pivot(index="replicate", columns=["arrangement", "rows"], values="estimate_nats")


def by_rows(rows: pd.DataFrame, test: str) -> dict[int, pd.Series]:
    """The test's ratios for one bound on one law, by the number of rows shown."""
    wide, arrangement = estimates(rows), ARRANGEMENT[test]
    shown = sorted(t for name, t in wide.columns if name == arrangement)
    base = {t: ("one_image", N_ROWS if test == "baseline" else t) for t in shown}
    return {t: wide[arrangement, t] / wide[base[t]] for t in shown if base[t] in wide}


def ratios(rows: pd.DataFrame, law: str, test: str) -> list[Ratio]:
    """What the test looks at for one bound on one law."""
    found = by_rows(of(rows, law=law), test)
    if test != "baseline":
        target = TARGET[test]
        return [Ratio(f"{law}, {t} rows", found[t], target, MARGIN * target) for t in found]
    if law == "gaussian":
        return [Ratio(f"{law}, {t} rows", found[t], t / N_ROWS, MARGIN) for t in found if t < N_ROWS]
    steps = itertools.pairwise(found)
    return [Ratio(f"{law}, {a} to {b} rows", found[b] - found[a], None, MARGIN) for a, b in steps]


def control_ratio(rows: pd.DataFrame, test: str) -> list[Ratio]:
    """The same with the control in the place of what it breaks, on the Gaussian."""
    wide, target = estimates(of(rows, law="gaussian")), TARGET[test]
    (t,) = ARRANGEMENTS[CONTROL[test]]
    if (CONTROL[test], t) not in wide or ("one_image", t) not in wide:
        return []
    return [Ratio("control", wide[CONTROL[test], t] / wide["one_image", t], target, MARGIN * target)]


def decide(parts: list[Ratio]) -> Verdict:
    """All ratios where they should be; intervals Holm-adjusted over them."""
    if not parts:
        return Verdict.inconclusive("the grid has no ratio for this test", "ratio")
    confidence = statistics.holm_confidence([part.p_value for part in parts], ALPHA)
    verdicts = [part.decide(level) for part, level in zip(parts, confidence, strict=True)]
    furthest_first = sorted(range(len(parts)), key=lambda i: -parts[i].distance)
    return Verdict.all_of(*(verdicts[i] for i in furthest_first))


def passes(tables: Tables, bound: str, test: str) -> Verdict:
    def of_bound(rows: pd.DataFrame) -> Verdict:
        of_control = decide(control_ratio(rows, test))
        if of_control.outcome != "refuted":
            reason = f"the control {CONTROL[test]} was to be refuted; it is {of_control.outcome}"
            return Verdict.inconclusive(reason, "ratio")
        return decide([ratio for law in rows["law"].unique() for ratio in ratios(rows, law, test)])

    return if_all_ok(of(tables["table"], bound=bound), of_bound)


def each_fails(tables: Tables) -> Verdict:
    """For each criticised bound the test it fails most clearly; supported if each fails one."""
    parts = []
    for bound in CRITICISED:
        verdicts = [passes(tables, bound, test) for test in ("data_processing", "additivity")]
        outcomes = [verdict.outcome for verdict in verdicts]
        if "refuted" in outcomes:
            failed = verdicts[outcomes.index("refuted")]
            numbers = (failed.effect, failed.low, failed.high, "ratio")
            parts.append(Verdict("supported", *numbers, f"{bound}: {failed.reason}"))
        elif set(outcomes) == {"supported"}:
            passed = verdicts[-1]
            numbers = (passed.effect, passed.low, passed.high, "ratio")
            parts.append(Verdict("refuted", *numbers, f"{bound} passes both"))
        else:
            parts.append(Verdict.inconclusive(f"{bound} neither passes nor fails", "ratio"))
    return Verdict.all_of(*parts)


SENTENCE = {
    "baseline": "grows in step with the rows that are shown",
    "data_processing": "gains nothing from a part of what it has",
    "additivity": "doubles for two independent images",
}
CRITERION = {
    "baseline": "Gaussian: the estimate's share of that for 8 rows within 0.1 of t/8, t = 2, 4, 6. Digits: "
    "from one t to the next that share does not fall by 0.1 or more.",
    "data_processing": "On both laws, 4 and 8 rows: the ratio within 1 -+ 0.1.",
    "additivity": "On both laws, 4 and 8 rows: the ratio within 2 -+ 0.2.",
}


def claim(bound: str, test: str) -> Claim:
    return Claim(
        id=f"{bound}.{test}",
        text=f"Trained {bound} {SENTENCE[test]}.",
        source="Song and Ermon 2020, section 5",
        criterion=f"{CRITERION[test]} Supported if all intervals, Holm-adjusted, lie inside; refuted if one "
        f"lies wholly outside. The control {CONTROL[test]} must be refuted.",
        verdict=lambda tables: passes(tables, bound, test),
    )


CLAIMS = (
    *(claim(bound, test) for bound in BOUNDS for test in TESTS),
    Claim(
        id="existing_estimators_fail",
        text="Existing estimators fail to satisfy basic self-consistency properties of MI, such as data "
        "processing and additivity under independence.",
        source="Song and Ermon 2020, abstract",
        criterion="Supported if InfoNCE, NWJ and Donsker-Varadhan each fail one of the two tests by the "
        "criteria above; refuted if one of them passes both.",
        verdict=each_fails,
    ),
)


# Figure


def draw(tables: Tables) -> Figure:
    """A row a law, a column a test; black is what the ratio must be."""
    from mibounds.plots.style import draw_legend, new_figure

    table = tables["table"]
    with new_figure(2, 3, height=2.3) as (figure, axes):
        for law, panels in zip(PIXELS, axes, strict=True):
            for test, ax in zip(TESTS, panels, strict=True):
                draw_test(ax, of(table, law=law), law, test)
        draw_legend(figure, columns=4)
    return figure


LABEL = {
    "baseline": "ratio to 8 rows",
    "data_processing": "ratio to no second view",
    "additivity": "ratio to one image",
}


def draw_test(ax: Axes, rows: pd.DataFrame, law: str, test: str) -> None:
    from mibounds.plots.style import COLORS, draw_theory, draw_truth

    ax.set(xlabel="rows shown, t", ylabel=LABEL[test], xticks=ROWS)
    ax.set_title(f"{test.replace('_', ' ')}, {law}")
    if rows.empty:
        return
    if test != "baseline":
        draw_truth(ax, TARGET[test], label="true ratio")
        inside = (TARGET[test] * (1 - MARGIN), TARGET[test] * (1 + MARGIN))
        ax.axhspan(*inside, color="black", alpha=0.08, linewidth=0)
    elif law == "gaussian":
        draw_truth(ax, [t / N_ROWS for t in ROWS], ROWS, label="true ratio")
    if law == "gaussian":
        of_oracle = of(rows, bound="info_nce").assign(estimate_nats=lambda table: table["oracle_nats"])
        oracle = {t: values.mean() for t, values in by_rows(of_oracle, test).items()}
        draw_theory(ax, list(oracle.values()), list(oracle), label="info_nce, true density ratio")
    for b, (bound, color) in enumerate(zip(BOUNDS, COLORS, strict=False)):
        found = by_rows(of(rows, bound=bound), test)
        intervals = [statistics.mean_interval(values) for values in found.values()]
        reach = [i.high - i.effect if math.isfinite(i.high) else 0.0 for i in intervals]
        means, beside_each_other = [i.effect for i in intervals], [t + 0.12 * (b - 2) for t in found]
        style = {"fmt": "o", "color": color, "markersize": 3, "elinewidth": 1.2}
        ax.errorbar(beside_each_other, means, reach, label=bound, **style)
    ax.set_ylim(*{"baseline": (0, 1.3), "data_processing": (0.5, 1.3), "additivity": (0.5, 2.6)}[test])


STUDY = Study(
    slug="self_consistency",
    question="Which trained bounds keep to the baseline, data-processing and additivity tests?",
    axes={
        "law": tuple(PIXELS),
        "arrangement": tuple(ARRANGEMENTS),
        "rows": ROWS,
        "bound": BOUNDS,
    },
    stacked=("arrangement", "rows", "bound"),
    seeds={"data": (), "weights": (), "evaluation": (), "split": ()},
    keep=keep,
    width=64,
    settings={"batch_size": 64, "steps": 1200, "evaluation_batches": 128, "learning_rate": 5e-4},
    presets={
        "smoke": {"replicates": 2, "rows": (4, 8), "steps": 4, "evaluation_batches": 2},
        "quick": {"replicates": 3, "steps": 300, "evaluation_batches": 32},
        "full": {"replicates": 10},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)
