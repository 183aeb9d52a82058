"""Autoencoder: the representation must suffice to rebuild the input, shared and private parts alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from mibounds.representation.methods._rows import mean_over_rows
from mibounds.representation.methods.base import Method
from mibounds.representation.network import Network
from mibounds.representation.sources import Pairs
from mibounds.seeding import generator, seed_of
from mibounds.stacked import StackedMLP


class Autoencoder(Method):
    """loss = mean over both views' inputs x of |x - decoder(h)|^2 / dim x, h the representation of x.

    That the views belong together is not used: what it lacks beside a contrastive method is just that. The projector
    stays as it was drawn.

    Args:
        network, seeds: see Method.
        hidden: widths of the decoder, a perceptron.

    Raises: ParameterError for a batch of one.

    References: Hinton and Salakhutdinov 2006, Science 313.
    """

    name = "autoencoder"
    needs = frozenset({"decoder"})
    references = ("Hinton and Salakhutdinov 2006, Science 313",)

    def __init__(self, network: Network, seeds: Sequence[int], *, hidden: Sequence[int] = (128, 128)):
        super().__init__(network, seeds)
        shape = network.encoder.shape
        drawn = [generator(seed_of("decoder", seed)) for seed in seeds]
        self.decoder = nn.Sequential(
            StackedMLP(network.dim_representation, hidden, math.prod(shape), drawn), nn.Unflatten(-1, shape)
        )

    def forward(self, network: Network, pairs: Pairs) -> Tensor:
        errors = [
            (view - self.decoder(network(view).representation)).square().flatten(2).mean(-1)
            for view in (pairs.view_a, pairs.view_b)
        ]
        return mean_over_rows((errors[0] + errors[1]) / 2)
