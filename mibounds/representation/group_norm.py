"""Group norm and weight standardisation for a stack of runs: a network that sees no statistics of the batch."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import group_norm, layer_norm

from mibounds.errors import ParameterError
from mibounds.representation.batch_norm import StackedBatchNorm
from mibounds.representation.encoders._convolutional import FoldedBatchNorm, FoldedConv2d
from mibounds.stacked import StackedLinear


def without_batch_statistics(module: nn.Module, groups: int = 8) -> nn.Module:
    """Puts group norm for each batch norm in `module`, and standardises the weights of each affine map, in place.

    Parameters stay the ones that they were, so that a run starts as its twin with batch norm does. Rows do not meet,
    nor do runs. A copy that a method keeps must be made after it.

    Args:
        module: a perceptron, or modules made of some: a Network, a Predictor.
        groups: of each norm.

    Raises: ParameterError if a norm's width is no multiple of `groups`, and for convolutions, which it does not know.

    References: Richemond et al. 2020, arXiv:2010.10241 (BYOL so changed).

    Example:
        >>> from mibounds.representation.network import Network
        >>> options = {"hidden": (16,), "norm": "batch"}
        >>> network = without_batch_statistics(Network.build((3,), [0, 1], encoder_options=options))
        >>> [type(layer).__name__ for layer in network.encoder.blocks[0]]
        ['StandardisedLinear', 'StackedGroupNorm', 'ReLU']
    """
    for name, child in list(module.named_children()):
        if isinstance(child, FoldedConv2d | FoldedBatchNorm):
            raise ParameterError(
                "group norm stands in for batch norm in perceptrons alone; take the encoder mlp"
            )
        if isinstance(child, StackedBatchNorm):
            setattr(module, name, StackedGroupNorm(child, groups))
        elif isinstance(child, StackedLinear):
            setattr(module, name, StandardisedLinear(child))
        else:
            without_batch_statistics(child, groups)
    return module


class StackedGroupNorm(nn.Module):
    """(x - mean) / sqrt(variance + eps) * weight + bias over groups of a row's features: `R x n x width`.

    Args:
        replaced: the batch norm whose place it takes; weight and bias are its own.
        groups: of equally many features, neighbours.

    References: Wu and He 2018, arXiv:1803.08494.
    """

    def __init__(self, replaced: StackedBatchNorm, groups: int):
        super().__init__()
        width = replaced.mean.shape[-1]
        if groups < 1 or width % groups or width == groups:
            raise ParameterError(f"groups must divide the width {width}, in 2 features or more; got {groups}")
        self.groups, self.eps = groups, replaced.eps
        self.weight, self.bias = replaced.weight, replaced.bias

    def forward(self, x: Tensor) -> Tensor:
        """The shape of `x`."""
        normalised = group_norm(x.flatten(0, 1), self.groups, eps=self.eps).view_as(x)
        if self.weight is None or self.bias is None:
            return normalised
        return normalised * self.weight + self.bias


class StandardisedLinear(nn.Module):
    """R affine maps, `R x n x dim_in` -> `R x n x dim_out`; weights into a unit have mean 0 and squares that sum to 1.

    References: Qiao et al. 2019, arXiv:1903.10520; the division by the fan-in, which keeps an input's scale, is that of
    Brock et al. 2021, arXiv:2101.08692, section 4.
    """

    def __init__(self, replaced: StackedLinear):
        super().__init__()
        self.weight, self.bias = replaced.weight, replaced.bias

    @property
    def standardised(self) -> Tensor:
        """`R x dim_in x dim_out`."""
        into = self.weight.mT
        return (layer_norm(into, into.shape[-1:]) * into.shape[-1] ** -0.5).mT

    def forward(self, inputs: Tensor) -> Tensor:
        mapped = inputs @ self.standardised
        return mapped if self.bias is None else mapped + self.bias
