"""How a feature store is made: resumable, by one process at a time, with only what is missing made anew.

corpus -> listed clips -> shards, cut by the clips' own names -> for each that is not there: frames, index

Where a shard ends follows from the hash of a clip's name, so that a clip that comes or goes moves no other border,
and the store is the same however often its making was stopped. A clip whose frames stand in any shard of the folder
is copied from there, not read again.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gmmaudio.corpus.manifest import Entry
from gmmaudio.errors import ClipError, DataError, StoreError
from gmmaudio.features.frontend import FrontEnd
from gmmaudio.features.store import (
    HEADER_BYTES,
    STORE_FILE,
    Frames32,
    Shard,
    header,
    is_name,
    is_store,
    open_shard,
    open_store,
    require_same,
    store_bytes,
)
from gmmaudio.features.store_index import Index, Kept, Key, Listed, Row, index_bytes, settings_hash, shard_name
from gmmaudio.files import alone, printable, remove_leftovers, replacing, write_atomically
from gmmaudio.parallel import map_in_order, one_blas_thread

log = logging.getLogger("gmmaudio")

LOCK = ".lock"
CLIPS, MOST_CLIPS = 64, 128  # of a shard: about so many, and at most; a run that is killed loses one shard

Made = tuple[Kept, Frames32] | ClipError
Make = Callable[[Entry], Made]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Account:
    """What a run did.

    Parameters
    ----------
    rows : tuple of Row
        All clips of the store, in the order of the corpus.
    read, kept, dropped : int
        Clips that were read in this run, that were there before, and that the corpus no longer lists.
    """

    rows: tuple[Row, ...]
    read: int
    kept: int
    dropped: int

    @property
    def failures(self) -> list[Row]:
        """The clips that could not be used."""
        return [row for row in self.rows if _is_failure(row)]


def fill(
    folder: Path,
    entries: Sequence[Entry],
    front_end: FrontEnd,
    make: Make,
    jobs: int = 1,
    retry: bool = False,
    progress: Progress | None = None,
) -> Account:
    """Make a store, or bring one up to date.

    Parameters
    ----------
    folder : Path
        Made where it is missing; its own folder must be there.
    entries : sequence of Entry
        The corpus; what the store holds of other clips is dropped.
    front_end : FrontEnd
    make : callable
        From an entry to what is known of the clip and its frames, or to the reason why there are none.
    jobs : int, default 1
        Threads; the store has the same bytes for any number.
    retry : bool, default False
        Try clips again that failed before.
    progress : callable, optional
        Called with the number of clips done in this run and their total.

    Raises
    ------
    StoreError
        ``in_use``; ``version_mismatch`` for another front end, or a newer store.
    DataError
        ``folder_in_use`` for a folder that is no store, or the store of another corpus; ``cannot_write``.
    """
    try:
        _claim(folder)
        with alone(folder / LOCK), one_blas_thread():
            remove_leftovers(folder)
            return _fill(folder, entries, front_end, make, jobs, retry, progress)
    except OSError as error:
        text = f"{printable(folder)} cannot be written to: {error.strerror}"
        raise DataError("cannot_write", text, "what was done is kept; run the same command again to go on") from error


def list_clips(entries: Sequence[Entry]) -> list[Listed]:
    """The entries with the sizes and times of their files."""
    return [_listed(entry) for entry in entries]


def cut_clips(clips: Sequence[Listed]) -> list[list[Listed]]:
    """Consecutive clips that go into one shard: one ends behind each clip whose name's hash says so, and at 128."""
    parts: list[list[Listed]] = [[]]
    for clip in clips:
        if len(parts[-1]) == MOST_CLIPS or (parts[-1] and _ends_shard(parts[-1][-1])):
            parts.append([])
        parts[-1].append(clip)
    return parts


def _fill(
    folder: Path,
    entries: Sequence[Entry],
    front_end: FrontEnd,
    make: Make,
    jobs: int,
    retry: bool,
    progress: Progress | None,
) -> Account:
    there = _shards_there(folder, front_end)
    settings = settings_hash(front_end.as_dict())
    plan = {shard_name(settings, clips): clips for clips in cut_clips(list_clips(entries))}
    dropped = _dropped(folder, there, entries)
    content = store_bytes(front_end, list(plan))
    if not is_store(folder) or (folder / STORE_FILE).read_bytes() != content:
        write_atomically(folder / STORE_FILE, content)
    missing = {name: clips for name, clips in plan.items() if name not in there or (retry and _failed(there[name]))}
    tasks = [clip for clips in missing.values() for clip in clips]
    reuse = _reusable(there, tasks, retry)
    read = sum(clip.key not in reuse for clip in tasks)
    results = _counted(map_in_order(lambda clip: _made(clip, reuse, make), tasks, jobs), read, progress)
    rows = {name: shard.index.rows for name, shard in there.items()}
    for name, clips in missing.items():
        rows[name] = _write_shard(folder, name, settings, front_end.dimension, clips, results)
    _remove_others(folder, plan)
    return Account(tuple(row for name in plan for row in rows[name]), read, len(entries) - read, dropped)


