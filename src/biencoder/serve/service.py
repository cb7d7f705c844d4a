"""What the handlers share: settings, models, numbers, and whether requests are taken."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from biencoder.serve.bodies import BODIES_AT_ONCE, Bodies
from biencoder.serve.metrics import Metrics
from biencoder.serve.settings import Settings

if TYPE_CHECKING:
    from biencoder.serve.embeddings.names import Registry
    from biencoder.serve.search.search import SearchService

State: TypeAlias = Literal["starting", "ready", "draining"]


@dataclass(kw_only=True)
class Service:
    """One running service. ``in_flight``: requests that have come and are not yet answered."""

    settings: Settings
    registry: Registry
    metrics: Metrics = field(default_factory=Metrics)
    searching: SearchService | None = None
    state: State = "starting"
    in_flight: int = 0
    began: float = field(default_factory=time.time)
    _idle: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.bodies = Bodies(BODIES_AT_ONCE * self.settings.max_body_bytes)
        engines = [served.engine for served in self.registry.served]
        self.metrics.watch(
            queued_tokens=lambda: sum(engine.queued_tokens for engine in engines),
            ready=lambda: self.ready,
        )
        self._idle.set()

    @property
    def ready(self) -> bool:
        """Whether requests are taken, and every model can answer them."""
        engines = (served.engine for served in self.registry.served)
        return self.state == "ready" and all(engine.ready for engine in engines)

    @property
    def broken(self) -> bool:
        """Whether a model can answer nothing any more: only a new process helps."""
        return any(served.engine.broken for served in self.registry.served)

    def enter(self) -> None:
        """A request has come."""
        self.in_flight += 1
        self._idle.clear()

    def leave(self) -> None:
        """A request is answered, or its client has gone."""
        self.in_flight -= 1
        if not self.in_flight:
            self._idle.set()

    async def start(self) -> None:
        """Warm every model, one after another; then ready, unless a stop was asked for meanwhile."""
        for served in self.registry.served:
            await served.engine.start(self.settings.warmup)
        if self.state == "starting":
            self.state = "ready"

    async def drain(self, timeout: float) -> bool:
        """Refuse what is new, wait for what is running. False: the time was over first."""
        self.state = "draining"
        try:
            async with asyncio.timeout(timeout):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def stop(self, timeout: float) -> None:
        """End the engines' threads, after at most so many seconds each."""
        self.state = "draining"
        for served in self.registry.served:
            await served.engine.stop(timeout)
