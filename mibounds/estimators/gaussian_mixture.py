"""A Gaussian mixture of x and y together, whose marginals are mixtures too: the density ratio in closed form."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mibounds.errors import DataError
from mibounds.estimators._held_out import HeldOut, History, Pairs
from mibounds.seeding import seed_of

Array: TypeAlias = NDArray[np.float64]

LEAST_VARIANCE = 1e-5  # of a component, of columns with variance 1
ROWS_A_COMPONENT = 16


@dataclass(frozen=True, kw_only=True)
class GaussianMixture(HeldOut):
    """I = E[ ln p(x, y) - ln p(x) - ln p(y) ], p(x, y) = sum_k w_k N(m_k, S_k), with p(x) and p(y) its own marginals.

    Columns become normal scores by the training fold; mixtures of 1, 2, 4, ... components are fitted to that fold by
    expectation-maximisation, as long as the selection fold becomes likelier; the likeliest is read on the report fold.

    Exact where x and y are jointly Gaussian up to monotone maps of single columns, and quick. No bound: where the
    mixture is wrong, the value lies on either side. Components have whole covariances, of (d + 1) d / 2 numbers in
    d = dim_x + dim_y columns: in many columns few of them can be fitted, and what is not Gaussian there is missed.

    Args:
        most_components: of a mixture.

    Raises: ParameterError, DataError if scikit-learn is not installed or a fold would hold fewer than 32 pairs.

    References: Piras et al. 2023, Machine Learning: Science and Technology 4, 025006.

    Example:
        >>> from mibounds.data import Samples
        >>> from mibounds.distributions.gaussian import Gaussian
        >>> x, y = (side.numpy() for side in Gaussian.from_correlation(1, 0.8).sample(2000, seed=0))
        >>> GaussianMixture().estimate(Samples(x, y), seed=0, confidence=0.95).history["components"]
        (1, 2, 4)
    """

    most_components: int = 32

    name = "gaussian_mixture"
    validity = "as good as the mixture"
    references = ("Piras et al. 2023",)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_counts(most_components=1)

    def fitted(self, pairs: Pairs, seed: int) -> tuple[_Mixture, History]:
        train, select = (torch.cat(fold, dim=1).double().numpy() for fold in (pairs.train, pairs.select))
        most = max(1, min(self.most_components, len(train) // ROWS_A_COMPONENT))
        mixtures: list[_Mixture] = []
        counts: list[int] = []
        likely: list[float] = []
        while 2 ** len(counts) <= most and not _falling(likely):
            counts.append(2 ** len(counts))
            mixtures.append(_Mixture.fitted(train, counts[-1], pairs.x.shape[1], seed))
            likely.append(float(mixtures[-1].log_density(select).mean()))
        history: History = {"components": tuple(counts), "select_log_density_nats": tuple(likely)}
        return mixtures[int(np.argmax(likely))], history

    def of_fit(self, history: History) -> Iterator[str]:
        likely = history["select_log_density_nats"]
        if len(likely) > 1 and likely[-1] == max(likely):
            yield (
                f"of all mixtures that were tried, the largest, of {history['components'][-1]}, fitted best: more "
                "components (most_components) or more samples would move the estimate"
            )


def _falling(likely: list[float]) -> bool:
    """Whether the last two were less likely than one before."""
    return len(likely) > 2 and max(likely[-2:]) < max(likely[:-2])


@dataclass(frozen=True)
class _Mixture:
    """Of the columns of x and y side by side, of which the first `dim_x` are x's."""

    log_weights: Array
    means: Array
    covariances: Array
    dim_x: int

    @classmethod
    def fitted(cls, both: Array, n_components: int, dim_x: int, seed: int) -> _Mixture:
        try:
            from sklearn import mixture
            from sklearn.exceptions import ConvergenceWarning
        except ImportError as error:
            raise DataError("the mixtures are scikit-learn's: pip install 'mibounds[mixtures]'") from error
        fit = mixture.GaussianMixture(
            n_components, reg_covar=LEAST_VARIANCE, random_state=seed_of("mixture", seed) % 2**32
        )
        with warnings.catch_warnings():  # the selection fold judges what came of it
            warnings.simplefilter("ignore", ConvergenceWarning)
            fit.fit(both)
        return cls(np.log(fit.weights_), fit.means_, fit.covariances_, dim_x)

    def log_density(self, values: Array, columns: slice = slice(None)) -> Array:
        """ln of the density of some of the columns: `n x dim` -> `n`."""
        from scipy.special import logsumexp
        from scipy.stats import multivariate_normal

        parts = zip(self.means[:, columns], self.covariances[:, columns, columns], strict=True)
        normal = [np.atleast_1d(multivariate_normal.logpdf(values[:, columns], *part)) for part in parts]
        return np.asarray(logsumexp(np.stack(normal, axis=1) + self.log_weights, axis=1))

    def log_density_ratio(self, x: Tensor, y: Tensor, source: torch.Generator) -> Tensor:
        both = torch.cat([x, y], dim=1).double().numpy()
        sides = (slice(None, self.dim_x), slice(self.dim_x, None))
        apart = sum(self.log_density(both, side) for side in sides)
        return torch.from_numpy(self.log_density(both) - apart)
