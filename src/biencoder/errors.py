"""Every error that a user can cause, in one tree.

    BiencoderError                     HTTP status
    ├── InputError                     400   a text, a file or an option that cannot be used
    │   ├── TooLongError               400   more tokens than the model reads
    │   ├── DimensionError             400   a vector size that the model does not offer
    │   └── ImageError                 400   an image that cannot be opened, or is not allowed
    ├── UnknownModelError              404   no such name, folder or cached checkpoint
    ├── CheckpointError                500   weights or tokenizer incomplete, misshapen, not finite
    │   └── ConfigError                500   config.json says something this library must not guess
    ├── DeviceError                    500   a device or number format that this machine does not have
    ├── EncodingError                  500   the model gave a vector that is not finite
    ├── OutputError                    507   a result could not be written
    ├── IndexDamagedError              500   an index that cannot be read as it stands
    ├── LockedError                    423   another process is writing to the index
    ├── FingerprintError               409   a model that did not make the vectors it is asked about
    ├── RemoteError                    502   a server that was asked for vectors fails or says nonsense
    └── MissingExtraError              501   an optional package is not installed

Each message says what is wrong, what was expected, and (``hint``) what to do.
"""

from __future__ import annotations


class BiencoderError(Exception):
    """Base of all errors with a message meant for a person.

    >>> print(InputError("the corpus is empty", hint="check the folder"))
    the corpus is empty
    Hint: check the folder
    """

    status = 500

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nHint: {self.hint}" if self.hint else self.message


class InputError(BiencoderError):
    """A text, a file or an option that cannot be used as given."""

    status = 400


class TooLongError(InputError):
    """A text has more tokens than the model reads, and cutting was not allowed.

    told: its length and the limit in words, for whoever knows better what the text is.
    """

    def __init__(self, message: str, *, hint: str | None = None, told: str = "") -> None:
        super().__init__(message, hint=hint)
        self.told = told or message


class DimensionError(InputError):
    """A vector size that the model was not trained to offer."""


class ImageError(InputError):
    """An image that cannot be opened as given: damaged, too large, or of a kind not allowed."""


class UnknownModelError(BiencoderError):
    """No family member, folder or cached checkpoint has this name."""

    status = 404


class CheckpointError(BiencoderError):
    """A checkpoint is incomplete, misshapen, or of a kind that must not be loaded as it is."""


class ConfigError(CheckpointError):
    """A configuration lacks a value, contradicts itself, or names something unknown."""


class DeviceError(BiencoderError):
    """This machine lacks the device or number format that was asked for."""


class EncodingError(BiencoderError):
    """The model produced a vector that is not finite.

    rows: whose vectors those are, as far as known: it may then go on without them. no_vector: how the
    reason of what was left out for that begins.
    """

    no_vector = "the model gave no usable vector"

    def __init__(
        self, message: str, *, hint: str | None = None, rows: tuple[int, ...] = ()
    ) -> None:
        super().__init__(message, hint=hint)
        self.rows = rows


class OutputError(BiencoderError):
    """A result could not be written; nothing half-written was left behind."""

    status = 507


class IndexDamagedError(BiencoderError):
    """An index that cannot be read as it stands."""


class LockedError(BiencoderError):
    """Another process is writing there: to this index, or the same results."""

    status = 423


class FingerprintError(BiencoderError):
    """The model at hand did not make the vectors that it is asked about."""

    status = 409


class RemoteError(BiencoderError):
    """A server that was asked for vectors cannot be reached, fails, or answers nonsense."""

    status = 502


class MissingExtraError(BiencoderError):
    """A package of an optional extra is not installed."""

    status = 501
