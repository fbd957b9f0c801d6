"""Sealed text files: facts as JSON whose last value is a SHA-256 of the rest, and the checks of what is read back.

A file whose bytes are not exactly those that would be written for its facts is damaged; so is one whose facts are not
of the kinds that they should be. The seal finds damage, not malice: every value is checked all the same.
"""

from __future__ import annotations

import hashlib
import json
import math
import stat
from pathlib import Path
from typing import Any

from gmmaudio.errors import StoreError
from gmmaudio.files import printable

FORMAT_VERSION = 1
MOST_BYTES = 64 << 20  # of one file
MOST = 1 << 40  # frames of a shard: keeps every product of sizes within 64 bits

Facts = dict[str, Any]


class Damaged(Exception):
    """What is wrong inside a file of a store."""


def sealed(facts: Facts) -> bytes:
    """The bytes of a text file that holds these facts and their seal."""
    seal = hashlib.sha256(_text(facts)).hexdigest()
    return _text({**facts, "seal": seal})


def read_sealed(path: Path) -> Facts:
    """The facts in a text file, its version and its seal checked.

    Raises
    ------
    StoreError
        ``damaged_store``, ``version_mismatch``.
    """
    try:
        mode, size = path.stat().st_mode, path.stat().st_size
        if not stat.S_ISREG(mode) or size > MOST_BYTES:
            raise damaged(path, "no regular file" if not stat.S_ISREG(mode) else f"{size} bytes are too many")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise damaged(path, f"it cannot be read: {error.strerror}") from error
    try:
        facts = json.loads(data.decode("ascii"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise damaged(path, "it is not JSON") from error
    if not isinstance(facts, dict) or type(facts.get("format_version")) is not int:
        raise damaged(path, "it has no format_version")
    if facts["format_version"] != FORMAT_VERSION:
        text = f"{printable(path)} has format version {facts['format_version']}, this gmmaudio reads {FORMAT_VERSION}"
        raise StoreError("version_mismatch", text, "upgrade gmmaudio, or make a new store")
    facts.pop("seal", None)
    try:
        whole = sealed(facts) == data
    except (ValueError, RecursionError) as error:
        raise damaged(path, "it holds what is not a number") from error
    if not whole:
        raise damaged(path, "its seal does not fit: it was changed")
    return facts


def damaged(path: Path, why: str) -> StoreError:
    """The error for a file of a store that cannot be used."""
    hint = "remove the file and run gmmaudio features again: only what is missing is made"
    return StoreError("damaged_store", f"{printable(path)}: {why}", hint)


def whole(value: object, name: str, least: int = 0, most: int = MOST) -> int:
    """A whole number in a range, or Damaged."""
    if type(value) is not int or not least <= value <= most:
        raise Damaged(f"{name} is no whole number from {least} to {most}")
    return value


def text(value: object, name: str) -> str:
    """A text that is not empty, or Damaged."""
    if not isinstance(value, str) or not value:
        raise Damaged(f"{name} is missing or no text")
    return _encodable(value, name)


def digest(value: object, name: str) -> str:
    """64 hexadecimal digits, or Damaged."""
    if not isinstance(value, str) or len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise Damaged(f"{name} is no SHA-256")
    return value


def seconds(value: object, name: str) -> float:
    """A number of seconds, or Damaged."""
    if type(value) is not float or not 0 <= value < math.inf:
        raise Damaged(f"{name} is no number of seconds")
    return value


def texts(facts: object, where: str, *names: str) -> list[str]:
    """The texts of these names in an object, or Damaged."""
    values = [facts.get(name) for name in names] if isinstance(facts, dict) else [None]
    if not all(isinstance(value, str) for value in values):
        raise Damaged(f"{where} has no {' and '.join(names)}")
    return [_encodable(str(value), name) for value, name in zip(values, names, strict=True)]


def _encodable(value: str, name: str) -> str:
    """A text that the name of a file could be, or Damaged."""
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise Damaged(f"{name} holds half a character") from error
    return value


def _text(facts: Facts) -> bytes:
    return json.dumps(facts, indent=1, ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
