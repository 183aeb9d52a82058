"""Cells, seeds and packs are a fixed function of the grid, and a study that contradicts itself is refused."""

from __future__ import annotations

import dataclasses
import math

import pytest

from mibounds.errors import ParameterError, StudyError, UnknownNameError
from mibounds.study import Claim, Study, Verdict, default_out, make_grid, parse_overrides


def by_point(grid) -> dict:
    return {tuple(cell.point.items()): cell for cell in grid.cells}


def test_grid_order_is_that_of_the_axes_and_replicate_is_last(toy: Study):
    cells = make_grid(toy).cells
    assert [tuple(cell.point.values()) for cell in cells[:4]] == [
        (1.0, "a", 0),
        (1.0, "a", 1),
        (1.0, "a", 2),
        (1.0, "b", 0),
    ]
    assert len(cells) == 12 and len({cell.id for cell in cells}) == 12


def test_ids_and_seeds_are_pinned(toy: Study):
    """Finished cells of a released version must be found again by the next one."""
    cell = make_grid(toy).cells[0]
    assert cell.id == "34b30fc096d3fc462f42"
    assert cell.seed("data") == 8287546805967763307


def test_adding_an_axis_value_changes_no_id_and_no_seed(toy: Study):
    wider = dataclasses.replace(toy, axes={"scale": (0.5, 1.0, 2.0, 4.0), "kind": ("c", "a", "b")})
    before, after = by_point(make_grid(toy)), by_point(make_grid(wider))
    assert before.keys() < after.keys()
    for point, cell in before.items():
        assert after[point].id == cell.id
        assert [after[point].seed(p) for p in toy.seeds] == [cell.seed(p) for p in toy.seeds]


def test_cells_that_differ_in_a_compared_axis_share_their_seeds(toy: Study):
    cells = make_grid(toy).cells
    data = {cell.seed("data") for cell in cells}
    weights = {(cell["kind"], cell["replicate"], cell.seed("weights")) for cell in cells}
    assert len(data) == 3, "the data depend on the replicate alone"
    assert len(weights) == 6 == len({seed for *_, seed in weights}), "the weights on kind and replicate"


def test_settings_are_part_of_the_id_and_not_of_the_seeds_and_a_new_version_draws_anew(toy: Study):
    cell = make_grid(toy).cells[0]
    other_settings = make_grid(dataclasses.replace(toy, settings={"shift": 0.75})).cells[0]
    other_version = make_grid(dataclasses.replace(toy, version=2)).cells[0]
    assert len({cell.id, other_settings.id, other_version.id}) == 3
    assert cell.seed("data") == other_settings.seed("data") != other_version.seed("data")


def test_presets_never_share_a_cell(toy: Study):
    full, smoke = ({cell.id for cell in make_grid(toy, preset).cells} for preset in ("full", "smoke"))
    assert not full & smoke


def test_unknown_axis_and_purpose_are_named(toy: Study):
    cell = make_grid(toy).cells[0]
    with pytest.raises(UnknownNameError, match="did you mean 'scale'"):
        cell["scales"]
    with pytest.raises(UnknownNameError, match="did you mean 'weights'"):
        cell.seed("weight")


def test_packs_hold_cells_that_differ_in_stacked_axes_only(toy: Study):
    packs = make_grid(toy).packs
    assert [len(pack.cells) for pack in packs] == [4, 2, 4, 2]
    assert [{cell["kind"] for cell in pack.cells} for pack in packs] == [{"a"}, {"a"}, {"b"}, {"b"}]
    assert sorted(cell.id for pack in packs for cell in pack.cells) == sorted(
        cell.id for cell in make_grid(toy).cells
    )
    assert [pack.id for pack in packs] == [pack.id for pack in make_grid(toy).packs]


def test_width_may_depend_on_the_point(toy: Study):
    study = dataclasses.replace(toy, width=lambda point: 1 if point["kind"] == "a" else 100)
    assert [len(pack.cells) for pack in make_grid(study).packs] == [1] * 6 + [6]


@pytest.mark.parametrize("width", [0, 2.5, lambda point: 0])
def test_a_width_below_one_is_refused(toy: Study, width):
    with pytest.raises(StudyError, match="width"):
        make_grid(dataclasses.replace(toy, width=width))


def test_keep_leaves_points_out(toy: Study):
    study = dataclasses.replace(toy, keep=lambda point: point["kind"] == "a" or point["replicate"] < 1)
    assert len(make_grid(study).cells) == 6 + 2
    with pytest.raises(ParameterError, match="keeps no cell"):
        make_grid(dataclasses.replace(toy, keep=lambda point: False))


def test_a_preset_changes_axes_replicates_and_settings(toy: Study):
    grid = make_grid(toy, "smoke")
    assert [tuple(cell.point.values()) for cell in grid.cells] == [(1.0, "a", 0), (1.0, "b", 0)]
    assert grid.settings == {"shift": 0.25} == grid.cells[0].settings


