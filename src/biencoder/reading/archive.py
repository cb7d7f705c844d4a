"""A zip-based file looked at from outside, so that one made to explode is never unpacked."""

from __future__ import annotations

import io
import zipfile
from pathlib import PurePosixPath

from biencoder.errors import InputError
from biencoder.reading.limits import MEBIBYTE, Limits

_OLE = bytes.fromhex("D0CF11E0A1B11AE1")
_ARCHIVES = frozenset({".zip", ".7z", ".rar", ".gz", ".bz2", ".xz", ".zst", ".tar", ".jar"})


def check_archive(data: bytes, suffix: str, limits: Limits) -> None:
    """Refuse what is no zip file, is encrypted, or would unpack to too much.

    The sizes are those that the archive declares; Python reads no member beyond its declared size.
    Raises InputError with the reason.
    """
    if data.startswith(_OLE):
        _refuse_old_container(data, suffix)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        cut = data.startswith(b"PK\x03\x04")
        raise InputError(
            f"is a damaged or truncated {suffix} file: {error}"
            if cut
            else f"is not a {suffix} file, whatever its name says"
        ) from error
    _check_members(members, len(data), limits)


def _refuse_old_container(data: bytes, suffix: str) -> None:
    if "EncryptedPackage".encode("utf-16-le") in data:
        raise InputError("is encrypted", hint="save a copy without a password")
    raise InputError(
        f"is in Office's old format, not {suffix}", hint=f"save it as {suffix} in an Office program"
    )


def _check_members(members: list[zipfile.ZipInfo], packed: int, limits: Limits) -> None:
    if len(members) > limits.zip_members:
        raise InputError(
            f"holds {len(members)} packed files; at most {limits.zip_members} are read"
        )
    if any(member.flag_bits & 1 for member in members):
        raise InputError("is encrypted", hint="save a copy without a password")
    total = sum(member.file_size for member in members)
    if total > limits.zip_total_bytes:
        raise InputError(
            f"would unpack to {_mebibytes(total)}; at most {_mebibytes(limits.zip_total_bytes)} are read"
        )
    if total > limits.zip_free_bytes and total > limits.zip_ratio * packed:
        raise InputError(
            f"would unpack to {total // packed} times its size, as a zip bomb does; "
            f"at most {limits.zip_ratio:g} times are read"
        )
    nested = next((member.filename for member in members if _is_nested(member.filename)), None)
    if nested is not None:
        raise InputError(f"holds another archive, {nested!r}, which no Office program puts there")


def _is_nested(name: str) -> bool:
    """Office keeps a chart's workbook in ``embeddings/``, which nothing here opens."""
    path = PurePosixPath(name)
    return path.suffix.lower() in _ARCHIVES and "embeddings" not in path.parts


def _mebibytes(size: int) -> str:
    return f"{size // MEBIBYTE:,} MiB"
