"""Denoisers: the noise in a noisy y, guessed from it alone and from x too. How far the guesses differ is information.

With z = alpha y + sigma e, e standard normal, alpha^2 + sigma^2 = 1 and l = ln(alpha^2 / sigma^2),

    I(X; Y) = 1/2 int E | E[e | z] - E[e | z, x] |^2 dl
            = 1/2 int ( E | e - E[e | z] |^2 - E | e - E[e | z, x] |^2 ) dl

over all l, the log signal-to-noise ratio. What is said of scores is this, the score of z being -E[e | z] / sigma; and
so is what is said of errors in y, which are sigma / alpha times those in e.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from mibounds.estimators._mixture_density import least_squares
from mibounds.estimators._training import Model, Trained
from mibounds.seeding import generator, seed_of
from mibounds.stacked import StackedLinear

BANDS = torch.linspace(-8.0, 8.0, 9)


@dataclass(frozen=True, kw_only=True)
class Diffusing(Trained):
    """Base of estimators by denoisers.

    Args:
        n_levels: levels of noise at which each pair of the report fold is read.
        hidden: widths of the denoisers' hidden layers.
    """

    n_levels: int = 128
    hidden: tuple[int, ...] = (128, 128)
    batch_size: int = 512
    max_steps: int = 4000
    check_every: int = 100

    averaging: ClassVar[float] = 0.995

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_counts(n_levels=1)
        self.require_widths("hidden")


class Levels(Protocol):
    """How log signal-to-noise ratios are spread."""

    def __call__(self, share: Tensor) -> tuple[Tensor, Tensor]:
        """The quantiles at `share`, and one over the density there: `n` -> `n`, `n`."""


class DenoisingModel(Model):
    """Denoisers that read a pair (x, y) at some levels of noise.

    Args:
        denoisers: say how far a guess is from the noise, and what knowing more adds to it.
        levels: where they train and read.
        n_levels: how many of them a pair is read at.
        squared: whether the squared difference of the guesses is integrated, or the difference of their squared errors.
    """

    def __init__(self, denoisers: Denoisers | JointDenoisers, levels: Levels, n_levels: int, squared: bool):
        super().__init__()
        self.denoisers = denoisers
        self.levels, self.n_levels, self.squared = levels, n_levels, squared

    def losses(self, x: Tensor, y: Tensor, source: torch.Generator) -> dict[str, Tensor]:
        log_snr, _ = self.levels(_stratified(len(x), source))
        error, gain = self.denoisers(x, y, log_snr, source)
        better = error.detach() - gain
        return {"denoisers": error.square().sum(-1) + better.square().sum(-1)}

    def log_density_ratio(self, x: Tensor, y: Tensor, source: torch.Generator) -> Tensor:
        total = torch.zeros(len(x), device=x.device)
        for _ in range(self.n_levels):
            log_snr, weight = self.levels(_stratified(len(x), source))
            error, gain = self.denoisers(x, y, log_snr, source)
            gap = gain.square() if self.squared else error.square() - (error - gain).square()
            total += weight * gap.sum(-1) / 2
        return total / self.n_levels


class Denoisers(nn.Module):
    """The guess of the noise in y without x, and what x adds to it.

    What is added begins as the difference of two regressions' guesses, so that where x tells nothing little is added.

    Args:
        x, y: the training fold.
        hidden: widths of the networks' hidden layers.
        seed: of their weights.
    """

    def __init__(self, x: Tensor, y: Tensor, hidden: Sequence[int], seed: int):
        super().__init__()
        self.alone = _Alone(y.shape[1], hidden, seed_of("alone", seed))
        self.given = _Given(x, y, hidden, seed_of("given", seed))

    def forward(
        self, x: Tensor, y: Tensor, log_snr: Tensor, source: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """The error of the guess without x, and what x adds to the guess: `n x dim_y` each."""
        noise, z = _noised(y, log_snr, source)
        _, sigma = shares(log_snr)
        return noise - self.alone(z, log_snr), self.given(z, x, log_snr) - sigma * z


class JointDenoisers(nn.Module):
    """The guess of the noise in x and in y from both noisy sides, and what each side adds to the other's without noise.

    Args: as of `Denoisers`.
    """

    def __init__(self, x: Tensor, y: Tensor, hidden: Sequence[int], seed: int):
        super().__init__()
        self.alone = _Alone(x.shape[1] + y.shape[1], hidden, seed_of("alone", seed))
        of_x = _Given(y, x, hidden, seed_of("x given y", seed))
        of_y = _Given(x, y, hidden, seed_of("y given x", seed))
        self.given = nn.ModuleList([of_x, of_y])

    def forward(
        self, x: Tensor, y: Tensor, log_snr: Tensor, source: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """The error of the guess from both noisy sides, and what is added: `n x (dim_x + dim_y)` each."""
        noise, z = _noised(torch.cat([x, y], dim=1), log_snr, source)
        alone = self.alone(z, log_snr)
        z_x, z_y = z.split([x.shape[1], y.shape[1]], dim=1)
        of_x, of_y = self.given
        given = torch.cat([of_x(z_x, y, log_snr), of_y(z_y, x, log_snr)], dim=1)
        return noise - alone, given - alone.detach()


class _Alone(nn.Module):
    """The guess of the noise in z: sigma z, right for independent normal columns, and what a network adds."""

    def __init__(self, dim: int, hidden: Sequence[int], seed: int):
        super().__init__()
        self.network = _Network(dim + len(BANDS), hidden, dim, generator(seed))

    def forward(self, z: Tensor, log_snr: Tensor) -> Tensor:
        alpha, sigma = shares(log_snr)
        return sigma * z + alpha * self.network(torch.cat([z, _bands(log_snr)], dim=1))


class _Given(nn.Module):
    """The guess of the noise in z of one side, given the other: that of a Gaussian regression, and what a network adds.

    Of both sides' training folds; the guess of a regression is what is left of z, over the square of its spread.
    """

    slope: Tensor
    left: Tensor

    def __init__(self, other: Tensor, side: Tensor, hidden: Sequence[int], seed: int):
        super().__init__()
        self.register_buffer("slope", least_squares(other, side))
        self.register_buffer("left", (side - other @ self.slope).square().mean(0))
        dim_in = 2 * side.shape[1] + other.shape[1] + len(BANDS)
        self.network = _Network(dim_in, hidden, side.shape[1], generator(seed))

    def forward(self, z: Tensor, other: Tensor, log_snr: Tensor) -> Tensor:
        alpha, sigma = shares(log_snr)
        spread = (sigma**2 + alpha**2 * self.left).sqrt()
        residual = (z - alpha * (other @ self.slope)) / spread
        added = self.network(torch.cat([residual, z, other, _bands(log_snr)], dim=1))
        return sigma / spread * (residual + alpha * added)


class _Network(nn.Module):
    """A perceptron with SiLU between its layers and zeros in its last."""

    def __init__(self, dim_in: int, hidden: Sequence[int], dim_out: int, source: torch.Generator):
        super().__init__()
        widths = [dim_in, *hidden, dim_out]
        ends = itertools.pairwise(widths)
        self.layers = nn.ModuleList(StackedLinear(before, after, [source]) for before, after in ends)
        with torch.no_grad():
            for p in self.layers[-1].parameters():
                p.zero_()

    def forward(self, inputs: Tensor) -> Tensor:
        *inner, last = self.layers
        values = inputs[None]
        for layer in inner:
            values = silu(layer(values))
        return last(values)[0]


def shares(log_snr: Tensor) -> tuple[Tensor, Tensor]:
    """alpha and sigma at log signal-to-noise ratios: `n` -> `n x 1` each."""
    return log_snr.sigmoid().sqrt().unsqueeze(-1), (-log_snr).sigmoid().sqrt().unsqueeze(-1)


def _noised(values: Tensor, log_snr: Tensor, source: torch.Generator) -> tuple[Tensor, Tensor]:
    """Noise, and the values with it: `n x dim` each."""
    noise = torch.randn(values.shape, generator=source, device=values.device)
    alpha, sigma = shares(log_snr)
    return noise, alpha * values + sigma * noise


def _bands(log_snr: Tensor) -> Tensor:
    """Soft steps, by which a network sees the level: `n` -> `n x bands`."""
    return torch.tanh((log_snr.unsqueeze(-1) - BANDS.to(log_snr)) / 2)


def _stratified(n: int, source: torch.Generator) -> Tensor:
    """A number from each n-th of 0 .. 1, in random order."""
    order = torch.randperm(n, generator=source, device=source.device)
    return (order + torch.rand(n, generator=source, device=source.device)) / n
