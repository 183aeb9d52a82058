"""The 40 tasks of Czyz et al. 2023, as benchmark-mi 0.1.3 defines them: name -> how to make the law."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from mibounds.suite._build import family, map_named, seen, seen_alike

if TYPE_CHECKING:
    from mibounds.distributions import Distribution

Make = Callable[[], "Distribution"]

CORRELATION, DENSE, PAIRED = 0.75, 0.5, 0.8
NORMAL = "1v1-normal-0.75"


def normal() -> Distribution:
    return family("gaussian").from_correlation(1, CORRELATION)


def additive(noise: float) -> Distribution:
    return family("additive_uniform")(noise)


def dense(dim: int) -> Distribution:
    return family("gaussian").dense(dim, dim, DENSE)


def sparse(dim: int) -> Distribution:
    """Two correlated pairs of columns; "2.0" in the name is the strength of their common causes, hence 0.8."""
    return family("gaussian").sparse(dim, dim, 2, PAIRED)


def student(dim: int, dof: int) -> Distribution:
    return family("student_t").identity(dim, dim, dof)


def bimodal() -> Distribution:
    return seen(normal(), map_named("bimodal", 0.3, (0.0, 5.0)), map_named("bimodal", 0.5, (-1.0, 3.0)))


def wiggly() -> Distribution:
    of_x = map_named("wiggly", (0.4, 0.2, 0.03), (1.0, 1.7, 3.3), (0.0, 1.0, -2.5))
    of_y = map_named("wiggly", (-0.4, 0.17, 0.02), (0.4, 1.3, 4.3), (0.0, 3.5, -2.5))
    return seen(normal(), of_x, of_y)


def swiss_roll() -> Distribution:
    return seen(TASKS[f"normal_cdf-{NORMAL}"](), map_named("swiss_roll"))


def spiral(base: str) -> Distribution:
    """x turns in its first two axes, y in its second and third, by |x|^2/dim radians."""
    law = TASKS[base]()
    turns = ((law.dim_x, (0, 1)), (law.dim_y, (1, 2)))
    return seen(law, *(map_named("spiral", speed=1 / dim, plane=plane) for dim, plane in turns))


def alike(name: str, base: str) -> Distribution:
    return seen_alike(TASKS[base](), name)


def _tasks() -> dict[str, Make]:
    wide, paired = (3, 5, 25), "multinormal-sparse-{0}-{0}-2-2.0"
    tasks: dict[str, Make] = {
        NORMAL: normal,
        f"normal_cdf-{NORMAL}": partial(alike, "normal_cdf", NORMAL),
        "1v1-additive-0.1": partial(additive, 0.1),
        "1v1-additive-0.75": partial(additive, 0.75),
        "1v1-bimodal-0.75": bimodal,
        f"wiggly-{NORMAL}": wiggly,
        f"half_cube-{NORMAL}": partial(alike, "half_cube", NORMAL),
        "student-identity-1-1-1": partial(student, 1, 1),
        "asinh-student-identity-1-1-1": partial(alike, "arcsinh", "student-identity-1-1-1"),
        f"swissroll_x-normal_cdf-{NORMAL}": swiss_roll,
    }
    tasks |= {f"multinormal-dense-{dim}-{dim}-{DENSE}": partial(dense, dim) for dim in (2, 3, 5, 25, 50)}
    tasks |= {paired.format(dim): partial(sparse, dim) for dim in (2, *wide)}
    for dim, dof in ((2, 1), (2, 2), (3, 2), (3, 3), (5, 2), (5, 3)):
        tasks[f"student-identity-{dim}-{dim}-{dof}"] = partial(student, dim, dof)
    for name in ("normal_cdf", "half_cube"):
        tasks |= {f"{name}-{base}": partial(alike, name, base) for base in map(paired.format, wide)}
    for before in ("", "normal_cdf-"):
        tasks |= {
            f"spiral-{base}": partial(spiral, base) for base in (before + paired.format(d) for d in wide)
        }
    for base in ("student-identity-2-2-1", "student-identity-3-3-2", "student-identity-5-5-2"):
        tasks[f"asinh-{base}"] = partial(alike, "arcsinh", base)
    return tasks


TASKS = _tasks()
