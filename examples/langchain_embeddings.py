"""LangChain with a model in this process: no server, no key."""

from __future__ import annotations

from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore

from biencoder import Embedder
from biencoder.types import Truncate

TEXTS = (
    "When a river cuts off one of its bends, the old bend becomes an oxbow lake.",
    "Pine trees keep their needles for several years.",
    "Bread rises because yeast turns sugar into carbon dioxide.",
)
QUESTION = "how do curved lakes beside a river come about?"


class BiencoderEmbeddings(Embeddings):
    """An `Embedder` for whatever takes LangChain's `Embeddings`. dimensions: fewer numbers a vector."""

    def __init__(
        self, model: Embedder, *, dimensions: int | None = None, truncate: Truncate = "NONE"
    ) -> None:
        self.model = model
        self.dimensions = dimensions
        self.truncate = truncate

    def embed_query(self, text: str) -> list[float]:
        """A question, with the prompt for questions in front."""
        vectors = self.model.encode_queries(
            [text], dimensions=self.dimensions, truncate=self.truncate
        )
        return [float(number) for number in vectors[0]]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Passages, with the prompt for passages in front."""
        vectors = self.model.encode_documents(
            texts, dimensions=self.dimensions, truncate=self.truncate
        )
        return [[float(number) for number in vector] for vector in vectors]


def main() -> None:
    """Keep three texts, ask for the best."""
    store = InMemoryVectorStore(BiencoderEmbeddings(Embedder.load("mini")))
    store.add_texts(list(TEXTS))
    for document, score in store.similarity_search_with_score(QUESTION, k=2):
        print(f"{score:.3f}  {document.page_content}")


if __name__ == "__main__":
    main()
