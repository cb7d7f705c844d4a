"""How many bytes of requests the service holds at once, whoever sent them.

A request's bytes count from their arrival until its answer begins: by then nothing of it is needed.
"""

from __future__ import annotations

from biencoder.serve.errors import ApiError

# Of the largest kind; of usual requests, ten thousands.
BODIES_AT_ONCE = 16


class Bodies:
    """The account of all requests. One event loop owns it. most: bytes."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0


class Holding:
    """What one request has on the account."""

    __slots__ = ("_bodies", "_bytes")

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self._bytes = 0

    def add(self, size: int) -> None:
        """Hold more; raises ApiError overloaded where that is too much."""
        if self._bodies.held + size > self._bodies.most:
            raise ApiError(
                "overloaded",
                "The service holds as many bytes of requests as it may; send this again",
                headers={"Retry-After": "1", "retry-after-ms": "1000"},
            )
        self._bodies.held += size
        self._bytes += size

    def release(self) -> None:
        """Hold nothing any more."""
        self._bodies.held -= self._bytes
        self._bytes = 0
