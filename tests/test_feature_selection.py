"""scikit-learn's conventions: its own checks, pipelines, clones and searches."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import mibounds
from mibounds import MutualInformationEstimator, MutualInformationSelector
from mibounds.errors import ParameterError

CANCER = load_breast_cancer(as_frame=True)


@parametrize_with_checks([MutualInformationSelector(k=1)])
def test_scikit_learns_own_checks(estimator, check):
    state = np.random.get_state()  # noqa: NPY002  one of the checks draws from it
    try:
        check(estimator)
    finally:
        np.random.set_state(state)  # noqa: NPY002


def noise_and_signal(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    y = random.integers(2, size=n)
    X = random.normal(size=(n, 6))
    X[:, 2] += y
    X[:, 5] += 2 * y
    return X, y


def test_the_features_that_share_most_are_kept():
    X, y = noise_and_signal()
    assert MutualInformationSelector(k=2).fit(X, y).get_support(indices=True).tolist() == [2, 5]
    significant = MutualInformationSelector(k="significant").fit(X, y)
    assert significant.get_support(indices=True).tolist() == [2, 5]
    assert MutualInformationSelector(k=9).fit_transform(X, y).shape == X.shape


def test_scores_are_what_estimate_says():
    X, y = noise_and_signal()
    found = MutualInformationSelector(k=1).fit(X, y)
    alone = mibounds.estimate(X[:, 5], y, method="ross")
    assert found.scores_[5] == alone.nats and found.estimates_[5] == alone
    by_gaussian = MutualInformationSelector(k=1, method="gaussian").fit(X, y)
    assert by_gaussian.scores_[5] == mibounds.estimate(X[:, 5], y, method="gaussian").nats


def test_a_constant_feature_scores_nothing():
    X, y = noise_and_signal()
    X[:, 0] = 3.0
    found = MutualInformationSelector(k="significant").fit(X, y)
    assert found.scores_[0] == 0 and found.p_values_[0] == 1 and not found.get_support()[0]


def test_in_a_pipeline_and_a_search():
    X, y = CANCER.data.iloc[:200], CANCER.target[:200]
    pipeline = make_pipeline(MutualInformationSelector(), StandardScaler(), LogisticRegression())
    search = GridSearchCV(pipeline, {"mutualinformationselector__k": [1, 4]}, cv=2).fit(X, y)
    assert search.best_score_ > 0.85
    kept = search.best_estimator_[0].get_feature_names_out()
    assert set(kept) <= set(X.columns)


def test_labels_may_be_text():
    X, y = noise_and_signal()
    words = np.array(["no", "yes"])[y]
    assert np.array_equal(
        MutualInformationSelector(k=1).fit(X, words).scores_, MutualInformationSelector(k=1).fit(X, y).scores_
    )


def test_a_label_that_is_missing_is_no_label():
    X, y = noise_and_signal()
    words = ["no" if flag else float("nan") for flag in y]
    with pytest.raises(ValueError, match="NaN"):
        MutualInformationSelector(k=1).fit(X, words)


def test_the_estimator_keeps_its_parameters_and_its_estimate():
    X, y = noise_and_signal()
    estimator = MutualInformationEstimator("ksg", seed=3, options={"neighbours": 5})
    assert clone(estimator).get_params() == estimator.get_params()
    assert set(estimator.get_params()) == {"method", "seed", "confidence", "options"}
    found = estimator.fit(X[:, 5], X[:, 2]).estimate_
    assert found == mibounds.estimate(X[:, 5], X[:, 2], method="ksg", seed=3, neighbours=5)
    assert estimator.set_params(method="gaussian", options=None).estimate(X, y).method == "gaussian"
    assert estimator.estimate_ is found, "estimate keeps nothing"
    frame = pd.DataFrame(X)
    assert estimator.fit(frame[[5]], frame[2]).estimate_.method == "gaussian"


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"k": 0}, "k must be"),
        ({"k": "most"}, "k must be"),
        ({"options": {"neighbours": 2}}, "expected method"),
        ({"alpha": "x"}, "alpha must lie between 0 and 1; got 'x'"),
        ({"alpha": 2}, "alpha must lie"),
        ({"alpha": float("nan")}, "alpha must lie"),
    ],
)
def test_mistakes_are_named(parameters, said):
    with pytest.raises(ParameterError, match=said):
        MutualInformationSelector(**parameters).fit(*noise_and_signal(60))


@pytest.mark.parametrize(
    "options", [{"seed": 1}, {"x": 1}, [1], {1: 2}, {"method": "ksg"}, {"given": [1, 2]}]
)
@pytest.mark.parametrize("kind", [MutualInformationSelector, MutualInformationEstimator])
def test_options_are_the_methods_alone(kind, options):
    X, y = noise_and_signal(60)
    with pytest.raises(ParameterError, match="options must be the method's parameters"):
        kind(method="gaussian", options=options).fit(X, y)


def test_without_scikit_learn_the_extra_is_named_and_the_rest_works():
    script = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import mibounds\n"
        "try: mibounds.MutualInformationSelector\n"
        "except mibounds.MiboundsError as error: print(error)\n"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert "pip install 'mibounds[examples]'" in answer.stdout, answer.stderr
