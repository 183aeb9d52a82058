from mibounds.estimators.base import Estimator


class Gaussian(Estimator):
    pass
