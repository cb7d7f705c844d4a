"""An index as most people hold it: opened, asked, looked at.

>>> from biencoder import Index
>>> index = Index.open("my-index")  # doctest: +SKIP
>>> hits = index.search("how do I reset the device?", top_k=5)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from biencoder.embedder.encoder import Encoder
from biencoder.errors import IndexDamagedError, InputError, OutputError, TooLongError
from biencoder.index.facts import Facts, check_query_model, keep_facts, read_facts
from biencoder.index.filter_check import ColumnType, check
from biencoder.index.filter_parser import parse
from biencoder.index.filters import Filter
from biencoder.index.fusion import Fusion
from biencoder.index.hits import Hit, Mode
from biencoder.index.layout import Generation, read_layout
from biencoder.index.ledger import Ledger
from biencoder.index.lock import writing
from biencoder.index.page_files import PageFiles
from biencoder.index.page_settings import open_index_model
from biencoder.index.page_shares import PageShares, page_shares
from biencoder.index.reader_mirror import mirror_for_reading
from biencoder.index.recovery import take_over
from biencoder.index.rights import RightsError, check_readable, is_there
from biencoder.index.rows import CORE
from biencoder.index.search import Request, Snapshot, search
from biencoder.index.store import Store
from biencoder.index.table_files import check_newest
from biencoder.index.writer import ACKNOWLEDGED, metadata_columns, open_writer
from biencoder.text.truncate import question_too_long
from biencoder.types import FloatArray


class Index:
    """One index, open for searching at its newest acknowledged version; `refresh` looks for a newer.

    The model that made it is loaded with the first question that needs it.
    """

    def __init__(
        self,
        folder: Path,
        snapshot: Snapshot,
        embedder: Encoder | None,
        api_key_file: Path | None = None,
    ) -> None:
        self.folder = folder
        self._snapshot = snapshot
        self._given = embedder
        self._api_key_file = api_key_file

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        embedder: Encoder | None = None,
        api_key_file: str | Path | None = None,
    ) -> Index:
        """Open an index for searching.

        embedder: a model that is loaded already; it must be the one that made the index.
        api_key_file: for the server, where the index's model is behind one. Raises
        InputError where there is no index, IndexDamagedError where it cannot be read,
        FingerprintError for another model.
        """
        place = Path(folder)
        snapshot = open_snapshot(place)
        if embedder is not None:
            check_query_model(snapshot.facts, embedder, place)
        key_file = None if api_key_file is None else Path(api_key_file)
        return cls(place, snapshot, embedder, key_file)

    @property
    def facts(self) -> Facts:
        """The model and the settings that made it."""
        return self._snapshot.facts

    @property
    def version(self) -> int:
        """The acknowledged version that is searched."""
        return self._snapshot.version

    @property
    def columns(self) -> dict[str, ColumnType]:
        """What can be filtered on."""
        return {**CORE, **metadata_columns(self._snapshot.store.schema)}

    def __len__(self) -> int:
        """How many passages it has."""
        return self._snapshot.rows

    @cached_property
    def embedder(self) -> Encoder:
        """The model that made the index.

        Raises FingerprintError where its files, or what its server states, have changed since.
        """
        if self._given is not None:
            return self._given
        reach = self.facts.reach(api_key_file=self._api_key_file)
        embedder = open_index_model(self.facts, reach)
        check_query_model(self.facts, embedder, self.folder)
        return embedder

    def refresh(self) -> bool:
        """Take the newest acknowledged version; True if there was a newer one."""
        fresh = open_snapshot(self.folder)
        before = (self._snapshot.facts.created, self._snapshot.version)
        if fresh.facts.fingerprint != self.facts.fingerprint:
            self._given = None
            self.__dict__.pop("embedder", None)
        self._snapshot = fresh
        return before != (fresh.facts.created, fresh.version)

    def search(
        self,
        question: str,
        *,
        top_k: int = 5,
        mode: Mode = "hybrid",
        filters: Filter | str | None = None,
        instruction: str | None = None,
        fusion: Fusion = "weighted",
    ) -> list[Hit]:
        """The best passages, highest score first, equal scores by id.

        mode: ``dense`` (cosine), ``lexical`` (BM25) or ``hybrid`` (both rankings fused). filters:
        built with `col`, or text such as ``source = "a.pdf" and page < 10``. instruction: a task, for
        models that take one. fusion: ``weighted`` or ``reciprocal-rank``, see `fusion.py`.

        Raises InputError for an empty question, an unknown column, mode, fusion or value.
        """
        if not question.strip():
            raise InputError("the question is empty")

        return self.search_vector(
            question,
            lambda: self.question_vector(question, instruction=instruction),
            top_k=top_k,
            mode=mode,
            filters=filters,
            fusion=fusion,
        )

    def question_vector(self, question: str, *, instruction: str | None = None) -> FloatArray:
        """The question's unit vector, shape (dimensions,), for `search_vector` and `page_shares`."""
        try:
            vectors = self.embedder.encode_queries(
                [question], dimensions=self.facts.dimensions, instruction=instruction
            )
        except TooLongError as error:
            raise question_too_long(error) from error
        one: FloatArray = vectors[0]
        return one

    def page_image(self, id_: str) -> bytes | None:
        """The picture of a page by its hit's id, a WebP file; None where the hit is no page."""
        return self._snapshot.pages.picture(id_)

    def page_shares(self, id_: str, query_D: FloatArray) -> PageShares | None:
        """What each tile of a page adds to its cosine with a question's unit vector.

        None where the hit is no page, where a server made its vector (it does not tell the parts), or
        where how the model saw it can no longer be read.
        """
        seen = self._snapshot.pages.seen(id_)
        return None if seen is None else page_shares(seen, query_D)

    def search_vector(
        self,
        question: str,
        encode: Callable[[], FloatArray],
        *,
        top_k: int = 5,
        mode: Mode = "hybrid",
        filters: Filter | str | None = None,
        fusion: Fusion = "weighted",
    ) -> list[Hit]:
        """As `search`, with a function that gives the question's vector, shape (dimensions,)."""
        wanted = parse(filters) if isinstance(filters, str) else filters
        if wanted is not None:
            wanted = check(wanted, self.columns)
        request = Request(question, encode, top_k, mode, wanted, fusion)
        try:
            return search(self._snapshot, request)
        except RightsError:
            raise
        except IndexDamagedError as damage:
            # A writer may have replaced what was open; then the newer version answers.
            if not self.refresh():
                self._snapshot = _healed(self.folder, damage)
            return search(self._snapshot, request)


