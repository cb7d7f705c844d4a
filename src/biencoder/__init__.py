"""biencoder: Llama-based embedding models, natively, from one text to a searchable corpus.

from biencoder import Embedder
model = Embedder.load("mini")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from biencoder.embedder.embedder import Embedder
    from biencoder.index.filters import col
    from biencoder.index.opened import Index

__version__ = "0.1.0"
__all__ = ["Embedder", "Index", "__version__", "col"]


def __getattr__(name: str) -> Any:
    # torch is slow to import; `biencoder --help` must not wait for it.
    match name:
        case "Embedder":
            from biencoder.embedder.embedder import Embedder

            return Embedder
        case "Index":
            from biencoder.index.opened import Index

            return Index
        case "col":
            from biencoder.index.filters import col

            return col
    raise AttributeError(f"module 'biencoder' has no attribute {name!r}")
