"""Content and style: does an embedding keep all that the views share, and drop all that is private to one of them?

A view shows 8 dimensions of content, which the other view has too (correlation 0.9), and 8 of style, drawn anew with
chance p: private at p = 1, content like any other at p = 0. Both are seen through a frozen network of one hidden
layer, another one in each replicate. SimCLR with K = 127 (64 pairs) at temperature 0.2 trains an encoder of three
layers of 128 units, h being the last, and a projector of two to z of 4 to 80 dimensions. A view tells its own content
and style exactly, so that the best attainable R^2 is 1.

R^2 of style is given content: what z adds to content in telling style, as a share of what content leaves open. Beside
the linear probe stands a perceptron, since what is kept need not be linear. In "dependent" content explains 0.36 of
style. The plane of I(z; content) against I(z; style | content), which add up to I(z; content, style), is read at each
layer and over training; a Gaussian factor's residuals bound its information below,

    I(z; f) >= (ln det Cov f - ln det Cov (f - prediction from z)) / 2.

In "competing" 2, 4 or 8 easy bits stand beside a hard factor of 4 dimensions, both shared; with "private bits" the
control draws the bits anew. Known to fall short: one temperature, one K, and style of the content's own kind and size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

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
    rows_with,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import Tensor

    from mibounds.representation.network import Network
    from mibounds.representation.probes import Folds
    from mibounds.representation.sources import Source

Tables = Mapping[str, "pd.DataFrame"]

CONTENT, STYLE, HARD = 8, 8, 4
WIDTHS = (4, 8, 12, 16, 32, 80)  # half to ten times the content's
USUAL = 32
CHANGES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
BITS = (2, 4, 8)
PRIVATE_BITS = 4
DEPENDENCE = 0.6
TEMPERATURE = 0.2
OF_BITS = ("competing", "private bits")
READ_AT = (0.0, 0.01, 0.05, 0.25, 1.0)  # shares of the training


def keep(point: dict) -> bool:
    """The plain arm has all widths at p = 1 and all p at the usual width; the others one of each."""
    arm, plain = point["arm"], point["width"] == USUAL and point["change"] == 1.0
    if arm in OF_BITS:
        return plain and point["bits"] in (BITS if arm == "competing" else (PRIVATE_BITS,))
    if arm == "independent":
        return point["bits"] == 0 and (point["width"] == USUAL or point["change"] == 1.0)
    return plain and point["bits"] == 0


def sources_of(cells: Sequence[Cell]) -> list[Source]:
    """One a cell; those of the same world and p share it, and thereby their evaluation data."""
    from mibounds.representation.sources import load

    def made(arm: str, change: float, bits: int, seed: int) -> Source:
        if arm in OF_BITS:
            return load("competing")(bits, HARD, flip=0.02 if arm == "competing" else 0.5, seed=seed)
        explained = DEPENDENCE if arm == "dependent" else 0.0
        return load("content_style")(
            CONTENT, STYLE, style_change=change, dependence=explained, depth=1, seed=seed
        )

    worlds = [(cell["arm"], cell["change"], cell["bits"], cell.seed("world")) for cell in cells]
    distinct = {world: made(*world) for world in dict.fromkeys(worlds)}
    return [distinct[world] for world in worlds]


def measure(pack: Pack) -> list[Measurement]:
    """One stack of replicates and chances of a change."""
    from mibounds.representation import methods
    from mibounds.representation.loop import Pretrainer
    from mibounds.representation.measuring import Sizes, baselines
    from mibounds.representation.measuring import measure as measure_models
    from mibounds.representation.network import Network
    from mibounds.representation.sources import Shuffled

    cells, settings, arm = pack.cells, pack.settings, pack.cells[0]["arm"]
    sources = sources_of(cells)
    weights, data, evaluation = (
        [cell.seed(of) for cell in cells] for of in ("weights", "data", "evaluation")
    )
    network = Network.build(
        sources[0].shape,
        weights,
        encoder_options={"hidden": (128, 128), "dim": 128},
        embedding=cells[0]["width"],
    ).to(pack.device)
    n = settings["n_examples"]
    read = {
        "seeds": evaluation,
        "sizes": Sizes(n, n // 2, n, settings["n_anchors"], settings["n_candidates"] - 1),
    }
    untrained = baselines(network, sources, **read)
    trainer = Pretrainer(
        network,
        methods.load("simclr")(network, weights, temperature=TEMPERATURE).to(pack.device),
        [Shuffled(source) for source in sources] if arm == "shuffled" else sources,
        data,
        batch_size=settings["batch_size"],
        steps=settings["steps"],
        learning_rate=settings["learning_rate"],
    )
    plane: list[list[dict[str, Any]]] = [[] for _ in cells]
    examples = None if arm in OF_BITS else Known(network, sources, evaluation, n)
    for step in dict.fromkeys(round(share * settings["steps"]) for share in READ_AT):
        trainer.fit(step - trainer.steps_done)
        last = step == settings["steps"]
        if examples is not None and (last or cells[0]["width"] == USUAL):
            for of_run, rows in zip(plane, examples.plane(network), strict=True):
                of_run.extend({"step": step, **row} for row in rows)
    found = measure_models(network, sources, temperature=TEMPERATURE, per_layer=True, **read)
    perceptron = (
        [{}] * len(cells) if examples is None else examples.perceptron(network, settings["probe_steps"])
    )
    measured = []
    for r, source in enumerate(sources):
        status = trainer.status[r] if trainer.status[r] != "ok" else found[r]["status"]
        given = {"style_given_content_r2": plane[r][-1]["style_r2"]} if plane[r] else {}
        row = found[r] | untrained[r] | given | perceptron[r] | shared(source) | {"status": status}
        tidy = {name: value for name, value in row.items() if not name.startswith("layer_")}
        measured.append(Measurement(tidy, plane=[of | {"status": status} for of in plane[r]]))
    return measured


def shared(source: Source) -> dict[str, float]:
    """What the views share of each kind, in nats."""
    kinds = ("content", "style", "bits", "hard")
    return {
        f"{kind}_information_nats": getattr(source, f"{kind}_information")
        for kind in kinds
        if hasattr(source, f"{kind}_information")
    }


PLACES = {"layer_1": "layer 1", "layer_2": "layer 2", "layer_3": "h", "embedding": "z"}


class Known:
    """Examples of which content and style are known, and what a network's layers tell of both."""

    def __init__(self, network: Network, sources: Sequence[Source], seeds: Sequence[int], n: int):
        import torch

        from mibounds.representation.probes import Folds, Ridge
        from mibounds.representation.reading import device_of, examples_of, runs_of, stacked

        runs, counts = runs_of(len(sources), sources, seeds), {"train": n, "validation": n // 2, "test": n}
        drawn = [examples_of(runs, count, split, device_of(network)) for split, count in counts.items()]
        self.seeds = seeds
        self.inputs = Folds(*(stacked([of_run.x for of_run in fold]) for fold in drawn))
        self.content, self.style = (
            Folds(*(torch.stack([of_run.factors[name] for of_run in fold]) for fold in drawn))
            for name in ("content", "style")
        )
        labels = torch.stack([of_run.factors["style_label"] for of_run in drawn[-1]])
        self.chance = (
            torch.nn.functional.one_hot(labels).float().mean(1).amax(-1)
        )  # the largest class's share
        by_content = Ridge(self.content).regress(self.style)
        self.own_style = self.style.test - by_content.predictions
        self.explained = by_content.r2

    def with_content(self, features: Folds) -> Folds:
        import torch

        return type(features)(*(torch.cat(fold, dim=-1) for fold in zip(features, self.content, strict=True)))

    def layers(self, network: Network) -> dict[str, Folds]:
        """By place, the input first; what is not finite counts as zero here, and is a status in the table."""
        from mibounds.representation.reading import layers

        found = [layers(network, x) for x in self.inputs]
        kind = type(self.inputs)
        finite = {place: kind(*(fold[name] for fold in found)) for name, place in PLACES.items()}
        return {"input": self.inputs} | {
            place: fold.map(lambda x: x.nan_to_num(0, 0, 0)) for place, fold in finite.items()
        }

    def plane(self, network: Network) -> list[list[dict[str, Any]]]:
        """Of each run a row a layer: R^2 and information of content, and of style given content."""
        from mibounds.representation.probes import Ridge

        rows: list[list[dict[str, Any]]] = [[] for _ in self.seeds]
        for place, features in self.layers(network).items():
            content = Ridge(features).regress(self.content).predictions
            style = Ridge(self.with_content(features)).regress(self.style).predictions
            of_content = told(self.content.test, self.content.test - content)
            of_style = told(self.own_style, self.style.test - style)
            names = ("content_r2", "content_nats", "style_r2", "style_nats")
            for of_run, *values in zip(rows, *of_content, *of_style, strict=True):
                of_run.append({"layer": place, **dict(zip(names, map(float, values), strict=True))})
        return rows

    def perceptron(self, network: Network, steps: int) -> list[dict[str, float]]:
        """R^2 on z of content, and of style given content, by a probe with one hidden layer."""
        from mibounds.representation.probes import nonlinear_regression

        z = self.layers(network)["z"]
        content = nonlinear_regression(z, self.content, self.seeds, max_steps=steps)
        both = nonlinear_regression(self.with_content(z), self.style, self.seeds, max_steps=steps)
        given = (both - self.explained) / (1 - self.explained)
        names = ("content_r2_perceptron", "style_given_content_r2_perceptron", "style_chance_accuracy")
        found = zip(content.tolist(), given.tolist(), self.chance.tolist(), strict=True)
        return [dict(zip(names, values, strict=True)) for values in found]


def told(before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """R^2 and nats by which features tell a factor, `R` each, from what is open without them and with: `R x n x t`.

    R^2 = 1 - |after|^2 / |before|^2,    nats = (ln det Cov before - ln det Cov after) / 2.
    """
    before, after = (open - open.mean(1, keepdim=True) for open in (before, after))
    share = 1 - after.square().sum((1, 2)) / before.square().sum((1, 2))
    return share, ((before.mT @ before).logdet() - (after.mT @ after).logdet()) / 2


# Claims: effect, threshold and interval were written before the full run.

N_CLAIMS = 5
ALPHA = 0.05 / N_CLAIMS
KEPT_R2 = 0.95
COMPETING_R2 = 0.9
DROPPED_R2 = 0.1
CHANCE_POINTS = 3.0
FALL_POINTS = 10.0
LOST_POINTS = 1.0
MORE_POINTS = 10.0
PROBES = {"linear": "style_given_content_r2", "perceptron": "style_given_content_r2_perceptron"}
Groups = dict[str, "pd.Series"]
Control = tuple[str, Callable[["pd.DataFrame"], Verdict]]


def controlled(tables: Tables, arms: tuple[str, ...], decide: Callable, control: Control) -> Verdict:
    """What `decide` makes of these arms, provided that the control breaks the statistic that it looks at."""
    words, breaks = control

    def with_control(rows: pd.DataFrame) -> Verdict:
        found = breaks(rows)
        if found.outcome != "supported":
            return Verdict.inconclusive(f"{words}; that is {found.outcome}")
        return decide(rows)

    return if_all_ok(rows_with(tables["table"], arm=arms), with_control)


def private(rows: pd.DataFrame) -> pd.DataFrame:
    """The plain arm where style is private: all widths."""
    return rows_with(rows, arm="independent", change=1.0)


def by_width(rows: pd.DataFrame, value: str, least: int = 0) -> Groups:
    return {f"width {w}": of[value] for w, of in private(rows).groupby("width") if w > least}


def keeps_content(tables: Tables) -> Verdict:
    """A unit vector of w numbers has w - 1 to choose, so that widths above the content's can keep it."""

    def decide(rows: pd.DataFrame) -> Verdict:
        return all_above(by_width(rows, "embedding_content_r2", CONTENT), KEPT_R2, "R^2", ALPHA)

    def broken(rows: pd.DataFrame) -> Verdict:
        kept = rows_with(rows, arm="shuffled")["embedding_content_r2"]
        return all_below({"shuffled": kept} if len(kept) else {}, KEPT_R2, "R^2", ALPHA)

    control = ("shuffled pairs were to keep less than 0.95 of the content", broken)
    return controlled(tables, ("independent", "shuffled"), decide, control)


def keeps_what_competes(tables: Tables) -> Verdict:
    def kept(rows: pd.DataFrame, arm: str, factors: tuple[str, ...]) -> Groups:
        return {
            f"{factor} beside {bits} bits": of[f"embedding_{factor}_r2"]
            for bits, of in rows_with(rows, arm=arm).groupby("bits")
            for factor in factors
        }

    def broken(rows: pd.DataFrame) -> Verdict:
        return all_below(kept(rows, "private bits", ("bits",)), COMPETING_R2, "R^2", ALPHA)

    def decide(rows: pd.DataFrame) -> Verdict:
        return all_above(kept(rows, "competing", ("bits", "hard")), COMPETING_R2, "R^2", ALPHA)

    return controlled(tables, OF_BITS, decide, ("private bits were to be kept by less than 0.9", broken))


def discards_style(tables: Tables) -> Verdict:
    def decide(rows: pd.DataFrame) -> Verdict:
        groups = {
            f"{width}, {probe}": values
            for probe, column in PROBES.items()
            for width, values in by_width(rows, column).items()
        }
        return all_below(groups, DROPPED_R2, "R^2", ALPHA)

    def broken(rows: pd.DataFrame) -> Verdict:
        shared_style = rows_with(rows, change=0.0, width=USUAL)
        groups = {probe: shared_style[column] for probe, column in PROBES.items() if len(shared_style)}
        return all_above(groups, DROPPED_R2, "R^2", ALPHA)

    control = ("style that is shared was to be kept by more than 0.1", broken)
    return controlled(tables, ("independent",), decide, control)


def above_chance(rows: pd.DataFrame, layer: str = "embedding_") -> pd.Series:
    """Points by which the style's label is told better than by naming the largest class."""
    return 100 * (rows[f"{layer}style_label_accuracy"] - rows["style_chance_accuracy"])


def forgets_a_label_from_style(tables: Tables) -> Verdict:
    """Falls by 10 points, to chance; and content's label does not fall."""

    def decide(rows: pd.DataFrame) -> Verdict:
        first, last = (
            rows_with(rows, arm="independent", width=USUAL, change=p).set_index("replicate")
            for p in (0.0, 1.0)
        )
        if first.empty or last.empty:
            return Verdict.inconclusive("style that is shared and style that is private are both needed")
        at_chance = {"from style at p = 1, above chance": above_chance(last)}
        fall = {"from style, p = 0 minus p = 1": above_chance(first) - above_chance(last)}
        gain = {"from content, p = 1 minus p = 0": content_points(last) - content_points(first)}
        return Verdict.all_of(
            all_equivalent(at_chance, CHANCE_POINTS, "points", ALPHA),
            all_above(fall, FALL_POINTS, "points", ALPHA),
            all_above(gain, -LOST_POINTS, "points", ALPHA),
        )

    def broken(rows: pd.DataFrame) -> Verdict:
        kept = above_chance(rows_with(rows, arm="shuffled"))
        return all_above({"shuffled": kept} if len(kept) else {}, CHANCE_POINTS, "points", ALPHA)

    control = ("without a content to keep, style was to be told above chance", broken)
    return controlled(tables, ("independent", "shuffled"), decide, control)


def content_points(rows: pd.DataFrame) -> pd.Series:
    return 100 * rows["embedding_accuracy"]


def h_keeps_more(tables: Tables) -> Verdict:
    def more(rows: pd.DataFrame, change: float) -> Groups:
        rows = rows_with(rows, change=change, width=USUAL)
        kept = 100 * (rows["style_label_accuracy"] - rows["embedding_style_label_accuracy"])
        return {f"h minus z at p = {change:g}": kept} if len(kept) else {}

    def broken(rows: pd.DataFrame) -> Verdict:
        return all_below(more(rows, 0.0), MORE_POINTS, "points", ALPHA)

    def decide(rows: pd.DataFrame) -> Verdict:
        return all_above(more(rows, 1.0), MORE_POINTS, "points", ALPHA)

    control = ("of style that is shared h was to keep less than 10 points more than z", broken)
    return controlled(tables, ("independent",), decide, control)


TEXT = "Contrastive Learning Theory"
CLAIMS = (
    Claim(
        id="C6.keeps",
        text="z keeps all that is invariant.",
        source=TEXT,
        criterion="Supported if, with private style, the linear probe's R^2 of content on z is above 0.95 of the best "
        "attainable from one view, which is 1, at every width over the content's 8; refuted if below at one. Encoders "
        "of shuffled pairs must keep less than 0.95.",
        verdict=keeps_content,
    ),
    Claim(
        id="C6.competing",
        text="z keeps all that is invariant, however many features compete.",
        source=f"{TEXT}; against it Chen et al. 2021, arXiv:2011.02803 (easy features suppress others)",
        criterion="Supported if the linear probe's R^2 on z of the bits and of the hard factor are both above 0.9 of "
        "the best attainable, which is 1, beside 2, 4 and 8 bits; refuted if one is below. Private bits must be kept "
        "by less than 0.9.",
        verdict=keeps_what_competes,
    ),
    Claim(
        id="C6.discards",
        text="z discards what is private to a view.",
        source=f"{TEXT}; von Kuegelgen et al. 2021, theorem 4.4",
        criterion="Supported if, at p = 1 and with style independent of content, the R^2 of style on z given content "
        "is below 0.1 for a linear probe and for a perceptron at every width from half to ten times the content's; "
        "refuted if above in one. Style that is shared (p = 0) must be kept by more than 0.1.",
        verdict=discards_style,
    ),
    Claim(
        id="C19.label",
        text="It may encode task-irrelevant invariances: a task that needs what the views do not share is lost.",
        source=TEXT,
        criterion="Supported if, from p = 0 to p = 1, the accuracy on z of a label from style falls by more than 10 "
        "points, to within 3 points of the largest class's share, and that of a label from content falls by no more "
        "than 1 point; refuted if one of the three is refuted. Encoders of shuffled pairs must tell style's label by "
        "more than 3 points above chance.",
        verdict=forgets_a_label_from_style,
    ),
    Claim(
        id="C19.layers",
        text="The representation before the projector keeps more of style than the embedding.",
        source=f"{TEXT}; Chen et al. 2020, table 3",
        criterion="Supported if, at p = 1 and width 32, the label from style is told on h more than 10 points better "
        "than on z (paired); refuted if less. At p = 0 the difference must be below 10 points.",
        verdict=h_keeps_more,
    ),
)


# Figure


def draw(tables: Tables) -> Figure:
    """What z and h keep over widths and over p above; the plane, the labels and competing features below."""
    from mibounds.plots.style import draw_legend, new_figure

    table = tables["table"]
    plain = rows_with(table, arm="independent")
    over_p, over_width = rows_with(plain, width=USUAL), private(plain)
    with new_figure(2, 3, height=2.5) as (figure, axes):
        draw_widths(axes[0, 0], over_width)
        draw_shared(axes[0, 1], over_p, tables["plane"])
        draw_labels(axes[0, 2], over_p)
        for ax, change in zip(axes[1], (1.0, 0.0), strict=False):
            draw_plane(ax, rows_with(tables["plane"], arm="independent", width=USUAL, change=change), change)
        draw_competing(axes[1, 2], table)
        draw_legend(figure, columns=5)
    return figure


def lines() -> dict[str, dict[str, Any]]:
    from mibounds.plots.style import COLORS

    content, style = {"color": COLORS[0]}, {"color": COLORS[1]}
    of_h, bent = {"linestyle": "--", "marker": "s"}, {"linestyle": ":", "marker": "^"}
    return {
        "content, z": content,
        "content, h": content | of_h,
        "content, z, perceptron": content | bent,
        "style, z": style,
        "style, h": style | of_h,
        "style, z, perceptron": style | bent,
        "bits": {"color": COLORS[2]},
        "hard factor": {"color": COLORS[4]},
    }


def draw_line(ax: Any, rows: pd.DataFrame, x: str, y: str, label: str, **line: Any) -> None:
    from mibounds.plots.style import draw_intervals

    draw_intervals(ax, rows, x=x, y=y, label=label, **(lines()[label] | line))


def draw_widths(ax: Any, rows: pd.DataFrame) -> None:
    from mibounds.plots.style import draw_ceiling

    for label, column in (
        ("content, z", "embedding_content_r2"),
        ("content, z, perceptron", "content_r2_perceptron"),
        ("style, z", "style_given_content_r2"),
        ("style, z, perceptron", "style_given_content_r2_perceptron"),
        ("style, h", "style_r2"),
    ):
        draw_line(ax, rows, "width", column, label)
    for threshold in (KEPT_R2, DROPPED_R2):
        draw_ceiling(ax, threshold, label="claimed")
    ax.set_xscale("log", base=2)
    ax.set_xticks(WIDTHS, map(str, WIDTHS))
    ax.minorticks_off()
    ax.set(xlabel="width of z", ylabel="R^2", title="private style (p = 1)")


def draw_shared(ax: Any, rows: pd.DataFrame, plane: pd.DataFrame) -> None:
    """In nats, so that the curve can stand beside what the views share of style."""
    from mibounds.plots.style import draw_truth

    trained = plane[plane["step"] == plane["step"].max()]
    trained = rows_with(trained, arm="independent", width=USUAL)
    for layer in ("z", "h"):
        of_layer = rows_with(trained, layer=layer)
        draw_line(ax, of_layer, "change", "style_nats", f"style, {layer}")
    known = rows.groupby("change")["style_information_nats"].first()
    draw_truth(ax, known.tolist(), known.index.tolist(), label="style shared by the views")
    ax.set(xlabel="chance p that style changes", ylabel="I(.; style | content) (nats)", title="style told")


def draw_labels(ax: Any, rows: pd.DataFrame) -> None:
    from mibounds.plots.style import draw_ceiling

    columns = {
        "content, z": "embedding_accuracy",
        "content, h": "accuracy",
        "style, z": "embedding_style_label_accuracy",
        "style, h": "style_label_accuracy",
    }
    for label, column in columns.items():
        draw_line(ax, rows.assign(percent=100 * rows[column]), "change", "percent", label)
    chance = 100 * rows["style_chance_accuracy"].mean()
    draw_ceiling(ax, chance, linestyle="-.", label="largest class")
    ax.set(xlabel="chance p that style changes", ylabel="accuracy (%)", title="labels from either")


def draw_plane(ax: Any, plane: pd.DataFrame, change: float) -> None:
    """A path a layer through the training, its end marked and named."""
    from mibounds.plots.style import COLORS, GREY

    means = plane.groupby(["layer", "step"], sort=False)[["style_nats", "content_nats"]].mean()
    for color, layer in zip([GREY, *COLORS[5:]], ("input", *PLACES.values()), strict=False):
        if layer not in means.index:
            continue
        path = means.loc[layer].sort_index()
        ax.plot(path["style_nats"], path["content_nats"], color=color, marker=".", markersize=3, linewidth=1)
        end = path.iloc[-1]
        ax.plot(*end, "o", color=color, markersize=5)
        ax.annotate(layer, end, (4, 4), textcoords="offset points", fontsize=7)
    ax.margins(x=0.2, y=0.15)
    ax.set(
        xlabel="I(.; style | content) (nats)", ylabel="I(.; content) (nats)", title=f"plane, p = {change:g}"
    )


def draw_competing(ax: Any, table: pd.DataFrame) -> None:
    from mibounds.plots.style import draw_ceiling

    for label, factor in (("bits", "bits"), ("hard factor", "hard")):
        column = f"embedding_{factor}_r2"
        if column in table:
            draw_line(ax, rows_with(table, arm="competing"), "bits", column, label)
            alone = rows_with(table, arm="private bits")
            ax.plot(alone["bits"] + 0.3, alone[column], "x", markersize=4, **lines()[label])
    draw_ceiling(ax, COMPETING_R2, label="claimed")
    ax.set(xlabel="bits beside the hard factor (x: private)", ylabel="R^2 on z", title="competing features")


STUDY = Study(
    slug="content_and_style",
    question="Does an embedding keep what the views share, and drop what is private to one of them?",
    axes={
        "arm": ("independent", "dependent", "shuffled", *OF_BITS),
        "width": WIDTHS,
        "bits": (0, *BITS),
        "change": CHANGES,
    },
    stacked=("change", "replicate"),
    seeds={"world": (), "data": (), "weights": (), "evaluation": ()},
    keep=keep,
    width=35,
    settings={
        "batch_size": 64,
        "steps": 1500,
        "learning_rate": 2e-3,
        "n_candidates": 1024,
        "n_anchors": 256,
        "n_examples": 2000,
        "probe_steps": 600,
    },
    presets={
        "smoke": {
            "replicates": 1,
            "width": (4, USUAL),
            "bits": (0, PRIVATE_BITS),
            "change": (0.0, 1.0),
            "steps": 3,
            "n_candidates": 32,
            "n_anchors": 16,
            "n_examples": 300,
            "probe_steps": 20,
        },
        "quick": {"replicates": 2, "width": (4, USUAL, 80), "change": (0.0, 0.5, 1.0), "steps": 400},
        "full": {"replicates": 10},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)
