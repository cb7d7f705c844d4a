"""Which model a request means: ids, aliases, the role as a suffix, names that are gone.

An exact id comes first, then an alias, then both without one ``-query`` or ``-passage``: a model
whose true name ends in ``-query`` stays reachable.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from biencoder.config.family import find_member
from biencoder.errors import InputError
from biencoder.serve.errors import ApiError
from biencoder.serve.settings import WireRole

if TYPE_CHECKING:
    from biencoder.serve.engine.engine import Engine

_OWNER = "nvidia/"
# What gateways put in front of a model's name to say where it is served.
_PROVIDERS = ("openai/", "nvidia_nim/", "nvdev/")
_SUFFIXES: tuple[tuple[str, WireRole], ...] = (("-query", "query"), ("-passage", "passage"))

# Other weights than their successors (the cards report other scores): serving one under the name of
# the other would mix two vector spaces in one index.
RETIRED = {
    "nvidia/llama-3.2-nemoretriever-1b-vlm-embed-v1": "nvidia/llama-nemotron-embed-vl-1b-v2",
    "nvidia/llama-3.2-nv-embedqa-1b-v1": "nvidia/llama-nemotron-embed-1b-v2",
}


@dataclass(frozen=True, slots=True)
class Served:
    """One model: the id that answers carry, and the other names it was given at the start."""

    id: str
    engine: Engine
    aliases: tuple[str, ...] = ()


class Registry:
    """The served models by name.

    any_model: a name that nobody knows means the first model. Raises InputError where one name was
    given to two models.
    """

    def __init__(self, served: Sequence[Served], *, any_model: bool = False) -> None:
        self.served = tuple(served)
        self._any_model = any_model
        self._given: dict[str, Served] = {}
        for model in self.served:
            for name in (model.id, *model.aliases):
                if self._given.setdefault(name, model) is not model:
                    raise InputError(
                        f"two served models have the name {name!r}",
                        hint="give each model its own --alias",
                    )
        # Ids before aliases: an id's other spellings win over an alias's.
        named = [(model.id, model) for model in self.served]
        named += [(alias, model) for model in self.served for alias in model.aliases]
        self._known = dict(self._given)
        for name, model in named:
            for other in other_names(name):
                self._known.setdefault(other, model)
        self._retired = {
            spelling: retired for retired in RETIRED for spelling in (retired, *_spellings(retired))
        }

    def names(self, served: Served) -> tuple[str, ...]:
        """Every other name of a model, those given at the start first."""
        known = [name for name, model in self._known.items() if model is served]
        return tuple(name for name in known if name != served.id)

    def resolve(self, name: str) -> tuple[Served, WireRole | None]:
        """The model of this name, and the role that a suffix says.

        Raises ApiError model_not_found, which lists what is served, or names the successor of a
        model that is gone.
        """
        bare, role = _without_suffix(name)
        for candidate, said in ((name, None), (bare, role)):
            found = self._find(candidate)
            if found is not None:
                return found, said
        if self._any_model:
            return self.served[0], role
        raise self._unknown(bare)

    def only(self) -> Served | None:
        """The model that is meant where none is named."""
        return self.served[0] if len(self.served) == 1 else None

    def _find(self, name: str) -> Served | None:
        return self._known.get(name) or self._known.get(_without_provider(name))

    def _unknown(self, name: str) -> ApiError:
        ids = ", ".join(model.id for model in self.served)
        retired = self._retired.get(name) or self._retired.get(_without_provider(name))
        if retired is None:
            message = f"The model does not exist here; served: {ids}"
        else:
            message = (
                f"The model {retired} is retired; its successor is {RETIRED[retired]}, whose "
                f"vectors are others: embed again what was embedded with it; served: {ids}"
            )
        return ApiError("model_not_found", message, param="model")


def other_names(name: str) -> Iterator[str]:
    """The names that mean the same weights: renamed ones, short ones, other spellings.

    >>> "llama-3_2-nv-embedqa-1b-v2" in other_names("nvidia/llama-nemotron-embed-1b-v2")
    True
    """
    yield from _spellings(name)
    member = find_member(name)
    if member is not None:
        for same in (member.id, *member.aliases):
            yield same
            yield from _spellings(same)


def _spellings(name: str) -> Iterator[str]:
    bare = name.removeprefix(_OWNER)
    yield from (bare, name.replace(".", "_"), bare.replace(".", "_"))


def _without_suffix(name: str) -> tuple[str, WireRole | None]:
    for suffix, role in _SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix), role
    return name, None


def _without_provider(name: str) -> str:
    for provider in _PROVIDERS:
        if name.startswith(provider):
            return name.removeprefix(provider)
    return name
