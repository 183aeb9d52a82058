"""The suite: tasks on which estimators are set side by side, each a law whose mutual information is known.

`published` are the 40 tasks of Czyz et al. 2023 under the names that the package benchmark-mi gives them; `extended`
are tasks of our own, of kinds that those lack: mixtures, a thousand columns of few causes, rare events, images, labels
with errors, and many discrete symbols. Names need no torch.

References: Czyz et al. 2023, "Beyond normal: on the evaluation of mutual information estimators", arXiv:2306.11078.

Example:
    >>> len(names("published")), task("student-identity-5-5-2").dim_x
    (40, 5)
    >>> x, y = task("spiral-multinormal-sparse-3-3-2-2.0").sample(1000, seed=0)
    >>> tuple(x.shape), round(task("spiral-multinormal-sparse-3-3-2-2.0").mutual_information, 4)
    ((1000, 3), 1.0217)
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from mibounds.errors import UnknownNameError
from mibounds.suite import extended, published

if TYPE_CHECKING:
    from mibounds.distributions import Distribution

__all__ = ["GROUPS", "names", "task"]

GROUPS = {"published": published.TASKS, "extended": extended.TASKS}


def names(group: str | None = None) -> list[str]:
    """The names of a group's tasks, "published" or "extended", in their order; without a group, of both.

    Raises: UnknownNameError.
    """
    if group is None:
        return [name for tasks in GROUPS.values() for name in tasks]
    if group not in GROUPS:
        raise UnknownNameError("group of tasks", group, GROUPS)
    return list(GROUPS[group])


@cache
def task(name: str) -> Distribution:
    """The law of this name, made once: sampler, `mutual_information` in nats, and its error where that is sampled.

    Raises: UnknownNameError; DataError for "noisy_labels-..." if scikit-learn is not installed.
    """
    for tasks in GROUPS.values():
        if name in tasks:
            return tasks[name]()
    raise UnknownNameError("task", name, names())
