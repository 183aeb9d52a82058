"""Noisy labels: x is a handwritten digit, y what somebody said that it is, right or wrong."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from mibounds.distributions.base import Distribution
from mibounds.distributions.finite import FiniteTable
from mibounds.errors import DataError, ParameterError, ShapeError
from mibounds.seeding import generator, seed_of

CLASSES = 10


class NoisyLabels(Distribution):
    """x uniform over scikit-learn's 1,797 digits, 8 x 8 pixels in [0, 1]; y = c with probability transition[label, c].

        I(x; y) = I(label; y),        ln r = ln transition[label of x, y] - ln p(y).

    Exact for this finite set of images, no two of which are equal: an image determines its label because it is one of
    them. For digits at large it is an assumption that images determine labels; where some do not, they share less.

    Args:
        transition: `10 x c`, rows are probabilities; y is a code 0 .. c - 1, held as a float column.

    Raises: DataError if scikit-learn is not installed, and from `log_density_ratio` for an image not of the set;
        ShapeError, ParameterError if the rows are no probabilities or a code never comes.

    References: Alpaydin and Kaynak 1998 (the digits, UCI repository).

    Example:
        >>> law = NoisyLabels.symmetric(0.2)
        >>> law.dim_x, round(law.mutual_information, 3)
        (64, 1.363)
    """

    dim_x, dim_y = 64, 1

    def __init__(self, transition: Tensor):
        transition = torch.as_tensor(transition, dtype=torch.float64)
        if transition.ndim != 2 or len(transition) != CLASSES:
            raise ShapeError(f"transition must be {CLASSES} x c; got shape {tuple(transition.shape)}")
        if not ((transition >= 0).all() and torch.allclose(transition.sum(1), torch.ones(CLASSES).double())):
            raise ParameterError("the rows of transition must be probabilities that sum to one")
        self.transition = transition
        share = _digits()[1].bincount(minlength=CLASSES).double() / len(_digits()[1])
        self._labels = FiniteTable(share.unsqueeze(1) * transition)
        self.mutual_information = self._labels.mutual_information

    @classmethod
    def symmetric(cls, flip: float) -> NoisyLabels:
        """The label with probability 1 - flip, else one of the nine others, each as likely."""
        eye = torch.eye(CLASSES, dtype=torch.float64)
        return cls((1 - flip) * eye + flip / (CLASSES - 1) * (1 - eye))

    @classmethod
    def example(cls) -> NoisyLabels:
        return cls.symmetric(0.2)

    def draw(self, n: int, generator: torch.Generator, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        images, labels, _ = _digits()
        index = torch.randint(len(images), (n,), generator=generator, device=generator.device)
        uniform = torch.rand(n, 1, generator=generator, dtype=torch.float64, device=generator.device)
        steps = self.transition.cumsum(1)[:, :-1].to(uniform)[labels.to(index)[index]]
        said = torch.searchsorted(steps, uniform, right=True)
        return images.to(uniform)[index].to(dtype), said.to(dtype)

    def log_density_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        return self._labels.log_density_ratio(_labels_of(x).unsqueeze(-1).to(x), y)


def _labels_of(images: Tensor) -> Tensor:
    """`... x 64` -> `...`, by looking them up."""
    known, labels, code = _digits()
    codes, order = (known @ code).sort()
    place = torch.searchsorted(codes, images.double().cpu() @ code).clamp(max=len(codes) - 1)
    found = order[place]
    if not torch.equal(known[found], images.double().cpu()):
        raise DataError("expected images of scikit-learn's digits, pixels divided by 16; one is none of them")
    return labels[found].to(images.device)


@cache
def _digits() -> tuple[Tensor, Tensor, Tensor]:
    """Images `1797 x 64`, labels `1797`, and weights by which an image's pixels make a number that no other has.

    Pixels are sixteenths and the weights whole numbers, so that these numbers are exact.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError("the digits come with scikit-learn: pip install 'mibounds[examples]'") from error
    loaded: Any = load_digits()
    source = generator(seed_of("codes of the digits"))
    code = torch.randint(2**40, (64,), generator=source).double()
    return torch.from_numpy(loaded.data).double() / 16, torch.from_numpy(loaded.target).long(), code