def open_snapshot(folder: Path, generation: Generation | None = None) -> Snapshot:
    """The acknowledged version of an index's live generation, healed first where it must be.

    generation: another one, which is not healed. Raises as `Index.open`, LockedError where it must be
    healed and somebody writes, and RightsError where this user may not read it.
    """
    if generation is not None:
        return _snapshot(generation)
    live = read_layout(folder).generation()
    try:
        return _snapshot(live)
    except RightsError:
        raise
    except IndexDamagedError as error:
        damage = error
    # A compaction may have put another in its place meanwhile.
    now = read_layout(folder).generation()
    return _snapshot(now) if now != live else _healed(folder, damage)


def read_only_ledger(generation: Generation) -> Ledger:
    """The ledger of a generation, for reading.

    Raises IndexDamagedError where there is none, RightsError where this user may not read it.
    """
    if not is_there(generation.ledger):
        raise IndexDamagedError(
            f"{generation.folder} has no ledger", hint="index its sources again: that heals it"
        )
    return Ledger(generation.ledger, read_only=True)


def _snapshot(generation: Generation) -> Snapshot:
    ledger = read_only_ledger(generation)
    try:
        acknowledged = ledger.fact(ACKNOWLEDGED)
    finally:
        ledger.close()
    facts = read_facts(generation)
    if acknowledged is None:
        raise IndexDamagedError(
            f"{generation.folder} holds nothing yet", hint="its first run did not come to a commit"
        )
    version = int(acknowledged["version"])
    check_newest(generation.table)
    store = Store.open(generation.folder, version)
    mirror = mirror_for_reading(generation.mirror, store, facts)
    return Snapshot(facts, version, store, mirror, PageFiles(generation.pages))


def _healed(folder: Path, damage: IndexDamagedError) -> Snapshot:
    """The last writer may have been cut off: whoever can write puts it right, and loses nothing."""
    live = read_layout(folder).generation()
    # LanceDB tells a file that may not be read as it tells a damaged one.
    check_readable(live.ledger, live.table)
    try:
        with writing(read_layout(folder).lock, verb="search"):
            live = take_over(folder).generation()
            facts = read_facts(live)
            with open_writer(live, facts.dimensions, start_anew=False) as writer:
                keep_facts(live, writer.ledger, facts)
                writer.finish()
            return _snapshot(live)
    except OutputError as error:
        raise IndexDamagedError(
            f"{damage.message}; it cannot be put right here: {error.message}", hint=damage.hint
        ) from error
