"""Section 2 of the contract, field by field: what is read, what is forgiven, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from biencoder.serve.embeddings.wire import MAX_INSTRUCTION_CHARACTERS, EmbeddingRequest, parse
from biencoder.serve.errors import ApiError
from biencoder.serve.settings import Settings

SETTINGS = Settings()
STRICT = Settings(strict_fields=True)


def read(settings: Settings = SETTINGS, /, **fields: Any) -> EmbeddingRequest:
    return parse({"model": "mini", "input": "a lake"} | fields, settings)


def refused(settings: Settings = SETTINGS, /, **fields: Any) -> ApiError:
    with pytest.raises(ApiError) as refusal:
        read(settings, **fields)
    assert refusal.value.status == 400
    return refusal.value


def test_the_smallest_request_and_its_defaults() -> None:
    wanted = read()
    assert wanted == EmbeddingRequest(
        model="mini",
        texts=["a lake"],
        messages=None,
        input_type=None,
        modalities=None,
        embedding_type="float",
        encoding_format="float",
        dimensions=None,
        truncate="NONE",
        instruction=None,
    )


def test_null_is_absent_in_every_field() -> None:
    names = ["input_type", "modality", "embedding_type", "encoding_format", "dimensions"]
    names += ["truncate", "instruction", "user", "messages", "nvcf_asset_dir"]
    assert read(**dict.fromkeys(names)) == read()
    assert refused(input=None).param == "input"
    assert refused(model=None).param == "model"


def test_the_empty_strings_of_the_cards_are_absent() -> None:
    names = ("input_type", "truncate", "embedding_type", "encoding_format", "modality")
    assert read(**dict.fromkeys(names, "")) == read()
    assert read(modality=[""]).modalities == (None,)


@pytest.mark.parametrize(
    ("field", "value", "read_as"),
    [
        ("truncate", "start", "START"),
        ("truncate", "End", "END"),
        ("truncate", "none", "NONE"),
        ("embedding_type", "INT8", "int8"),
        ("embedding_type", "uBinary", "ubinary"),
        ("encoding_format", "BASE64", "base64"),
    ],
)
def test_enumerated_values_match_in_any_letter_case(field: str, value: str, read_as: str) -> None:
    assert getattr(read(**{field: value}), field) == read_as
    assert read(modality="TEXT").modalities == ("text",)


@pytest.mark.parametrize(
    ("field", "known"),
    [
        ("truncate", "NONE, START, END"),
        ("encoding_format", "float, base64"),
        ("modality", "text, image, text_image"),
    ],
)
def test_an_unknown_value_is_refused_with_the_known_ones(field: str, known: str) -> None:
    error = refused(**{field: "secret-typo"})
    assert (error.code, error.param) == ("invalid_request", field)
    assert known in error.message
    assert "secret-typo" not in error.message


@pytest.mark.parametrize(
    "field",
    ["model", "input_type", "truncate", "embedding_type", "encoding_format", "instruction"],
)
@pytest.mark.parametrize("value", [1, 1.5, True, ["x"], {"x": "y"}])
def test_a_value_that_is_no_string_is_refused_by_its_field(field: str, value: object) -> None:
    error = refused(**{field: value})
    assert (error.code, error.param) == ("invalid_request", field)
    assert "must be a string" in error.message


def test_an_unknown_embedding_type_is_told_the_offered_ones() -> None:
    error = refused(embedding_type="int4")
    assert error.code == "unsupported_embedding_type"
    assert "float, int8, uint8, binary, ubinary" in error.message


def test_a_server_can_refuse_integers_as_base64() -> None:
    reject = Settings(quantised_base64="reject")
    error = refused(reject, embedding_type="int8", encoding_format="base64")
    assert error.code == "unsupported_embedding_type"
    assert read(reject, encoding_format="base64").encoding_format == "base64"
    assert read(embedding_type="int8", encoding_format="base64").embedding_type == "int8"


@pytest.mark.parametrize(
    ("value", "read_as"), [(1024, 1024), (1024.0, 1024), (1, 1), (10**30, 10**30)]
)
def test_dimensions_that_are_whole_numbers(value: object, read_as: int) -> None:
    assert read(dimensions=value).dimensions == read_as


@pytest.mark.parametrize("value", ["1024", True, False, 0.5, 1024.5, float("inf"), [64], {}])
def test_dimensions_that_are_no_whole_numbers(value: object) -> None:
    error = refused(dimensions=value)
    assert (error.code, error.param) == ("invalid_request", "dimensions")
    assert "must be an integer" in error.message


@pytest.mark.parametrize("value", [0, -1, -102400, 0.0])
def test_dimensions_below_one(value: object) -> None:
    assert refused(dimensions=value).code == "invalid_dimensions"


def test_unknown_fields_are_ignored_unless_strict() -> None:
    assert read(extra=1, user="u", priority=[2]) == read()
    error = refused(STRICT, priority=2)
    assert (error.code, error.param) == ("extra_forbidden", "priority")
    assert "Extra inputs are not permitted" in error.message
    assert read(STRICT, user="anything") == read()


def test_a_strict_refusal_shows_a_long_or_strange_name_short_and_on_one_line() -> None:
    error = refused(STRICT, **{"x\n" * 5000: 1})
    assert len(error.message) < 120
    assert "\n" not in error.message
    assert len(error.param or "") <= 64


@pytest.mark.parametrize("settings", [SETTINGS, STRICT])
def test_a_known_name_in_other_letter_case_counts(settings: Settings) -> None:
    assert read(settings, Dimensions=128).dimensions == 128
    assert parse({"MODEL": "m", "Input": ["a"]}, settings).texts == ["a"]


def test_the_exact_name_wins_over_one_in_other_letter_case() -> None:
    assert read(dimensions=64, Dimensions=128).dimensions == 64
    assert read(dimensions=None, Dimensions=128).dimensions is None


def test_a_name_in_two_other_letter_cases_is_refused() -> None:
    assert "more than once" in refused(Dimensions=128, DIMENSIONS=64).message


def test_input_is_a_string_or_an_array_of_strings() -> None:
    assert read(input="a").texts == ["a"]
    assert read(input=["a", "b"]).texts == ["a", "b"]
    for wrong in (1, 1.5, True, {"text": "a"}):
        error = refused(input=wrong)
        assert (error.code, error.param) == ("invalid_request", "input")
    for item in (None, True, 1.5, {"text": "a"}, ["b"], 7):
        error = refused(input=["a", item])
        assert (error.code, error.param) == ("invalid_request", "input[1]")


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("", "input"),
        ("  \n\t\u3000", "input"),
        ([], "input"),
        ([""], "input[0]"),
        (["a", " "], "input[1]"),
    ],
)
def test_nothing_to_embed_is_refused_with_its_place(value: object, place: str) -> None:
    error = refused(input=value)
    assert (error.code, error.param) == ("empty_input", place)
    assert error.message == f"input cannot be empty: {place}"


@pytest.mark.parametrize("value", [[1, 2], [0], [[1, 2], [3]], [[1]]])
def test_token_ids_are_refused_with_the_cure(value: object) -> None:
    error = refused(input=value)
    assert error.code == "token_ids_not_supported"
    assert "check_embedding_ctx_length=False" in error.message


@pytest.mark.parametrize("value", [[True], [1.5], [[]], [[True]], [["a"]], [[1], "a"]])
def test_what_only_looks_like_token_ids_is_a_wrong_type(value: object) -> None:
    error = refused(input=value)
    assert (error.code, error.param) == ("invalid_request", "input[0]")


def test_a_batch_ends_at_its_limit() -> None:
    assert len(read(input=["a"] * 2048).texts) == 2048
    error = refused(input=["a"] * 2049)
    assert error.code == "batch_too_large"
    assert error.message == "batch size 2049 > maximum allowed batch size 2048"
    assert refused(Settings(max_client_batch=2), input=["a"] * 3).code == "batch_too_large"
    messages = [{"role": "user", "content": "a"}] * 3
    with pytest.raises(ApiError, match="batch size 3 > maximum"):
        parse({"messages": messages}, Settings(max_client_batch=2))


def test_modality_is_one_for_all_or_one_for_each() -> None:
    assert read(input=["a", "b"], modality="text").modalities == ("text", "text")
    assert read(input=["a", "b"], modality=["text"]).modalities == ("text", "text")
    assert read(input=["a", "b"], modality=["text", None]).modalities == ("text", None)
    error = refused(input=["a", "b"], modality=["text"] * 3)
    assert (error.code, error.param) == ("invalid_request", "modality")
    assert "3 entries for 2 inputs" in error.message
    assert refused(modality=[]).code == "invalid_request"
    assert refused(input=["a", "b"], modality=["text", 7]).param == "modality[1]"


def test_asset_references_are_refused() -> None:
    assert refused(nvcf_asset_dir="/assets").param == "nvcf_asset_dir"


def test_an_instruction_is_a_sentence_not_a_book() -> None:
    assert read(instruction="Find the law").instruction == "Find the law"
    assert read(instruction="").instruction == ""
    assert refused(instruction="x" * (MAX_INSTRUCTION_CHARACTERS + 1)).param == "instruction"


def test_a_model_is_needed_beside_input_but_not_beside_messages() -> None:
    for body in ({"input": "a"}, {"input": "a", "model": ""}):
        with pytest.raises(ApiError, match="Field required") as refusal:
            parse(body, SETTINGS)
        assert refusal.value.param == "model"
    assert parse({"messages": [{"role": "user", "content": "a"}]}, SETTINGS).model is None
