"""Axis values that a user gives in place of a preset's, taken as the study itself writes them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mibounds.errors import ParameterError, UnknownNameError
from mibounds.study.study import Axis, Study, Value


def parse_overrides(study: Study, texts: Sequence[str]) -> dict[str, Axis]:
    """`["critic=separable", "truth_nats=2,4"]` -> axis -> values, typed as the study's own."""
    overrides: dict[str, Axis] = {}
    for text in texts:
        axis, equals, values = text.partition("=")
        if not equals or not values:
            raise ParameterError(f"expected axis=value,value...; got {text!r}")
        declared = _declared(study, axis)
        if axis in overrides:
            raise ParameterError(
                f"axis {axis!r} is set twice; give all its values at once: {axis}=value,value..."
            )
        overrides[axis] = axis_values(study, axis, [_parse(declared, value) for value in values.split(",")])
    return overrides


def axis_values(study: Study, axis: str, values: Sequence[Value]) -> Axis:
    """The values as the study writes them: 2 for its 2.0 would be another cell with other seeds.

    Any number may stand on an axis of numbers; on an axis of words, only those that the study knows.
    """
    declared = _declared(study, axis)
    chosen = tuple(_one_value(axis, declared, value) for value in values)
    if not chosen or len(set(chosen)) < len(chosen):
        raise ParameterError(f"axis {axis!r} needs one value or more, each once; got {list(values)}")
    return chosen


def _declared(study: Study, axis: str) -> list[Value]:
    if axis not in study.axes:
        raise UnknownNameError("axis", axis, study.axes)
    of_presets = (value for changes in study.presets.values() for value in changes.get(axis, ()))
    return [*study.axes[axis], *of_presets]


def _one_value(axis: str, declared: Sequence[Value], value: Value) -> Value:
    for own in declared:
        if own == value and isinstance(own, bool) == isinstance(value, bool):
            return own
    if any(isinstance(own, (str, bool)) for own in declared):
        raise UnknownNameError(f"value of axis {axis}", str(value), {str(own) for own in declared})
    whole = all(isinstance(own, int) for own in declared)
    if isinstance(value, (str, bool)) or not _is_finite(value) or (whole and value != int(value)):
        kind = "whole numbers" if whole else "numbers"
        raise ParameterError(f"axis {axis!r} takes {kind} such as {declared[0]}; got {value!r:.80}")
    return int(value) if whole else float(value)


def _is_finite(value: float) -> bool:
    """Whether it is a number that a float can hold, which not all of Python's integers are."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _parse(declared: Sequence[Value], text: str) -> Value:
    for own in declared:
        if text == str(own) or (isinstance(own, bool) and text == str(own).lower()):
            return own
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text
