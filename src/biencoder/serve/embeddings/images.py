"""Images sent to a model that reads text only: refused, because their base64 as text would be rubbish.

Only an item that is an image as a whole counts. A text that quotes a data URL stays a text, and so
does everything whose modality is stated as ``text``.
"""

from __future__ import annotations

import re

from biencoder.serve.embeddings.wire import EmbeddingRequest, Modality
from biencoder.serve.errors import ApiError

# A data URL or a reference to an uploaded asset, and nothing after it.
_IMAGE_URL = r"data:image/[\w.+-]+;(?:base64,[\w+/=\s-]*|asset_id,[\w-]+)"
_IMAGE = re.compile(_IMAGE_URL, re.IGNORECASE | re.ASCII)
_IMAGE_TAG = re.compile(
    rf"<img\s[^<>]*?src\s*=\s*(['\"])\s*{_IMAGE_URL}\1[^<>]*>", re.IGNORECASE | re.ASCII
)


def refuse_images(request: EmbeddingRequest, model: str) -> None:
    """Raise ApiError ``unsupported_modality`` for the first item that is, or is said to be, an image.

    model: the served id, for the message.
    """
    stated = request.modalities or (None,) * len(request.texts)
    for item, (text, modality) in enumerate(zip(request.texts, stated, strict=True)):
        parts = request.messages is not None and bool(request.messages[item].images)
        if modality == "text":
            if parts:
                raise _unsupported(request, item, model, "is said to be text, but holds an image")
        elif modality is not None:
            raise _unsupported(request, item, model, f"has modality '{modality}'")
        elif parts or is_image(text):
            found: Modality = "image" if not parts or not text else "text_image"
            raise _unsupported(
                request, item, model, f"has modality '{found}' (text is sent with modality 'text')"
            )


def is_image(text: str) -> bool:
    """Whether a text is an image and nothing else: a data URL, or one ``<img>`` tag around it.

    >>> is_image("data:image/png;base64,iVBORw0KGgo="), is_image("As in data:image/png;base64,iVBO")
    (True, False)
    """
    beginning = text[:64].lstrip().lower()
    if beginning.startswith("data:image/"):
        return _IMAGE.fullmatch(text.strip()) is not None
    if not beginning.startswith("<img"):
        return False
    whole = text.strip()
    # One tag only. Without this the expression would be tried again at every "src=" of a long text.
    return (
        whole.find("<", 1) < 0
        and whole.find(">") == len(whole) - 1
        and bool(_IMAGE_TAG.fullmatch(whole))
    )


def _unsupported(request: EmbeddingRequest, item: int, model: str, found: str) -> ApiError:
    place = request.place(item)
    message = f"{model} reads modality 'text' only, but {place} {found}"
    return ApiError("unsupported_modality", message, param=place)
