"""LangChain, LlamaIndex and Haystack, unchanged, at a real process: the library's vectors."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from haystack import Document
from haystack_integrations.components.embedders.nvidia import (
    NvidiaDocumentEmbedder,
    NvidiaTextEmbedder,
)
from langchain_nvidia_ai_endpoints import NVIDIAEmbeddings
from llama_index.embeddings.nvidia import NVIDIAEmbedding
from tests.serve.clients import (
    ALIASED,
    NAME,
    QUESTION,
    REFUSAL,
    TEXTS,
    TOO_LONG,
    as_passages,
    as_query,
    cut,
    same,
    served,
)
from tests.serve.wire_client import mini


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(*ALIASED) as base:
        yield base


# --- LangChain ----------------------------------------------------------------------------------


def langchain(address: str, **options: Any) -> NVIDIAEmbeddings:
    return NVIDIAEmbeddings(base_url=f"{address}/v1", **{"model": NAME} | options)


def test_langchain_gets_queries_and_documents(address: str) -> None:
    embeddings = langchain(address)
    same(embeddings.embed_query(QUESTION), as_query())
    same(embeddings.embed_documents(TEXTS), as_passages())


def test_langchain_without_blocking(address: str) -> None:
    embeddings = langchain(address)

    async def ask() -> tuple[list[float], list[list[float]]]:
        return await embeddings.aembed_query(QUESTION), await embeddings.aembed_documents(TEXTS)

    asked, stored = asyncio.run(ask())
    same(asked, as_query())
    same(stored, as_passages())


def test_langchain_keeps_the_order_over_several_requests(address: str) -> None:
    many = [f"lake number {place}" for place in range(101)]
    same(langchain(address).embed_documents(many), mini().encode_documents(many))


@pytest.mark.parametrize("side", ["START", "END"])
def test_langchain_has_long_texts_cut_on_either_side(address: str, side: Any) -> None:
    long = f"first {TOO_LONG} last"
    found = langchain(address, truncate=side).embed_documents([long])[0]
    same(found, cut(long, "document", truncate=side))


def test_langchain_gets_smaller_vectors(address: str) -> None:
    same(langchain(address, dimensions=64).embed_query(QUESTION), as_query(dimensions=64))


def test_langchain_shows_why_a_text_was_refused(address: str) -> None:
    embeddings = langchain(address)
    with pytest.raises(Exception, match=rf"\[400\] Bad Request\n{REFUSAL}"):
        embeddings.embed_documents([TEXTS[0], TOO_LONG])
    with pytest.raises(Exception, match=REFUSAL):
        asyncio.run(embeddings.aembed_query(TOO_LONG))


def test_langchain_finds_the_model_itself(address: str) -> None:
    # It tells, by a warning, which model it has taken where none was named.
    with pytest.warns(UserWarning, match="Default model is set as: mini"):
        embeddings = langchain(address, model=None)
    same(embeddings.embed_query(QUESTION), as_query())


# --- LlamaIndex ---------------------------------------------------------------------------------


def llama_index(address: str, **options: Any) -> NVIDIAEmbedding:
    return NVIDIAEmbedding(base_url=f"{address}/v1", model=NAME, **options)


def test_llama_index_gets_texts_one_by_one_and_in_batches(address: str) -> None:
    embedding = llama_index(address)
    same(embedding.get_text_embedding(TEXTS[0]), as_passages()[0])
    same(embedding.get_text_embedding_batch(TEXTS), as_passages())


def test_llama_index_without_blocking(address: str) -> None:
    async def ask() -> tuple[list[float], list[list[float]]]:
        # It leaves its connections open, which is a warning; they are ours to close.
        async with openai.DefaultAsyncHttpxClient() as connections:
            embedding = llama_index(address, async_http_client=connections)
            asked = await embedding.aget_query_embedding(QUESTION)
            return asked, await embedding.aget_text_embedding_batch(TEXTS)

    asked, stored = asyncio.run(ask())
    same(asked, as_query())
    same(stored, as_passages())


def test_llama_indexs_blocking_question_is_embedded_as_it_asks_as_a_passage(address: str) -> None:
    # Its slip, not ours to mend: the same call without blocking says "query".
    found = llama_index(address).get_query_embedding(QUESTION)
    same(found, mini().encode_documents([QUESTION])[0])


def test_llama_index_gets_smaller_vectors_and_cut_texts(address: str) -> None:
    embedding = llama_index(address, dimensions=64, truncate="END")
    found = embedding.get_text_embedding(TOO_LONG)
    same(found, cut(TOO_LONG, "document", dimensions=64, truncate="END"))


def test_llama_index_shows_why_a_text_was_refused(address: str) -> None:
    with pytest.raises(openai.BadRequestError, match=REFUSAL):
        llama_index(address).get_text_embedding(TOO_LONG)


# --- Haystack -----------------------------------------------------------------------------------


def haystack(kind: Any, address: str, **options: Any) -> Any:
    return kind(model=NAME, api_url=f"{address}/v1", api_key=None, **options)


def test_haystack_embeds_a_question(address: str) -> None:
    embedder = haystack(NvidiaTextEmbedder, address)
    found = embedder.run(QUESTION)
    embedder.close()
    same(found["embedding"], as_query())
    assert found["meta"]["usage"]["total_tokens"] > 0


def test_haystack_embeds_documents(address: str) -> None:
    embedder = haystack(NvidiaDocumentEmbedder, address, batch_size=2, progress_bar=False)
    found = embedder.run([Document(content=text) for text in TEXTS])
    embedder.close()
    same([document.embedding for document in found["documents"]], as_passages())


@pytest.mark.parametrize("side", ["START", "END"])
def test_haystack_has_long_texts_cut_on_either_side(address: str, side: Any) -> None:
    long = f"first {TOO_LONG} last"
    embedder = haystack(NvidiaTextEmbedder, address, truncate=side)
    found = embedder.run(long)["embedding"]
    embedder.close()
    same(found, cut(long, "query", truncate=side))


def test_haystack_shows_why_a_text_was_refused(address: str) -> None:
    embedder = haystack(NvidiaTextEmbedder, address)
    with pytest.raises(ValueError, match=REFUSAL):
        embedder.run(TOO_LONG)
    embedder.close()
