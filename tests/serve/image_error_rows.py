"""The rows of the error table that ask a page model."""

from __future__ import annotations

from dataclasses import replace

from tests.serve.error_rows import PNG, ROWS, bad

IMAGES = tuple(
    replace(row, pages=True)
    for row in (
        bad("image as query", "unsupported_modality", "'text' as a query", "input[0]", input=PNG),
        bad(
            "image that is said to have a text",
            "unsupported_modality",
            "holds an image and no text",
            "input[0]",
            input=PNG,
            modality="text_image",
        ),
        bad(
            "bad data URL",
            "invalid_image",
            "not sound base64",
            "input[0]",
            input="data:image/png;base64,iVBO*",
            input_type="passage",
        ),
        bad(
            "corrupt image",
            "invalid_image",
            "damaged or truncated",
            "input[1]",
            input=["a", PNG],
            input_type="passage",
        ),
        bad(
            "image that would have to be fetched",
            "invalid_image",
            "never fetched",
            "input[0]",
            input="<img src='https://example.org/a.png'>",
            input_type="passage",
        ),
        bad(
            "image cut from its beginning",
            "invalid_request",
            "'START' would cut the image",
            "truncate",
            input=PNG,
            input_type="passage",
            truncate="START",
        ),
    )
)

ALL_ROWS = (*ROWS, *IMAGES)
