"""The body of ``POST /v1/embeddings`` as a record: every field in its type, before any model is asked.

What depends on a model is decided later: its name (`names`), the role (`roles`), sizes
(`dimensions`), images (`images`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from biencoder.serve import fields
from biencoder.serve.embeddings.messages import Message, read_messages
from biencoder.serve.errors import ApiError
from biencoder.serve.settings import Settings
from biencoder.types import TRUNCATE, Truncate

EmbeddingType: TypeAlias = Literal["float", "int8", "uint8", "binary", "ubinary"]
EncodingFormat: TypeAlias = Literal["float", "base64"]
Modality: TypeAlias = Literal["text", "image", "text_image"]

EMBEDDING_TYPES: tuple[EmbeddingType, ...] = ("float", "int8", "uint8", "binary", "ubinary")
ENCODING_FORMATS: tuple[EncodingFormat, ...] = ("float", "base64")
MODALITIES: tuple[Modality, ...] = ("text", "image", "text_image")

FIELDS = (
    "model",
    "input",
    "messages",
    "input_type",
    "modality",
    "embedding_type",
    "encoding_format",
    "dimensions",
    "truncate",
    "instruction",
    "user",
    "nvcf_asset_dir",
)

# A task is a sentence. A longer text would push the question itself out of the model's view.
MAX_INSTRUCTION_CHARACTERS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingRequest:
    """What a caller asks for.

    texts: one per item, never blank unless the item is an image. messages: the same items with
    their own roles, where they came as ``messages``. input_type: as given, checked by `roles`.
    modalities: as stated, one per item. model: None only beside ``messages``.
    """

    model: str | None
    texts: Sequence[str]
    messages: tuple[Message, ...] | None = None
    input_type: str | None = None
    modalities: tuple[Modality | None, ...] | None = None
    embedding_type: EmbeddingType = "float"
    encoding_format: EncodingFormat = "float"
    dimensions: int | None = None
    truncate: Truncate = "NONE"
    instruction: str | None = None

    def place(self, item: int) -> str:
        """What a message calls an item: ``input[3]``."""
        return f"{'messages' if self.messages else 'input'}[{item}]"


def parse(body: Mapping[str, Any], settings: Settings) -> EmbeddingRequest:
    """Read and check every field of a body; raises ApiError with the field's name."""
    given = fields.known_fields(body, FIELDS, strict=settings.strict_fields)
    if "nvcf_asset_dir" in given:
        fields.invalid("nvcf_asset_dir", "asset references are not read; send a data URL")
    model = fields.text(given, "model")
    if not model and "messages" not in given:
        raise missing_model()
    texts, messages = _items(given, settings.max_client_batch)
    kind, encoding = _formats(given, settings)
    return EmbeddingRequest(
        model=model or None,
        texts=texts,
        messages=messages,
        input_type=fields.text(given, "input_type") or None,
        modalities=_modalities(given.get("modality"), len(texts)),
        embedding_type=kind,
        encoding_format=encoding,
        dimensions=_dimensions(given),
        truncate=fields.choice(given, "truncate", TRUNCATE) or "NONE",
        instruction=_instruction(given),
    )


def missing_model() -> ApiError:
    """The refusal of a body that names no model."""
    message = "model: Field required: the id of a served model, see /v1/models"
    return ApiError("invalid_request", message, param="model")


def check_batch(items: int, limit: int, param: str) -> None:
    """Refuse more items than one request may hold."""
    if items > limit:
        message = f"batch size {items} > maximum allowed batch size {limit}"
        raise ApiError("batch_too_large", message, param=param)


def empty(place: str) -> ApiError:
    """The refusal of an item, or a list, with nothing in it."""
    return ApiError("empty_input", f"input cannot be empty: {place}", param=place)


def is_blank(text: str) -> bool:
    """Whether there is nothing in a text but white space."""
    return not text or text.isspace()


