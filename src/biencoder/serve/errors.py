"""Every refusal of the service: one code, one status, one JSON object for all clients.

The body holds what openai-python reads (``error``), what LangChain prints (``title``, ``detail``)
and what others search for in the raw text: a message on one line. ``detail`` is always a string.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import orjson

STATUS: dict[str, int] = {
    "invalid_json": 400,
    "invalid_request": 400,
    "extra_forbidden": 400,
    "empty_input": 400,
    "batch_too_large": 400,
    "context_length_exceeded": 400,
    "missing_input_type": 400,
    "invalid_input_type": 400,
    "unsupported_modality": 400,
    "invalid_image": 400,
    "invalid_dimensions": 400,
    "unsupported_embedding_type": 400,
    "token_ids_not_supported": 400,
    "invalid_filter": 400,
    "invalid_api_key": 401,
    "cross_site": 403,
    "host_not_allowed": 403,
    "model_not_found": 404,
    "not_found": 404,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "index_conflict": 409,
    "body_too_large": 413,
    "unsupported_encoding": 415,
    "range_not_satisfiable": 416,
    "overloaded": 429,
    "headers_too_large": 431,
    "engine_error": 500,
    "index_error": 500,
    "not_ready": 503,
    "timeout": 504,
}


class ApiError(Exception):
    """A refusal with its code. message: one line, without any text of the request.

    param: the field that it is about, such as ``input[3]``.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = STATUS[code]
        self.message = " ".join(message.split())
        self.param = param
        self.headers = dict(headers or {})


def error_body(error: ApiError, request_id: str) -> bytes:
    """The JSON object of a refusal."""
    kind = "invalid_request_error" if error.status < 500 else "server_error"
    kind = {401: "authentication_error", 429: "rate_limit_error"}.get(error.status, kind)
    return orjson.dumps(
        {
            "error": {
                "message": error.message,
                "type": kind,
                "param": error.param,
                "code": error.code,
            },
            "object": "error",
            "status": error.status,
            "title": HTTPStatus(error.status).phrase,
            "detail": error.message,
            "request_id": request_id,
        }
    )
