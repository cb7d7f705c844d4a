"""A small server with ``/v1/embeddings`` in a thread; its vectors are those of the shipped `mini`."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from biencoder.embedder.embedder import Embedder
from biencoder.embedder.remote.endpoint import Patience
from biencoder.errors import TooLongError
from biencoder.types import FloatArray

Json = dict[str, Any]


@cache
def mini() -> Embedder:
    """The bundled model, loaded once."""
    return Embedder.load("mini")


@dataclass(frozen=True)
class Answer:
    """What goes over the wire. stated: the Content-Length, where it is not the true one."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    stated: int | None = None


def answer(status: int, body: object, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps(body).encode(), named)


@dataclass
class StandIn:
    """One server. states: whether it tells all in ``/metadata``, as `biencoder serve` does.

    meddle: gets the number of the request for vectors, its body and the right answer; what it gives
    back is sent. key: wanted in every request.
    """

    url: str = ""
    states: bool = True
    id: str = "mini"
    key: str = ""
    roles: bool = True
    entry: Json = field(default_factory=dict)
    meddle: Callable[[int, Json, Json], object] = lambda number, body, right: right
    asked: list[Json] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    together: int = 0
    at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def respond(self, path: str, headers: dict[str, str], body: Json | None) -> Answer:
        with self.lock:
            self.paths.append(path)
            self.headers.append(headers)
        if self.key and headers.get("authorization") != f"Bearer {self.key}":
            words = f"Unauthorized: {headers.get('authorization')}"
            return answer(401, {"error": {"message": words, "code": "invalid_api_key"}})
        if path == "/v1/models":
            return answer(200, {"object": "list", "data": [{"id": self.id}]})
        if path == "/v1/metadata" and self.states:
            return answer(200, {"modelInfo": [metadata(self.id) | self.entry]})
        if path != "/v1/embeddings" or body is None:
            return answer(404, {"error": {"message": "not found", "code": "not_found"}})
        return self._vectors(body)

    def _vectors(self, body: Json) -> Answer:
        with self.lock:
            number = len(self.asked)
            self.asked.append(body)
            self.together += 1
            self.at_once = max(self.at_once, self.together)
        try:
            if body["model"] not in (self.id, "an-alias"):
                return answer(404, {"error": {"message": "no such model"}})
            given = self.meddle(number, body, self._right(body))
        except TooLongError as error:
            message = "Input length 700 exceeds maximum allowed token size 512"
            row = error.message.split()[1]
            refused = {"message": message, "code": "context_length_exceeded"}
            return answer(400, {"error": refused | {"param": f"input[{row}]"}})
        finally:
            with self.lock:
                self.together -= 1
        return given if isinstance(given, Answer) else answer(200, given)

    def _right(self, body: Json) -> Json:
        options = {"dimensions": body.get("dimensions"), "truncate": body["truncate"]}
        side = "query" if body["input_type"] == "query" and self.roles else "document"
        (window,) = mini().encode_stream(body["input"], role=side, **options)  # type: ignore[arg-type]
        return vectors_as_json(window.vectors, self.id, window.tokens)


def vectors_as_json(vectors: FloatArray, model: str, tokens: int) -> Json:
    data = [
        {"object": "embedding", "index": index, "embedding": encoded(vector)}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}


def encoded(vector: FloatArray) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


@cache
def _fingerprint() -> str:
    return mini().fingerprint()


def metadata(name: str) -> Json:
    """As helper routes of `biencoder serve` state it."""
    return {
        "id": name,
        "aliases": ["an-alias"],
        "maxSeqLength": 512,
        "dimensions": [64, 128, 256, 384],
        "prefixes": {"query": "query: ", "passage": "passage: "},
        "dtype": "float32",
        "fingerprint": _fingerprint(),
        "license": "Apache-2.0",
    }


@contextmanager
def serving(**settings: Any) -> Iterator[StandIn]:
    """The server, until the block ends."""
    stand_in = StandIn(**settings)
    open_: set[socket.socket] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            open_.add(self.connection)

        def finish(self) -> None:
            super().finish()
            open_.discard(self.connection)

        def do_GET(self) -> None:
            self._send(stand_in.respond(self.path, self._named(), None))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._send(stand_in.respond(self.path, self._named(), body))

        def _named(self) -> dict[str, str]:
            return {name.lower(): value for name, value in self.headers.items()}

        def _send(self, given: Answer) -> None:
            self.send_response(given.status)
            stated = len(given.body) if given.stated is None else given.stated
            headers = {"Content-Type": "application/json", "Content-Length": str(stated)}
            for name, value in (headers | given.headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(given.body)
            self.close_connection = given.stated is not None

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        # Connections that are kept alive would be answered for ever.
        for connection in list(open_):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        thread.join()


class Clock:
    """Time that passes only while somebody sleeps; ``pauses`` are those asked for."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float, stop: threading.Event) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def patience(self, **changes: Any) -> Patience:
        return Patience(sleep=self.sleep, clock=lambda: self.now, **changes)
