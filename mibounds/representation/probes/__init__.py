"""Probes: what a frozen encoder's features say of known factors, read once on the test fold after tuning on validation.

Features are `R x n x d`, one set a run; targets and labels are `R x n ...` or one `n ...` for all runs.
"""

from __future__ import annotations

from mibounds.representation.probes.finetune import FineTuned, fine_tune
from mibounds.representation.probes.folds import Folds
from mibounds.representation.probes.knn import knn_probe
from mibounds.representation.probes.labels import LabelSubset, label_subset
from mibounds.representation.probes.logistic import logistic_probe
from mibounds.representation.probes.nonlinear import nonlinear_probe, nonlinear_regression
from mibounds.representation.probes.ridge import Classification, Regression, Ridge

__all__ = [
    "Classification",
    "FineTuned",
    "Folds",
    "LabelSubset",
    "Regression",
    "Ridge",
    "fine_tune",
    "knn_probe",
    "label_subset",
    "logistic_probe",
    "nonlinear_probe",
    "nonlinear_regression",
]
