"""Who may ask: keys, compared in constant time, before anything of a body is read."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
from collections.abc import Iterable, Sequence

from biencoder.serve.errors import ApiError
from biencoder.serve.settings import Settings

# A load balancer has no key. Every other route asks for one, also one that does not exist.
OPEN_PATHS = frozenset({"/v1/health/live", "/v1/health/ready"})

# Names that no stranger can own: they end in one of these, or are a single word.
_PRIVATE_ENDINGS = (".localhost", ".local", ".internal", ".test")

Headers = Sequence[tuple[bytes, bytes]]


class Keys:
    """The keys that are let in; with none, everybody is, whatever the header says."""

    def __init__(self, keys: Iterable[str]) -> None:
        # Digests have one length, so that comparing tells nothing about a key's length.
        self._digests = tuple(_digest(key.encode()) for key in keys)

    def check(self, path: str, headers: Headers) -> None:
        """Raises ApiError invalid_api_key unless the request may pass."""
        if not self._digests or path in OPEN_PATHS:
            return
        given = _header(headers, b"authorization")
        key = None if given is None else _key(given)
        if key is not None:
            digest = _digest(key)
            # All are compared, so that the time does not tell which one was near.
            if sum(hmac.compare_digest(digest, known) for known in self._digests):
                return
        said = "an API key is required" if given is None else "the API key is wrong"
        raise ApiError(
            "invalid_api_key",
            f"Unauthorized: {said}; send it as the header 'Authorization: Bearer KEY'",
            headers={"WWW-Authenticate": _challenge(headers)},
        )


class Hosts:
    """The names a service is asked under.

    One that listens to its own machine only, and asks for no key, is still reached by every web
    page of a browser there: a site points its own name at 127.0.0.1 and is then, for the browser,
    the same origin. So such a service answers under names only that no site can own.
    """

    def __init__(self, settings: Settings) -> None:
        self._watched = not settings.api_keys and _is_loopback(settings.host)
        self._allowed = frozenset(name.lower() for name in settings.allowed_hosts)

    def check(self, headers: Headers) -> None:
        """Raises ApiError host_not_allowed."""
        if not self._watched:
            return
        host = _hostname((_header(headers, b"host") or b"").decode("latin-1").lower())
        if not (host in self._allowed or _is_private(host)):
            raise ApiError(
                "host_not_allowed",
                "This service answers on its own machine only; behind a proxy, name the public "
                "host with --allowed-host, or set an API key",
            )


def _header(headers: Headers, wanted: bytes) -> bytes | None:
    return next((value for name, value in headers if name == wanted), None)


def _key(authorization: bytes) -> bytes | None:
    """The key of a Bearer header, or the password of a Basic one, which is what a browser can send."""
    scheme, _, credentials = authorization.strip().partition(b" ")
    credentials = credentials.strip()
    if scheme.lower() == b"bearer":
        return credentials
    if scheme.lower() == b"basic":
        try:
            return base64.b64decode(credentials, validate=True).partition(b":")[2]
        except binascii.Error:
            return None
    return None


def _challenge(headers: Headers) -> str:
    """To a browser that opens a page also what makes it ask its user."""
    wants_page = b"text/html" in (_header(headers, b"accept") or b"")
    return 'Basic realm="biencoder: API key as password", Bearer' if wants_page else "Bearer"


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _hostname(host: str) -> str:
    """A Host header without its port, an IPv6 address without its brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_private(host: str) -> bool:
    return "." not in host or _is_address(host) or host.endswith(_PRIVATE_ENDINGS)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)
