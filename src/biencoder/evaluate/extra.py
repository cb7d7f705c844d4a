"""What judging needs beyond the base installation, and how a person gets it."""

from __future__ import annotations

from types import ModuleType

from biencoder.errors import MissingExtraError

# No package index has this project: only its own source folder installs its extras.
HOW_TO_INSTALL = "in biencoder's source folder: pip install -c constraints.txt -e '.[eval]'"


def require_bm25s() -> ModuleType:
    """The module bm25s. Raises MissingExtraError where it is not installed."""
    try:
        import bm25s
    except ImportError as error:
        raise _missing("BM25", error, "; or judge without it: --no-bm25 (bm25=None)") from error
    module: ModuleType = bm25s
    return module


def require_mteb() -> None:
    """Raise MissingExtraError where mteb is not installed."""
    try:
        import mteb  # noqa: F401
    except ImportError as error:
        raise _missing("a benchmark or suite", error) from error


def _missing(what: str, error: ImportError, otherwise: str = "") -> MissingExtraError:
    return MissingExtraError(
        f"{what} needs {error.name}, which is not installed", hint=HOW_TO_INSTALL + otherwise
    )
