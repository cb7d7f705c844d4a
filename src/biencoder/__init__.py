"""biencoder: Llama-based embedding models, natively, from one text to a searchable corpus.

from biencoder import Embedder
model = Embedder.load("mini")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from biencoder.embedder.embedder import Embedder

__version__ = "0.1.0"
__all__ = ["Embedder", "__version__"]


def __getattr__(name: str) -> Any:
    # torch is slow to import; `biencoder --help` must not wait for it.
    if name == "Embedder":
        from biencoder.embedder.embedder import Embedder

        return Embedder
    raise AttributeError(f"module 'biencoder' has no attribute {name!r}")
