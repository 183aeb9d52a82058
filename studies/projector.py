"""Projector: what does it do for the representation behind it, and does its width matter?

Views share 8 dimensions of content (correlation 0.9); 8 of style are private. Both are seen through a frozen network of
one hidden layer. SimCLR with K = 127 (64 pairs) trains an encoder of three layers of 128 units, h being the last, with
no projector (z is h) or with one of 1, 2 or 3 affine maps to 8..512 dimensions, 128 hidden units between them. Every
layer is probed for what the views share and for what they do not. Encoders start alike, and see the same pairs.

The temperature is 0.2. How much a projector helps depends on it, so that none, width 8 and width 128 are also trained
at 0.05, 0.1 and 0.5 (SimCLR was tuned over 0.05 to 1), and one claim compares each at its own best.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mibounds.study import (
    Claim,
    Measurement,
    Pack,
    Study,
    Verdict,
    all_above,
    all_below,
    best_by_others,
    first_failure,
    if_all_ok,
    provided,
    rows_with,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Tables = Mapping[str, "pd.DataFrame"]

CONTENT, STYLE = 8, 8
REPRESENTATION, HIDDEN = 128, 128
LAYERS = (0, 1, 2, 3)
WIDTHS = (8, 16, 32, 64, 128, 256, 512)
USUAL = 128  # SimCLR's
TEMPERATURE = 0.2
TEMPERATURES = (0.05, 0.1, 0.2, 0.5)
OVER_TEMPERATURES = ((0, REPRESENTATION), (2, CONTENT), (2, USUAL))


def keep(point: dict) -> bool:
    """Without a projector the embedding is as wide as h; other temperatures and the control take three models."""
    arm = (point["layers"], point["width"])
    if point["temperature"] != TEMPERATURE:
        return arm in OVER_TEMPERATURES and point["pairs"] == "intact"
    if point["pairs"] == "shuffled":
        return arm in OVER_TEMPERATURES
    return point["layers"] > 0 or point["width"] == REPRESENTATION


def measure(pack: Pack) -> list[Measurement]:
    """One stack of replicates and temperatures."""
    from mibounds.representation import methods
    from mibounds.representation.loop import Pretrainer
    from mibounds.representation.measuring import Sizes, baselines
    from mibounds.representation.measuring import measure as measure_models
    from mibounds.representation.network import Network
    from mibounds.representation.sources import Shuffled, load

    cells, settings = pack.cells, pack.settings
    source = load("content_style")(CONTENT, STYLE, style_change=1.0, depth=1)
    weights, data, evaluation = (
        [cell.seed(purpose) for cell in cells] for purpose in ("weights", "data", "evaluation")
    )
    n_layers, temperatures = cells[0]["layers"], [cell["temperature"] for cell in cells]
    network = Network.build(
        source.shape,
        weights,
        encoder_options={"hidden": (128, 128), "dim": REPRESENTATION},
        embedding=cells[0]["width"],
        projector_options={"layers": n_layers, "hidden": HIDDEN},
    ).to(pack.device)
    n_examples, n_pool = settings["n_examples"], settings["n_candidates"] - 1
    sizes = Sizes(n_examples, n_examples // 2, 2 * n_examples, settings["n_anchors"], n_pool)
    read = {"seeds": evaluation, "sizes": sizes}
    untrained = baselines(network, source, **read)
    method = methods.load("simclr")(network, weights, temperature=temperatures).to(pack.device)
    trainer = Pretrainer(
        network,
        method,
        Shuffled(source) if cells[0]["pairs"] == "shuffled" else source,
        data,
        batch_size=settings["batch_size"],
        steps=settings["steps"],
        learning_rate=settings["learning_rate"],
    )
    trainer.fit()
    found = measure_models(network, source, temperature=temperatures, per_layer=True, **read)
    measured = []
    for row, before, status in zip(found, untrained, trainer.status, strict=True):
        known = row | before | {"status": first_failure(status, row["status"])}
        tidy = {name: value for name, value in known.items() if not name.startswith("layer_")}
        measured.append(Measurement(tidy, layers=layer_rows(known)))
    return measured


PLACES = {"input": "raw_", "layer 1": "layer_1_", "layer 2": "layer_2_", "h": "layer_3_", "z": "embedding_"}
PROBED = ("accuracy", "style_label_accuracy", "content_r2", "style_r2", "effective_rank")


def layer_rows(known: dict[str, Any]) -> list[dict[str, Any]]:
    """A row a layer, from the input on; an input's rank is not measured, and a model that failed has none."""
    return [
        {"layer": place, "status": known["status"]}
        | {name: known.get(f"{prefix}{name}", float("nan")) for name in PROBED}
        for place, prefix in PLACES.items()
    ]


