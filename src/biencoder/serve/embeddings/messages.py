"""The ``messages`` form of a request: each message is one input, its role may say what it is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from biencoder.serve import fields

MessageRole: TypeAlias = Literal["query", "document", "passage", "user"]

MESSAGE_ROLES: tuple[MessageRole, ...] = ("query", "document", "passage", "user")


@dataclass(frozen=True, slots=True)
class Message:
    """One input. images: the URLs of its image parts. ``user`` leaves the role to ``input_type``."""

    role: MessageRole
    text: str
    images: tuple[str, ...]


def read_messages(value: object) -> tuple[Message, ...]:
    """Check an array of messages; contents may be blank. Raises ApiError with the place."""
    if not isinstance(value, list):
        fields.invalid("messages", f"must be an array of messages, not {fields.kind(value)}")
    return tuple(_message(one, f"messages[{place}]") for place, one in enumerate(value))


def _message(value: object, place: str) -> Message:
    given = _object(value, place)
    role = _word(given, "role", place, MESSAGE_ROLES)
    content = given.get("content")
    if content is None or isinstance(content, str):
        return Message(role, content or "", ())
    if not isinstance(content, list):
        fields.invalid(
            place, f"content must be a string or an array of parts, not {fields.kind(content)}"
        )
    texts, images = [], []
    for number, part in enumerate(content):
        text, image = _part(part, f"{place}.content[{number}]")
        if text is not None:
            texts.append(text)
        if image is not None:
            images.append(image)
    return Message(role, "\n".join(texts), tuple(images))


def _part(value: object, place: str) -> tuple[str | None, str | None]:
    """A part's text, or its image's URL."""
    given = _object(value, place)
    if _word(given, "type", place, ("text", "image_url")) == "text":
        return _string(given.get("text"), place, "text"), None
    image = given.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    return None, _string(url, place, "image_url.url")


def _object(value: object, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        fields.invalid(place, f"must be an object, not {fields.kind(value)}")
    return value


def _word(
    given: dict[str, Any], name: str, place: str, choices: tuple[fields.Choice, ...]
) -> fields.Choice:
    chosen = fields.spelled(_string(given.get(name), place, name), choices)
    if chosen is None:
        fields.invalid(place, f"{name} must be one of {', '.join(choices)}")
    return chosen


def _string(value: object, place: str, name: str) -> str:
    if not isinstance(value, str):
        fields.invalid(place, f"{name} must be a string, not {fields.kind(value)}")
    return value
