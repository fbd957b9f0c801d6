"""Feature stores as examples: a corpus goes into a store, and comes out as labelled clips whose frames stay on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gmmaudio.classify.examples import Example, Failure, Progress, counted, parted, read_example
from gmmaudio.corpus.manifest import Entry
from gmmaudio.errors import ClipError, DataError
from gmmaudio.features.frontend import FrontEnd
from gmmaudio.features.sealed import damaged
from gmmaudio.features.store import Shard, Store, open_store, require_same
from gmmaudio.features.store_index import Kept, Row
from gmmaudio.features.store_writer import Account, Made, fill
from gmmaudio.files import printable
from gmmaudio.parallel import map_in_order

Key = tuple[str, float | None, float | None]


def extract(
    entries: Sequence[Entry],
    front_end: FrontEnd,
    folder: Path,
    jobs: int = 1,
    retry: bool = False,
    progress: Progress | None = None,
    read: Callable[[Entry, FrontEnd], Example] = read_example,
) -> Account:
    """Make a feature store of a corpus, or bring one up to date.

    Parameters
    ----------
    entries, front_end, folder, jobs, retry, progress
        As in ``fill``, which says what is raised.
    read : callable, default ``read_example``
        From an entry to its example, or a ClipError.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from gmmaudio.corpus.manifest import read_corpus
    >>> from gmmaudio.corpus.synth import write_corpus
    >>> from gmmaudio.features.frontend import PRESETS
    >>> with TemporaryDirectory() as name:
    ...     entries = read_corpus(write_corpus(Path(name, "corpus"), speakers=2, clips=1, seconds=0.5))
    ...     account = extract(entries, PRESETS["speech"], Path(name, "store"))
    ...     again = extract(entries, PRESETS["speech"], Path(name, "store"))
    >>> account.read, again.read, again.kept
    (8, 0, 8)
    """

    def make(entry: Entry) -> Made:
        try:
            example = read(entry, front_end)
        except ClipError as error:
            # A store does not know where the corpus lay.
            message = error.message.replace(printable(entry.path), printable(entry.name))
            return ClipError(error.code, message, error.hint)
        kept = Kept(
            offset=0,
            frames=len(example.frames),
            seconds=example.seconds,
            voiced_seconds=example.voiced_seconds,
            sample_hash=example.sample_hash,
            warnings=example.warnings,
        )
        return kept, example.frames

    return fill(folder, entries, front_end, make, jobs, retry, progress)


@dataclass(frozen=True, eq=False)
class Stored:
    """A store as a corpus: entries to choose from, and their examples.

    Parameters
    ----------
    store : Store
    entries : tuple of Entry
        In the order of the corpus that the store was made of.
    places : mapping
        From an entry's name, start and end to its row, and the shard that holds its frames.
    """

    store: Store
    entries: tuple[Entry, ...]
    places: Mapping[Key, tuple[Row, Shard]]

    def outcome(self, entry: Entry) -> Kept | ClipError:
        """What the store says of one of its entries."""
        return self.places[_key(entry)][0].outcome

    def read(
        self, entries: Sequence[Entry], front_end: FrontEnd, jobs: int = 1, progress: Progress | None = None
    ) -> tuple[list[Example], list[Failure]]:
        """As ``read_examples``; but the frames are maps of the store's files, whose checksums are verified first.

        Parameters
        ----------
        entries : sequence of Entry
            Some of the store's.
        front_end : FrontEnd
            Must be the store's own.
        jobs : int, default 1
        progress : callable, optional

        Raises
        ------
        StoreError
            ``version_mismatch`` for another front end, ``damaged_store``.
        NothingLeft
            Every clip failed.
        """
        require_same(self.store, front_end, "this run")
        places = [self.places[_key(entry)] for entry in entries]
        shards = {shard.index.name: shard for _, shard in places}
        for _ in counted(map_in_order(Shard.check, shards.values(), jobs), len(shards), progress):
            pass
        return parted([_example(entry, *place) for entry, place in zip(entries, places, strict=True)])


def open_stored(folder: Path) -> Stored:
    """A store as a corpus, its indexes read.

    Raises
    ------
    StoreError
        ``incomplete_store``, ``damaged_store``, ``version_mismatch``.
    DataError
        ``no_clips`` for a store of nothing.
    """
    store = open_store(folder)
    places: dict[Key, tuple[Row, Shard]] = {}
    for shard in store.shards():
        for row in shard.index.rows:
            if places.setdefault(_key(row.clip.entry), (row, shard))[0] is not row:
                raise damaged(shard.path, f"{printable(row.clip.entry.name)} is in the store twice")
    if not places:
        raise DataError("no_clips", f"{printable(folder)} holds no clips", "make it again with: gmmaudio features")
    return Stored(store, tuple(row.clip.entry for row, _ in places.values()), places)


def _key(entry: Entry) -> Key:
    return (entry.name, entry.start, entry.end)


def _example(entry: Entry, row: Row, shard: Shard) -> Example | Failure:
    kept = row.outcome
    if isinstance(kept, ClipError):
        return Failure(entry, kept)
    frames = shard.data[kept.offset : kept.offset + kept.frames]
    return Example(entry, frames, kept.seconds, kept.voiced_seconds, kept.sample_hash, kept.warnings)
