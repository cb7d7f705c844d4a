"""The options of every verb whose model may be behind a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

Server: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--server",
        help="Ask a server with /v1/embeddings, as http://127.0.0.1:8000; --model is its name there.",
    ),
]
KeyFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--api-key-file",
        help="The server's key, in a file's first line; without it BIENCODER_API_KEY goes to a --server.",
    ),
]
Tokenizer: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--tokenizer",
        help="Of a server's model: a folder or family name whose tokenizer measures passages; "
        "without it a rule of three bytes a token does.",
    ),
]