def test_overrides_are_read_with_the_types_of_the_study(toy: Study):
    overrides = parse_overrides(toy, ["scale=2,3", "kind=b"])
    assert overrides == {"scale": (2.0, 3.0), "kind": ("b",)}
    assert [type(value) for value in overrides["scale"]] == [float, float]
    two = make_grid(toy, overrides={"scale": [2]}).cells[0]
    assert two.id in {cell.id for cell in make_grid(toy).cells}, "2 is the study's own 2.0"


@pytest.mark.parametrize(
    ("texts", "error", "match"),
    [
        (["scal=1"], UnknownNameError, "did you mean 'scale'"),
        (["kind=bb"], UnknownNameError, "did you mean 'b'"),
        (["scale=big"], ParameterError, "takes numbers such as 1.0"),
        (["scale=nan"], ParameterError, "takes numbers"),
        (["scale=1,1"], ParameterError, "each once"),
        (["scale"], ParameterError, "expected axis=value"),
        (["scale="], ParameterError, "expected axis=value"),
        (["scale=1", "scale=2"], ParameterError, "'scale' is set twice"),
    ],
)
def test_overrides_that_fit_no_axis_are_refused(toy: Study, texts, error, match):
    with pytest.raises(error, match=match):
        parse_overrides(toy, texts)


def test_whole_and_bool_axes_keep_their_types(toy: Study):
    study = dataclasses.replace(
        toy,
        axes={"width": (8, 16), "masked": (True, False)},
        stacked=(),
        seeds={},
        presets={"full": {"replicates": 1}},
    )
    assert parse_overrides(study, ["width=32", "masked=false"]) == {"width": (32,), "masked": (False,)}
    for text in ("width=1.5", "masked=1", "width=inf"):
        with pytest.raises((ParameterError, UnknownNameError)):
            parse_overrides(study, [text])


def test_unknown_preset_and_replicates_below_one(toy: Study):
    with pytest.raises(UnknownNameError, match="did you mean 'smoke'"):
        make_grid(toy, "smok")
    with pytest.raises(ParameterError, match="at least 1"):
        make_grid(toy, replicates=0)


def test_only_the_unaltered_full_grid_lands_in_the_studys_own_folder(toy: Study):
    def out(preset: str, **changes) -> str:
        grid = make_grid(toy, preset, **changes)
        return default_out(toy, preset, grid.altered).as_posix()

    assert out("full") == "results/toy"
    assert out("full", overrides={"scale": [1.0, 2.0]}, replicates=3) == "results/toy", "nothing is altered"
    assert out("smoke") == "results/toy/smoke"
    for preset in ("full", "smoke"):
        assert out(preset, replicates=2) == "results/toy/custom"
        assert out(preset, overrides={"kind": ["b"]}) == "results/toy/custom"


CLAIM = Claim("C", "text", "source", "criterion", lambda tables: Verdict.inconclusive("none"))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"stacked": ("scales",)}, "stacked names axis 'scales'"),
        ({"stacked": "scale"}, "stacked must be a tuple"),
        ({"seeds": {"data": ("kinds",)}}, "seed 'data' names axis 'kinds'"),
        ({"seeds": {"data": (), None: ()}}, "names of seeds must be texts; got None"),
        ({"axes": {1: (1.0,)}}, "names of axes must be texts; got 1"),
        ({"presets": {"smoke": {"replicates": 1}}}, "must contain 'full'"),
        ({"presets": {"full": {}}}, "must have 'replicates'"),
        ({"presets": {"full": {"replicates": 0}}}, "at least 1"),
        ({"presets": {"full": {"replicates": 1, "steps": 5}}}, "neither an axis nor a setting"),
        ({"presets": {"full": {"replicates": 1, "scale": 1.0}}}, "must be a tuple"),
        ({"axes": {"scale": (1.0, object()), "kind": ("a",)}}, "axis 'scale' must be a tuple"),
        ({"axes": {"scale": (1.0, math.nan), "kind": ("a",)}}, "finite"),
        ({"axes": {"scale": (1.0, 1.0), "kind": ("a",)}}, "repeats a value"),
        ({"axes": {"scale": (), "kind": ("a",)}}, "axis 'scale'"),
        ({"axes": {"scale": (1.0,), "kind": "ab"}}, "axis 'kind'"),
        ({"axes": {"scale": (1.0,), "kind": ("a",), "status": ("x",)}}, "the runner adds"),
        ({"settings": {"shift": [1]}}, "setting 'shift'"),
        ({"settings": {"shift": 0.5, "scale": 1}}, "also the name of an axis"),
        ({"claims": (CLAIM, CLAIM)}, "ids must differ"),
        ({"slug": "no/name"}, "slug"),
    ],
)
def test_a_study_that_contradicts_itself_is_refused(toy: Study, changes, match):
    with pytest.raises(StudyError, match=match):
        dataclasses.replace(toy, **changes)
