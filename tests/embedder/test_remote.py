"""A model behind a server gives what the same model gives here, or one clear error."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.embedder.stand_in import (
    Answer,
    Clock,
    Json,
    StandIn,
    answer,
    encoded,
    mini,
    serving,
)

from biencoder import Embedder
from biencoder.embedder.notices import TruncationWarning
from biencoder.embedder.remote import connected
from biencoder.embedder.remote.connected import RemoteEmbedder, connect
from biencoder.embedder.remote.waiting import asked_wait
from biencoder.errors import (
    DimensionError,
    EncodingError,
    FingerprintError,
    InputError,
    RemoteError,
    TooLongError,
    UnknownModelError,
)

TEXTS = ["Oxbow lakes are cut-off river bends.", "A kettle boils water.", "The pump is loud."]


@pytest.fixture
def server() -> Iterator[StandIn]:
    with serving() as stand_in:
        yield stand_in


@pytest.fixture
def remote(server: StandIn) -> RemoteEmbedder:
    return Embedder.connect(server.url, "mini")


def test_its_vectors_are_the_local_ones_to_the_bit(remote: RemoteEmbedder) -> None:
    np.testing.assert_array_equal(remote.encode_queries(TEXTS), mini().encode_queries(TEXTS))
    documents = remote.encode_documents(TEXTS)
    np.testing.assert_array_equal(documents, mini().encode_documents(TEXTS))
    assert documents.dtype == np.float32
    assert remote.similarity(documents, documents).shape == (3, 3)


def test_roles_dimensions_and_truncation_go_over_the_wire(
    server: StandIn, remote: RemoteEmbedder
) -> None:
    short = remote.encode_queries(TEXTS[:1], dimensions=128, truncate="END")
    np.testing.assert_array_equal(short, mini().encode_queries(TEXTS[:1], dimensions=128))
    remote.encode_documents(TEXTS[:1])
    first, second = server.asked
    assert first == {
        "model": "mini",
        "input": TEXTS[:1],
        "input_type": "query",
        "encoding_format": "base64",
        "truncate": "END",
        "dimensions": 128,
    }
    # The full size is not asked for: some servers refuse the field for a model of one size.
    assert (second["input_type"], "dimensions" in second) == ("passage", False)


def test_a_stream_keeps_the_order_over_many_requests_at_once(
    server: StandIn, remote: RemoteEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connected, "REQUEST_TEXTS", 2)
    texts = [f"Button {number} resets the lamp." for number in range(11)]
    last_first = threading.Event()

    def meddle(number: int, body: Json, right: Json) -> Json:
        # The first request is answered after the second.
        if texts[0] in body["input"]:
            assert last_first.wait(10)
        if texts[2] in body["input"]:
            last_first.set()
        return right

    server.meddle = meddle
    windows = list(remote.encode_stream(iter(texts), role="document", window_texts=5))
    assert [(w.first_row, len(w.vectors)) for w in windows] == [(0, 5), (5, 5), (10, 1)]
    vectors = np.concatenate([window.vectors for window in windows])
    np.testing.assert_allclose(vectors, mini().encode_documents(texts), atol=1e-6)
    assert sorted(len(body["input"]) for body in server.asked) == [1, 1, 1, 2, 2, 2, 2]
    tokens = [mini().tokenizer.count(text, "passage: ") for text in texts]
    assert sum(window.tokens for window in windows) == sum(tokens)


def test_a_request_is_bounded_by_texts_and_by_characters(
    server: StandIn, remote: RemoteEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connected, "REQUEST_CHARACTERS", 60)
    remote.encode_documents(["a" * 25, "b" * 25, "c" * 25, "d" * 100, "e"])
    sizes = sorted([len(text) for text in body["input"]] for body in server.asked)
    assert sizes == [[1], [25], [25, 25], [100]]
    assert server.at_once <= connected.PARALLEL


def test_no_texts_give_no_vectors_and_no_request(server: StandIn, remote: RemoteEmbedder) -> None:
    assert remote.encode_documents([], dimensions=64).shape == (0, 64)
    assert server.asked == []


def test_half_a_surrogate_pair_is_read_as_it_is_here(remote: RemoteEmbedder) -> None:
    np.testing.assert_array_equal(
        remote.encode_documents(["lake \ud800"]), mini().encode_documents(["lake \ud800"])
    )


def test_the_fingerprint_of_a_biencoder_server_is_that_of_the_model(
    remote: RemoteEmbedder,
) -> None:
    assert remote.fingerprint() == mini().fingerprint()
    assert remote.dimensions == mini().dimensions
    assert remote.max_tokens == 512
    assert remote.profile.prompts == mini().profile.prompts


def test_an_alias_is_asked_for_by_its_name(server: StandIn) -> None:
    remote = Embedder.connect(server.url + "/v1/embeddings/", "an-alias")
    assert len(remote.encode_queries(["lake"])) == 1
    assert server.asked[0]["model"] == "an-alias"
    assert remote.origin.name == "an-alias"
    assert remote.origin.server == server.url + "/v1"


def test_a_server_that_states_nothing_is_known_by_the_table_and_two_vectors() -> None:
    with serving(states=False) as server:
        remote = Embedder.connect(server.url, "mini")
        assert [body["input_type"] for body in server.asked] == ["query", "passage"]
        assert remote.dimensions == (64, 128, 256, 384)
        np.testing.assert_array_equal(remote.encode_queries(TEXTS), mini().encode_queries(TEXTS))
        again = Embedder.connect(server.url, "mini")
        assert remote.fingerprint() == again.fingerprint() != mini().fingerprint()


def test_a_model_that_nobody_knows_has_the_size_of_its_vectors() -> None:
    with serving(states=False, id="acme/unheard-of") as server:
        remote = Embedder.connect(server.url, "acme/unheard-of")
        assert remote.dimensions == (384,)
        with pytest.raises(DimensionError, match="was not trained to be cut"):
            remote.encode_queries(["lake"], dimensions=128)


def test_a_server_that_drops_the_roles_is_refused() -> None:
    with (
        serving(states=False, roles=False) as server,
        pytest.raises(RemoteError, match="drops input_type"),
    ):
        Embedder.connect(server.url, "mini")


def test_another_size_than_the_models_is_refused() -> None:
    def cut(number: int, body: Json, right: Json) -> Json:
        vector = encoded(np.eye(1, 100, dtype=np.float32)[0])
        return right | {"data": [{"index": 0, "embedding": vector}]}

    with (
        serving(states=False, meddle=cut) as server,
        pytest.raises(RemoteError, match="100 dimensions; mini has 384"),
    ):
        Embedder.connect(server.url, "mini")


@pytest.mark.parametrize(
    "odd",
    [
        {"fingerprint": "../../etc/passwd"},
        {"fingerprint": 7},
        {"dimensions": []},
        {"dimensions": ["384"]},
        {"maxSeqLength": 0},
        {"prefixes": None},
    ],
)
def test_odd_statements_are_refused(odd: Json) -> None:
    with (
        serving(entry=odd) as server,
        pytest.raises(RemoteError, match=r"states odd things of 'mini'"),
    ):
        Embedder.connect(server.url, "mini")


def test_vectors_of_another_length_are_brought_to_one(
    server: StandIn, remote: RemoteEmbedder
) -> None:
    vector = np.zeros(384)
    vector[:2] = 3, 4
    server.meddle = lambda number, body, right: (
        right | {"data": [{"index": 0, "embedding": vector.tolist()}]}
    )
    (unit,) = remote.encode_queries(["lake"])
    assert unit[:3].tolist() == pytest.approx([0.6, 0.8, 0.0])


def _vector(change: Any = None) -> list[float]:
    vector = np.full(384, 0.05)
    if change is not None:
        vector[7] = change
    return [float(value) for value in vector]


def _item(index: object, vector: object) -> Json:
    return {"index": index, "embedding": vector}


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ([_item(0, _vector())], RemoteError, "1 vectors for 2 texts"),
        ([_item(0, _vector()), _item(0, _vector())], RemoteError, "not one for each"),
        ([_item(0, _vector()), _item(2, _vector())], RemoteError, "not one for each"),
        ([_item(i, _vector()) for i in range(3)], RemoteError, "3 vectors for 2 texts"),
        ([_item(0, _vector()), _item(1, _vector()[:9])], RemoteError, r"sizes: \[9, 384\]"),
        ([_item(i, _vector()[:9]) for i in range(2)], RemoteError, "9 dimensions where 384"),
        ([_item(0, _vector()), _item(1, "?")], RemoteError, "no vector of numbers, at 1"),
        ([_item(0, _vector()), 5], RemoteError, "no vector of numbers, at 1"),
        ([_item(0, _vector()), _item(1, [_vector()])], RemoteError, "no vector of numbers"),
        ([_item([], _vector()), _item(1, _vector())], RemoteError, "not one for each"),
        ([_item(0, _vector()), _item(1, [0.0] * 384)], EncodingError, "text 1"),
        ([_item(0, _vector()), _item(1, _vector(1e39))], EncodingError, "text 1"),
        ([_item(0, encoded(np.full(384, np.nan, "f4"))), _item(1, _vector())], EncodingError, "0"),
        ("nothing", RemoteError, "hold no vectors"),
    ],
)
def test_an_answer_that_is_no_vector_for_each_text_is_an_error(
    data: object, error: type[Exception], message: str, server: StandIn, remote: RemoteEmbedder
) -> None:
    server.meddle = lambda number, body, right: right | {"data": data}
    with pytest.raises(error, match=message):
        remote.encode_documents(["one", "two"])
    # A bad answer is not asked for again.
    assert len(server.asked) == 1


def test_vectors_are_put_in_order_by_their_index(server: StandIn, remote: RemoteEmbedder) -> None:
    server.meddle = lambda number, body, right: right | {"data": right["data"][::-1]}
    np.testing.assert_array_equal(remote.encode_queries(TEXTS), mini().encode_queries(TEXTS))


def test_another_model_in_the_middle_of_a_run_is_an_error(
    server: StandIn, remote: RemoteEmbedder
) -> None:
    server.meddle = lambda number, body, right: right | {"model": "another"}
    with pytest.raises(FingerprintError, match="now answers with 'another', not with 'mini'"):
        remote.encode_queries(["lake"])


def test_a_failing_server_is_asked_again_with_growing_pauses(server: StandIn) -> None:
    clock = Clock()
    remote = connect(server.url, "mini", patience=clock.patience())
    server.meddle = lambda number, body, right: (
        answer(503, {"error": {"message": "starting"}}) if number < 3 else right
    )
    np.testing.assert_array_equal(remote.encode_queries(["lake"]), mini().encode_queries(["lake"]))
    assert len(server.asked) == 4
    longest = [0.5, 1.0, 2.0]
    assert all(top / 2 <= p <= top for p, top in zip(clock.pauses, longest, strict=True))


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (429, "is overloaded"),
        (503, "is not ready"),
        (504, "does not answer in time"),
        (502, "fails"),
    ],
)
def test_what_does_not_pass_is_an_error_after_five_more_tries(
    status: int, says: str, server: StandIn
) -> None:
    clock = Clock()
    remote = connect(server.url, "mini", patience=clock.patience())
    server.meddle = lambda number, body, right: answer(status, {"error": {"message": "no room"}})
    with pytest.raises(RemoteError, match=rf"{says} \(status {status}; tried 6 times\): no room"):
        remote.encode_queries(["lake"])
    assert len(server.asked) == 6
    assert len(clock.pauses) == 5


def test_the_pause_that_a_server_asks_for_is_kept(server: StandIn) -> None:
    clock = Clock()
    remote = connect(server.url, "mini", patience=clock.patience())
    asked = [
        answer(429, {}, Retry_After="7"),
        answer(429, {}, Retry_After="9", retry_after_ms="1250"),
    ]
    server.meddle = lambda number, body, right: asked[number] if number < 2 else right
    remote.encode_queries(["lake"])
    assert clock.pauses == [7.0, 1.25]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, 0.0),
        ({"retry-after": "60", "retry-after-ms": "1500"}, 1.5),
        (
            {
                "retry-after": "Wed, 21 Oct 2026 07:28:30 GMT",
                "date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            30.0,
        ),
    ],
)
def test_how_long_a_server_asks_to_be_left_alone(headers: dict[str, str], seconds: float) -> None:
    assert asked_wait(headers) == seconds


def test_nobody_waits_longer_than_is_patient(server: StandIn) -> None:
    clock = Clock()
    remote = connect(server.url, "mini", patience=clock.patience(total=100.0))
    server.meddle = lambda number, body, right: answer(429, {}, Retry_After="40")
    with pytest.raises(RemoteError, match="tried 3 times"):
        remote.encode_queries(["lake"])
    assert clock.pauses == [40.0, 40.0]


def test_a_fault_that_the_server_calls_lasting_is_not_asked_again(
    server: StandIn, remote: RemoteEmbedder
) -> None:
    server.meddle = lambda number, body, right: answer(
        500, {"error": {"message": "engine fault"}}, x_should_retry="false"
    )
    with pytest.raises(RemoteError, match=r"fails \(status 500\): engine fault"):
        remote.encode_queries(["lake"])
    assert len(server.asked) == 1


def test_a_body_that_breaks_off_is_asked_for_again(server: StandIn) -> None:
    clock = Clock()
    remote = connect(server.url, "mini", patience=clock.patience())
    server.meddle = lambda number, body, right: (
        Answer(200, b'{"data": [', stated=5000) if number == 0 else right
    )
    np.testing.assert_array_equal(remote.encode_queries(["lake"]), mini().encode_queries(["lake"]))
    assert len(clock.pauses) == 1


def test_a_body_that_is_no_json_is_an_error(server: StandIn, remote: RemoteEmbedder) -> None:
    server.meddle = lambda number, body, right: Answer(200, b'{"data": [')
    with pytest.raises(RemoteError, match="10 bytes that hold no vectors"):
        remote.encode_queries(["lake"])


def test_a_server_that_was_never_there_is_not_waited_for() -> None:
    with serving() as gone:
        url = gone.url
    clock = Clock()
    with pytest.raises(RemoteError, match=r"cannot be reached .*tried once"):
        connect(url, "mini", patience=clock.patience())
    assert clock.pauses == []


def test_a_server_that_goes_away_is_waited_for() -> None:
    with serving() as going:
        clock = Clock()
        remote = connect(going.url, "mini", patience=clock.patience())
    with pytest.raises(RemoteError, match=r"stopped answering .*tried 6 times"):
        remote.encode_queries(["lake"])
    assert len(clock.pauses) == 5


def test_without_its_key_a_server_is_not_entered(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("not-the-key\n")
    with serving(key="s3cret") as server:
        with pytest.raises(RemoteError, match="does not let us in") as without:
            Embedder.connect(server.url, "mini")
        with pytest.raises(RemoteError, match="does not let us in") as refused:
            Embedder.connect(server.url, "mini", wrong)
    assert "--api-key-file" in str(without.value)
    # The server quoted it.
    assert "not-the-key" not in str(refused.value)


def test_the_key_is_read_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text("\n s3cret \nanother\n")
    with serving(key="s3cret") as server:
        remote = Embedder.connect(server.url, "mini", file)
        assert len(remote.encode_queries(["lake"])) == 1
        assert "s3cret" not in repr(vars(remote)) + repr(remote.origin)
        monkeypatch.setenv("BIENCODER_API_KEY", "s3cret")
        assert len(Embedder.connect(server.url, "mini").encode_queries(["lake"])) == 1


@pytest.mark.parametrize("content", ["", "\n\n", "two words", "schlüssel", "a\x00b"])
def test_a_file_without_a_key_is_refused(content: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="key"):
        Embedder.connect("http://127.0.0.1:9", "mini", file)


def test_a_redirect_is_not_followed_and_the_key_stays(server: StandIn, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("s3cret")
    elsewhere = server.url + "/v1/embeddings"
    with serving(key="s3cret") as asked:
        asked.meddle = lambda number, body, right: answer(307, {}, Location=elsewhere)
        remote = Embedder.connect(asked.url, "mini", file)
        with pytest.raises(RemoteError, match="sends us on to"):
            remote.encode_queries(["lake"])
    assert server.paths == []


def test_an_unknown_model_is_an_error_that_lists_the_served(server: StandIn) -> None:
    with pytest.raises(UnknownModelError, match="does not serve '300m'\nHint: it serves mini"):
        Embedder.connect(server.url, "300m")


def test_an_address_without_embeddings_is_an_error(server: StandIn) -> None:
    with pytest.raises(UnknownModelError, match="check the address"):
        Embedder.connect(server.url + "/elsewhere/v1", "mini")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("127.0.0.1:8000", "no server's address"),
        ("file:///etc/passwd", "no server's address"),
        ("", "no server's address"),
        ("http://me:s3cret@host/v1", "holds a user"),
        ("https://host/v1?key=s3cret", "holds a user"),
    ],
)
def test_what_is_no_address_is_refused(url: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        Embedder.connect(url, "mini")
    assert "s3cret" not in str(refused.value)


def test_a_text_that_is_too_long_is_named_by_its_row(
    remote: RemoteEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connected, "REQUEST_TEXTS", 2)
    texts = ["short", "short", "short", "lake " * 700]
    with pytest.raises(TooLongError, match="text 3 is too long for mini"):
        remote.encode_documents(texts)


def test_texts_that_were_cut_are_counted_where_the_server_tells(
    server: StandIn, remote: RemoteEmbedder
) -> None:
    server.meddle = lambda number, body, right: answer(200, right, x_biencoder_truncated="1")
    with pytest.warns(TruncationWarning, match="1 of 1 texts were cut to 512 tokens"):
        cut = remote.encode_documents(["lake " * 700], truncate="END")
    with pytest.warns(TruncationWarning):
        here = mini().encode_documents(["lake " * 700], truncate="END")
    np.testing.assert_array_equal(cut, here)


def test_of_a_book_that_is_to_be_cut_only_the_beginning_is_sent(
    server: StandIn, remote: RemoteEmbedder
) -> None:
    remote.encode_documents(["lake " * 100_000], truncate="END")
    (sent,) = server.asked[0]["input"]
    assert len(sent) <= 16 * 512


@pytest.mark.parametrize(
    ("texts", "options", "error", "message"),
    [
        ("one string", {}, InputError, "one string was given"),
        (["a", 5], {}, InputError, "text 1 is int"),
        (["a", " "], {}, InputError, "text 1 is empty"),
        (["a"], {"truncate": "MIDDLE"}, InputError, "not one of NONE"),
        (["a"], {"dimensions": 100}, DimensionError, "no vectors of 100"),
        (["a"], {"instruction": "find"}, InputError, "takes no instruction"),
    ],
)
def test_bad_calls_are_refused_before_anything_is_sent(
    texts: Any,
    options: Any,
    error: type[Exception],
    message: str,
    server: StandIn,
    remote: RemoteEmbedder,
) -> None:
    with pytest.raises(error, match=message):
        remote.encode_queries(texts, **options)
    assert server.asked == []


def test_a_stream_that_nobody_wants_any_more_stops_asking(
    server: StandIn, remote: RemoteEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connected, "REQUEST_TEXTS", 1)
    texts = (f"text {number}" for number in range(1000))
    stream = remote.encode_stream(texts, role="document", window_texts=4)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert len(server.asked) <= 12


def test_a_server_is_asked_without_torch() -> None:
    code = "import sys, biencoder.embedder.remote.connected; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
