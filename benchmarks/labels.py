"""Labels beside columns of any kind: `auto` beside what is known of them.

    python -m benchmarks.labels [--budgets fast standard]

Of data of scikit-learn the truth is not known. It is at most the labels' entropy and, in expectation, at least that
less the cross-entropy of any classifier on pairs that did not train it: here logistic regression, five folds, its
penalty chosen by cross-validation. Of laws the truth is a mean over 100,000 pairs. Rows are shuffled. Writes
`results/benchmarks/labels.csv`, a row a case and budget.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import pandas as pd
from scipy.special import entr, logsumexp

from benchmarks import _tables
from mibounds.estimators import estimate
from mibounds.estimators.auto import Budget

PINNED = False  # values, no times: once is enough
TABLE = _tables.path_of("labels")
BUDGETS = list(get_args(Budget))
N_PAIRS, N_FOR_TRUTH = (500, 2000), 100_000


class Case(NamedTuple):
    """Columns, labels, and what is known of their information, in nats."""

    name: str
    x: Any
    labels: np.ndarray
    at_least: float
    at_most: float


def cases() -> Iterator[Case]:
    from sklearn import datasets

    for load in (datasets.load_breast_cancer, datasets.load_iris, datasets.load_wine, datasets.load_digits):
        x, labels = load(return_X_y=True)
        order = np.random.default_rng(0).permutation(len(x))
        x, labels = x[order][:, x.std(axis=0) > 0], labels[order]
        of_labels = float(entr(np.bincount(labels) / len(labels)).sum())
        yield Case(
            load.__name__.removeprefix("load_"), x, labels, of_labels - cross_entropy(x, labels), of_labels
        )
    for n in N_PAIRS:
        for n_classes, dim, distance in (
            (2, 20, 0.3),
            (10, 5, 0.7),
            (10, 20, 0.4),
            (50, 3, 1.5),
            (10, 5, 0.0),
        ):
            x, labels, _ = gaussian_classes(n, n_classes, dim, distance, seed=1)
            truth = gaussian_classes(N_FOR_TRUTH, n_classes, dim, distance, seed=2)[2]
            yield Case(
                f"{n_classes} Gaussian classes, distance {distance}, {dim} columns", x, labels, truth, truth
            )
        frame, labels, _ = interacting(n, seed=1)
        truth = interacting(N_FOR_TRUTH, seed=2)[2]
        yield Case("2 classes, 2 columns of numbers and 2 of labels", frame, labels, truth, truth)


def cross_entropy(x: np.ndarray, labels: np.ndarray) -> float:
    """Of a logistic regression on the others' pairs, in nats."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    penalties = {"logisticregression__C": np.logspace(-3, 2, 6)}
    chosen = GridSearchCV(model, penalties, scoring="neg_log_loss")
    given = cross_val_predict(chosen, x, labels, cv=5, method="predict_proba")
    return float(-np.log(given[np.arange(len(labels)), labels]).mean())


def gaussian_classes(
    n: int, n_classes: int, dim: int, distance: float, seed: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Unit normals around means that are normal too; columns, labels, and the mean of ln r."""
    means = distance * np.random.default_rng(0).normal(size=(n_classes, dim))
    random = np.random.default_rng(seed)
    labels = random.integers(n_classes, size=n)
    x = means[labels] + random.normal(size=(n, dim))
    logits = x @ means.T - (means**2).sum(axis=1) / 2
    log_ratio = logits[np.arange(n), labels] - logsumexp(logits, axis=1) + np.log(n_classes)
    return x, labels, float(log_ratio.mean())


def interacting(n: int, seed: int) -> tuple[pd.DataFrame, np.ndarray, float]:
    """A label whose odds hang on a number and two labels together, and on another number not at all."""
    random = np.random.default_rng(seed)
    age, fare = random.normal(size=(2, n))
    sex, deck = random.integers(2, size=n), random.integers(3, size=n)
    odds = 2.5 * sex - 1.2 + (deck - 1) * (1 - sex) + 0.8 * age * (1 - 2 * sex)
    share = 1 / (1 + np.exp(-odds))
    frame = pd.DataFrame(
        {"age": age, "fare": fare, "sex": np.take(["m", "f"], sex), "deck": np.take([*"abc"], deck)}
    )
    return frame, (random.random(n) < share).astype(int), float(entropy(share.mean()) - entropy(share).mean())


def entropy(share: Any) -> Any:
    return entr(share) + entr(1 - share)


def row(case: Case, budget: str) -> dict[str, Any]:
    found = estimate(case.x, case.labels, budget=budget)
    low, high = found.interval
    return {
        "case": case.name,
        "n": len(case.labels),
        "budget": budget,
        "at_least_nats": round(case.at_least, 3),
        "at_most_nats": round(case.at_most, 3),
        "estimate_nats": round(found.nats, 3),
        "low_nats": round(low, 3),
        "high_nats": round(high, 3),
        "interval_holds": low <= case.at_most and high >= case.at_least,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.labels", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, default=TABLE, help="the table (default: %(default)s)")
    parser.add_argument(
        "--budgets", nargs="+", default=BUDGETS[:2], choices=BUDGETS, help="of auto (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    table = pd.DataFrame(row(case, budget) for case in cases() for budget in options.budgets)
    _tables.write(options.out, table)
    print(table.to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
