"""One server over HTTP: its address, the key for it, and how patiently it is asked.

The key goes to this address and nowhere else: redirects are not followed. What is asked here may be
asked twice without harm, so that what fails in passing is tried again.
"""

from __future__ import annotations

import random
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

import httpx
import orjson

from biencoder import __version__
from biencoder.embedder.remote.reply import Reply
from biencoder.embedder.remote.waiting import asked_wait
from biencoder.errors import InputError, RemoteError

# What a server says of a fault that may pass by itself.
_PASSING = {408, 429, 500, 502, 503, 504}
# Far more than 2,048 vectors of 4,096 numbers as base64.
_MAX_ANSWER = 256 * 1024 * 1024

Sleep = Callable[[float, threading.Event], object]


def _sleep(seconds: float, stop: threading.Event) -> None:
    stop.wait(seconds)


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How often and how long, in seconds. A server that never answered is not waited for at all.

    first, longest: the pause after the first failure doubles up to the longest, less up to half by
    chance. total: after so long nothing is tried again. connect, answer: how long one try waits.
    """

    retries: int = 5
    first: float = 0.5
    longest: float = 20.0
    total: float = 300.0
    connect: float = 10.0
    answer: float = 150.0
    sleep: Sleep = _sleep
    clock: Callable[[], float] = time.monotonic


PATIENT = Patience()


class Endpoint:
    """A server's API below its base URL, as ``http://host:8000/v1``; used by several threads."""

    def __init__(self, base_url: str, key: str = "", patience: Patience = PATIENT) -> None:
        url = _parsed(base_url)
        self.base_url = str(url)
        self.host = url.netloc.decode("ascii")
        self._key, self._patience = key, patience
        self._has_answered = False
        headers = {"User-Agent": f"biencoder/{__version__}", "Accept": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self._client = httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(patience.answer, connect=patience.connect),
            follow_redirects=False,
            # Certificates are read only where some are looked at: that takes a tenth of a second.
            verify=url.scheme == "https",
            # A proxy cannot reach what this machine serves to itself.
            trust_env=not _is_loopback(url.host),
        )
        weakref.finalize(self, self._client.close)

    def ask(
        self,
        path: str,
        body: Mapping[str, object] | None = None,
        stop: threading.Event | None = None,
    ) -> Reply:
        """GET, or POST with a body; what fails in passing is tried again, as long as is patient.

        stop: set by whoever no longer wants the answer. Raises RemoteError where no answer came that
        says more than that the server cannot answer now.
        """
        stop = stop or threading.Event()
        content = None if body is None else orjson.dumps(body)
        began, tries = self._patience.clock(), 0
        while True:
            reply, fault = self._try(path, content)
            tries += 1
            if reply is not None and not _may_pass(reply):
                return reply
            pause = asked_wait(reply.headers if reply else {}) or self._pause(tries)
            spent = self._patience.clock() - began + pause
            patient = tries <= self._patience.retries and spent <= self._patience.total
            if stop.is_set() or not patient or not self._has_answered:
                raise self._given_up(reply, fault, tries)
            self._patience.sleep(pause, stop)

    def _try(self, path: str, content: bytes | None) -> tuple[Reply | None, str]:
        method = "GET" if content is None else "POST"
        headers = {} if content is None else {"Content-Type": "application/json"}
        try:
            with self._client.stream(
                method, f"{self.base_url}{path}", content=content, headers=headers
            ) as response:
                self._has_answered = True
                whole = _whole(response)
                if response.status_code != 200 and self._key:
                    # Some servers quote the key that they refuse; it must not get into a message.
                    whole = whole.replace(self._key.encode(), b"***")
                return Reply(self.host, response.status_code, response.headers, whole), ""
        except httpx.RequestError as error:
            return None, f"{type(error).__name__}: {error}".rstrip(": ")

    def _pause(self, tries: int) -> float:
        longest: float = min(self._patience.longest, self._patience.first * 2.0 ** (tries - 1))
        return longest * random.uniform(0.5, 1.0)

    def _given_up(self, reply: Reply | None, fault: str, tries: int) -> RemoteError:
        times = "once" if tries == 1 else f"{tries} times"
        if reply is None:
            what = "stopped answering" if self._has_answered else "cannot be reached"
            return RemoteError(
                f"{self.host} {what} ({fault}; tried {times})",
                hint=f"check the address, and that the server runs: {self.base_url}/health/ready",
            )
        says = {429: "is overloaded", 503: "is not ready", 504: "does not answer in time"}
        words = reply.said().message
        return RemoteError(
            f"{self.host} {says.get(reply.status, 'fails')} (status {reply.status}; tried {times})"
            + (f": {words}" if words else ""),
            hint="try again later; the server's log says more",
        )


def _may_pass(reply: Reply) -> bool:
    return reply.status in _PASSING and reply.headers.get("x-should-retry") != "false"


def _whole(response: httpx.Response) -> bytes:
    content = bytearray()
    for piece in response.iter_bytes():
        content += piece
        if len(content) > _MAX_ANSWER:
            raise httpx.DecodingError(f"an answer of more than {_MAX_ANSWER:,} bytes")
    return bytes(content)


def _parsed(base_url: str) -> httpx.URL:
    """The address below which ``/embeddings`` lies: ``/v1`` is added where no version is named."""
    try:
        url = httpx.URL(base_url.strip())
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise InputError(
            f"{base_url!r} is no server's address",
            hint="as http://127.0.0.1:8000 or https://host/v1",
        )
    if url.userinfo or url.query or url.fragment:
        raise InputError(
            f"the server's address for {url.host} holds a user, a query or a fragment",
            hint="the address alone; a key is read from --api-key-file or BIENCODER_API_KEY",
        )
    path = url.path.rstrip("/").removesuffix("/embeddings").rstrip("/")
    named = path.rsplit("/", 1)[-1]
    if not (named[:1] == "v" and named[1:].isdigit()):
        path += "/v1"
    return url.copy_with(path=path)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
