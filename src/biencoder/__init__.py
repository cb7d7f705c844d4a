"""biencoder: Llama-based embedding models, natively, from one text to a searchable corpus.

from biencoder import Embedder
model = Embedder.load("mini")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from biencoder.config.page_model import PageLimits
    from biencoder.embedder.embedder import Embedder
    from biencoder.embedder.pages.page import Page
    from biencoder.index.filters import col
    from biencoder.index.opened import Index

__version__ = "0.1.0"
__all__ = ["Embedder", "Index", "Page", "PageLimits", "__version__", "col"]

_HOMES = {
    "Embedder": "biencoder.embedder.embedder",
    "Index": "biencoder.index.opened",
    "Page": "biencoder.embedder.pages.page",
    "PageLimits": "biencoder.config.page_model",
    "col": "biencoder.index.filters",
}


def __getattr__(name: str) -> Any:
    # torch is slow to import; `biencoder --help` must not wait for it.
    if name not in _HOMES:
        raise AttributeError(f"module 'biencoder' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
