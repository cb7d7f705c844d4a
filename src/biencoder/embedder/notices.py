"""Warnings that a person should see once, each of a class that can be filtered or counted."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from biencoder.embedder.profile import Profile


class BiencoderWarning(UserWarning):
    """Base of this library's warnings."""


class TruncationWarning(BiencoderWarning):
    """Texts were cut because the caller allowed it."""


class UnreadableWarning(BiencoderWarning):
    """Texts are in a script or language that the model's vocabulary hardly covers."""


class LicenceWarning(BiencoderWarning):
    """The model may not be used commercially."""


class PromptWarning(BiencoderWarning):
    """No prompts are known for this checkpoint."""


_said: set[str] = set()


def say_once(message: str, category: type[BiencoderWarning]) -> None:
    """Warn the first time only, in this process, for this message."""
    if message not in _said:
        _said.add(message)
        warnings.warn(message, category, stacklevel=3)


def tell_licence(profile: Profile) -> None:
    """Say once that a model is not for commercial use."""
    if profile.commercial_use is False:
        say_once(f"{profile.name} is not for commercial use: {profile.license}", LicenceWarning)