def _items(
    given: Mapping[str, Any], limit: int
) -> tuple[Sequence[str], tuple[Message, ...] | None]:
    if "messages" not in given:
        return _texts(given.get("input"), limit), None
    if "input" in given:
        fields.invalid("messages", "cannot be combined with 'input'; send one of the two")
    value = given["messages"]
    if isinstance(value, list):
        check_batch(len(value), limit, "messages")
    messages = read_messages(value)
    if not messages:
        raise empty("messages")
    for item, message in enumerate(messages):
        if is_blank(message.text) and not message.images:
            raise empty(f"messages[{item}]")
    return [message.text for message in messages], messages


def _texts(value: object, limit: int) -> list[str]:
    """The strings of ``input``; token ids and everything else that is no text is refused."""
    if value is None:
        fields.invalid("input", "Field required: a string or an array of strings")
    if isinstance(value, str):
        value = [value]
        if is_blank(value[0]):
            raise empty("input")
    if not isinstance(value, list):
        fields.invalid(
            "input", f"must be a string or an array of strings, not {fields.kind(value)}"
        )
    if not value:
        raise empty("input")
    if _are_token_ids(value) or all(isinstance(e, list) and _are_token_ids(e) for e in value):
        raise ApiError(
            "token_ids_not_supported",
            "input: token ids are not read, because another tokenizer's ids mean nothing to this "
            "model; send strings (LangChain's OpenAIEmbeddings: check_embedding_ctx_length=False)",
            param="input",
        )
    check_batch(len(value), limit, "input")
    for item, text in enumerate(value):
        if not isinstance(text, str):
            fields.invalid(f"input[{item}]", f"must be a string, not {fields.kind(text)}")
        if is_blank(text):
            raise empty(f"input[{item}]")
    return value


def _are_token_ids(values: list[Any]) -> bool:
    return bool(values) and all(type(value) is int for value in values)


def _formats(given: Mapping[str, Any], settings: Settings) -> tuple[EmbeddingType, EncodingFormat]:
    encoding = fields.choice(given, "encoding_format", ENCODING_FORMATS) or "float"
    name = fields.text(given, "embedding_type") or "float"
    kind = fields.spelled(name, EMBEDDING_TYPES)
    if kind is None:
        message = f"embedding_type must be one of {', '.join(EMBEDDING_TYPES)}"
        raise ApiError("unsupported_embedding_type", message, param="embedding_type")
    if kind != "float" and encoding == "base64" and settings.quantised_base64 == "reject":
        message = f"embedding_type {kind} is given as arrays of integers, not as base64"
        raise ApiError("unsupported_embedding_type", message, param="encoding_format")
    return kind, encoding


def _modalities(value: object, items: int) -> tuple[Modality | None, ...] | None:
    if value is None or value == "":
        return None
    if not isinstance(value, list):
        return (fields.choice({"modality": value}, "modality", MODALITIES),) * items
    if len(value) not in (1, items):
        fields.invalid(
            "modality", f"has {len(value)} entries for {items} inputs; give 1 or {items}"
        )
    stated = [
        fields.choice({f"modality[{place}]": one}, f"modality[{place}]", MODALITIES)
        for place, one in enumerate(value)
    ]
    return tuple(stated * items if len(stated) == 1 else stated)


def _dimensions(given: Mapping[str, Any]) -> int | None:
    size = fields.whole_number(given, "dimensions")
    if size is not None and size < 1:
        message = f"dimensions must be at least 1, not {size}"
        raise ApiError("invalid_dimensions", message, param="dimensions")
    return size


def _instruction(given: Mapping[str, Any]) -> str | None:
    instruction = fields.text(given, "instruction")
    if instruction is not None and len(instruction) > MAX_INSTRUCTION_CHARACTERS:
        fields.invalid(
            "instruction",
            f"has {len(instruction)} characters; at most {MAX_INSTRUCTION_CHARACTERS} are read",
        )
    return instruction
