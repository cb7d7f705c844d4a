"""The ``messages`` form: each message one input, with a role of its own."""

from __future__ import annotations

import pytest

from biencoder.serve.embeddings.wire import parse
from biencoder.serve.errors import ApiError
from biencoder.serve.settings import Settings

SETTINGS = Settings()


def test_messages_are_inputs_with_roles_of_their_own() -> None:
    parts = [
        {"type": "text", "text": "line one"},
        {"type": "TEXT", "text": "line two"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
        {"type": "image_url", "image_url": "data:image/png;base64,BB=="},
    ]
    wanted = parse(
        {
            "messages": [
                {"role": "query", "content": "a"},
                {"role": "Document", "content": parts},
                {"role": "passage", "content": [{"type": "text", "text": "b"}], "name": "x"},
            ]
        },
        SETTINGS,
    )
    assert wanted.texts == ["a", "line one\nline two", "b"]
    assert wanted.messages is not None
    assert [message.role for message in wanted.messages] == ["query", "document", "passage"]
    assert [len(message.images) for message in wanted.messages] == [0, 2, 0]
    assert wanted.place(1) == "messages[1]"


@pytest.mark.parametrize(
    ("messages", "param", "phrase"),
    [
        ("a", "messages", "must be an array"),
        ({}, "messages", "must be an array"),
        (["a"], "messages[0]", "must be an object"),
        ([{"content": "a"}], "messages[0]", "role must be a string"),
        ([{"role": "system", "content": "a"}], "messages[0]", "query, document, passage, user"),
        ([{"role": "user", "content": 7}], "messages[0]", "content must be"),
        ([{"role": "user", "content": ["a"]}], "messages[0].content[0]", "must be an object"),
        ([{"role": "user", "content": [{"type": "video"}]}], "messages[0].content[0]", "image_url"),
        ([{"role": "user", "content": [{"type": "text"}]}], "messages[0].content[0]", "text must"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": 7}}]}],
            "messages[0].content[0]",
            "image_url.url must be a string",
        ),
    ],
)
def test_a_malformed_message_is_refused_with_its_place(
    messages: object, param: str, phrase: str
) -> None:
    with pytest.raises(ApiError) as refusal:
        parse({"messages": messages}, SETTINGS)
    assert (refusal.value.code, refusal.value.param) == ("invalid_request", param)
    assert phrase in refusal.value.message


@pytest.mark.parametrize("content", ["", " ", None, [], [{"type": "text", "text": " "}]])
def test_the_empty_message_of_the_cards_is_an_empty_input(content: object) -> None:
    with pytest.raises(ApiError) as refusal:
        parse({"messages": [{"role": "user", "content": content}]}, SETTINGS)
    assert (refusal.value.code, refusal.value.param) == ("empty_input", "messages[0]")


def test_no_messages_are_an_empty_input_and_both_forms_at_once_are_refused() -> None:
    with pytest.raises(ApiError, match="input cannot be empty: messages"):
        parse({"messages": []}, SETTINGS)
    one = {"messages": [{"role": "user", "content": "a"}]}
    with pytest.raises(ApiError, match="one of the two"):
        parse({"model": "mini", "input": "a"} | one, SETTINGS)
