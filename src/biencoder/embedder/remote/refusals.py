"""A server's refusal as one of our errors: what is wrong, and what to do about it."""

from __future__ import annotations

import re

from biencoder.embedder.remote.key import KEY_VARIABLE
from biencoder.embedder.remote.reply import Reply, Said
from biencoder.errors import (
    BiencoderError,
    DimensionError,
    ImageError,
    InputError,
    RemoteError,
    TooLongError,
    UnknownModelError,
)

# The phrase that every NIM, and `biencoder serve`, says of a text that is too long.
_TOO_LONG = re.compile(r"exceeds maximum allowed token size")
_ROW = re.compile(r"input\[(\d+)\]")


def refusal(reply: Reply, model: str, first_row: int) -> BiencoderError:
    """The error for an answer that is not 200. first_row: where the request's texts begin.

    The caller says of a model that is not served (`unknown_model`) which are.
    """
    said = reply.said()
    cure = 'split it, or allow cutting with truncate="END" (keep the beginning) or "START"'
    return _refusal(reply, said, model, _text(said, first_row), cure)


def page_refusal(reply: Reply, model: str) -> BiencoderError:
    """As `refusal`, for the one page of a request: whoever is told of it names the page."""
    said = reply.said()
    if said.code == "invalid_image":
        return ImageError(f"{reply.host} refuses it: {said.message}")
    cure = 'shorten its text, or allow cutting its end with truncate="END"; an image is never cut'
    return _refusal(reply, said, model, "it", cure)


def _refusal(reply: Reply, said: Said, model: str, what: str, cure: str) -> BiencoderError:
    if reply.status in (401, 403):
        return _no_entry(reply, said)
    if 300 <= reply.status < 400:
        target = reply.headers.get("location", "another address")
        return RemoteError(
            f"{reply.host} sends us on to {target}; that is not followed, because of the key",
            hint="give that address itself, if you trust it",
        )
    if _TOO_LONG.search(said.message) or said.code == "context_length_exceeded":
        return TooLongError(f"{what} is too long for {model}: {said.message}", hint=cure)
    if said.code == "invalid_dimensions" or said.field == "dimensions":
        return DimensionError(f"{model} at {reply.host}: {said.message}")
    words = said.message or f"status {reply.status}, and no word about it"
    if reply.status in (400, 413, 415, 422):
        return InputError(
            f"{reply.host} refuses {what}: {words}",
            hint="the server's limits, or its API, are others than expected",
        )
    return RemoteError(f"{reply.host} fails (status {reply.status}): {words}")


def unknown_model(host: str, model: str, served: list[str], said: str) -> UnknownModelError:
    """The error for a model, or an address, that the server does not know."""
    if not served:
        return UnknownModelError(
            f"{host} knows no embeddings of {model!r}: {said or 'not found'}",
            hint="check the address: below it lies /embeddings, as http://host:8000/v1",
        )
    return UnknownModelError(
        f"{host} does not serve {model!r}", hint=f"it serves {', '.join(served)}"
    )


def _no_entry(reply: Reply, said: Said) -> RemoteError:
    return RemoteError(
        f"{reply.host} does not let us in (status {reply.status}): {said.message or 'no reason given'}",
        hint=f"give the key in a file, --api-key-file FILE (api_key_file=), or in {KEY_VARIABLE}",
    )


def _text(said: Said, first_row: int) -> str:
    row = _ROW.search(said.field)
    return f"text {first_row + int(row[1])}" if row else "a text"
