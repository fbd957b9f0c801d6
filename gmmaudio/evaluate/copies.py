"""Copies among clips, and what they stand on both sides of.

exact copies      the same samples, after mixing down
near-copies       the same recording: other codec, gain or rate, shifted, cut (60 % of the peaks match)
shared passages   a part of the same recording, a loop, a remix (25 % match)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from gmmaudio.corpus.manifest import Entry
from gmmaudio.evaluate.finding import Finding
from gmmaudio.features.fingerprint import Fingerprint
from gmmaudio.features.matching import Match, near_copies

COPY_SHARE = 0.6
"""The share of matching peaks from which two clips count as one recording; less is a shared passage."""

PASSAGE_SURENESS = 20.0
"""Decimal digits that a shared passage needs: its share of the peaks says less."""

_KINDS = {
    "exact_copies": "have the same samples",
    "near_copies": "are the same recording, changed",
    "shared_passages": "share a part of a recording, or a loop",
}
_HINTS = {
    "data": "take the clips out of one of the two: a model that was trained on the one knows them",
    "label": "listen to them, and give each recording one label",
    "split": "keep copies in one split, or remove all but one",
    "fold": "keep copies in one fold, or remove all but one",
    "group": "give copies the same group, or remove all but one: folds are made by group",
}


@dataclass(frozen=True, eq=False)
class Fingered:
    """What is kept of a clip to find its copies.

    Parameters
    ----------
    entry : Entry
    data : int
        0, or 1 for a clip of the second corpus.
    sample_hash : str
        Of its samples at the file's own rate, mixed down.
    peaks : Fingerprint
    silent : bool
        Whether it is digital silence, which is a copy of nothing.
    """

    entry: Entry
    data: int
    sample_hash: str
    peaks: Fingerprint
    silent: bool

    @property
    def name(self) -> str:
        """What findings call it."""
        return f"DATA2: {self.entry.name}" if self.data else self.entry.name

    @property
    def places(self) -> tuple[object, ...]:
        """Where it stands: all that a copy may be on the other side of."""
        return tuple(side(self) for side in _SIDES.values())


_SIDES: dict[str, Callable[[Fingered], object]] = {
    "data": lambda clip: clip.data,
    "label": lambda clip: clip.entry.label,
    "split": lambda clip: (clip.data, clip.entry.split),
    "fold": lambda clip: (clip.data, clip.entry.fold),
    # Clips without a group are groups of their own.
    "group": lambda clip: (clip.data, clip.entry.group or (clip.entry.name, clip.entry.start, clip.entry.end)),
}


def copy_findings(clips: Sequence[Fingered], jobs: int = 1) -> list[Finding]:
    """All copies: for each kind, those on both sides of corpora, labels, splits, folds or groups; then the others.

    Parameters
    ----------
    clips : sequence of Fingered
    jobs : int, default 1

    Returns
    -------
    list of Finding
        Codes such as ``exact_copies_across_split``, ``near_copies_across_group``, ``shared_passages``.
    """
    sets = _same_samples(clips)
    first = [members[0] for members in sets]
    matches = near_copies([clip.peaks for clip in first], jobs)
    exact = [members for members in sets if len(members) > 1]
    found = _across("exact_copies", [(members, {}) for members in exact])
    near = [match for match in matches if match.share >= COPY_SHARE]
    rest = [match for match in matches if match.share < COPY_SHARE and match.sureness >= PASSAGE_SURENESS]
    for kind, chosen in (("near_copies", near), ("shared_passages", rest)):
        found += _across(kind, [row for match in chosen for row in _pairs(sets, match)])
    return found


def _same_samples(clips: Sequence[Fingered]) -> list[list[Fingered]]:
    sets: dict[str, list[Fingered]] = {}
    for clip in clips:
        if not clip.silent:
            sets.setdefault(clip.sample_hash, []).append(clip)
    return list(sets.values())


Row = tuple[Sequence[Fingered], dict[str, float]]


def _pairs(sets: Sequence[Sequence[Fingered]], match: Match) -> Iterator[Row]:
    """The two clips; where they have exact copies, one pair for each place where these stand."""
    figures = {
        "offset": round(match.offset, 3),
        "overlap_seconds": round(match.seconds, 3),
        "share": round(match.share, 3),
        "sureness": round(match.sureness, 1),
    }
    one, two = ({clip.places: clip for clip in reversed(sets[at])}.values() for at in (match.first, match.second))
    for pair in product(one, two):
        yield pair, figures


def _across(kind: str, rows: Sequence[Row]) -> list[Finding]:
    found = []
    for side, place in _SIDES.items():
        chosen = [row for row in rows if len({place(clip) for clip in row[0]}) > 1]
        if side in {"split", "fold", "group"}:  # between two corpora their own divisions mean nothing
            chosen = [row for row in chosen if _parted_within(row[0], place)]
        if chosen:
            severity = "warning" if kind == "shared_passages" else "serious"
            text = f"{_count(chosen)} {_KINDS[kind]}, {_where(side, chosen)}"
            found.append(_finding(f"{kind}_across_{side}", severity, text, _HINTS[side], chosen))
    kept = [row for row in rows if not any(len({place(c) for c in row[0]}) > 1 for place in _SIDES.values())]
    if kept:
        text = f"{_count(kept)} {_KINDS[kind]}, within one label, group and side"
        found.append(_finding(kind, "note", text, "they count double; remove all but one, or leave them", kept))
    return found


def _where(side: str, rows: Sequence[Row]) -> str:
    """On both sides of what."""
    if side == "group" and all(clip.entry.group is None for clips, _ in rows for clip in clips):
        return "and no groups keep them together"
    return "in both corpora" if side == "data" else f"with different {side}s"


def _parted_within(clips: Sequence[Fingered], place: Callable[[Fingered], object]) -> bool:
    return any(a.data == b.data and place(a) != place(b) for a, b in combinations(clips, 2))


def _count(rows: Sequence[Row]) -> str:
    clips = len({id(clip) for members, _ in rows for clip in members})
    return f"{clips} clips ({len(rows)} {'pair' if len(rows) == 1 else 'pairs or sets'})"


def _finding(code: str, severity: str, text: str, hint: str, rows: Sequence[Row]) -> Finding:
    names = tuple(tuple(clip.name for clip in members) for members, _ in rows)
    return Finding(code, severity, text, hint, names, tuple(figures for _, figures in rows if figures))
