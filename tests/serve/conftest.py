"""What tests of the engine share, and those of the page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from tests.serve.browsing import CHROMIUM
from tests.serve.engines import Gate

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


@pytest.fixture
def gate(model: Embedder, monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate = Gate(model.trunk.embed)
    monkeypatch.setattr(model.trunk, "embed", gate)
    return gate
