"""Mutual-information bounds, contrastive encoders, and studies that end in a verdict.

Names are imported when first used, so that `import mibounds` starts at once and needs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mibounds.lazy import exports

if TYPE_CHECKING:
    from mibounds import (
        bounds,
        confidence_limits,
        critics,
        distributions,
        errors,
        estimators,
        representation,
        study,
        suite,
        theory,
        training,
    )
    from mibounds.bounds import Bound
    from mibounds.critics import Critic
    from mibounds.distributions import Distribution
    from mibounds.errors import MiboundsError
    from mibounds.estimators import Estimate, Estimator, estimate, pointwise
    from mibounds.estimators.certified import Certificate, certify
    from mibounds.feature_selection import MutualInformationEstimator, MutualInformationSelector
    from mibounds.study import Claim, Measurement, Pack, Study, Verdict
    from mibounds.training import Trainer

__version__ = "0.1.0"

__all__ = [
    "Bound",
    "Certificate",
    "Claim",
    "Critic",
    "Distribution",
    "Estimate",
    "Estimator",
    "Measurement",
    "MiboundsError",
    "MutualInformationEstimator",
    "MutualInformationSelector",
    "Pack",
    "Study",
    "Trainer",
    "Verdict",
    "bounds",
    "certify",
    "confidence_limits",
    "critics",
    "distributions",
    "errors",
    "estimate",
    "estimators",
    "pointwise",
    "representation",
    "study",
    "suite",
    "theory",
    "training",
]

_HOMES = {
    "Bound": "bounds",
    "Certificate": "estimators.certified",
    "Claim": "study",
    "Critic": "critics",
    "Distribution": "distributions",
    "Estimate": "estimators",
    "Estimator": "estimators",
    "Measurement": "study",
    "MiboundsError": "errors",
    "MutualInformationEstimator": "feature_selection",
    "MutualInformationSelector": "feature_selection",
    "Pack": "study",
    "Study": "study",
    "Trainer": "training",
    "Verdict": "study",
    "certify": "estimators.certified",
    "estimate": "estimators",
    "pointwise": "estimators",
}

__getattr__, __dir__ = exports(__name__, {name: _HOMES.get(name, name) for name in __all__})
