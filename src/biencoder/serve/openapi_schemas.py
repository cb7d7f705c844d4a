"""The shapes on the wire as JSON Schema (2020-12), by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from biencoder.index.hits import MODES
from biencoder.serve.described import modalities
from biencoder.serve.embeddings.names import Served
from biencoder.serve.embeddings.wire import EMBEDDING_TYPES, ENCODING_FORMATS, MODALITIES
from biencoder.serve.errors import STATUS
from biencoder.serve.service import Service
from biencoder.types import TRUNCATE

Schema: TypeAlias = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
TRUTH: Schema = {"type": "boolean"}
ANYTHING: Schema = {"type": "object"}
# Not blank: at least one character that is no white space.
SAID: Schema = {"type": "string", "minLength": 1, "pattern": r"\S"}


def ref(name: str) -> Schema:
    """A schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def listed(item: Schema, **more: Any) -> Schema:
    """An array."""
    return {"type": "array", "items": item, **more}


def record(
    properties: Mapping[str, Schema], *, optional: Sequence[str] = (), **more: Any
) -> Schema:
    """An object whose properties are all there, but for the optional ones."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties), "required": required, **more}


def schemas(service: Service) -> dict[str, Schema]:
    """Every named schema; what a service was told at its start shows in it."""
    found = {**_embeddings(service), **_side()}
    if service.settings.ranking:
        found |= _ranking(service)
    if service.searching is not None:
        found |= _search()
    return found


def _choice(choices: Sequence[str], about: str, default: str | None = None) -> Schema:
    fixed = {} if default is None else {"default": default}
    return {"type": ["string", "null"], "enum": [*choices, None], "description": about, **fixed}


def _model(service: Service) -> Schema:
    ids = [served.id for served in service.registry.served]
    return {
        "anyOf": [{"enum": ids}, TEXT],
        "description": "A served id or another of its names (see /v1/metadata); -query or -passage "
        "behind it says the role.",
    }


def _embeddings(service: Service) -> dict[str, Schema]:
    settings = service.settings
    strict = {"additionalProperties": False} if settings.strict_fields else {}
    many = {"minItems": 1, "maxItems": settings.max_client_batch}
    properties: dict[str, Schema] = {
        "model": _model(service),
        "input": {"anyOf": [SAID, listed(SAID, **many)], "description": _input(service)},
        "messages": listed(ref("Message"), **many, description="Instead of input."),
        "input_type": _choice(
            ("query", "passage"),
            "The role; it decides the prompt before the text. Needed unless the model's name or "
            "the service's default says it.",
        ),
        "modality": _modality(service),
        "embedding_type": _choice(EMBEDDING_TYPES, "The numbers' type.", "float"),
        "encoding_format": _choice(
            ENCODING_FORMATS, "base64: little-endian float32 in standard base64.", "float"
        ),
        "dimensions": _dimensions(service),
        "truncate": _choice(TRUNCATE, "END keeps a long text's head, START its tail.", "NONE"),
        "user": {"description": "Ignored."},
    }
    if any(_takes_instruction(served) for served in service.registry.served):
        properties["instruction"] = {
            "type": ["string", "null"],
            "maxLength": 4096,
            "description": "A task for queries, where the model takes one.",
        }
    request = {
        "type": "object",
        "properties": properties,
        "oneOf": [{"required": ["model", "input"]}, {"required": ["messages"]}],
        **strict,
    }
    vector = {"anyOf": [listed(NUMBER, minItems=1), TEXT]}
    item = {"object": {"const": "embedding"}, "index": WHOLE, "embedding": vector, "scale": NUMBER}
    answer = {
        "object": {"const": "list"},
        "data": listed(record(item, optional=("scale",)), minItems=1),
        "model": TEXT,
        "usage": ref("Usage"),
    }
    return {
        "EmbeddingRequest": request,
        "Message": _message(),
        "EmbeddingResponse": record(answer),
        "Usage": record(
            {"prompt_tokens": WHOLE, "total_tokens": WHOLE, "num_images": WHOLE},
            optional=("num_images",),
        ),
    }


def _takes_images(service: Service) -> bool:
    return any(len(modalities(served)) > 1 for served in service.registry.served)


def _input(service: Service) -> str:
    said = "Texts; never token ids."
    if _takes_images(service):
        said += " For a page model also images: data:image/png;base64,… alone or behind a text."
    return said


def _modality(service: Service) -> Schema:
    known = MODALITIES if _takes_images(service) else MODALITIES[:1]
    each = listed({"enum": list(known)}, minItems=1)
    return {"anyOf": [_choice(known, "Of every input; looked up where it is not said."), each]}


def _dimensions(service: Service) -> Schema:
    """Under ``strict`` the sizes themselves: of one model or another."""
    about = {
        "description": "A size that the model offers (see /v1/metadata); its full size without."
    }
    if service.settings.dimensions_policy == "nim1":
        return {"type": ["integer", "null"], "minimum": 1, **about}
    served = service.registry.served
    sizes = {size for one in served for size in one.engine.embedder.dimensions}
    return {"type": ["integer", "null"], "enum": [*sorted(sizes), None], **about}


def _takes_instruction(served: Served) -> bool:
    prompts = served.engine.embedder.profile.prompts
    return prompts.bright or prompts.instruction_template is not None


def _message() -> Schema:
    part = {"type": {"enum": ["text", "image_url"]}, "text": TEXT, "image_url": ANYTHING}
    content = {"anyOf": [TEXT, listed(record(part, optional=("text", "image_url")))]}
    role = {
        "enum": ["query", "document", "passage", "user"],
        "description": "user: the role is that of input_type.",
    }
    return record({"role": role, "content": content}, optional=("content",))


def _ranking(service: Service) -> dict[str, Schema]:
    text = record({"text": SAID})
    request = {
        "model": _model(service),
        "query": text,
        "passages": listed(text, minItems=1, maxItems=service.settings.max_client_batch),
        "truncate": _choice(("NONE", "END"), "END keeps a long text's head.", "NONE"),
    }
    answer = {
        "rankings": listed(record({"index": WHOLE, "logit": NUMBER})),
        "score": TEXT,
        "model": TEXT,
        "usage": ref("Usage"),
    }
    strict = {"additionalProperties": False} if service.settings.strict_fields else {}
    return {
        "RankingRequest": record(request, optional=("truncate",), **strict),
        "RankingResponse": record(answer),
    }


def _side() -> dict[str, Schema]:
    refusal = {
        "message": TEXT,
        "type": TEXT,
        "param": {"type": ["string", "null"]},
        "code": {"enum": list(STATUS)},
    }
    error = {
        "error": record(refusal),
        "object": {"enum": ["error", "health.response"]},
        "status": {"type": "integer"},
        "title": TEXT,
        "detail": TEXT,
        "request_id": TEXT,
    }
    health = {"object": {"const": "health.response"}, "message": TEXT}
    model = {"id": TEXT, "object": {"const": "model"}, "created": WHOLE}
    model |= {"owned_by": TEXT, "root": TEXT}
    licence = dict.fromkeys(("name", "path", "sha", "url", "content", "notice"), TEXT)
    licence |= {"size": WHOLE, "type": {"enum": ["file", "summary"]}}
    facts = {
        "id": TEXT,
        "version": TEXT,
        "assetInfo": listed(TEXT),
        "licenseInfo": ref("License"),
        "modelInfo": listed(ANYTHING, minItems=1),
        "repository_override": TEXT,
        "selectedModelProfileId": TEXT,
    }
    return {
        "Error": record(error),
        "Live": record({**health, "live": {"const": True}}),
        "Ready": record({**health, "ready": {"const": True}, "status": TEXT}),
        "Models": record({"object": {"const": "list"}, "data": listed(record(model))}),
        "License": record(licence),
        "Metadata": record(facts),
        "Manifest": record({"manifest_file": TEXT}),
        "Version": record({"release": TEXT, "api": TEXT}),
    }


def _search() -> dict[str, Schema]:
    number_or_null: Schema = {"type": ["number", "null"]}
    whole_or_null: Schema = {"type": ["integer", "null"]}
    grade = {"type": ["integer", "null"], "minimum": 0, "maximum": 3}
    question = SAID | {"maxLength": 10_000, "description": "The question."}
    index = {"type": ["string", "null"], "description": "One of several; the first without."}
    condition = record({"column": TEXT, "operator": TEXT, "value": {}}, optional=("value",))
    request = {
        "query": question,
        "index": index,
        "mode": _choice(MODES, "By meaning, by words, or both.", "hybrid"),
        "top_k": {"type": ["integer", "null"], "minimum": 1, "maximum": 100, "default": 10},
        "filter": {
            "anyOf": [TEXT, listed(condition), {"type": "null"}],
            "description": "As 'source = \"a.pdf\" and page < 10', or conditions that all hold.",
        },
        "fusion": _choice(("weighted", "reciprocal-rank"), "Of hybrid search.", "weighted"),
        "instruction": {"type": ["string", "null"]},
        "shares": {
            "type": ["boolean", "null"],
            "description": "Tell of page images what each part adds to the score by meaning.",
        },
    }
    hit = {"rank": WHOLE, "score": NUMBER, "id": TEXT, "document": TEXT, "source": TEXT}
    hit |= {"title": TEXT, "heading": TEXT, "page": whole_or_null, "start": WHOLE, "end": WHOLE}
    hit |= {"scores": record({"dense": number_or_null, "lexical": number_or_null})}
    hit |= {"text": TEXT, "metadata": ANYTHING, "grade": grade}
    hit |= {"snippet": listed(record({"text": TEXT, "match": TRUTH})), "pictured": TRUTH}
    hit |= {"shares": {"anyOf": [ref("Shares"), {"type": "null"}]}}
    result = {"index": TEXT, "model": TEXT, "mode": {"enum": list(MODES)}, "version": WHOLE}
    result |= {"hits": listed(record(hit, optional=("shares",))), "milliseconds": ANYTHING}
    document = {"id": TEXT, "source": TEXT, "title": TEXT, "passages": WHOLE}
    document |= {"pages": whole_or_null, "file": TRUTH}
    passage = {"id": TEXT, "number": WHOLE, "page": whole_or_null, "heading": TEXT}
    passage |= {"start": WHOLE, "end": WHOLE, "text": TEXT, "pictured": TRUTH}
    judging = {"query": question, "passage": TEXT, "grade": grade, "index": index}
    judging |= {"mode": _choice(MODES, "How the passage was found.")}
    return {
        "SearchRequest": record(request, optional=[name for name in request if name != "query"]),
        "SearchResponse": record(result),
        "Shares": _shares(number_or_null),
        "Searchable": record({"indices": listed(ANYTHING), "modes": listed(TEXT)}),
        "Documents": record({"data": listed(record(document)), "has_more": TRUTH, "total": WHOLE}),
        "Document": record({**document, "first": WHOLE, "texts": listed(record(passage))}),
        "JudgementRequest": record(judging, optional=("index", "mode")),
        "Judgement": record({"passage": TEXT, "grade": grade}),
        "Judgements": record({"judgements": WHOLE, "relevant": WHOLE, "questions": listed({})}),
    }


def _shares(number_or_null: Schema) -> Schema:
    box = listed(NUMBER, minItems=4, maxItems=4)
    tile = record({"box": box, "share": NUMBER})
    return record(
        {"score": NUMBER, "tiles": listed(tile), "thumbnail": number_or_null, "rest": NUMBER},
        description="Shares of a page's cosine that add up to score. A box is left, top, right and "
        "bottom as fractions of the page; rest is that of the prompt and the page's text.",
    )
