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
control draws the bits anew. They train 2.7 times as long, since what comes late is not yet suppressed. Known to fall
short: one temperature, one K, and style of the content's own kind and size.
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
    first_failure,
    if_all_ok,
    provided,
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
    n, steps = settings["n_examples"], settings["bits_steps" if arm in OF_BITS else "steps"]
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
        steps=steps,
        learning_rate=settings["learning_rate"],
    )
    plane: list[list[dict[str, Any]]] = [[] for _ in cells]
    examples = None if arm in OF_BITS else Known(network, sources, evaluation, n)
    for step in dict.fromkeys(round(share * steps) for share in READ_AT):
        trainer.fit(step - trainer.steps_done)
        if examples is not None and (step == steps or cells[0]["width"] == USUAL):
            for of_run, rows in zip(plane, examples.plane(network), strict=True):
                of_run.extend({"step": step, **row} for row in rows)
    found = measure_models(network, sources, temperature=TEMPERATURE, per_layer=("embedding",), **read)
    perceptron = (
        [{}] * len(cells) if examples is None else examples.perceptron(network, settings["probe_steps"])
    )
    measured = []
    for r, source in enumerate(sources):
        status = first_failure(trainer.status[r], found[r]["status"])
        given = {"style_given_content_r2": plane[r][-1]["style_r2"]} if plane[r] else {}
        row = found[r] | untrained[r] | given | perceptron[r] | shared(source, arm) | {"status": status}
        measured.append(Measurement(row, plane=[of | {"status": status} for of in plane[r]]))
    return measured


def shared(source: Source, arm: str) -> dict[str, float]:
    """What the views share of each kind, in nats."""
    kinds = ("bits", "hard") if arm in OF_BITS else ("content", "style")
    return {f"{kind}_information_nats": getattr(source, f"{kind}_information") for kind in kinds}


PLACES = {"layer_1": "layer 1", "layer_2": "layer 2", "layer_3": "h", "embedding": "z"}


