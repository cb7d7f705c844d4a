"""How a model is reached: by its name on this machine, or by its name at a server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from biencoder.embedder.encoder import Encoder
from biencoder.embedder.pages.settings import AS_STATED, PageSettings
from biencoder.errors import InputError


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """server: a base URL, empty for this machine. tokenizer: what measures passages for a server.

    named: the server was named by whoever asks, not read from an index, which may be a stranger's: only
    then it may get the environment's key. The key itself is never part of it.
    """

    model: str
    server: str = ""
    tokenizer: str = ""
    api_key_file: Path | None = None
    named: bool = True


def open_encoder(
    reach: Reach, *, dtype: str = "auto", settings: PageSettings = AS_STATED
) -> Encoder:
    """Load the model, or connect to its server; raises as `Embedder.load` and `Embedder.connect`.

    settings: how a page model sees pages.
    """
    if reach.server:
        # Without torch: a question to a server must not wait for it.
        from biencoder.embedder.remote.connected import connect

        if settings.given:
            raise InputError(
                f"{', '.join(settings.given)} are settings of a page model on this machine, not of a "
                "server's"
            )
        if dtype != "auto":
            raise InputError(f"dtype {dtype!r} is for a model on this machine, not for a server")
        return connect(
            reach.server,
            reach.model,
            api_key_file=reach.api_key_file,
            tokenizer=reach.tokenizer or None,
            named=reach.named,
        )
    from biencoder.embedder.embedder import Embedder

    for option, given in (("key file", reach.api_key_file), ("tokenizer", reach.tokenizer)):
        if given:
            raise InputError(
                f"a {option} is given, and no server that it is for",
                hint="--server URL (server=) says where the model is",
            )
    return Embedder.load(
        reach.model,
        dtype=dtype,
        max_tiles=settings.max_tiles,
        thumbnail=settings.thumbnail,
        page_limits=settings.limits,
    )
