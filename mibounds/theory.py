"""Closed forms and exact expectations to hold estimates against. One function is one equation; no torch.

Everything is in nats. `batch_size` is K, the candidates of an anchor, positive included.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mibounds.errors import ParameterError

Array = NDArray[np.float64]


def gaussian_mutual_information(dim: int, correlation: float) -> float:
    """I = -(dim/2) ln(1 - rho^2): two Gaussian vectors, correlated by rho dimension by dimension.

    References: Cover and Thomas 2006, example 8.5.1.

    Example:
        >>> round(gaussian_mutual_information(20, 0.5), 4)
        2.8768
    """
    _require_gaussian(dim, correlation)
    return -dim / 2 * math.log1p(-(correlation**2))


def gaussian_correlation(dim: int, nats: float) -> float:
    """rho = sqrt(1 - exp(-2 I / dim)), the inverse of `gaussian_mutual_information`.

    Raises: ParameterError if I < 0, or if I / dim is so large that rho cannot be told from 1.
    """
    if dim < 1 or not 0 <= nats / dim < 18:
        raise ParameterError(
            f"expected dim >= 1 and 0 to 18 nats a dimension (beyond, the correlation rounds to 1); "
            f"got {nats} nats in {dim} dimensions"
        )
    return math.sqrt(-math.expm1(-2 * nats / dim))


def info_nce_ceiling(batch_size: int) -> float:
    """ln K, which InfoNCE cannot exceed on any batch of K candidates. van den Oord et al. 2018, eq. 5."""
    _require_batch(batch_size)
    return math.log(batch_size)


def temperature_ceiling(dim: int, temperature: float) -> float:
    """1/tau - ln E e^(s/tau), s the cosine of independent directions in R^dim: no cosine critic shows more.

    Scores cos/tau reach 1/tau on the positives, and on the negatives their log-partition is least when the
    embeddings are uniform on the sphere. No number of negatives lifts this ceiling, a lower temperature does.

    References: Wang and Isola 2020, theorem 1 (alignment and uniformity minimise the limit of the loss).

    Example:
        >>> [round(temperature_ceiling(128, tau), 2) for tau in (0.5, 0.2, 0.1)]
        [1.98, 4.9, 9.61]
    """
    if not temperature > 0:
        raise ParameterError(f"temperature must be greater than 0; got {temperature}")
    return 1 / temperature - vmf_log_partition(dim, 1 / temperature)


def vmf_log_partition(dim: int, kappa: float) -> float:
    """ln E e^(kappa s), s the cosine of independent directions in R^dim.

    = ln Gamma(d/2) + (d/2 - 1) ln(2 / kappa) + ln I_(d/2-1)(kappa), I the modified Bessel function.

    References: Mardia and Jupp 2000, section 9.3.
    """
    from scipy.special import gammaln

    _require_vmf(dim, kappa)
    if kappa == 0:
        return 0.0
    order = dim / 2 - 1
    return float(gammaln(dim / 2) + order * math.log(2 / kappa) + _log_scaled_bessel(order, kappa) + kappa)


def vmf_mean_resultant(dim: int, kappa: float) -> float:
    """A_d(kappa) = I_(d/2)(kappa) / I_(d/2-1)(kappa), the mean cosine of z' to z when z' ~ vMF(z, kappa).

    References: Mardia and Jupp 2000, section 9.3.

    Example:
        >>> round(vmf_mean_resultant(3, 2.0), 6), round(1 / math.tanh(2.0) - 1 / 2.0, 6)
        (0.537315, 0.537315)
    """
    _require_vmf(dim, kappa)
    if kappa == 0:
        return 0.0
    return float(np.exp(_log_scaled_bessel(dim / 2, kappa) - _log_scaled_bessel(dim / 2 - 1, kappa)))


def vmf_mutual_information(dim: int, kappa: float) -> float:
    """I = kappa A_d(kappa) - ln E e^(kappa s): z uniform on the sphere of R^dim, z' ~ vMF(z, kappa).

    It is the mean of the log density ratio kappa z.z' - ln E e^(kappa s).

    Example:
        >>> [round(vmf_mutual_information(10, kappa), 2) for kappa in (10, 20, 50)]
        [2.48, 4.76, 8.39]
    """
    return kappa * vmf_mean_resultant(dim, kappa) - vmf_log_partition(dim, kappa)


def vmf_concentration(dim: int, nats: float) -> float:
    """kappa at which `vmf_mutual_information` is `nats`, to a relative 1e-12."""
    from scipy.optimize import brentq

    _require_vmf(dim, 0.0)
    if not 0 <= nats < math.inf:
        raise ParameterError(f"expected a finite mutual information >= 0 nats; got {nats}")
    if nats == 0:
        return 0.0
    low, high = 1e-12, 1.0
    while vmf_mutual_information(dim, high) < nats:
        low, high = high, 2 * high
    return float(brentq(lambda kappa: vmf_mutual_information(dim, kappa) - nats, low, high, rtol=1e-12))


def nwj_oracle_variance(dim: int, correlation: float, batch_size: int) -> float:
    """Variance over batches of NWJ with the optimal critic f = 1 + ln r on the rho-correlated Gaussian.

        d rho^2 / K + [ ((1 - rho^2)^-d - 1) + ((1 - rho^4)^-d - 1) ] / (K (K - 1))

    for means over the K positives and over the K (K - 1) negatives of one batch. The terms are Var_p[ln r],
    E_q[r^2] - 1 and the covariance of r(x_i, y_j) and r(x_j, y_i); others vanish, as E[r | x] = E[r | y] = 1.
    Simulation confirms it only where rho < 1/3: beyond, the sample variance has infinite variance itself.
    It is inf where it overflows.

    Example:
        >>> round(nwj_oracle_variance(20, gaussian_correlation(20, 1.0), 64), 3)
        0.031
    """
    _require_gaussian(dim, correlation)
    _require_batch(batch_size)
    squared = correlation**2
    with np.errstate(over="ignore"):
        negatives = np.expm1(-dim * np.log1p(-squared)) + np.expm1(-dim * np.log1p(-(squared**2)))
    return float(dim * squared / batch_size + negatives / (batch_size * (batch_size - 1)))


def info_nce_oracle_gaussian(dim: int, correlation: float, batch_size: int) -> float:
    """E[InfoNCE] with the true density ratio on the rho-correlated Gaussian, by numerical integration.

    Completing the square, ln r(x, y) = I + |x|^2/2 - a |y - x/rho|^2 with a = rho^2 / (2 (1 - rho^2)). For
    independent y the distance |y - x/rho| follows a noncentral chi law, in which x enters by its norm alone:
    what is left is an integral over |x| of `_info_nce_given_x`. Accurate to 1e-4 for 1 to 1,000 dimensions,
    0 to 12 nats and K to 2^14.

    Example:
        >>> round(info_nce_oracle_gaussian(20, gaussian_correlation(20, 6.0), 64), 3)
        3.738
    """
    _require_gaussian(dim, correlation)
    _require_batch(batch_size)
    if correlation == 0:
        return 0.0
    norms, log_weights = _chi_nodes(dim)
    values = [
        _info_nce_given_x(*_log_ratio_given_norm(dim, abs(correlation), norm, batch_size), batch_size)
        for norm in norms
    ]
    return float(np.exp(log_weights) @ values)


def info_nce_oracle_vmf(dim: int, kappa: float, batch_size: int) -> float:
    """E[InfoNCE] with the true density ratio on von Mises-Fisher pairs, by numerical integration.

    ln r depends on the cosine alone; that of independent directions has density (1 - s^2)^((d-3)/2) times a
    constant. Accurate to 1e-6.

    Example:
        >>> [round(info_nce_oracle_vmf(10, 20.0, batch_size), 2) for batch_size in (16, 256, 4096)]
        [2.6, 4.29, 4.72]
    """
    from scipy.special import gammaln

    _require_vmf(dim, kappa)
    _require_batch(batch_size)
    # in w, s = tanh(w), both laws have exponential tails however small dim is
    reach = 1 + 30 / (dim - 1)
    w: Array = np.linspace(-reach, reach + math.log1p(kappa) / 2, 2000)
    step = float(w[1] - w[0])
    log_constant = float(gammaln(dim / 2) - gammaln((dim - 1) / 2)) - math.log(math.pi) / 2
    log_density = log_constant - (dim - 1) * (np.logaddexp(w, -w) - math.log(2))
    log_ratio = kappa * np.tanh(w) - vmf_log_partition(dim, kappa)
    return _info_nce_given_x(log_ratio, log_density + math.log(step), batch_size)


def _info_nce_given_x(log_ratio: Array, log_weights: Array, batch_size: int) -> float:
    """E[ ln r_1 - ln (1/K) sum_k r_k ] given x: r_1 of the positive, r_2 .. r_K of independent negatives.

    The negatives' ln r is given by nodes and log-weights; the positive's has r times those weights. Then

        ln A = int_0^inf (e^-t - e^-tA) / t dt,     E e^(-t A) = phi_1(t) phi_0(t)^(K-1),

    phi the Laplace transforms of r. In u = ln t the integrand is analytic for |Im u| < pi/2, so that the
    trapezoid rule with step h errs by e^(-pi^2 / h). Summing 1 - phi_0 avoids cancellation at small t.
    """
    weights, paired = np.exp(log_weights), np.exp(log_weights + log_ratio)
    likely = log_ratio[paired > 1e-14]
    step = 0.5
    u = np.arange(-max(likely.max(), math.log(batch_size)) - 16, 5 - min(likely.min(), 0.0), step)
    exponents = np.exp(np.minimum(u[:, None] + log_ratio, 10.0))
    missing = np.minimum(-np.expm1(-exponents) @ weights, 1 - 1e-15)
    transform = (np.exp(-exponents) @ paired) * np.exp((batch_size - 1) * np.log1p(-missing))
    log_sum = step * np.sum(np.exp(-np.exp(u)) - transform)
    return float(paired @ log_ratio - log_sum + math.log(batch_size))


def _chi_nodes(dim: int, n_nodes: int = 64) -> tuple[Array, Array]:
    """Nodes and log-weights for the norm of a standard normal vector: trapezoid rule in its logarithm."""
    from scipy.special import gammaln

    least = math.exp((math.log(1e-6) + gammaln(dim / 2 + 1)) / dim) * math.sqrt(2)
    log_norm, step = np.linspace(
        math.log(max(math.sqrt(dim) - 6.5, least)), math.log(math.sqrt(dim) + 6.5), n_nodes, retstep=True
    )
    log_density = dim * log_norm - np.exp(2 * log_norm) / 2 - (dim / 2 - 1) * math.log(2) - gammaln(dim / 2)
    return np.exp(log_norm), log_density + math.log(step)


def _log_ratio_given_norm(
    dim: int, correlation: float, norm: float, batch_size: int, n_nodes: int = 300
) -> tuple[Array, Array]:
    """Nodes of ln r(x, y) and log-weights under independent y, for the correlated Gaussian at |x| = norm.

    Nodes are even in w, a |y - x/rho|^2 = ln(1 + e^w): logarithmic where the ratio is near its maximum, since
    the positive lives there at high MI, and linear below.
    """
    from scipy.special import gammaln

    squared, rest = correlation**2, 1 - correlation**2
    offset, rate = norm / correlation, squared / (2 * rest)
    positive, negative = math.sqrt(dim + offset**2 * rest), math.sqrt(dim + offset**2)
    least = squared * math.exp((math.log(1e-12) + gammaln(dim / 2 + 1)) * 2 / dim)
    low = max(squared / 2 * max(positive - 8, 0.0) ** 2, least)
    # terms e^-45 / K below the positive's smallest add nothing to the sum
    high = min(rate * (negative + 8) ** 2, squared / 2 * (positive + 8) ** 2 + 45 + math.log(batch_size))
    w, step = np.linspace(_inverse_softplus(low), _inverse_softplus(high), n_nodes, retstep=True)
    drop = np.logaddexp(0, w)
    distance = np.sqrt(drop / rate)
    log_density = (
        _log_scaled_bessel(dim / 2 - 1, offset * distance)
        - (distance - offset) ** 2 / 2
        + dim / 2 * np.log(distance)
        - (dim / 2 - 1) * math.log(offset)
    )
    log_jacobian = -np.logaddexp(0, -w) - np.log(2 * rate * distance)
    log_ratio = gaussian_mutual_information(dim, correlation) + norm**2 / 2 - drop
    return log_ratio, log_density + log_jacobian + math.log(step)


def _inverse_softplus(value: float) -> float:
    return value + math.log(-math.expm1(-value))


def _log_scaled_bessel(order: float, argument: float | Array) -> Array:
    """ln( e^-z I_order(z) ) for z > 0, I the modified Bessel function."""
    from scipy.special import ive

    z = np.asarray(argument, dtype=float)
    scaled = ive(order, z)
    usable = scaled > 1e-280  # it underflows where z is far below the order, and is NaN where z > 1e9
    if np.all(usable):
        return np.log(scaled)
    expansion = _bessel_of_large_argument if order < 1 else _bessel_of_large_order
    return np.where(usable, np.log(np.where(usable, scaled, 1.0)), expansion(order, z))


def _bessel_of_large_argument(order: float, z: Array) -> Array:
    """`_log_scaled_bessel` by Hankel's expansion: DLMF, eq. 10.40.1."""
    return np.log1p(-(4 * order**2 - 1) / (8 * z)) - np.log(2 * math.pi * z) / 2