class Known:
    """Examples of which content and style are known, and what a network's layers tell of both."""

    def __init__(self, network: Network, sources: Sequence[Source], seeds: Sequence[int], n: int):
        import torch

        from mibounds.representation.probes import Folds, Ridge
        from mibounds.representation.reading import device_of, examples_of, runs_of, stacked

        runs, counts = runs_of(len(sources), sources, seeds), {"train": n, "validation": n // 2, "test": n}
        drawn = [examples_of(runs, count, split, device_of(network)) for split, count in counts.items()]

        def factor(name: str) -> Folds:
            return Folds(*(torch.stack([of_run.factors[name] for of_run in fold]) for fold in drawn))

        self.seeds, self.content, self.style = seeds, factor("content"), factor("style")
        self.inputs = Folds(*(stacked([of_run.x for of_run in fold]) for fold in drawn))
        # the largest class's share
        self.chance = torch.nn.functional.one_hot(factor("style_label").test).float().mean(1).amax(-1)
        self.by_content = Ridge(self.content).regress(self.style)

    def with_content(self, features: Folds) -> Folds:
        import torch

        return features._replace(
            **{
                name: torch.cat([fold, getattr(self.content, name)], -1)
                for name, fold in features._asdict().items()
            }
        )

    def layers(self, network: Network) -> dict[str, Folds]:
        """By place, the input first; what is not finite counts as zero here, and is a status in the table."""
        from mibounds.representation.reading import layers

        found = [layers(network, x) for x in self.inputs]
        of_place = {
            place: [fold[name].nan_to_num(0, 0, 0) for fold in found] for name, place in PLACES.items()
        }
        return {"input": self.inputs} | {
            place: type(self.inputs)(*folds) for place, folds in of_place.items()
        }

    def plane(self, network: Network) -> list[list[dict[str, Any]]]:
        """Of each run a row a layer: R^2 and information of content, and of style given content."""
        from mibounds.representation.probes import Ridge

        rows: list[list[dict[str, Any]]] = [[] for _ in self.seeds]
        names = ("content_r2", "content_nats", "style_r2", "style_nats")
        for place, features in self.layers(network).items():
            content = Ridge(features).regress(self.content).predictions
            style = Ridge(self.with_content(features)).regress(self.style).predictions
            of_content = told(self.content.test, self.content.test - content)
            of_style = told(self.style.test - self.by_content.predictions, self.style.test - style)
            for of_run, *values in zip(rows, *of_content, *of_style, strict=True):
                of_run.append({"layer": place, **dict(zip(names, map(float, values), strict=True))})
        return rows

    def perceptron(self, network: Network, steps: int) -> list[dict[str, float]]:
        """R^2 on z of content, and of style given content, by a probe with one hidden layer; and chance."""
        from mibounds.representation.probes import nonlinear_regression

        z, explained = self.layers(network)["z"], self.by_content.r2
        content = nonlinear_regression(z, self.content, self.seeds, max_steps=steps)
        both = nonlinear_regression(self.with_content(z), self.style, self.seeds, max_steps=steps)
        given = (both - explained) / (1 - explained)
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
Judge = Callable[["pd.DataFrame"], Verdict]


def controlled(tables: Tables, arms: tuple[str, ...], judge: Judge, words: str, control: Judge) -> Verdict:
    """What `judge` makes of these arms, provided that the control breaks the statistic that it looks at."""

    rows = rows_with(tables["table"], arm=arms)
    return if_all_ok(rows, lambda rows: provided(control(rows), words, lambda: judge(rows)))


def named(name: str, values: pd.Series) -> Groups:
    return {name: values} if len(values) else {}


def by_width(rows: pd.DataFrame, value: str, least: int = 0) -> Groups:
    """The plain arm where style is private."""
    of_width = rows_with(rows, arm="independent", change=1.0).groupby("width")
    return {f"width {width}": of[value] for width, of in of_width if width > least}


def keeps_content(tables: Tables) -> Verdict:
    """A unit vector of w numbers has w - 1 to choose, so that widths above the content's can keep it."""
    kept = "embedding_content_r2"
    return controlled(
        tables,
        ("independent", "shuffled"),
        lambda rows: all_above(by_width(rows, kept, CONTENT), KEPT_R2, "R^2", ALPHA),
        "shuffled pairs were to keep less than 0.95 of the content",
        lambda rows: all_below(named("", rows_with(rows, arm="shuffled")[kept]), KEPT_R2, "R^2", ALPHA),
    )


def keeps_what_competes(tables: Tables) -> Verdict:
    def kept(rows: pd.DataFrame, arm: str, factors: tuple[str, ...]) -> Groups:
        of_bits = rows_with(rows, arm=arm).groupby("bits")
        return {f"{one} beside {n} bits": of[f"embedding_{one}_r2"] for n, of in of_bits for one in factors}

    return controlled(
        tables,
        OF_BITS,
        lambda rows: all_above(kept(rows, "competing", ("bits", "hard")), COMPETING_R2, "R^2", ALPHA),
        "of private bits less than 0.9 was to be kept",
        lambda rows: all_below(kept(rows, "private bits", ("bits",)), COMPETING_R2, "R^2", ALPHA),
    )


def discards_style(tables: Tables) -> Verdict:
    def by_probe(rows: pd.DataFrame) -> Groups:
        probed = {probe: by_width(rows, column) for probe, column in PROBES.items()}
        return {f"{width}, {probe}": values for probe, of in probed.items() for width, values in of.items()}

    def when_shared(rows: pd.DataFrame) -> Groups:
        rows = rows_with(rows, change=0.0, width=USUAL)
        return {probe: rows[column] for probe, column in PROBES.items() if len(rows)}

    return controlled(
        tables,
        ("independent",),
        lambda rows: all_below(by_probe(rows), DROPPED_R2, "R^2", ALPHA),
        "of style that is shared more than 0.1 was to be kept",
        lambda rows: all_above(when_shared(rows), DROPPED_R2, "R^2", ALPHA),
    )


def above_chance(rows: pd.DataFrame) -> pd.Series:
    """Points by which z tells the style's label better than naming the largest class does."""
    return 100 * (rows["embedding_style_label_accuracy"] - rows["style_chance_accuracy"])


def forgets_a_label_from_style(tables: Tables) -> Verdict:
    def judge(rows: pd.DataFrame) -> Verdict:
        usual = rows_with(rows, arm="independent", width=USUAL)
        first, last = (rows_with(usual, change=p).set_index("replicate") for p in (0.0, 1.0))
        if first.empty or last.empty:
            return Verdict.inconclusive("style that is shared and style that is private are both needed")
        fall = above_chance(first) - above_chance(last)
        gain = 100 * (last["embedding_accuracy"] - first["embedding_accuracy"])
        return Verdict.all_of(
            all_equivalent(
                {"style at p = 1, above chance": above_chance(last)}, CHANCE_POINTS, "points", ALPHA
            ),
            all_above({"style, p = 0 minus p = 1": fall}, FALL_POINTS, "points", ALPHA),
            all_above({"content, p = 1 minus p = 0": gain}, -LOST_POINTS, "points", ALPHA),
        )

    def control(rows: pd.DataFrame) -> Verdict:
        groups = named("", above_chance(rows_with(rows, arm="shuffled")))
        return all_above(groups, CHANCE_POINTS, "points", ALPHA)

    words = "without a content to keep, style was to be told above chance"
    return controlled(tables, ("independent", "shuffled"), judge, words, control)


def h_keeps_more(tables: Tables) -> Verdict:
    def more(rows: pd.DataFrame, change: float) -> Groups:
        rows = rows_with(rows, change=change, width=USUAL)
        kept = 100 * (rows["style_label_accuracy"] - rows["embedding_style_label_accuracy"])
        return named(f"h minus z at p = {change:g}", kept)

    return controlled(
        tables,
        ("independent",),
        lambda rows: all_above(more(rows, 1.0), MORE_POINTS, "points", ALPHA),
        "of style that is shared h was to keep less than 10 points more than z",
        lambda rows: all_below(more(rows, 0.0), MORE_POINTS, "points", ALPHA),
    )


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
    """What z and h keep over widths and over p above; two planes and competing features below."""
    from mibounds.plots.style import draw_legend, new_figure

    table, plane = tables["table"], rows_with(tables["plane"], arm="independent")
    usual, of_usual = rows_with(table, arm="independent", width=USUAL), rows_with(plane, width=USUAL)
    with new_figure(2, 3, height=2.6) as (figure, axes):
        draw_widths(axes[0, 0], table, plane)
        draw_shared(axes[0, 1], usual, of_usual)
        draw_labels(axes[0, 2], usual)
        for ax, change in zip(axes[1], (1.0, 0.0), strict=False):
            draw_plane(ax, rows_with(of_usual, change=change), change)
        draw_competing(axes[1, 2], table)
        draw_legend(figure, columns=4)
    return figure


def draw_lines(ax: Any, rows: pd.DataFrame, x: str, columns: dict[str, str], scale: float = 1.0) -> None:
    """A line a label; its words say the colour (content, style) and the dashes (h, perceptron)."""
    from mibounds.plots.style import COLORS, draw_intervals

    colors = {"content": COLORS[0], "style": COLORS[1], "bits": COLORS[2], "hard": COLORS[4]}
    dashes = {"h": {"linestyle": "--", "marker": "s"}, "perceptron": {"linestyle": ":", "marker": "^"}}
    for label, column in columns.items():
        line = {"color": colors[label.split(",")[0].split()[0]], "label": label} | dashes.get(
            label.split()[-1], {}
        )
        draw_intervals(ax, rows.assign(shown=scale * rows[column]), x=x, y="shown", **line)


def draw_widths(ax: Any, table: pd.DataFrame, plane: pd.DataFrame) -> None:
    from mibounds.plots.style import COLORS, draw_ceiling

    columns = {"content, z": "embedding_content_r2", "content, z, perceptron": "content_r2_perceptron"}
    columns |= {"style, z": PROBES["linear"], "style, z, perceptron": PROBES["perceptron"]}
    draw_lines(ax, rows_with(table, arm="independent", change=1.0), "width", columns)
    on_h = rows_with(plane, layer="h", change=1.0)
    last = on_h[on_h["step"] == on_h["step"].max()]
    draw_lines(ax, last, "width", {"content, h": "content_r2", "style, h": "style_r2"})
    dependent = rows_with(table, arm="dependent")
    for marker, column, label in (
        ("+", "embedding_style_r2", ""),
        ("x", PROBES["linear"], ", given content"),
    ):
        points = ([USUAL] * len(dependent), dependent[column])
        ax.plot(*points, marker, color=COLORS[3], markersize=4, label=f"dependent style{label}")
    for threshold in (KEPT_R2, DROPPED_R2):
        draw_ceiling(ax, threshold, label="threshold")
    ax.set_xscale("log", base=2)
    ax.set_xticks(WIDTHS, map(str, WIDTHS))
    ax.minorticks_off()
    ax.set(xlabel="width of z", ylabel="R^2", title="private style (p = 1)")


def draw_shared(ax: Any, rows: pd.DataFrame, plane: pd.DataFrame) -> None:
    """In nats, so that what is told can stand beside what the views share of style."""
    from mibounds.plots.style import draw_truth

    last = plane[plane["step"] == plane["step"].max()]
    for layer in ("z", "h"):
        draw_lines(ax, rows_with(last, layer=layer), "change", {f"style, {layer}": "style_nats"})
    known = rows.groupby("change")["style_information_nats"].first()
    draw_truth(ax, known.tolist(), known.index.tolist(), label="style shared by the views")
    ax.set(xlabel="chance p that style changes", ylabel="I(.; style | content) (nats)", title="style told")


def draw_labels(ax: Any, rows: pd.DataFrame) -> None:
    from mibounds.plots.style import GREY, draw_ceiling

    columns = {"content, z": "embedding_accuracy", "content, h": "accuracy"}
    columns |= {"style, z": "embedding_style_label_accuracy", "style, h": "style_label_accuracy"}
    draw_lines(ax, rows, "change", columns, scale=100)
    draw_ceiling(
        ax, 100 * rows["style_chance_accuracy"].mean(), color=GREY, linestyle="-.", label="largest class"
    )
    ax.set(xlabel="chance p that style changes", ylabel="accuracy (%)", title="labels from either")


def draw_plane(ax: Any, plane: pd.DataFrame, change: float) -> None:
    """A path a layer through the training, its end marked and named."""
    from mibounds.plots.style import COLORS, DARK, GREY

    colors = (GREY, COLORS[9], COLORS[6], COLORS[5], DARK)
    means = plane.groupby(["layer", "step"])[["style_nats", "content_nats"]].mean()
    for color, layer in zip(colors, ("input", *PLACES.values()), strict=True):
        if layer in means.index:
            path = means.loc[layer]
            ax.plot(*path.T.to_numpy(), color=color, marker=".", markersize=3, linewidth=1)
            ax.plot(*path.iloc[-1], "o", color=color, markersize=5)
            if change == 1:  # at p = 0 all ends lie in one place
                ax.annotate(layer, path.iloc[-1], (4, 4), textcoords="offset points", fontsize=7)
    ax.margins(x=0.2, y=0.15)
    told_of = {"xlabel": "I(.; style | content) (nats)", "ylabel": "I(.; content) (nats)"}
    ax.set(title=f"layers in training, p = {change:g}", **told_of)


def draw_competing(ax: Any, table: pd.DataFrame) -> None:
    from mibounds.plots.style import COLORS, draw_ceiling

    columns = {"bits": "embedding_bits_r2", "hard factor": "embedding_hard_r2"}
    draw_lines(ax, rows_with(table, arm="competing"), "bits", columns)
    alone = rows_with(table, arm="private bits")
    for color, column in zip((COLORS[2], COLORS[4]), columns.values(), strict=True):
        ax.plot(alone["bits"] + 0.3, alone[column], "x", color=color, markersize=4)
    draw_ceiling(ax, COMPETING_R2, label="threshold")
    ax.set_xticks(BITS)
    ax.set(xlabel="easy bits (x: private ones)", ylabel="R^2 on z", title="competing features")


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
        "bits_steps": 4000,
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
            "bits_steps": 2,
            "n_candidates": 32,
            "n_anchors": 16,
            "n_examples": 300,
            "probe_steps": 20,
        },
        "quick": {
            "replicates": 2,
            "width": (4, USUAL, 80),
            "change": (0.0, 0.5, 1.0),
            "steps": 400,
            "bits_steps": 800,
        },
        "full": {"replicates": 10},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)
