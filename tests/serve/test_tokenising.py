"""Texts of many requests become tokens in few calls, and each keeps what is its own."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest
from tests import tiny
from tests.serve.jobs import job

from biencoder.embedder.embedder import Embedder
from biencoder.serve.engine import tokenising
from biencoder.serve.engine.job import Job
from biencoder.serve.engine.tokenising import TokenizingThread, slices_of, tokenize
from biencoder.text.tokenizer import Read, Wanted
from biencoder.types import Role, Truncate


def untokenized(*texts: str, role: Role = "document", truncate: Truncate = "NONE") -> Job:
    made = job(*[1] * len(texts), role=role)
    made.texts, made.truncate = texts, truncate
    made.prefix = tiny.QUERY if role == "query" else tiny.PASSAGE
    made.ids, made.tokens = [], 0
    return made


def test_requests_of_every_kind_share_one_call_and_keep_their_own_rules(model: Embedder) -> None:
    long = "river " * 40
    query = untokenized("where", role="query")
    end = untokenized("the", long, truncate="END")
    start = untokenized(long, truncate="START")
    none = untokenized("the", long)
    jobs = [query, end, start, none]
    refused = tokenize([(each, range(len(each.texts))) for each in jobs], model.tokenizer, 20)
    for each in (query, end, start):
        expected = model.tokenizer.encode(
            each.texts, prefix=each.prefix, max_tokens=20, truncate=each.truncate
        )
        assert [ids.tolist() for ids in each.ids] == [ids.tolist() for ids in expected.ids]
        assert each.truncated == expected.cut
        assert each.tokens == sum(map(len, expected.ids))
    assert list(refused) == [none]
    assert refused[none].param == "input[1]"


def test_a_stream_of_queries_keeps_no_passage_from_being_read() -> None:
    queries = [untokenized("q" * 50, role="query") for _ in range(9)]
    old, new = untokenized("first", "second"), untokenized("later")
    taken = slices_of([*queries, old, new], 100)
    assert taken == [(queries[0], range(1)), (queries[1], range(1)), (old, range(1))]
    old.ids.append(np.ones(3, np.int64))
    assert slices_of([*queries, old, new], 100)[2:] == [(old, range(1, 2))]


def test_all_that_waits_is_read_in_one_call_and_large_requests_in_several(
    model: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    read = model.tokenizer.read

    def counted(wanted: Sequence[Wanted], *, max_tokens: int) -> list[Read]:
        calls.append(len(wanted))
        return read(wanted, max_tokens=max_tokens)

    monkeypatch.setattr(model.tokenizer, "read", counted)
    monkeypatch.setattr(tokenising, "CALL_CHARACTERS", 200)
    done: list[Job] = []
    all_done = threading.Event()

    def ready(each: Job) -> None:
        done.append(each)
        if len(done) == 4:
            all_done.set()

    def fault(*details: object) -> None:
        raise AssertionError(details)

    thread = TokenizingThread(
        model.tokenizer, 512, on_ready=ready, on_refused=fault, on_crash=fault
    )
    large = untokenized(*["a passage" + "." * 91] * 7)
    queries = [untokenized("where", role="query"), untokenized("when", role="query")]
    gone = untokenized("nobody waits")
    gone.abandoned = True
    for each in (large, gone, *queries, untokenized("the")):
        thread.submit(each)
    thread.start()
    thread.stop()
    assert all_done.wait(30)
    thread.join(30)
    # Both queries and two of the hundred-character passages make the first call.
    assert calls == [4, 2, 2, 2]
    assert done[:2] == queries
    assert len(large.ids) == 7
    assert thread.spared == 1


def test_a_call_takes_queries_first_and_at_least_one_text() -> None:
    passage, query = untokenized("p" * 50, "q" * 50), untokenized("w" * 90, role="query")
    assert slices_of([passage], 1) == [(passage, range(1))]
    assert slices_of([passage, query], 1) == [(query, range(1)), (passage, range(1))]
    assert slices_of([passage, query], 100) == [(query, range(1)), (passage, range(1))]
    assert slices_of([passage], 51) == [(passage, range(2))]
