"""`biencoder serve`: models and an index behind HTTP, for NIM and OpenAI clients and for people."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from biencoder.cli.show import warnings_as_lines

NAME = "serve"
HELP = "Serve models (NIM's and OpenAI's /v1/embeddings) and, with --index, a search page."


def run(
    model: Annotated[
        list[str] | None,
        typer.Option(help="Family name, folder or hub id; give it again for more. Default: mini."),
    ] = None,
    alias: Annotated[
        list[str] | None, typer.Option(help="NAME=MODEL: one more name for a served model.")
    ] = None,
    index: Annotated[
        list[Path] | None,
        typer.Option(help="An index: search and its page, and its model; again for more."),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Default: 127.0.0.1; 0.0.0.0 for all.")] = None,
    port: Annotated[int | None, typer.Option(help="Default: 8000; 0 for any free one.")] = None,
    api_key_file: Annotated[
        Path | None, typer.Option(help="Ask for one of its keys (one a line) on every route.")
    ] = None,
    default_input_type: Annotated[
        str | None,
        typer.Option(help="Role where a request names none: query, passage or none (refuse)."),
    ] = None,
    dimensions_policy: Annotated[
        str | None, typer.Option(help="strict (the model's sizes) or nim1 (any, as NIM 1.x).")
    ] = None,
    quantised_base64: Annotated[
        str | None,
        typer.Option(help="int8 and bits where base64 is asked for: arrays, bytes or reject."),
    ] = None,
    strict_fields: Annotated[
        bool | None, typer.Option("--strict-fields", help="Refuse unknown fields.")
    ] = None,
    any_model: Annotated[
        bool | None, typer.Option("--any-model", help="Unknown model names mean the first model.")
    ] = None,
    list_aliases: Annotated[
        bool | None, typer.Option("--list-aliases", help="Show aliases in /v1/models.")
    ] = None,
    ranking: Annotated[
        bool | None, typer.Option("--ranking", help="Offer /v1/ranking (dot products).")
    ] = None,
    max_client_batch: Annotated[
        int | None, typer.Option(help="Most inputs of a request. Default: 2048.")
    ] = None,
    max_seq_len: Annotated[
        int | None, typer.Option(help="Fewer tokens a text than the model could read.")
    ] = None,
    token_budget: Annotated[
        int | None, typer.Option(help="Tokens of a batch; the machine's without this.")
    ] = None,
    max_queued_tokens: Annotated[
        int | None, typer.Option(help="Tokens that may wait; four seconds' worth without this.")
    ] = None,
    max_image_bytes: Annotated[
        int | None, typer.Option(help="The largest image of a request. Default: 20 MiB.")
    ] = None,
    request_timeout: Annotated[float | None, typer.Option(help="Seconds. Default: 120.")] = None,
    drain_timeout: Annotated[
        float | None, typer.Option(help="Seconds to finish in after TERM. Default: 30.")
    ] = None,
    warmup: Annotated[str | None, typer.Option(help="full (default), short or none.")] = None,
    dtype: Annotated[str | None, typer.Option(help="auto, bfloat16, float32, float16.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1.")] = None,
    cors_origin: Annotated[
        str | None, typer.Option(help="Another site whose pages may ask.")
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(help="A public name that a proxy on this machine serves under."),
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate chain, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, PEM.")] = None,
    feedback: Annotated[
        Path | None,
        typer.Option(help="Folder of judgements; without this, the index's own folder feedback."),
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning, error.")] = None,
    log_format: Annotated[str | None, typer.Option(help="text or json.")] = None,
    otel: Annotated[
        bool | None, typer.Option("--otel", help="Send traces by OTLP (extra otel).")
    ] = None,
) -> None:
    """Serve until stopped; TERM finishes what runs."""
    given: dict[str, Any] = {
        name: value
        for name, value in locals().items()
        if name not in ("model", "alias", "api_key_file", "max_seq_len", "allowed_host")
    }
    given |= {"models": model, "aliases": alias, "max_tokens": max_seq_len}
    given["allowed_hosts"] = allowed_host
    with warnings_as_lines():
        _serve(given, api_key_file)


def _serve(given: dict[str, Any], api_key_file: Path | None) -> None:
    from biencoder.serve.environment import read_keys, resolve
    from biencoder.serve.logs import configure
    from biencoder.serve.nim import cache_folder

    if api_key_file is not None:
        given["api_keys"] = read_keys(api_key_file)
    resolved = resolve(given, os.environ)
    tell = configure(resolved.settings.log_level, resolved.settings.log_format)
    cache = cache_folder(os.environ)
    if cache is not None:
        # Read by huggingface_hub when it is imported, which is later.
        os.environ["HF_HUB_CACHE"] = cache
    for line in (*resolved.shown(all_=bool(os.environ.get("SHOW_CONFIG"))), *resolved.notices):
        tell(line)

    from biencoder.serve.run import run as serve

    serve(resolved.settings, tell)
