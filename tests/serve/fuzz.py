"""Requests made by schemathesis from our own OpenAPI document, against the application in process."""

from __future__ import annotations

import copy
import warnings
from collections import Counter
from typing import Any

import httpx
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from tests.serve.wire_client import Wire

# Not among them: that bad data be refused, for the wire forgives letter case and unknown fields, and
# that good data be accepted, for a schema cannot know which models, sizes and documents there are.
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "allow_header_conformance",
)

_PREPARED = ("method", "url", "headers", "params", "cookies", "data", "json", "files", "auth")


def fuzz(document: Any, wire: Wire, *, examples: int) -> Counter[tuple[str, int]]:
    """Ask every operation so often, with data that fits and data that does not.

    Gives the number of requests by operation and status; fails where an answer is not as documented. No answer may
    be a fault of ours: 500, or what is no error object.
    """
    asked: Counter[tuple[str, int]] = Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            good = mode is GenerationMode.POSITIVE
            schema = schemathesis.openapi.from_dict(_only_served(document) if good else document)
            for result in schema.get_all_operations():
                _fuzz_operation(_operation(result), mode, wire, examples, asked)
    return asked


def _operation(result: Any) -> Any:
    """An operation of the document; raises where schemathesis finds it invalid."""
    return result.ok()


def _only_served(document: Any) -> Any:
    """The document without the leave to name a model as one likes: else nothing gets past its name."""
    narrowed = copy.deepcopy(document)
    for schema in narrowed["components"]["schemas"].values():
        model = schema.get("properties", {}).get("model", {})
        if "anyOf" in model:
            schema["properties"]["model"] = model["anyOf"][0]
    return narrowed


def _fuzz_operation(
    operation: Any,
    mode: GenerationMode,
    wire: Wire,
    examples: int,
    asked: Counter[tuple[str, int]],
) -> None:
    if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query):
        # Nothing is asked for that could be given wrongly.
        return
    checks = [CHECKS.get_one(name) for name in _CHECKS]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=examples,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        answer = send(case, wire)
        asked[f"{operation.method.upper()} {operation.path}", answer.status_code] += 1
        case.validate_response(answer, checks=checks)
        assert answer.status_code not in (500, 501, 502), answer.text

    ask()


def send(case: Any, wire: Wire) -> httpx.Response:
    """One generated request, prepared as schemathesis would send it."""
    made = case.as_transport_kwargs(base_url="http://test")
    prepared = requests.Request(
        **{name: made[name] for name in _PREPARED if made.get(name) is not None}
    ).prepare()
    headers = {name: value for name, value in prepared.headers.items() if name != "Content-Length"}
    return wire.send(
        str(prepared.method), str(prepared.url), content=prepared.body, headers=headers
    )
