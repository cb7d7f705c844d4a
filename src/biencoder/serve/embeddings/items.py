"""What each input of a request to a page model is: a text, an image, or an image with its text.

An image comes as a data URL: the whole input, the end of it, inside one ``<img>`` tag, or as a part of
a message. Nothing is ever fetched. An input that is said to be ``text`` is not looked at, so that a
text that quotes a data URL can be embedded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from biencoder.serve.embeddings.wire import EmbeddingRequest, Modality, is_blank
from biencoder.serve.errors import ApiError
from biencoder.serve.settings import WireRole
from biencoder.types import Truncate

_URL = re.compile(r"data:image/[\w.+-]+;(base64|asset_id),", re.IGNORECASE | re.ASCII)
_TAG = re.compile(r"<img\s[^<>]*>", re.IGNORECASE | re.ASCII)
_SOURCE = re.compile(r"(?<=\s)src\s*=\s*(?:'([^']*)'|\"([^\"]*)\")", re.IGNORECASE | re.ASCII)

# How the library spells a data URL. Which of its formats an image has, its bytes tell.
_HEAD = "data:image/png;base64,"
# Base64 may come in lines, as mail writes it; what stands behind a longer line is a text.
_LINE = 1000
_SAY_TEXT = "a text that quotes one is sent with modality 'text'"


@dataclass(frozen=True, slots=True)
class Item:
    """One input. image: a data URL as the library spells it. fault: why it cannot be embedded."""

    text: str | None
    image: str | None = None
    fault: ApiError | None = None

    @property
    def modality(self) -> Modality:
        """What the wire calls it; an image of which nothing good is known is still one."""
        if self.image is None and self.fault is None:
            return "text"
        return "image" if self.text is None else "text_image"


class _UnusableError(Exception):
    """An image that cannot be taken, and why."""


def read_items(request: EmbeddingRequest, model: str) -> tuple[Item, ...]:
    """Each input of a request to a page model; ``model`` is its served id, for messages.

    Never raises: what is wrong with an input is told once its role is known, by `check_items`.
    """
    stated = request.modalities or (None,) * len(request.texts)
    return tuple(_item(request, item, said, model) for item, said in enumerate(stated))


def check_items(
    items: Sequence[Item],
    roles: Sequence[WireRole],
    request: EmbeddingRequest,
    *,
    model: str,
    truncate: Truncate,
) -> None:
    """Raise ApiError for the first input that cannot be embedded: at all, as a query, or so cut."""
    for number, (item, role) in enumerate(zip(items, roles, strict=True)):
        place = request.place(number)
        if item.fault is not None:
            raise item.fault
        if item.image is None:
            continue
        if role == "query":
            raise _unsupported(
                place, f"{model} reads modality 'text' as a query, but {place} holds an image"
            )
        if truncate == "START":
            message = f"truncate 'START' would cut the image of {place}; use 'END' or 'NONE'"
            raise ApiError("invalid_request", message, param="truncate")


def _item(request: EmbeddingRequest, number: int, said: Modality | None, model: str) -> Item:
    text, place = request.texts[number], request.place(number)
    urls = () if request.messages is None else request.messages[number].images
    if said == "text":
        told = f"{place} is said to be text for {model}, but holds an image"
        return Item(text, fault=_unsupported(place, told)) if urls else Item(text)
    try:
        item = _from_parts(text, urls) if urls else _from_text(text)
    except _UnusableError as error:
        return Item(None, fault=ApiError("invalid_image", f"{place}: {error}", param=place))
    if said is None or said == item.modality:
        return item
    held = {"text": "no image", "image": "an image and no text", "text_image": "a text beside it"}
    told = f"{place} is said to be '{said}' for {model}, but holds {held[item.modality]}"
    return Item(item.text, item.image, _unsupported(place, told))


def _from_parts(text: str, urls: Sequence[str]) -> Item:
    """A message's text and the URLs of its image parts."""
    if len(urls) > 1:
        raise _UnusableError(f"it holds {len(urls)} images; an input is one page with one image")
    return Item(None if is_blank(text) else text, _spelled(urls[0]))


def _from_text(text: str) -> Item:
    found = _URL.search(text)
    if found is None:
        tag = _TAG.fullmatch(text.strip()) if text.lstrip()[:4].lower() == "<img" else None
        if tag is not None and re.match(r"\s*https?://", _source(tag[0]), re.IGNORECASE):
            raise _fetched()
        return Item(text)
    tags = [tag for tag in _TAG.finditer(text) if _URL.match(_source(tag[0]).lstrip())]
    if tags:
        tag = tags[0]
        url, start, stop = _source(tag[0]), tag.start(), tag.end()
    else:
        url, start, stop = text[found.start() :], found.start(), len(text)
    rest = _without(text, start, stop)
    if _URL.search(rest) is not None:
        raise _UnusableError(
            f"it holds more than one image; an input is one page with one image, and {_SAY_TEXT}"
        )
    return Item(None if is_blank(rest) else rest, _spelled(url))


def _source(tag: str) -> str:
    """What an ``<img>`` tag names; empty where it names nothing."""
    found = _SOURCE.search(tag)
    return "" if found is None else found[1] or found[2] or ""


def _without(text: str, start: int, stop: int) -> str:
    """A text without its image and one neighbouring space or newline."""
    before, after = text[:start], text[stop:]
    if before[-1:].isspace():
        before = before[:-2] if before.endswith("\r\n") else before[:-1]
    elif after[:1].isspace():
        after = after[1:]
    return before + after


def _spelled(url: str) -> str:
    """A data URL without the blanks in it, padded, whatever image it says that it holds."""
    url = url.strip()
    found = _URL.match(url)
    if found is None:
        if re.match(r"https?://", url, re.IGNORECASE):
            raise _fetched()
        raise _UnusableError("its image is no data URL; send data:image/png;base64,…")
    if found[1].lower() == "asset_id":
        raise _UnusableError("asset references are not read; send data:image/png;base64,…")
    payload = url[found.end() :]
    # Looking for each is far quicker than splitting megabytes that hold none.
    if any(blank in payload for blank in " \n\r\t"):
        payload = _joined(payload.split())
    return f"{_HEAD}{payload}{'=' * (-len(payload) % 4)}"


def _joined(lines: list[str]) -> str:
    """Base64 that came in lines of one length, the last of them maybe shorter."""
    width = len(lines[0]) if lines else 0
    even = all(len(line) == width for line in lines[:-1])
    if len(lines) > 1 and not (even and width <= _LINE and len(lines[-1]) <= width):
        raise _UnusableError(f"a data URL stands last in an input; {_SAY_TEXT}")
    return "".join(lines)


def _fetched() -> _UnusableError:
    return _UnusableError("an image is never fetched; send it as data:image/png;base64,…")


def _unsupported(place: str, message: str) -> ApiError:
    return ApiError("unsupported_modality", message, param=place)
