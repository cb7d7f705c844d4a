"""What is known of a model behind a server: what the server states, else the family's table, else
what two probing texts show.

`biencoder serve` states everything. A NIM or another server states its name and little more; there
the table says the rest, and the probe shows that roles reach the model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from biencoder.config.family import Member, find_member
from biencoder.config.prompts import Prompts
from biencoder.embedder.fingerprint import digest
from biencoder.embedder.profile import Profile
from biencoder.embedder.remote.endpoint import Endpoint
from biencoder.embedder.remote.stated_pages import (
    StatedPages,
    pages_by_table,
    read_pages,
    tells_images_from_texts,
)
from biencoder.embedder.remote.values import count, text
from biencoder.embedder.remote.wire import Answer, Call, embed, model_list
from biencoder.errors import RemoteError
from biencoder.types import ROLES

_PROBE = "Where do oxbow lakes come from?"
# The two prompts of `mini` move the probe's vector to a cosine of 0.989; rounding moves it by less
# than 0.0001.
_SAME = 0.9999
# What nobody states is taken for this: nearly every embedding model reads so much.
_MAX_TOKENS = 512
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Stated:
    """One model as its server tells of it. answers_as: the names that its answers may bear.

    takes_instruction: whether the server knows the field; another would drop it silently. pages: how it
    reads page images, None where it reads texts only, as far as is known.
    """

    profile: Profile
    fingerprint: str
    dtype: str
    takes_instruction: bool
    answers_as: frozenset[str]
    pages: StatedPages | None = None


def read_stated(endpoint: Endpoint, model: str) -> Stated:
    """What is known of the model that the server calls so.

    Raises UnknownModelError where it serves no such model, RemoteError where it states nonsense,
    drops the roles, or gives vectors of another size than the model's.
    """
    entries = _entries(endpoint)
    for entry in entries:
        if "fingerprint" in entry and model in _names(entry):
            return _from_entry(entry, endpoint.host)
    probes = [embed(endpoint, Call(model=model, role=role), [_PROBE]) for role in ROLES]
    # A name of which the server says only in its answer whom it means.
    for entry in entries:
        if "fingerprint" in entry and probes[0].model in _names(entry):
            return _from_entry(entry, endpoint.host)
    return _from_probes(endpoint, model, probes, entries)


def _entries(endpoint: Endpoint) -> list[dict[str, Any]]:
    """``modelInfo`` of ``/metadata``; none where the server has none, or does not show it."""
    reply = endpoint.ask("/metadata")
    body = reply.json() if reply.status == 200 else None
    entries = body.get("modelInfo") if isinstance(body, dict) else None
    return [e for e in entries if isinstance(e, dict)] if isinstance(entries, list) else []


def _names(entry: dict[str, Any]) -> set[str]:
    aliases = entry.get("aliases")
    return {
        str(name) for name in (entry.get("id"), *(aliases if isinstance(aliases, list) else ()))
    }


def _from_entry(entry: dict[str, Any], host: str) -> Stated:
    """What `biencoder serve` states; its fingerprint is that of the same model on this machine."""
    name = str(entry.get("id"))
    member = find_member(name)
    try:
        prefixes = entry["prefixes"]
        profile = _profile(
            name,
            member,
            "the server",
            replace(
                _prompts(member),
                query=text(prefixes["query"]),
                document=text(prefixes["passage"]),
            ),
            dimensions=_sizes(entry["dimensions"]),
            max_tokens=count(entry["maxSeqLength"]),
        )
        # It becomes part of file names.
        fingerprint = text(entry["fingerprint"], _FINGERPRINT)
        pages = read_pages(entry.get("pages"))
    except (KeyError, TypeError, ValueError) as error:
        raise RemoteError(
            f"{host} states odd things of {name!r} in /metadata: {type(error).__name__}: {error}",
            hint="is it a `biencoder serve` of this version?",
        ) from error
    return Stated(
        profile=replace(profile, license=str(entry.get("license") or profile.license)),
        fingerprint=fingerprint,
        dtype=str(entry.get("dtype") or "not stated"),
        takes_instruction=True,
        answers_as=frozenset({name}),
        pages=pages,
    )


def _sizes(value: Any) -> tuple[int, ...]:
    if not value:
        raise ValueError("no dimensions")
    return tuple(sorted(map(count, value)))


def _from_probes(
    endpoint: Endpoint, model: str, probes: list[Answer], entries: list[dict[str, Any]]
) -> Stated:
    """A server that states no fingerprint: the table, its list of models, two vectors."""
    answered = probes[0].model
    member = find_member(model) or find_member(answered)
    width = probes[0].vectors.shape[1]
    if member is not None:
        _check_member(member, probes, endpoint.host)
    limit = member.max_tokens if member else _MAX_TOKENS
    listed = [e.get("max_model_len") for e in model_list(endpoint) if e["id"] in (model, answered)]
    limits = [length for length in listed if isinstance(length, int) and length > 0]
    profile = _profile(
        answered,
        member,
        "the family's table" if member else "nowhere: none are known",
        _prompts(member),
        dimensions=member.dimensions if member else (width,),
        max_tokens=min([limit, *limits]) if member else min(limits, default=limit),
    )
    pages = pages_by_table(member, profile.max_tokens)
    if pages is not None and not tells_images_from_texts(endpoint, model):
        pages = None
    facts = {
        "served": member.id if member else answered,
        "dimensions": width,
        "max_tokens": profile.max_tokens,
        "stated": sorted(_stated_names(entries, model, answered)),
    }
    return Stated(
        profile=profile,
        fingerprint=digest(facts),
        dtype="not stated",
        takes_instruction=False,
        answers_as=frozenset(probe.model for probe in probes),
        pages=pages,
    )


def _check_member(member: Member, probes: list[Answer], host: str) -> None:
    query, document = (probe.vectors[0] for probe in probes)
    if len(query) != member.dimensions[-1]:
        raise RemoteError(
            f"{host} gives vectors of {len(query)} dimensions; {member.name} has {member.dimensions[-1]}",
            hint="it serves something else under this name",
        )
    if float(query @ document) > _SAME:
        raise RemoteError(
            f"{host} gives one vector to a text as a query and as a document: it drops input_type, "
            f"and without its prompts {member.name} finds less",
            hint="serve it with a NIM or with `biencoder serve`",
        )


def _stated_names(entries: list[dict[str, Any]], *names: str) -> Iterator[str]:
    """What a NIM's metadata says of the model: its name and where its files came from."""
    tails = {name.rsplit("/", 1)[-1].lower() for name in names}
    for entry in entries:
        said = [entry.get(key) for key in ("shortName", "modelUrl")]
        words = [word for word in said if isinstance(word, str)]
        if len(entries) == 1 or any(tail in word.lower() for tail in tails for word in words):
            yield from words


def _prompts(member: Member | None) -> Prompts:
    return member.prompts if member else Prompts(query="", document="")


def _profile(
    name: str,
    member: Member | None,
    prompts_from: str,
    prompts: Prompts,
    *,
    dimensions: tuple[int, ...],
    max_tokens: int,
) -> Profile:
    return Profile(
        name=member.name if member else name,
        member=member,
        recognised_by="its name at the server",
        prompts=prompts,
        prompts_from=prompts_from,
        dimensions=dimensions,
        max_tokens=max_tokens,
        license=member.license if member else "not stated",
        commercial_use=member.commercial_use if member else None,
        random_weights=False,
        normalizes=True,
    )
