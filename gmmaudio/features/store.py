"""Frames on disk as shards that survive a crash: what a feature store is, and how it is read.

A store is a folder:

    gmmaudio-store.json    its front end's settings, and the names of its shards in the order of the corpus
    NAME.npy               the voiced frames of some consecutive clips, (frames, d) little-endian float32, C order
    NAME.json              their index, written last: a shard without one is not there
    .lock                  empty, unless somebody writes

A shard's name is a hash of its clips' rows, sizes and times of change, and of the settings, so a shard never changes:
where one of these does, another shard takes its place. ``store_writer`` makes stores.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gmmaudio.errors import DataError, StoreError
from gmmaudio.features.frontend import FrontEnd, front_end_from
from gmmaudio.features.sealed import FORMAT_VERSION, Damaged, damaged, read_sealed, sealed
from gmmaudio.features.store_index import Index, read_index, settings_hash
from gmmaudio.files import printable

Frames32 = NDArray[np.float32]

STORE_FILE = "gmmaudio-store.json"
HEADER_BYTES = 128
CHECKED = 1 << 16  # rows looked at together when the data are checked


@dataclass(frozen=True, eq=False)
class Shard:
    """A shard that is there: its index, and a map of its data.

    Parameters
    ----------
    index : Index
    data : (frames, d) float32
        Mapped read-only: nothing is in memory until it is looked at, and the kernel may drop it again.
    path : Path
        The file of the data.
    """

    index: Index
    data: Frames32
    path: Path

    def check(self) -> Shard:
        """Itself, when every value is finite and as it was written.

        Raises
        ------
        StoreError
            ``damaged_store``.
        """
        found, finite = hashlib.sha256(), True
        for start in range(0, len(self.data), CHECKED):
            rows = self.data[start : start + CHECKED]
            found.update(rows.data)
            finite = finite and bool(np.isfinite(rows).all())
        if found.hexdigest() != self.index.data:
            raise damaged(self.path, "its checksum does not fit: it was changed")
        if not finite:
            raise damaged(self.path, "it holds values that are not finite")
        return self


@dataclass(frozen=True)
class Store:
    """A feature store.

    Parameters
    ----------
    folder : Path
    front_end : FrontEnd
        What made the frames.
    names : tuple of str
        Of the shards, in the order of the corpus.
    """

    folder: Path
    front_end: FrontEnd
    names: tuple[str, ...]

    def missing(self) -> list[str]:
        """Names of the shards that have not been made yet."""
        return [name for name in self.names if not (self.folder / f"{name}.json").exists()]

    def shards(self) -> list[Shard]:
        """The shards in their order; the data are mapped, not read.

        Raises
        ------
        StoreError
            ``incomplete_store``, ``damaged_store``, ``version_mismatch``.
        """
        if missing := self.missing():
            text = f"{printable(self.folder)} has {len(self.names) - len(missing)} of its {len(self.names)} shards"
            raise StoreError("incomplete_store", text, "run gmmaudio features again: it goes on where it was stopped")
        return [open_shard(self.folder, name, self.front_end) for name in self.names]


def is_store(folder: Path) -> bool:
    """Whether a folder is a feature store."""
    return os.path.isfile(folder / STORE_FILE)  # noqa: PTH113 (the method raises where a name is too long)


def is_name(name: object) -> bool:
    """Whether this is the name of a shard, as ``shard_name`` makes them."""
    return isinstance(name, str) and len(name) == 32 and not set(name) - set("0123456789abcdef")


def open_store(folder: Path) -> Store:
    """A store, its settings checked; the shards are not looked at.

    Raises
    ------
    StoreError
        ``damaged_store``, ``version_mismatch``.
    """
    path = folder / STORE_FILE
    facts = read_sealed(path)
    settings, names = facts.get("front_end"), facts.get("shards")
    if not isinstance(settings, dict):
        raise damaged(path, "its front end is missing")
    if not isinstance(names, list) or not all(map(is_name, names)) or len(set(names)) < len(names):
        raise damaged(path, "its shards are no list of different names")
    try:
        front_end = front_end_from(settings)
    except DataError as error:
        raise damaged(path, f"its front end: {error.message}") from error
    return Store(folder, front_end, tuple(names))


def store_bytes(front_end: FrontEnd, names: list[str]) -> bytes:
    """The text of a store's own file."""
    settings = front_end.as_dict()
    return sealed(
        {
            "format_version": FORMAT_VERSION,
            "front_end": settings,
            "front_end_sha256": settings_hash(settings),
            "dimension": front_end.dimension,
            "shards": names,
        }
    )