# Claims: effect, threshold and interval were written before the full run.

N_CLAIMS = 5
ALPHA = 0.05 / N_CLAIMS
POINTS = 1.0
TAUGHT_POINTS = 5.0  # of the about 20 that intact pairs give
MARGIN_R2 = 0.1
Model = tuple[int, int, float]  # layers, width, temperature
NONE, NARROW, WIDE = (
    (0, REPRESENTATION, TEMPERATURE),
    (2, CONTENT, TEMPERATURE),
    (2, USUAL, TEMPERATURE),
)


def by_model(rows: pd.DataFrame, value: str) -> pd.DataFrame:
    """Replicates down, models across, which pairs them."""
    return rows.pivot(index="replicate", columns=["layers", "width", "temperature"], values=value)


def accuracy_claim(
    tables: Tables, needed: tuple[Model, ...], difference: Callable[..., pd.Series]
) -> Verdict:
    """`difference` of accuracies above a point, provided that shuffled pairs teach no encoder the label.

    Args:
        needed: the models that it compares.
        difference: of the accuracies on h and on z, in points, to one value a replicate.
    """

    def decide(rows: pd.DataFrame) -> Verdict:
        shuffled, intact = (rows_with(rows, pairs=kind) for kind in ("shuffled", "intact"))
        gained = 100 * (shuffled["accuracy"] - shuffled["random_accuracy"])
        groups = dict(list(gained.groupby([shuffled["layers"], shuffled["width"]])))
        control = all_below(groups, TAUGHT_POINTS, "points", ALPHA)
        wanted = "shuffled pairs were to teach no encoder the label"
        return provided(control, wanted, lambda: compare(intact))

    def compare(intact: pd.DataFrame) -> Verdict:
        h, z = (100 * by_model(intact, value) for value in ("accuracy", "embedding_accuracy"))
        missing = [model for model in needed if model not in h]
        if missing:
            return Verdict.inconclusive(f"no rows of (layers, width, temperature) = {missing[0]}")
        return all_above({"all replicates": difference(h, z)}, POINTS, "points", ALPHA)

    return if_all_ok(tables["table"], decide)


def of_depth(points: pd.DataFrame, n_layers: int) -> list[Model]:
    """The models of this depth at the usual temperature."""
    return [model for model in points if model[0] == n_layers and model[2] == TEMPERATURE]


def of_width(points: pd.DataFrame, like: Model) -> list[Model]:
    """The same model at all temperatures."""
    return [model for model in points if model[:2] == like[:2]]


def a_wider_one_is_better(tables: Tables) -> Verdict:
    return accuracy_claim(tables, (NARROW, WIDE), lambda h, z: best_by_others(h[of_depth(h, 2)]) - h[NARROW])


def a_projector_helps(tables: Tables) -> Verdict:
    return accuracy_claim(tables, (WIDE, NONE), lambda h, z: h[WIDE] - h[NONE])


def it_helps_at_the_best_temperature(tables: Tables) -> Verdict:
    def difference(h: pd.DataFrame, z: pd.DataFrame) -> pd.Series:
        return best_by_others(h[of_width(h, WIDE)]) - best_by_others(h[of_width(h, NONE)])

    return accuracy_claim(tables, (WIDE, NONE), difference)


def h_is_better_than_z(tables: Tables) -> Verdict:
    return accuracy_claim(tables, (WIDE,), lambda h, z: h[WIDE] - z[WIDE])