def _claim(folder: Path) -> None:
    """Make the folder, or make sure that it is ours or empty."""
    if not folder.parent.is_dir():
        raise DataError("no_such_folder", f"the folder {printable(folder.parent)} does not exist", "create it first")
    if folder.exists() and not folder.is_dir():
        raise DataError("folder_in_use", f"{printable(folder)} is a file; a store is a folder", "name a new folder")
    folder.mkdir(exist_ok=True)
    others = (path for path in folder.iterdir() if path.name != LOCK and path.suffix != ".tmp" and not _is_part(path))
    if not is_store(folder) and next(others, None) is not None:
        raise DataError("folder_in_use", f"{printable(folder)} holds something else", "name a new or an empty folder")


def _shards_there(folder: Path, front_end: FrontEnd) -> dict[str, Shard]:
    """The whole shards in the folder, also those that the store no longer lists; what is damaged is told."""
    if is_store(folder):
        require_same(open_store(folder), front_end, "this run")
    there = {}
    for path in sorted(folder.glob("*.json")):
        if _is_part(path):
            try:
                there[path.stem] = open_shard(folder, path.stem, front_end)
            except StoreError as error:
                log.warning("made again: %s", error.message)
    return there


def _dropped(folder: Path, there: dict[str, Shard], entries: Sequence[Entry]) -> int:
    """How many clips of the shards the corpus no longer lists; that it lists none of them is refused."""
    known = {row.clip.key[:3] for shard in there.values() for row in shard.index.rows}
    left = known - {(entry.name, entry.start, entry.end) for entry in entries}
    if known and left == known:
        text = f"{printable(folder)} is the store of another corpus: it has none of these clips"
        raise DataError("folder_in_use", text, "name another folder")
    return len(left)


def _reusable(there: dict[str, Shard], tasks: Sequence[Listed], retry: bool) -> dict[Key, tuple[Row, Shard]]:
    """What of the clips to be made stands in a shard already; the data of such a shard are checked first."""
    wanted, found = {clip.key for clip in tasks}, {}
    for shard in there.values():
        rows = [row for row in shard.index.rows if row.clip.key in wanted]
        try:
            if rows:
                shard.check()
                found.update({row.clip.key: (row, shard) for row in rows})
        except StoreError as error:
            log.warning("made again: %s", error.message)
    return {key: (row, shard) for key, (row, shard) in found.items() if not (retry and _is_failure(row))}


def _made(clip: Listed, reuse: dict[Key, tuple[Row, Shard]], make: Make) -> tuple[Made, bool]:
    """The frames of a clip, and whether it was read for them."""
    if clip.key not in reuse:
        return make(clip.entry), True
    row, shard = reuse[clip.key]
    if isinstance(row.outcome, ClipError):
        return row.outcome, False
    start = row.outcome.offset
    return (row.outcome, shard.data[start : start + row.outcome.frames]), False


def _counted(results: Iterable[tuple[Made, bool]], total: int, progress: Progress | None) -> Iterator[Made]:
    done = 0
    for made, was_read in results:
        done += was_read
        if progress is not None and was_read:
            progress(done, total)
        yield made


def _write_shard(
    folder: Path, name: str, settings: str, dimension: int, clips: Sequence[Listed], results: Iterator[Made]
) -> tuple[Row, ...]:
    """Write the data, then the index: only then the shard is there."""
    index_path, rows, frames, digest = folder / f"{name}.json", [], 0, hashlib.sha256()
    with replacing(folder / f"{name}.npy") as file:
        file.write(bytes(HEADER_BYTES))
        for clip, made in zip(clips, results, strict=False):  # the results go on into the next shard
            if isinstance(made, ClipError):
                rows.append(Row(clip, made))
                continue
            kept, values = made
            data = np.ascontiguousarray(values, "<f4").data
            file.write(data)
            digest.update(data)
            rows.append(Row(clip, replace(kept, offset=frames)))
            frames += kept.frames
        file.seek(0)
        file.write(header(frames, dimension))
        index_path.unlink(missing_ok=True)  # of the same clips, some of which had failed
    index = Index(name, settings, dimension, frames, digest.hexdigest(), tuple(rows))
    write_atomically(index_path, index_bytes(index))
    return index.rows


def _remove_others(folder: Path, plan: dict[str, list[Listed]]) -> None:
    """Remove shards that the store does not list, each index first."""
    for suffix in (".json", ".npy"):
        for path in folder.glob(f"*{suffix}"):
            if path.stem not in plan and _is_part(path):
                path.unlink()


def _is_part(path: Path) -> bool:
    """Whether a file's name is that of a shard's data or index."""
    return path.suffix in (".json", ".npy") and is_name(path.stem)


def _is_failure(row: Row) -> bool:
    return isinstance(row.outcome, ClipError)


def _failed(shard: Shard) -> bool:
    return any(map(_is_failure, shard.index.rows))


def _listed(entry: Entry) -> Listed:
    try:
        about = entry.path.stat()
    except OSError:
        return Listed(entry, None, None)
    readable = os.access(entry.path, os.R_OK)  # a clip that becomes readable is another clip
    return Listed(entry, about.st_size if readable else None, about.st_mtime_ns if readable else None)


def _ends_shard(clip: Listed) -> bool:
    name = repr(clip.key[:3]).encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.sha256(name).digest()[:4], "big") % CLIPS == 0
