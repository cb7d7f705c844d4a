"""What tests of the engine share, and those of the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.serve import made_search
from tests.serve.browsing import CHROMIUM, Visit, visiting
from tests.serve.engines import Gate
from tests.serve.made_search import CountingEngine

from biencoder.embedder.embedder import Embedder

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def kettle_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index of `made_search`. Read, never write."""
    return made_search.write_index(tmp_path_factory.mktemp("page"))


@pytest.fixture
def visit(browser: Browser, kettle_index: Path, tmp_path: Path) -> Iterator[Visit]:
    """The search page over that index."""
    with visiting(browser, kettle_index, tmp_path / "feedback", CountingEngine()) as made:
        yield made


@pytest.fixture
def gate(model: Embedder, monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate = Gate(model.trunk.embed)
    monkeypatch.setattr(model.trunk, "embed", gate)
    return gate
