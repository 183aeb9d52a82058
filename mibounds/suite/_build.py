"""How tasks are put together: a family's law, a map's class, a law seen through maps. Torch is imported only then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mibounds.distributions import Distribution
    from mibounds.distributions.maps import Map


def family(name: str) -> type[Any]:
    """A class of laws by its file's name."""
    from mibounds import distributions

    return distributions.load(name)


def map_named(name: str, *parameters: Any, **more: Any) -> Map:
    """A map by its file's name."""
    from mibounds.distributions import maps

    return maps.load(name)(*parameters, **more)


def seen(law: Distribution, map_x: Map, map_y: Map | None = None) -> Distribution:
    """The law with x, and y if there is a map for it, mapped."""
    return family("transformed")(law, map_x, map_y)


def seen_alike(law: Distribution, name: str) -> Distribution:
    """The law with both sides through one map."""
    return seen(law, map_named(name), map_named(name))
