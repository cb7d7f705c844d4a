"""Whatever LanceDB raises while it writes becomes one sentence, and the next run goes on."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from tests.index import made_index

from biencoder.errors import BiencoderError, OutputError
from biencoder.index.layout import read_layout
from biencoder.index.store import Store


class PanicException(BaseException):
    """Named as the one that the binding to Rust raises, which cannot be imported."""


class RustPanic(Exception):
    """As the asynchronous binding's."""


@pytest.mark.parametrize(
    "error",
    [
        ValueError("Invalid input, field 'z' does not exist\n  at lance/src/schema.rs"),
        pa.ArrowInvalid("Invalid input, field 'z' does not exist"),
        KeyError("Invalid input, field 'z' does not exist"),
        RustPanic("Invalid input, field 'z' does not exist"),
        PanicException("Invalid input, field 'z' does not exist"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_the_engine_raises_is_told_and_the_next_run_goes_on(
    tmp_path: Path, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lancedb.table import LanceTable

    source, to = made_index.write_sources(tmp_path / "source", count=3), tmp_path / "index"

    def refuse(*arguments: object, **named: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(LanceTable, "add", refuse)
        with pytest.raises(OutputError) as told:
            made_index.index(source, to)
    assert "chunks.lance could not be written: " in told.value.message
    assert "field 'z' does not exist" in told.value.message
    assert "\n" not in told.value.message
    assert "disk full" not in str(told.value)
    assert made_index.index(source, to).documents == 13


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)])
def test_what_stops_python_is_no_fault_of_the_engine(
    folder: Path, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lancedb.table import LanceTable

    def stop(*arguments: object, **named: object) -> None:
        raise error

    store = Store.open(read_layout(folder).generation().folder)
    monkeypatch.setattr(LanceTable, "add", stop)
    with pytest.raises(type(error)):
        store.add(pa.table({}))


def test_an_error_of_this_library_stays_what_it_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lancedb.table import LanceTable

    def refuse(*arguments: object, **named: object) -> None:
        raise BiencoderError("of our own")

    store = Store.open(read_layout(folder).generation().folder)
    monkeypatch.setattr(LanceTable, "add", refuse)
    with pytest.raises(BiencoderError, match="of our own"):
        store.add(pa.table({}))
