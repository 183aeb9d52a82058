"""Mutual-information bounds, contrastive encoders, and studies that end in a verdict.

Names are imported when first used, so that `import mibounds` starts at once and needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mibounds import (
        bounds,
        critics,
        distributions,
        errors,
        estimators,
        representation,
        study,
        theory,
        training,
    )
    from mibounds.bounds import Bound
    from mibounds.critics import Critic
    from mibounds.distributions import Distribution
    from mibounds.errors import MiboundsError
    from mibounds.estimators import Estimate, Estimator, estimate
    from mibounds.study import Claim, Measurement, Pack, Study, Verdict
    from mibounds.training import Trainer

__version__ = "0.1.0"

__all__ = [
    "Bound",
    "Claim",
    "Critic",
    "Distribution",
    "Estimate",
    "Estimator",
    "Measurement",
    "MiboundsError",
    "Pack",
    "Study",
    "Trainer",
    "Verdict",
    "bounds",
    "critics",
    "distributions",
    "errors",
    "estimate",
    "estimators",
    "representation",
    "study",
    "theory",
    "training",
]

_HOME = {
    "Bound": "bounds",
    "Critic": "critics",
    "Distribution": "distributions",
    "MiboundsError": "errors",
    "Estimate": "estimators",
    "Estimator": "estimators",
    "estimate": "estimators",
    "Claim": "study",
    "Measurement": "study",
    "Pack": "study",
    "Study": "study",
    "Verdict": "study",
    "Trainer": "training",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f"{__name__}.{_HOME.get(name, name)}")
    value = getattr(home, name) if name in _HOME else home
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
