"""Arrays and a few facts in one .safetensors file: written in one way only, and read with suspicion.

Arrays hold numbers only; one metadata key holds sorted JSON, so that two saves give the same bytes. A file from a
stranger runs no code: the header is parsed here (a repeated name would slip through the library), every size has a
cap. What the arrays and facts mean is the caller's to check, with ``require`` and ``tensor``.

The only file that knows safetensors.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors import numpy as safetensors_numpy

from gmmaudio.errors import DataError, ModelError
from gmmaudio.files import check_target, printable, write_atomically

KEY = "gmmaudio"
MAX_BYTES = 1 << 30
MAX_HEADER = 64 << 20

Tensors = dict[str, NDArray[Any]]
Facts = dict[str, Any]


class Broken(Exception):
    """What is wrong inside a file that is one of ours by its header."""


def write(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> bytes:
    """The bytes of a file; the same for the same contents.

    Parameters
    ----------
    arrays : mapping of name to array
    facts : mapping
        Plain values that JSON holds exactly, "format_version" (an int) among them.

    Examples
    --------
    >>> data = write({"a": np.arange(3.0)}, {"format_version": 1})
    >>> read(data, "it", version=1)
    ({'a': array([0., 1., 2.])}, {'format_version': 1})
    """
    # The library writes an array's buffer as it lies: Fortran order would come back scrambled.
    ordered = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    signed = {**facts, "sha256": _digest(ordered, facts)}
    text = json.dumps(signed, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return bytes(safetensors_numpy.save(ordered, metadata={KEY: text}))


def read(data: bytes, name: str, version: int) -> tuple[Tensors, Facts]:
    """The arrays and facts in a file's bytes.

    Parameters
    ----------
    data : bytes
    name : str
        What errors call the file.
    version : int
        The format version that the caller can read.

    Raises
    ------
    ModelError
        ``not_a_gmmaudio_model``, ``invalid_model`` (a name that stands twice, a checksum that does not fit),
        ``version_mismatch``.
    """
    facts = _facts(data, name, version)
    try:
        arrays: Tensors = safetensors_numpy.load(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        text = f"{name} is no whole file of gmmaudio's: {error}"
        raise ModelError("not_a_gmmaudio_model", text, "it is damaged or cut short: copy it again") from error
    if facts.pop("sha256", None) != _digest(arrays, facts):
        raise ModelError("invalid_model", f"{name}: its checksum does not fit: it is damaged", "copy or make it again")
    return arrays, facts


def _digest(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> str:
    """SHA-256 over the facts and every array's name, type, shape and values: finds damage, not malice."""
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype.str} {arrays[name].shape}".encode())
        digest.update(arrays[name].tobytes())
    return digest.hexdigest()


def write_file(path: str | PathLike[str], data: bytes) -> None:
    """Write a file atomically: a reader sees the old one or the new one, never half.

    Raises
    ------
    DataError
        ``cannot_write`` when the folder is full or not writable, ``no_such_folder``, ``not_regular_file``,
        ``would_overwrite`` where a file stands that gmmaudio has not written, such as the corpus itself.
    """
    refuse_target(path)
    try:
        write_atomically(Path(path), data)
    except OSError as error:
        raise DataError("cannot_write", f"cannot write {path}: {error.strerror}") from error


def refuse_target(path: str | PathLike[str]) -> None:
    """Raise what ``write_file`` would, as far as can be told before there is anything to write.

    Raises
    ------
    DataError
        ``would_overwrite``, ``no_such_folder``, ``not_regular_file``.
    """
    check_target(Path(path))
    if Path(path).is_file() and not _is_ours(Path(path)):
        text = f"{printable(path)} is there already, and was not written by gmmaudio: it will not be replaced"
        raise DataError("would_overwrite", text, "name another file, or remove that one")


def _is_ours(path: Path) -> bool:
    """Whether a file's header begins like ours, or there is nothing to lose."""
    with path.open("rb") as stream:
        head = stream.read(4096)
    return not head or (head[8:9] == b"{" and f'"{KEY}"'.encode() in head)


def read_file(path: str | PathLike[str], hint: str) -> bytes:
    """The bytes of a file that is not too large to be one of ours.

    Parameters
    ----------
    path : str or PathLike
    hint : str
        How such a file is made; said where there is none.

    Raises
    ------
    ModelError
        ``no_such_file``, ``not_a_gmmaudio_model``, ``cannot_read``.
    """
    file = Path(path)
    try:
        if file.is_dir():
            raise ModelError("no_such_file", f"{path} is a folder, no model file", hint)
        if not file.is_file():
            raise ModelError("no_such_file", f"there is no file {path}", hint)
        if file.stat().st_size > MAX_BYTES:
            raise _not_ours(str(path), f"it is larger than {MAX_BYTES >> 20} MiB")
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ModelError("cannot_read", f"cannot read {path}: {error.strerror}") from error


def require(condition: bool, message: str) -> None:
    """Raise ``Broken`` unless the condition holds."""
    if not condition:
        raise Broken(message)


def tensor(tensors: Tensors, name: str, dtype: type, shape: tuple[int | None, ...]) -> NDArray[Any]:
    """A tensor of the type and shape asked for (None: any length), all of it finite, or ``Broken``."""
    require(name in tensors, f"tensor {name} is missing")
    found = tensors[name]
    fits = len(found.shape) == len(shape) and all(
        want in (None, have) for want, have in zip(shape, found.shape, strict=True)
    )
    require(fits, f"tensor {name} has shape {found.shape}, expected {shape}")
    require(found.dtype == dtype, f"tensor {name} has type {found.dtype}, expected {np.dtype(dtype)}")
    require(bool(np.isfinite(found).all()), f"tensor {name} is not finite")
    return found


def _not_ours(name: str, why: str) -> ModelError:
    return ModelError(
        "not_a_gmmaudio_model",
        f"{name} was not written by gmmaudio: {why}",
        "gmmaudio train writes models, save_statistics writes statistics",
    )


def _facts(data: bytes, name: str, version: int) -> Facts:
    """The metadata, after everything that can be checked before a tensor is touched."""
    if len(data) < 8:
        raise _not_ours(name, f"it has {len(data)} bytes")
    (length,) = struct.unpack("<Q", data[:8])
    if length > min(MAX_HEADER, len(data) - 8):
        raise _not_ours(name, "it does not begin like a .safetensors file, or is cut short")
    try:
        header = json.loads(data[8 : 8 + length].decode("utf-8"), object_pairs_hook=_no_repeats)
        facts = json.loads(header["__metadata__"][KEY], object_pairs_hook=_no_repeats)
    except Broken as broken:
        raise ModelError("invalid_model", f"{name}: {broken}") from broken
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _not_ours(name, "its header holds no gmmaudio metadata") from error
    found = facts.get("format_version") if isinstance(facts, dict) else None
    if type(found) is not int:
        raise _not_ours(name, "its metadata has no format_version")
    if found != version:
        raise ModelError(
            "version_mismatch",
            f"{name} has format version {found}, this gmmaudio reads {version}",
            "upgrade gmmaudio, or make the file again",
        )
    return dict(facts)


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names: set[str] = set()
    for name, _ in pairs:
        if name in names:
            raise Broken(f"{name!r} stands twice in the header")
        names.add(name)
    return dict(pairs)
