"""Query or passage: the role decides the prompt, and a lost role is a worse vector, silently.

The wire says ``passage`` where the library says ``document``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from biencoder.config.prompts import BRIGHT_INSTRUCTIONS, Prompts
from biencoder.serve.embeddings.messages import Message
from biencoder.serve.embeddings.wire import EmbeddingRequest
from biencoder.serve.errors import ApiError
from biencoder.serve.fields import invalid, spelled
from biencoder.serve.settings import WireRole
from biencoder.types import Role

WIRE_ROLES: tuple[WireRole, ...] = ("query", "passage")

_EXPECTED = "Input should be 'query' or 'passage'"


@dataclass(frozen=True, slots=True)
class Roles:
    """The role of each item. default: the role that the server's setting gave where nothing did."""

    by_item: tuple[WireRole, ...]
    default: WireRole | None = None


def library_role(role: WireRole) -> Role:
    """What the library calls a role of the wire."""
    return "query" if role == "query" else "document"


def choose_roles(
    request: EmbeddingRequest,
    suffix: WireRole | None,
    *,
    prompts: Prompts,
    default: WireRole | None,
    pictured: Sequence[bool] | None = None,
) -> Roles:
    """The role of each item: from its message, ``input_type``, the model's suffix, the setting.

    pictured: which items hold an image, for a page model; one such is a passage where nothing says
    otherwise. Raises ApiError where nothing says it (a model with one prompt for both needs no role), where
    ``input_type`` is neither role, and where two that count contradict each other.
    """
    stated = _stated(request.input_type, suffix)
    own = [_own(message) for message in request.messages or ()]
    own += [None] * (len(request.texts) - len(own))
    for item, role in enumerate(own):
        if role and suffix and role != suffix:
            raise _contradiction(suffix, f"{request.place(item)} is a '{role}'", "messages")
    if not stated and pictured is not None:
        own = [
            role or ("passage" if seen else None) for role, seen in zip(own, pictured, strict=True)
        ]
    chosen = [role or stated for role in own]
    if all(chosen):
        return Roles(tuple(role for role in chosen if role))
    asymmetric = prompts.query != prompts.document
    if asymmetric and default is None:
        message = "'input_type' parameter is required for asymmetric models"
        raise ApiError("missing_input_type", message, param="input_type")
    fallback: WireRole = default or "passage"
    roles = tuple(role or fallback for role in own)
    return Roles(roles, fallback if asymmetric else None)


def check_instruction(instruction: str | None, prompts: Prompts) -> None:
    """Refuse a task that this model's queries cannot be given."""
    if instruction is None:
        return
    if prompts.bright:
        if instruction not in BRIGHT_INSTRUCTIONS:
            invalid("instruction", f"must be one of {', '.join(BRIGHT_INSTRUCTIONS)}")
    elif prompts.instruction_template is None:
        invalid("instruction", "this model takes none: its query prompt is fixed")


def _stated(input_type: str | None, suffix: WireRole | None) -> WireRole | None:
    if input_type is None:
        return suffix
    role = spelled(input_type, WIRE_ROLES)
    if role is None:
        raise ApiError("invalid_input_type", f"input_type: {_EXPECTED}", param="input_type")
    if suffix and suffix != role:
        raise _contradiction(suffix, f"input_type is '{role}'", "input_type")
    return role


def _own(message: Message) -> WireRole | None:
    """What a message's role says about it; ``user`` says nothing."""
    if message.role == "user":
        return None
    return "query" if message.role == "query" else "passage"


def _contradiction(suffix: WireRole, other: str, param: str) -> ApiError:
    message = f"{_EXPECTED}, not both: the model's name ends in '-{suffix}', but {other}"
    return ApiError("invalid_input_type", message, param=param)