def h_keeps_more_style(tables: Tables) -> Verdict:
    def decide(rows: pd.DataFrame) -> Verdict:
        kept = (rows["style_r2"] - rows["embedding_style_r2"]).groupby(rows["pairs"])
        of = {kind: {f"h over z, {kind} pairs": values} for kind, values in kept}
        control = all_below(of.get("shuffled", {}), MARGIN_R2, "R^2", ALPHA)
        return provided(
            control,
            "without a content to keep, h was to keep no more style than z",
            lambda: all_above(of.get("intact", {}), MARGIN_R2, "R^2", ALPHA),
        )

    model = {"layers": 2, "width": USUAL, "temperature": TEMPERATURE}
    return if_all_ok(rows_with(tables["table"], **model), decide)


TEXT = "Contrastive Learning Theory"
CONTROL = "With shuffled pairs no encoder may gain 5 points over an untrained one."
CLAIMS = (
    Claim(
        id="C15.size",
        text="A projection to a high-dimensional space; its size matters.",
        source=TEXT,
        criterion="Supported if the best width of a 2-layer projector (chosen by the other replicates) beats the "
        "content's width, 8, by more than a point of accuracy on h, as an interval (paired); refuted if by less. "
        + CONTROL,
        verdict=a_wider_one_is_better,
    ),
    Claim(
        id="C15.projector",
        text="The representation behind a projector is better than one that is trained without.",
        source=f"{TEXT}; Chen et al. 2020, section 4.2",
        criterion="Supported if h behind a 2-layer projector of width 128 beats h of an encoder without one by more "
        "than a point of accuracy at temperature 0.2 (paired); refuted if by less. " + CONTROL,
        verdict=a_projector_helps,
    ),
    Claim(
        id="C15.tuned",
        text="It is better too where each has the temperature that suits it best.",
        source="none: what the fixed temperature leaves open",
        criterion="As C15.projector, each of the two at its best temperature of 0.05, 0.1, 0.2 and 0.5, chosen by the "
        "other replicates. " + CONTROL,
        verdict=it_helps_at_the_best_temperature,
    ),
    Claim(
        id="C15.layers",
        text="The layer before the projector is a better representation than the layer after it.",
        source="Chen et al. 2020, section 4.2 (by more than 10 points on ImageNet)",
        criterion="Supported if, with a 2-layer projector of width 128, the label's accuracy on h is more than a point "
        "above that on z (paired); refuted if less. " + CONTROL,
        verdict=h_is_better_than_z,
    ),
    Claim(
        id="C15.style",
        text="The projector drops what the views do not share, and h keeps more of it than z.",
        source="Chen et al. 2020, table 3 (h keeps rotation, colour and noise, z does not)",
        criterion="Supported if, with a 2-layer projector of width 128, the R^2 of the private style on h is more than "
        "0.1 above that on z (paired); refuted if less. With shuffled pairs the difference must be below 0.1.",
        verdict=h_keeps_more_style,
    ),
)


# Figure

SHORT = {0: "no projector", 1: "linear", 2: "2 layers", 3: "3 layers"}


def draw(tables: Tables) -> Figure:
    """Over widths above, h in full lines and z in broken ones; by layer and over temperatures below."""
    from mibounds.plots.style import draw_legend, new_figure

    table = tables["table"].assign(
        percent=lambda rows: 100 * rows["accuracy"], z_percent=lambda rows: 100 * rows["embedding_accuracy"]
    )
    intact = rows_with(table, pairs="intact")
    usual = rows_with(intact, temperature=TEMPERATURE)
    by_layer = rows_with(tables["layers"], pairs="intact", temperature=TEMPERATURE)
    with new_figure(2, 3, height=2.4) as (figure, axes):
        draw_widths(axes[0, 0], usual, "percent", "z_percent", "accuracy (%)", "label, from the content")
        draw_widths(axes[0, 1], usual, "style_r2", "embedding_style_r2", "R^2", "private style")
        ranks = ("representation_effective_rank", "effective_rank")
        draw_widths(axes[0, 2], usual, *ranks, "effective rank", "geometry")
        draw_layers(axes[1, 0], by_layer, "content_r2", "content, by layer")
        draw_layers(axes[1, 1], by_layer, "style_r2", "private style, by layer")
        draw_temperatures(axes[1, 2], intact)
        draw_legend(figure, columns=5)
    return figure


