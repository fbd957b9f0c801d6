"""The text of a feature store: what it says of itself and of each clip, and how that is read back.

gmmaudio-store.json    {"format_version", "front_end": {...}, "front_end_sha256", "dimension", "shards": [names],
                       "seal"}
NAME.json              {"format_version", "name", "front_end_sha256", "dimension", "frames", "data_sha256",
                       "clips": [...], "seal"}
a clip                 {"path", "label", "group", "split", "fold", "start", "end", "columns", "size", "mtime_ns",
                       and "offset", "frames", "seconds", "voiced_seconds", "sample_hash", "warnings",
                       or "error": {"code", "message", "hint"}}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gmmaudio.corpus.audio import ClipWarning
from gmmaudio.corpus.manifest import Entry
from gmmaudio.errors import ClipError
from gmmaudio.features.frontend import MAX_DIMENSION
from gmmaudio.features.sealed import (
    FORMAT_VERSION,
    Damaged,
    Facts,
    damaged,
    digest,
    read_sealed,
    sealed,
    seconds,
    text,
    texts,
    whole,
)

Key = tuple[str, float | None, float | None, int | None, int | None]


@dataclass(frozen=True)
class Listed:
    """A row of the corpus, and what its file was when it was listed.

    Parameters
    ----------
    entry : Entry
    size, mtime_ns : int or None
        Bytes, and time of the last change in nanoseconds; None where the file cannot be read.
    """

    entry: Entry
    size: int | None
    mtime_ns: int | None

    @property
    def key(self) -> Key:
        """What decides whether frames that are there already are those of this clip."""
        return (self.entry.name, self.entry.start, self.entry.end, self.size, self.mtime_ns)


@dataclass(frozen=True)
class Kept:
    """What is known of a clip whose frames are in a shard, from row ``offset`` on; see ``Example`` for the others."""

    offset: int
    frames: int
    seconds: float
    voiced_seconds: float
    sample_hash: str
    warnings: tuple[ClipWarning, ...]


@dataclass(frozen=True)
class Row:
    """One clip of a store: where its frames are, or why there are none."""

    clip: Listed
    outcome: Kept | ClipError


@dataclass(frozen=True)
class Index:
    """What the index of a shard says.

    Parameters
    ----------
    name : str
        Of the shard: a hash of its clips' rows and of the front end's settings.
    front_end : str
        SHA-256 of the front end's settings.
    dimension, frames : int
        The shape of the data.
    data : str
        SHA-256 of the data.
    rows : tuple of Row
    """

    name: str
    front_end: str
    dimension: int
    frames: int
    data: str
    rows: tuple[Row, ...]


def settings_hash(settings: Mapping[str, Any]) -> str:
    """SHA-256 of a front end's settings (``FrontEnd.as_dict``), whatever the order of their names."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True, allow_nan=False).encode()).hexdigest()


def shard_name(front_end: str, clips: Sequence[Listed]) -> str:
    """The name of the shard that holds these clips: it says all that its content follows from."""
    facts = [FORMAT_VERSION, front_end, [_listed_facts(clip) for clip in clips]]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def index_bytes(index: Index) -> bytes:
    """The text of an index."""
    return sealed(
        {
            "format_version": FORMAT_VERSION,
            "name": index.name,
            "front_end_sha256": index.front_end,
            "dimension": index.dimension,
            "frames": index.frames,
            "data_sha256": index.data,
            "clips": [{**_listed_facts(row.clip), **_outcome_facts(row.outcome)} for row in index.rows],
        }
    )


def read_index(path: Path) -> Index:
    """The index of a shard, every value checked.

    Raises
    ------
    StoreError
        ``damaged_store``, ``version_mismatch``.
    """
    facts = read_sealed(path)
    try:
        return _index(facts, path.stem)
    except Damaged as error:
        raise damaged(path, str(error)) from error


def _listed_facts(clip: Listed) -> Facts:
    entry = clip.entry
    return {
        "path": entry.name,
        "label": entry.label,
        "group": entry.group,
        "split": entry.split,
        "fold": entry.fold,
        "start": None if entry.start is None else float(entry.start),
        "end": None if entry.end is None else float(entry.end),
        "columns": dict(entry.columns),
        "size": clip.size,
        "mtime_ns": clip.mtime_ns,
    }


def _outcome_facts(outcome: Kept | ClipError) -> Facts:
    if isinstance(outcome, ClipError):
        return {"error": outcome.record()}
    return {
        "offset": outcome.offset,
        "frames": outcome.frames,
        "seconds": outcome.seconds,
        "voiced_seconds": outcome.voiced_seconds,
        "sample_hash": outcome.sample_hash,
        "warnings": [{"code": warning.code, "message": warning.message} for warning in outcome.warnings],
    }


def _index(facts: Facts, name: str) -> Index:
    clips = facts.get("clips")
    if not isinstance(clips, list) or not all(isinstance(clip, dict) for clip in clips):
        raise Damaged("clips is no list of objects")
    rows = tuple(map(_row, clips))
    kept = [row.outcome for row in rows if isinstance(row.outcome, Kept)]
    frames = whole(facts.get("frames"), "frames")
    ends = 0
    for outcome in kept:
        if outcome.offset != ends:
            raise Damaged(f"an offset is {outcome.offset}, where {ends} frames stand before it")
        ends += outcome.frames
    if ends != frames:
        raise Damaged(f"the clips have {ends} frames, the shard {frames}")
    front_end = digest(facts.get("front_end_sha256"), "front_end_sha256")
    if not name == facts.get("name") == shard_name(front_end, [row.clip for row in rows]):
        raise Damaged("it is the index of another shard")
    dimension = whole(facts.get("dimension"), "dimension", 1, MAX_DIMENSION)
    return Index(name, front_end, dimension, frames, digest(facts.get("data_sha256"), "data_sha256"), rows)


def _row(facts: Facts) -> Row:
    return Row(_listed(facts), _failure(facts["error"]) if "error" in facts else _kept(facts))


def _listed(facts: Facts) -> Listed:
    path, columns = text(facts.get("path"), "path"), facts.get("columns")
    if not isinstance(columns, dict) or not all(isinstance(value, str) for value in columns.values()):
        raise Damaged("columns is no object of texts")
    if "\0" in path:
        raise Damaged("path holds a zero byte")
    group, split, fold = (
        None if facts.get(name) is None else texts(facts, "a clip", name)[0] for name in ("group", "split", "fold")
    )
    start, end = (None if facts.get(name) is None else seconds(facts[name], name) for name in ("start", "end"))
    entry = Entry(Path(path), text(facts.get("label"), "label"), group, split, fold, start, end, columns, path)
    size = None if facts.get("size") is None else whole(facts["size"], "size", 0, 1 << 63)
    mtime_ns = None if facts.get("mtime_ns") is None else whole(facts["mtime_ns"], "mtime_ns", -(1 << 80), 1 << 80)
    return Listed(entry, size, mtime_ns)


def _kept(facts: Facts) -> Kept:
    warnings = facts.get("warnings")
    if not isinstance(warnings, list):
        raise Damaged("warnings is no list")
    return Kept(
        whole(facts.get("offset"), "offset"),
        whole(facts.get("frames"), "frames", 1),
        seconds(facts.get("seconds"), "seconds"),
        seconds(facts.get("voiced_seconds"), "voiced_seconds"),
        digest(facts.get("sample_hash"), "sample_hash"),
        tuple(ClipWarning(*texts(warning, "warnings", "code", "message")) for warning in warnings),
    )


def _failure(facts: object) -> ClipError:
    return ClipError(*texts(facts, "error", "code", "message", "hint"))
