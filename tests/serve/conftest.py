"""What tests of the engine share."""

from __future__ import annotations

import pytest
from tests.serve.engines import Gate

from biencoder.embedder.embedder import Embedder


@pytest.fixture
def gate(model: Embedder, monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate = Gate(model.trunk.embed)
    monkeypatch.setattr(model.trunk, "embed", gate)
    return gate
