"""Tasks of our own: what breaks estimators that do well on the published ones. Name -> how to make the law."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from mibounds.suite import published
from mibounds.suite._build import family, map_named, seen

if TYPE_CHECKING:
    from mibounds.distributions import Distribution

AMBIENT = 1000


def crossed() -> Distribution:
    """Two correlations of opposite sign: dependent, and uncorrelated."""
    return family("mixture").crossed(0.9)


def clusters() -> Distribution:
    """Three clusters of 2 + 2 columns: most of what x and y share is the cluster."""
    gaussian = family("gaussian")
    within = [gaussian.sparse(2, 2, 2, correlation).covariance for correlation in (0.0, 0.6, -0.6)]
    means = [[0, 0, 3, 0], [3, 0, 0, 3], [0, 3, 0, 0]]
    return family("mixture")([0.5, 0.3, 0.2], means, within, 2)


def rare_event(probability: float) -> Distribution:
    """Twice 50 columns that share 300 nats in an event."""
    return family("rare_event")(probability, family("gaussian").from_mutual_information(50, 300.0))


def lifted(base: str) -> Distribution:
    """A published task, each side in a thousand columns."""
    law = published.TASKS[base]()
    sides = (map_named("lift", dim, AMBIENT, seed=seed) for seed, dim in enumerate((law.dim_x, law.dim_y)))
    return seen(law, *sides)


def many_symbols(n_symbols: int) -> Distribution:
    return family("many_symbols")(n_symbols, 4, 0.05)


def rendered() -> Distribution:
    return family("rendered")(0.1)


def noisy_labels() -> Distribution:
    return family("noisy_labels").symmetric(0.2)


_LIFTED = ("multinormal-dense-3-3-0.5", "multinormal-sparse-5-5-2-2.0")
TASKS: dict[str, Callable[[], Distribution]] = {
    "mixture-crossed-0.9": crossed,
    "mixture-clusters-2-2": clusters,
    **{f"lift-{AMBIENT}-{base}": partial(lifted, base) for base in _LIFTED},
    **{
        f"rare_event-{probability}": partial(rare_event, probability) for probability in (0.01, 0.001, 0.0001)
    },
    "rendered-0.1": rendered,
    "noisy_labels-0.2": noisy_labels,
    **{f"many_symbols-{n}-4-0.05": partial(many_symbols, n) for n in (9, 26, 44)},
}
