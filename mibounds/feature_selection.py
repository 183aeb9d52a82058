"""Mutual information by scikit-learn's conventions: an estimator that is fitted, and a selector of features.

Needs scikit-learn, which no other part of the package does: pip install 'mibounds[examples]'.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mibounds.data.arrays import unblended
from mibounds.errors import DataError, ParameterError
from mibounds.estimators import Estimate, estimate
from mibounds.pairwise import kind_of, method_for, options_of, p_value
from mibounds.statistics import holm

try:
    from sklearn.base import BaseEstimator
    from sklearn.feature_selection import SelectorMixin
    from sklearn.utils.multiclass import type_of_target
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise DataError("this takes scikit-learn 1.6 or later: pip install 'mibounds[examples]'") from error


class MutualInformationEstimator(BaseEstimator):
    """The mutual information of X and y, by `mibounds.estimate`, as an object with parameters.

    Args:
        method: as of `estimate`.
        seed: of everything random.
        confidence: of the interval.
        options: of the method, such as {"neighbours": 5}.

    Attributes:
        estimate_: the `Estimate` of what was fitted.

    Example:
        >>> from mibounds.distributions.gaussian import Gaussian
        >>> x, y = (side.numpy() for side in Gaussian.from_correlation(1, 0.8).sample(1000, seed=0))
        >>> print(MutualInformationEstimator("gaussian").fit(x, y).estimate_)
        0.492 nats (95% interval 0.445 to 0.538) by gaussian, no bound: the truth may lie on either side
    """

    def __init__(
        self,
        method: str = "auto",
        *,
        seed: int = 0,
        confidence: float = 0.95,
        options: Mapping[str, Any] | None = None,
    ):
        self.method = method
        self.seed = seed
        self.confidence = confidence
        self.options = options

    def fit(self, X: Any, y: Any) -> MutualInformationEstimator:
        """Estimates the information of `X` and `y`, `n` or `n x dim` each. Raises: as `estimate`."""
        self.estimate_: Estimate = self.estimate(X, y)
        return self

    def estimate(self, X: Any, y: Any) -> Estimate:
        """The `Estimate`, without keeping it."""
        options = options_of(self.method, self.options)
        return estimate(X, y, method=self.method, seed=self.seed, confidence=self.confidence, **options)


class MutualInformationSelector(SelectorMixin, BaseEstimator):
    """Keeps the features that share most information with y, each taken alone.

    Features are judged one by one: two that say the same are both kept, and two that say something only together are
    not found.

    Args:
        k: how many to keep; or "significant" for those whose p-value of no information, adjusted for all features by
            Holm's procedure, is below `alpha`. At least one is kept.
        method: of `estimate`; by default what suits the kinds of the feature and of y, see `mibounds.pairwise.kind_of`:
            `ross` for a label beside numbers, for instance.
        alpha: the level for "significant".
        seed: of everything random.
        options: of the method, which must then be given.

    Attributes:
        scores_: nats of each feature, `n_features`; 0 for one that is constant.
        p_values_: one-sided, of no information, by the estimate over its standard error.
        estimates_: the `Estimate` of each feature, None for one that is constant.

    Example:
        >>> random = np.random.default_rng(0)
        >>> y = random.integers(2, size=300)
        >>> X = np.stack([random.normal(size=300), y + random.normal(size=300)], axis=1)
        >>> MutualInformationSelector(k=1).fit(X, y).get_support().tolist()
        [False, True]
    """

    def __init__(
        self,
        k: int | str = 10,
        *,
        method: str | None = None,
        alpha: float = 0.05,
        seed: int = 0,
        options: Mapping[str, Any] | None = None,
    ):
        self.k = k
        self.method = method
        self.alpha = alpha
        self.seed = seed
        self.options = options

    def fit(self, X: Any, y: Any) -> MutualInformationSelector:
        """Estimates each column of `X`, `n x n_features` numbers, against `y`, `n` numbers or labels.

        Raises: ParameterError for k, alpha or options; ValueError by scikit-learn's checks; as `estimate`.
        """
        if self.k != "significant" and (not isinstance(self.k, Integral) or self.k < 1):
            raise ParameterError(f"k must be an integer, at least 1, or 'significant'; got {self.k!r}")
        if not isinstance(self.alpha, Real) or not 0 < self.alpha < 1:
            raise ParameterError(f"alpha must lie between 0 and 1; got {self.alpha!r}")
        options = options_of(self.method, self.options)
        X, y = self._checked(X, y)
        found = [self._estimate(column, y, options) for column in X.T]
        self.estimates_ = found
        self.scores_: NDArray[np.float64] = np.array([one.nats if one else 0.0 for one in found])
        self.p_values_: NDArray[np.float64] = np.array([p_value(one) if one else 1.0 for one in found])
        return self

    def _checked(self, X: Any, y: Any) -> tuple[NDArray[np.float64], NDArray[Any]]:
        y = y if y is None or hasattr(y, "dtype") else unblended(y)
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        type_of_target(y, raise_unknown=True)
        return X, y

    def _estimate(
        self, feature: NDArray[np.float64], y: NDArray[Any], options: dict[str, Any]
    ) -> Estimate | None:
        import pandas as pd

        if np.ptp(feature) == 0 or len(np.unique(y)) == 1:
            return None
        x_column, y_column = pd.Series(feature), pd.Series(y)
        method = self.method or method_for(kind_of(x_column), kind_of(y_column))
        return estimate(x_column, y_column, method=method, seed=self.seed, **options)

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self)
        best = np.argsort(-self.scores_, kind="stable")
        if self.k == "significant":
            mask = holm(self.p_values_) < self.alpha
        else:
            mask = np.isin(np.arange(len(best)), best[: int(self.k)])
        mask[best[0]] = True
        return mask

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
