"""As `crash_child.py`, with pages that are read by their looks."""

from __future__ import annotations

from typing import Any

from tests.index import crash_child, made_pages

if __name__ == "__main__":
    child: Any = crash_child
    child.made_index = made_pages
    crash_child.serve()