def line_of(n_layers: int, which: str = "h") -> dict[str, Any]:
    """Colour, dashes and label of a projector's depth."""
    from mibounds.plots.style import COLORS, DARK

    if n_layers == 0:
        return {"color": DARK, "linestyle": ":", "label": f"{SHORT[0]}, h = z"}
    style: dict[str, Any] = {"linestyle": "--", "marker": "s"} if which == "z" else {}
    return {"color": COLORS[n_layers - 1], "label": f"{SHORT[n_layers]}, {which}", **style}


def draw_widths(ax: Any, rows: pd.DataFrame, of_h: str, of_z: str, name: str, title: str) -> None:
    from mibounds.plots.style import draw_intervals

    for n_layers, of in rows_with(rows, layers=(1, 2, 3)).groupby("layers"):
        draw_intervals(ax, of, x="width", y=of_h, **line_of(n_layers))
        draw_intervals(ax, of, x="width", y=of_z, **line_of(n_layers, "z"))
    ax.axhline(rows_with(rows, layers=0)[of_h].mean(), **line_of(0))
    ax.set_xscale("log", base=2)
    ax.set_xticks(WIDTHS, map(str, WIDTHS))
    ax.set(xlabel="width of the embedding", ylabel=name, title=title)


def draw_layers(ax: Any, rows: pd.DataFrame, value: str, title: str) -> None:
    """From the input to z, for a projector of the usual width and for none."""
    from mibounds.plots.style import draw_intervals

    places = list(PLACES)
    rows = rows.assign(place=rows["layer"].map(places.index))
    for n_layers in LAYERS:
        of = rows_with(rows, layers=n_layers, width=USUAL if n_layers else REPRESENTATION)
        shown = of if n_layers else of[of["layer"] != "z"]
        draw_intervals(ax, shown, x="place", y=value, **line_of(n_layers))
    ax.set_xticks(range(len(places)), places)
    ax.set(ylabel="R^2", title=title)


def draw_temperatures(ax: Any, rows: pd.DataFrame) -> None:
    from mibounds.plots.style import COLORS, draw_intervals

    narrow = {"color": COLORS[4], "label": "2 layers, width 8, h"}
    for (n_layers, width), line in zip(OVER_TEMPERATURES, (line_of(0), narrow, line_of(2)), strict=True):
        of = rows_with(rows, layers=n_layers, width=width)
        draw_intervals(ax, of, x="temperature", y="percent", **line)
    ax.set_xscale("log")
    ax.set_xticks(TEMPERATURES, map(str, TEMPERATURES), minor=False)
    ax.minorticks_off()
    ax.set(xlabel="temperature", ylabel="accuracy (%)", title="label, over temperatures")


STUDY = Study(
    slug="projector",
    question="What does a projector do for the representation behind it, and does its width matter?",
    axes={
        "pairs": ("intact", "shuffled"),
        "layers": LAYERS,
        "width": WIDTHS,
        "temperature": TEMPERATURES,
    },
    stacked=("temperature", "replicate"),
    seeds={"data": (), "weights": (), "evaluation": ()},
    keep=keep,
    width=40,
    settings={
        "batch_size": 64,
        "steps": 1000,
        "learning_rate": 2e-3,
        "n_candidates": 2048,
        "n_anchors": 512,
        "n_examples": 2000,
    },
    presets={
        "smoke": {
            "replicates": 1,
            "layers": (0, 2),
            "width": (8, 128),
            "temperature": (0.1, 0.2),
            "steps": 3,
            "n_candidates": 64,
            "n_anchors": 32,
            "n_examples": 400,
        },
        "quick": {"replicates": 2, "layers": (0, 2), "width": (8, 128), "steps": 400},
        "full": {"replicates": 10},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)
