"""What stands between a socket and the application: limits that uvicorn leaves open.

A head has a largest size and a longest time; a body that nobody wants any more is read only so far,
and what follows it only so far too; a client that does not take its answer is let go. Every refusal is
the error object, here too. A request that asks for another protocol is read as the HTTP/1.1 it is.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from biencoder.serve.errors import ApiError, error_body

MAX_HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 30.0
# After a refusal the rest of a body is read and dropped, so that the client sees the refusal and
# not a broken connection; but not without end.
MAX_DROPPED_BYTES = 64 * 1024 * 1024
STALLED_SECONDS = 60.0


class BoundedProtocol(HttpToolsProtocol):
    """One connection. The limits are attributes of the class, so that a test may lower them."""

    max_head_bytes = MAX_HEAD_BYTES
    head_seconds = HEAD_SECONDS
    max_dropped_bytes = MAX_DROPPED_BYTES
    stalled_seconds = STALLED_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_message = False
        self._in_head = False
        self._bodiless_bytes = 0
        self._body_came = False
        self._dropped = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether no request has come over it yet."""
        return self.cycle is None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come; it has so long to say what it wants."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over, and so are its timers."""
        self._forget(self._head_timer)
        self._forget(self._stall_timer)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes that are no body are counted: unfinished headers lie in the parser, without a bound.

        So are those after a body: what is unfinished there is a trailer.
        """
        self._unset_keepalive_if_required()
        self._body_came = False
        try:
            self._feed(data)
        except HttpParserError:
            self.logger.warning("Invalid HTTP request received.")
            self.send_400_response("Invalid HTTP request received.")
            return
        if self._in_message and not self.transport.is_closing():
            self._bodiless_bytes = 0 if self._body_came else self._bodiless_bytes + len(data)
            if self._bodiless_bytes > self.max_head_bytes:
                self._refuse(self._head_too_large())

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_message = self._in_head = True
        self._bodiless_bytes = 0
        self._dropped = 0
        self._await_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header of the head; one that comes after the body could not be trusted, and is no header."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._forget(self._head_timer)
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.max_head_bytes:
            # Caught by the parser, which then asks for `send_400_response`.
            raise self._head_too_large()
        self._in_head = False
        if not self.parser.should_upgrade():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """More of a body; of one that is already answered only so much is taken."""
        self._body_came = True
        if self.cycle.response_complete:
            self._dropped += len(body)
            if self._dropped > self.max_dropped_bytes:
                self.transport.close()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._in_message = False
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn says to bytes that are no HTTP, as our error object."""
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers or ())
        if size > self.max_head_bytes:
            self._refuse(self._head_too_large())
        else:
            self._refuse(ApiError("invalid_request", "This is not a valid HTTP request"))

    def pause_writing(self) -> None:
        """The client does not keep up; from here on it must take something now and then."""
        super().pause_writing()
        self._forget(self._stall_timer)
        self._watch_stall(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """The client has taken what was waiting."""
        super().resume_writing()
        self._forget(self._stall_timer)

    def _feed(self, data: bytes | memoryview) -> None:
        """Parse; a request that asks for another protocol is parsed once more without that wish.

        The parser believes that the other protocol begins at once, and would take the body for it.
        Clients of Java ask for HTTP/2 in this way with every first request.
        """
        while True:
            try:
                self.parser.feed_data(data)
            except HttpParserUpgrade as asked:
                if self.parser.get_method() == b"CONNECT":
                    self._refuse(
                        ApiError("invalid_request", "This is no proxy: CONNECT is not taken")
                    )
                    return
                data = memoryview(data)[asked.args[0] :]
                head = self._head_without_upgrade()
                self.parser = HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
                self.parser.feed_data(head)
            else:
                return

    def _head_without_upgrade(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                wishes = [one.strip() for one in value.split(b",")]
                value = b", ".join(one for one in wishes if one.lower() != b"upgrade")
            if name != b"upgrade":
                lines.append(b"%s: %s" % (name, value))
        return b"\r\n".join([*lines, b"", b""])

    def _await_head(self) -> None:
        self._forget(self._head_timer)
        self._head_timer = self.loop.call_later(self.head_seconds, self._head_is_late)

    def _head_is_late(self) -> None:
        if self.transport.is_closing():
            return
        if self._in_head:
            self._refuse(ApiError("request_timeout", "The head of the request did not come"))
        else:
            self.transport.close()

    def _watch_stall(self, waiting: int) -> None:
        self._stall_timer = self.loop.call_later(self.stalled_seconds, self._stalled, waiting)

    def _stalled(self, waiting_then: int) -> None:
        waiting = self.transport.get_write_buffer_size()
        if waiting >= waiting_then:
            self.transport.abort()
        else:
            self._watch_stall(waiting)

    def _head_too_large(self) -> ApiError:
        limit = self.max_head_bytes
        return ApiError("headers_too_large", f"The request's head is larger than {limit} bytes")

    def _refuse(self, error: ApiError) -> None:
        """Say why, and close; a request whose answer has begun can be told nothing more."""
        told = self._in_message and not self._in_head and self.cycle.response_started
        if not told:
            request_id = uuid.uuid4().hex
            body = error_body(error, request_id)
            head = (
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
                f"x-request-id: {request_id}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(STATUS_LINE[error.status] + head.encode() + body)
        self.transport.close()

    @staticmethod
    def _forget(timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()
