"""LlamaIndex with a model in this process: no server, no key."""

from __future__ import annotations

from typing import Any

from llama_index.core import VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import TextNode

from biencoder import Embedder

TEXTS = (
    "When a river cuts off one of its bends, the old bend becomes an oxbow lake.",
    "Pine trees keep their needles for several years.",
    "Bread rises because yeast turns sugar into carbon dioxide.",
)
QUESTION = "how do curved lakes beside a river come about?"


class BiencoderEmbedding(BaseEmbedding):
    """An `Embedder` for whatever takes LlamaIndex's `BaseEmbedding`."""

    _model: Embedder = PrivateAttr()

    def __init__(self, model: Embedder, **options: Any) -> None:
        super().__init__(**{"model_name": model.source.folder.name} | options)
        self._model = model

    @classmethod
    def class_name(cls) -> str:
        """What LlamaIndex calls it in what it saves."""
        return "BiencoderEmbedding"

    def _get_query_embedding(self, query: str) -> list[float]:
        return [float(number) for number in self._model.encode_queries([query])[0]]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        vectors = self._model.encode_documents(texts)
        return [[float(number) for number in vector] for vector in vectors]


def main() -> None:
    """Keep three texts, ask for the best."""
    embedding = BiencoderEmbedding(Embedder.load("mini"))
    index = VectorStoreIndex([TextNode(text=text) for text in TEXTS], embed_model=embedding)
    for found in index.as_retriever(similarity_top_k=2).retrieve(QUESTION):
        print(f"{found.score:.3f}  {found.node.get_content()}")


if __name__ == "__main__":
    main()
