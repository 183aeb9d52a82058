"""A recipe: all that makes a training, by names and numbers, so that it can be saved and made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from mibounds.errors import ParameterError, UnknownNameError
from mibounds.options import made
from mibounds.representation import encoders, methods, sources
from mibounds.representation.distributed import device_of
from mibounds.representation.loop import Precision, Pretrainer
from mibounds.representation.network import Network
from mibounds.representation.optimizers import require_optimizer, require_schedule
from mibounds.representation.sources import Source

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Recipe:
    """How a stack of R encoders is trained. Two builds of one recipe train to the same numbers on one machine.

    Args:
        method: by file name, see `methods.names()`.
        source: by file name, see `sources.names()`; None if `build` is given sources.
        method_options, source_options, encoder_options, projector_options: their arguments, by name. Numbers, text and
            lists of them, as JSON has.
        encoder: by file name, see `encoders.names()`.
        embedding: width of the projector's output; None with {"layers": 0} for no projector.
        seeds: one a run; each decides all that is random in its run.
        steps, batch_size, optimizer, learning_rate, weight_decay, schedule, warmup, clip, precision, compile,
            check_every: see Pretrainer.

    Raises: UnknownNameError, which suggests the nearest name; ParameterError.

    Example:
        >>> recipe = Recipe("simclr", "vmf", {"temperature": 0.1}, {"dim": 5}, steps=2, batch_size=16, seeds=(0, 1))
        >>> recipe.build("cpu").fit().shape
        torch.Size([2, 2])
        >>> Recipe.from_dict(recipe.as_dict()) == recipe
        True
    """

    method: str
    source: str | None = None
    method_options: Options = field(default_factory=dict)
    source_options: Options = field(default_factory=dict)
    encoder: str = "mlp"
    encoder_options: Options = field(default_factory=dict)
    embedding: int | None = 32
    projector_options: Options = field(default_factory=dict)
    seeds: Sequence[int] = (0,)
    steps: int = 1000
    batch_size: int = 256
    optimizer: str = "adam"
    learning_rate: float | Sequence[float] | None = None
    weight_decay: float = 0.0
    schedule: str = "cosine"
    warmup: float = 0.0
    clip: float | None = None
    precision: Precision = "float32"
    compile: bool = False
    check_every: int = 100

    def __post_init__(self) -> None:
        for each in fields(self):
            object.__setattr__(self, each.name, _plain(each.name, getattr(self, each.name)))
        for kind, name, known in (
            ("method", self.method, methods.names()),
            ("source", self.source, sources.names()),
            ("encoder", self.encoder, encoders.names()),
        ):
            if name is not None and name not in known:
                raise UnknownNameError(kind, name, known)
        require_optimizer(self.optimizer)
        require_schedule(self.schedule)
        for name in ("steps", "batch_size", "check_every"):
            _require_kind(name, getattr(self, name), "an integer", int)
        for name in ("weight_decay", "warmup"):
            _require_kind(name, getattr(self, name), "a number", int, float)
        seeds = self.seeds if isinstance(self.seeds, list) else [self.seeds]
        for seed in seeds or [None]:
            _require_kind("seeds", seed, "integers, one a run", int)
        object.__setattr__(self, "seeds", seeds)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> Recipe:
        """The recipe of these settings. Raises: UnknownNameError for one that no recipe has."""
        known = [each.name for each in fields(cls)]
        for name in settings:
            if name not in known:
                raise UnknownNameError("setting", name, known)
        return cls(**settings)

    def build(self, device: str = "auto", given: Source | Sequence[Source] | None = None) -> Pretrainer:
        """The training at its first step.

        Args:
            device: "auto", "cpu", "cuda" or a torch device's name.
            given: sources, one for all runs or one a run, in place of the one that is named.

        Raises: ParameterError, UnknownNameError, DataError, ShapeError.
        """
        where = device_of(device)
        given = self._source() if given is None else given
        shape = (given if isinstance(given, Source) else given[0]).shape
        network = Network.build(
            shape,
            self.seeds,
            encoder=self.encoder,
            encoder_options=self.encoder_options,
            embedding=self.embedding,
            projector_options=self.projector_options,
        ).to(where)
        method = made("method", methods.load(self.method), self.method_options, network, self.seeds)
        pretrainer = Pretrainer(
            network,
            method.to(where),
            given,
            self.seeds,
            batch_size=self.batch_size,
            steps=self.steps,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            schedule=self.schedule,
            warmup=self.warmup,
            clip=self.clip,
            precision=self.precision,
            compile=self.compile,
            check_every=self.check_every,
        )
        pretrainer.recipe = self
        return pretrainer

    def _source(self) -> Source:
        if self.source is None:
            raise ParameterError(f"a source is needed: name one of {', '.join(sources.names())}, or give it")
        return made("source", sources.load(self.source), self.source_options)


def _require_kind(name: str, value: Any, expected: str, *kinds: type) -> None:
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise ParameterError(f"{name} must be {expected}; got {value!r}")


def _plain(name: str, value: Any) -> Any:
    """As JSON gives it back, so that a recipe that was saved equals itself."""
    if isinstance(value, Mapping):
        return {key: _plain(f"{name}[{key!r}]", inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | range):
        return [_plain(name, inner) for inner in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise ParameterError(f"a recipe holds numbers, text and lists; got {name}={value!r}")
