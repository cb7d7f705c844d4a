"""The models that a service names at its start, loaded; a request can never load one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from biencoder.embedder.embedder import Embedder
from biencoder.errors import InputError
from biencoder.serve.embeddings.names import Registry, Served
from biencoder.serve.engine.engine import Engine
from biencoder.serve.engine.pages import SERVED_PICTURES
from biencoder.serve.metrics import Metrics
from biencoder.serve.settings import Settings


def load_models(
    settings: Settings, metrics: Metrics, say: Callable[[str], None] = lambda line: None
) -> Registry:
    """Every model of the settings, with its aliases; ``say`` is told of each before it is loaded.

    Raises InputError for an alias of a model that is not served, and what `Embedder.load` raises.
    """
    _check_aliases(settings)
    served = []
    for name in settings.models:
        say(f"Loading {name} ...")
        embedder = Embedder.load(name, dtype=settings.dtype, device=settings.device)
        engine = Engine(
            embedder,
            token_budget=settings.token_budget,
            max_queued_tokens=settings.max_queued_tokens,
            max_tokens=settings.max_tokens,
            on_batch=metrics.batch,
            pictures=replace(SERVED_PICTURES, max_bytes=settings.max_image_bytes),
        )
        aliases = tuple(alias for alias, model in settings.aliases if model == name)
        served.append(Served(id=served_id(embedder), engine=engine, aliases=aliases))
    return Registry(served, any_model=settings.any_model)


def served_id(embedder: Embedder) -> str:
    """The name that answers carry: a published id, or what a folder says of itself."""
    source = embedder.source
    if source.member is not None:
        return source.member.id
    return source.repository or embedder.profile.name


def _check_aliases(settings: Settings) -> None:
    for alias, model in settings.aliases:
        if model not in settings.models:
            raise InputError(
                f"the alias {alias} is for {model}, which is not served",
                hint=f"name one of --model as it is written there: {', '.join(settings.models)}",
            )
