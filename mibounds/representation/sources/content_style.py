"""Content that both views carry, and style that changes between them: what an encoder should keep, and what drop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mibounds import theory
from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import ParameterError, ShapeError, UnknownNameError
from mibounds.representation.sources._labels import DirectionLabels
from mibounds.representation.sources._latents import LatentSource, normal
from mibounds.representation.sources._redrawn import RedrawnGaussian
from mibounds.representation.sources.base import Factor, Pairs
from mibounds.seeding import generator, seed_of

Changes = Literal["whole", "each"]
Given = Literal["view", "other_view", "content"]


class ContentStyle(LatentSource):
    """Views g(c, s) and g(c', s'): content c and c' correlate, style s' is with chance p independent of s.

        c'_k = rho_k c_k + sqrt(1 - rho_k^2) noise,         s = a W c + sqrt(1 - a^2) e,
        e' = rho_style e + sqrt(1 - rho_style^2) noise with chance 1 - p, else drawn anew,
        I = I_content + I_style = -1/2 sum_k ln(1 - rho_k^2) + I(e; e').

    c and e are standard normal in both views, and W has unit rows. (c, s) and (c, e) are one-to-one, so the information
    splits exactly. I_style = I(s; s' | c, c') is closed at p = 0 and 1; between, it is integrated to 1e-9, since a
    mixture has no closed form. A correlation of 1 is a copy: then the MI is `math.inf` and the density ratio None. A
    clean input is a view, its factors are its own content and style, and a view tells both exactly.

    Args:
        content_dim, style_dim: their widths.
        shared_correlation: rho in [0, 1], one or one a content dimension; 0 for a dimension that is not shared.
        style_change: p in [0, 1]; 1 for private style, 0 for style that is shared.
        style_correlation: rho_style in [0, 1], of style that did not change.
        changes: whether style is drawn anew as a "whole" or "each" dimension apart.
        dependence: a in [0, 1), how much of style content explains.
        n_classes: of `label`, from content, and `style_label`, from style: cells of random directions; 0 for none.
        depth: hidden layers of g; 0 shows (c, s) itself.
        seed: of g, W and the classes' directions.

    Attributes:
        content_information, style_information: in nats; inf for copies.

    Raises: ParameterError, ShapeError, UnknownNameError.

    References: von Kuegelgen et al. 2021, arXiv:2106.04619 (content, style, and the chance of a change).

    Example:
        >>> source = ContentStyle(8, 8, shared_correlation=0.9)
        >>> round(source.content_information, 2), source.style_information
        (6.64, 0.0)
    """

    name = "content_style"

    def __init__(
        self,
        content_dim: int = 8,
        style_dim: int = 8,
        *,
        shared_correlation: float | Sequence[float] = 0.9,
        style_change: float = 1.0,
        style_correlation: float = 0.9,
        changes: Changes = "whole",
        dependence: float = 0.0,
        n_classes: int = 10,
        depth: int = 2,
        seed: int = 0,
    ):
        if content_dim < 1 or style_dim < 1:
            raise ParameterError(
                f"content and style take 1 dimension or more; got {content_dim} and {style_dim}"
            )
        if changes not in get_args(Changes):
            raise UnknownNameError("changes", changes, get_args(Changes))
        if not 0 <= dependence < 1:
            raise ParameterError(f"dependence must lie in [0, 1); got {dependence}")
        super().__init__(content_dim + style_dim, depth, seed)
        self.content_dim, self.style_dim = content_dim, style_dim
        self.correlations = _correlations(shared_correlation, content_dim)
        self.style_change, self.changes, self.dependence = float(style_change), changes, float(dependence)
        blocks = 1 if changes == "whole" else style_dim
        self._style = RedrawnGaussian(blocks, style_dim // blocks, style_correlation, style_change)
        self._content = _law_of(self.correlations)
        drawn = normal(style_dim, content_dim, generator(seed_of("dependence", seed)))
        self._weights = normalize(drawn.double(), dim=1)
        self.content_information = (
            sum(theory.gaussian_mutual_information(1, rho) for rho in self.correlations)
            if self._content
            else math.inf
        )
        self.style_information = self._style.mutual_information()
        self.mutual_information = self.content_information + self.style_information
        self._label_content_and_style(n_classes, seed)

    def _label_content_and_style(self, n_classes: int, seed: int) -> None:
        shares_content = any(rho > 0 for rho in self.correlations)
        shares_style = self._style.correlation > 0 or (self.dependence > 0 and shares_content)
        of_content, of_style = seed_of("classes", seed), seed_of("style classes", seed)
        self._labels = DirectionLabels(self.content_dim, n_classes, seed=of_content, shared=shares_content)
        self._style_labels = DirectionLabels(
            self.style_dim, n_classes, seed=of_style, name="style_label", shared=shares_style
        )
        self.label = self._labels.name
        self.factors = {
            "content": Factor(self.content_dim, shared=shares_content),
            "style": Factor(self.style_dim, shared=shares_style),
            **self._labels.factors,
            **self._style_labels.factors,
        }

    @classmethod
    def example(cls) -> ContentStyle:
        return cls(3, 2, shared_correlation=0.7, style_change=0.5, dependence=0.3, n_classes=4)

    def attainable_r2(self, factor: Literal["content", "style"], given: Given) -> float:
        """The largest share of a factor's variance that any function of `given` predicts, mean over its dimensions.

        Args:
            factor: of one view.
            given: that "view" itself (1, for g is invertible), the "other_view", or the view's true "content".

        Raises: UnknownNameError.
        """
        for kind, value, known in (
            ("factor", factor, ("content", "style")),
            ("given", given, get_args(Given)),
        ):
            if value not in known:
                raise UnknownNameError(kind, value, known)
        if given == "view":
            return 1.0
        across = given == "other_view"
        kept = torch.tensor([rho**2 if across else 1.0 for rho in self.correlations], dtype=torch.float64)
        if factor == "content":
            return float(kept.mean())
        # E[e | e'] = (1 - p) rho_style e', since e' alone does not tell whether it was drawn anew
        own = ((1 - self.style_change) * self._style.correlation) ** 2 if across else 0.0
        explained = float((self._weights**2 @ kept).mean())
        return self.dependence**2 * explained + (1 - self.dependence**2) * own

    def draw_latents(self, n: int, generator: torch.Generator) -> Pairs:
        content, noise = normal(n, self.content_dim, generator), normal(n, self.content_dim, generator)
        rho = torch.tensor(self.correlations, device=content.device)
        other = rho * content + (1 - rho**2).sqrt() * noise
        own = normal(n, self.style_dim, generator)
        style, other_style = (
            self._styled(content, own),
            self._styled(other, self._style.partner(own, generator)),
        )
        known = {"content": content, "style": style}
        known |= self._labels.known(content) | self._style_labels.known(style)
        return Pairs(torch.cat([content, style], 1), torch.cat([other, other_style], 1), known)

    def _styled(self, content: Tensor, own: Tensor) -> Tensor:
        return self.dependence * self._explained(content) + math.sqrt(1 - self.dependence**2) * own

    def _explained(self, content: Tensor) -> Tensor:
        return content @ self._weights.T.to(content)

    def ratio_of_latents(self, z_a: Tensor, z_b: Tensor) -> Tensor | None:
        (content, own), (other, other_own) = self._parts(z_a), self._parts(z_b)
        of_style = self._style.log_density_ratio_matrix(own, other_own)
        if self._content is None or of_style is None:
            return None
        return self._content.log_density_ratio_matrix(content, other) + of_style

    def _parts(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Content, and style's own part e."""
        content, style = z.split([self.content_dim, self.style_dim], -1)
        own = (style - self.dependence * self._explained(content)) / math.sqrt(1 - self.dependence**2)
        return content, own


def _correlations(value: float | Sequence[float], dim: int) -> tuple[float, ...]:
    values = [float(value)] * dim if isinstance(value, int | float) else [float(one) for one in value]
    if len(values) != dim:
        raise ShapeError(
            f"expected one shared_correlation, or {dim}, one a content dimension; got {len(values)}"
        )
    if not all(0 <= one <= 1 for one in values):
        raise ParameterError(f"shared_correlation must lie in [0, 1]; got {value}")
    return tuple(values)


def _law_of(correlations: Sequence[float]) -> Gaussian | None:
    """The law of (c, c'); None if a dimension is copied, which has no density."""
    if max(correlations) == 1:
        return None
    dim = len(correlations)
    eye, off = (
        torch.eye(dim, dtype=torch.float64),
        torch.diag(torch.tensor(correlations, dtype=torch.float64)),
    )
    return Gaussian(torch.cat([torch.cat([eye, off], 1), torch.cat([off, eye], 1)]), dim)