def open_shard(folder: Path, name: str, front_end: FrontEnd) -> Shard:
    """A shard, its index and the size and shape of its data checked.

    Raises
    ------
    StoreError
        ``damaged_store``, ``version_mismatch``.
    """
    index = read_index(folder / f"{name}.json")
    if index.front_end != settings_hash(front_end.as_dict()) or index.dimension != front_end.dimension:
        raise damaged(folder / f"{name}.json", "its front end is not the store's")
    path = folder / f"{name}.npy"
    return Shard(index, _mapped(path, index.frames, index.dimension), path)


def header(frames: int, dimension: int) -> bytes:
    """The first bytes of a .npy file, format 1.0, of (frames, dimension) little-endian float32 in C order.

    A file of ours has exactly these, so there is nothing to parse.

    References
    ----------
    numpy.lib.format: magic, version, length of the text, and the text, padded with blanks up to a line end.
    """
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({frames}, {dimension}), }}"
    lead = b"\x93NUMPY\x01\x00" + (HEADER_BYTES - 10).to_bytes(2, "little")
    return lead + text.ljust(HEADER_BYTES - 11).encode("ascii") + b"\n"


def require_same(store: Store, front_end: FrontEnd, whose: str) -> None:
    """Refuse a front end that is not the store's.

    Parameters
    ----------
    store : Store
    front_end : FrontEnd
    whose : str
        What it belongs to, for the message: "the model".

    Raises
    ------
    StoreError
        ``version_mismatch``, saying which settings differ.
    """
    found = differences(store.front_end.as_dict(), front_end.as_dict())
    if found:
        listed = "; ".join(f"{name} is {have}, {whose} has {want}" for name, have, want in found[:4])
        more = f"; and {len(found) - 4} more" if len(found) > 4 else ""
        text = f"the front end of {printable(store.folder)} is another: {listed}{more}"
        raise StoreError(
            "version_mismatch", text, "give another folder for the store, by -o, or the preset that it was made with"
        )


def differences(have: Mapping[str, Any], want: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Where two sets of settings differ: the dotted name, one value and the other.

    Examples
    --------
    >>> differences({"mfcc": {"rate": 8000}, "steps": []}, {"mfcc": {"rate": 16000}, "steps": []})
    [('mfcc.rate', '8000', '16000')]
    """
    one, other = dict(_flat(have)), dict(_flat(want))
    return [
        (name, one.get(name, "not there"), other.get(name, "none"))
        for name in dict.fromkeys([*one, *other])
        if one.get(name) != other.get(name)
    ]


def _flat(value: Any, name: str = "") -> list[tuple[str, str]]:
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        return [(name, str(value))]
    return [pair for key, inner in items for pair in _flat(inner, f"{name}.{key}" if name else str(key))]


def _mapped(path: Path, frames: int, dimension: int) -> Frames32:
    """The data of a shard, after its header and its size were compared with what the index says."""
    want = header(frames, dimension)
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise Damaged("no regular file")
        if about.st_size != HEADER_BYTES + 4 * frames * dimension:
            raise Damaged(f"{about.st_size} bytes, where {HEADER_BYTES + 4 * frames * dimension} were written")
        with path.open("rb") as file:
            if file.read(HEADER_BYTES) != want:
                raise Damaged("its header was changed")
        if frames == 0:  # what cannot be mapped
            return np.zeros((0, dimension), np.float32)
        return np.asarray(np.memmap(path, "<f4", "r", HEADER_BYTES, (frames, dimension)))
    except (Damaged, OSError) as error:
        raise damaged(path, getattr(error, "strerror", None) or str(error)) from error
