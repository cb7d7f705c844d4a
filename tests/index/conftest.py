"""An index made once, and a copy of it for every test that damages one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.index import made_index


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("made")
    source = made_index.write_sources(place / "source")
    made_index.index(source, place / "index")
    made_index.change_sources(source)
    made_index.index(source, place / "index")
    return place


@pytest.fixture
def source(_made: Path) -> Path:
    """The sources of `folder`. Read, never write."""
    return _made / "source"


@pytest.fixture
def folder(_made: Path, tmp_path: Path) -> Path:
    """An index of changed sources, to be damaged by a test."""
    return shutil.copytree(_made / "index", tmp_path / "index")


@pytest.fixture
def whole(folder: Path) -> made_index.Contents:
    """What the undamaged `folder` holds."""
    return made_index.contents(folder)
