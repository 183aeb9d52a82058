"""The network that methods train: an encoder and a projector, R of each in one stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mibounds.errors import ParameterError
from mibounds.representation import encoders
from mibounds.representation.encoders import Encoder
from mibounds.representation.heads import Projector
from mibounds.seeding import generator, seed_of


class Embedded(NamedTuple):
    """What one view becomes: the representation h, used downstream, and the embedding z, used by the loss."""

    representation: Tensor
    embedding: Tensor


class Network(nn.Module):
    """encoder -> representation, projector -> embedding. With a similarity, a pair of views' embeddings is a critic.

    Args:
        encoder, projector: stacks of the same R runs.

    Attributes:
        precision: "bfloat16" for layers in mixed precision; what comes out is float32 all the same, for the losses.
    """

    precision: str = "float32"

    def __init__(self, encoder: Encoder, projector: Projector):
        super().__init__()
        self.encoder, self.projector = encoder, projector
        self.n_runs, self.dim_representation, self.dim_embedding = encoder.n_runs, encoder.dim, projector.dim

    @classmethod
    def build(
        cls,
        shape: Sequence[int],
        seeds: Sequence[int],
        *,
        encoder: str = "mlp",
        encoder_options: Mapping[str, Any] | None = None,
        embedding: int | None = 32,
        projector_options: Mapping[str, Any] | None = None,
    ) -> Network:
        """An untrained network for inputs of `shape`; run r depends on `seeds[r]` alone.

        The encoder's and the projector's weights are drawn apart, so that another projector leaves the encoder's as
        they were. `embedding` is the projector's width; None with {"layers": 0} for no projector.

        Raises: UnknownNameError, ParameterError.

        Example:
            >>> network = Network.build((3,), seeds=[0, 1], embedding=8)
            >>> network.n_runs, network.dim_representation, network.dim_embedding
            (2, 64, 8)
        """
        of_encoder, of_projector = (
            [generator(seed_of(part, seed)) for seed in seeds] for part in ("encoder", "projector")
        )
        made = _made(encoders.load(encoder), "encoder_options", shape, of_encoder, **(encoder_options or {}))
        projector = _made(
            Projector, "projector_options", made.dim, embedding, of_projector, **(projector_options or {})
        )
        return cls(made, projector)

    def forward(self, x: Tensor) -> Embedded:
        """`R x n x *shape` -> h `R x n x dim_representation`, z `R x n x dim_embedding`."""
        if self.precision == "bfloat16":
            with torch.autocast(x.device.type, torch.bfloat16):
                return Embedded(*(part.float() for part in self._embedded(x)))
        return self._embedded(x)

    def _embedded(self, x: Tensor) -> Embedded:
        representation = self.encoder(x)
        return Embedded(representation, self.projector(representation))


def _made(part: Any, which: str, *arguments: Any, **options: Any) -> Any:
    try:
        return part(*arguments, **options)
    except TypeError as error:
        raise ParameterError(f"{which} do not fit {part.__name__}: {error}") from error