def _bessel_of_large_order(order: float, z: Array) -> Array:
    """`_log_scaled_bessel` by the expansion that is uniform in z: DLMF, eq. 10.41.3 and 10.41.10."""
    x = z / order
    root = np.hypot(1, x)
    p = 1 / root
    series = (
        1
        + p * (3 - 5 * p**2) / (24 * order)
        + p**2 * (81 - 462 * p**2 + 385 * p**4) / (1152 * order**2)
        + p**3 * (30375 - 369603 * p**2 + 765765 * p**4 - 425425 * p**6) / (414720 * order**3)
    )
    eta = root + np.log(x / (1 + root))
    return order * eta - z - np.log(2 * math.pi * order * root) / 2 + np.log(series)


def _require_gaussian(dim: int, correlation: float) -> None:
    if dim < 1 or not -1 < correlation < 1:
        raise ParameterError(f"expected dim >= 1 and -1 < correlation < 1; got {dim} and {correlation}")


def _require_vmf(dim: int, kappa: float) -> None:
    if dim < 2 or not 0 <= kappa < math.inf:
        raise ParameterError(f"expected dim >= 2 and a finite kappa >= 0; got {dim} and {kappa}")


def _require_batch(batch_size: int) -> None:
    if batch_size < 2:
        raise ParameterError(f"batch_size must be at least 2, a positive and a negative; got {batch_size}")
