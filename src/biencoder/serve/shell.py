"""What surrounds every request: its id, its key, its errors, its time, its line in the log."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from biencoder.serve.auth import Headers, Hosts, Keys
from biencoder.serve.bodies import Holding
from biencoder.serve.errors import ApiError, error_body
from biencoder.serve.service import Service

logger = logging.getLogger("biencoder.serve")

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
# Asked every few seconds by machines; a line for each would hide the others.
_PROBES = {"/v1/health/live", "/v1/health/ready", "/health", "/ping", "/v1/metrics", "/metrics"}
_REST_SECONDS = 2.0
_REST_BYTES = 4 * 1024 * 1024
# What others note for a client that did not wait for its answer; never sent.
CLIENT_GONE = 499


def not_ready(service: Service) -> ApiError:
    """The refusal while models are warmed, while the service stops, and where a model has failed."""
    message = {
        "starting": "The models are being made ready",
        "ready": "A model has failed; the service must be started again",
        "draining": "The service is stopping",
    }[service.state]
    return ApiError("not_ready", message, headers={"Retry-After": "5"})


class Arriving:
    """The way in: knows whether a request's body has come to its end, and counts its bytes."""

    def __init__(self, receive: Receive, holding: Holding) -> None:
        self._receive = receive
        self._holding = holding
        self.finished = False

    async def receive(self) -> Message:
        """ASGI's receive; raises ApiError overloaded where the service holds too much already."""
        message = await self._next()
        self._holding.add(len(message.get("body", b"")))
        return message

    async def drop_rest(self) -> None:
        """Read on and keep nothing, so far and so long as is reasonable.

        Before a connection is closed: bytes that lie unread when it closes make the kernel tell the
        client that all is lost, the answer included.
        """
        dropped = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(_REST_SECONDS):
                while not self.finished and dropped < _REST_BYTES:
                    dropped += len((await self._next()).get("body", b""))

    async def _next(self) -> Message:
        message = await self._receive()
        self.finished = not message.get("more_body", False)
        return message


@dataclass(slots=True)
class Reply:
    """The way out: adds the shell's headers to whatever is answered, once."""

    send_on: Send
    request_id: str
    service: Service
    holding: Holding
    began: float = field(default_factory=time.perf_counter)
    status: int = 0
    size: int = 0
    said: dict[str, str] = field(default_factory=dict)

    async def send(self, message: Message) -> None:
        """ASGI's send."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.holding.release()
            headers = list(message.get("headers", ()))
            milliseconds = f"{(time.perf_counter() - self.began) * 1e3:.3f}"
            headers.append((b"x-request-id", self.request_id.encode()))
            headers.append((b"x-total-time", milliseconds.encode()))
            # A connection that stayed open while the service stops would only be cut later.
            if self.service.state == "draining" and not any(
                name == b"connection" for name, _ in headers
            ):
                headers.append((b"connection", b"close"))
            message = {**message, "headers": headers}
        elif message["type"] == "http.response.body":
            self.size += len(message.get("body", b""))
        await self.send_on(message)

    async def refuse(self, error: ApiError) -> None:
        """Answer with the error object."""
        self.said["code"] = error.code
        body = error_body(error, self.request_id)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *((name.lower().encode(), value.encode()) for name, value in error.headers.items()),
        ]
        await self.send({"type": "http.response.start", "status": error.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


class Shell:
    """ASGI middleware; the only place where an exception becomes an answer."""

    def __init__(self, app: ASGIApp, *, service: Service) -> None:
        self.app = app
        self.service = service
        self.keys = Keys(service.settings.api_keys)
        self.hosts = Hosts(service.settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        holding = Holding(self.service.bodies)
        reply = Reply(send, request_id(scope["headers"]), self.service, holding)
        scope.setdefault("state", {}).update(request_id=reply.request_id, holding=holding)
        # A trailing slash is no other address; a redirect would lose the body of some clients.
        scope["path"] = scope["path"].rstrip("/") or "/"
        self.service.enter()
        try:
            await self._answer(scope, Arriving(receive, holding), reply)
        finally:
            holding.release()
            self.service.leave()
            self._note(scope, reply)

    async def _answer(self, scope: Scope, arriving: Arriving, reply: Reply) -> None:
        try:
            self.keys.check(scope["path"], scope["headers"])
            self.hosts.check(scope["headers"])
            await self.app(scope, arriving.receive, reply.send)
        except ApiError as error:
            if reply.status:
                raise
            self.service.metrics.rejected(error.code)
            if error.status == 500:
                self._log_fault(error, reply)
            if self.service.state == "draining":
                await arriving.drop_rest()
            await reply.refuse(error)
        except ClientDisconnect:
            reply.status = CLIENT_GONE
        except Exception as error:
            if reply.status:
                raise
            self._log_fault(error, reply)
            message = f"Internal error; the log tells more under {reply.request_id}"
            self.service.metrics.rejected("engine_error")
            await reply.refuse(ApiError("engine_error", message))

    def _log_fault(self, error: Exception, reply: Reply) -> None:
        logger.error("fault", exc_info=error, extra={"request_id": reply.request_id})

    def _note(self, scope: Scope, reply: Reply) -> None:
        # The route's pattern: a path may hold a document's name, and any path may be made up.
        route = getattr(scope.get("route"), "path", "none")
        seconds = time.perf_counter() - reply.began
        status = reply.status or CLIENT_GONE
        self.service.metrics.request(route, status, seconds)
        level = logging.DEBUG if route in _PROBES else logging.INFO
        if logger.isEnabledFor(level):
            facts = {
                "method": scope["method"],
                "route": route,
                "status": status,
                "milliseconds": round(seconds * 1e3, 1),
                "bytes": reply.size,
                "request_id": reply.request_id,
            }
            logger.log(level, "request", extra=facts | reply.said)


def request_id(headers: Headers) -> str:
    """The id that a client gave, where it may be one; else a new one."""
    for name, value in headers:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value.decode())
    return uuid.uuid4().hex
