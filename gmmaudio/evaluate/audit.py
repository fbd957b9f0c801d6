"""The audit of a corpus: what would make figures on it too good to be true.

Each clip is read once; a hash, a fingerprint and a few properties are kept of it, and its samples are forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from gmmaudio.classify.examples import Failure, Progress, counted
from gmmaudio.classify.stored import Stored
from gmmaudio.corpus.audio import ClipWarning, Reader, clip_from_array, joined, read_through, sample_hash
from gmmaudio.corpus.manifest import Entry
from gmmaudio.corpus.properties import Properties, properties_of
from gmmaudio.errors import ClipError, NothingLeft
from gmmaudio.evaluate.copies import Fingered, copy_findings
from gmmaudio.evaluate.divisions import division_findings
from gmmaudio.evaluate.finding import SEVERITIES, Finding
from gmmaudio.evaluate.recordings import recording_findings
from gmmaudio.features.fingerprint import NO_PEAKS, RATE, fingerprint
from gmmaudio.features.matching import comparable
from gmmaudio.features.store_index import Kept
from gmmaudio.parallel import map_in_order, one_blas_thread

_NO_SOUND = Finding(
    "sound_not_at_hand",
    "note",
    "a feature store holds no sound: near-copies, and whether the recordings tell the classes apart, were not looked"
    " for; copies whose samples are the same were, and groups",
    "audit the corpus itself: gmmaudio audit DATA",
)


@dataclass(frozen=True)
class Audit:
    """What an audit looked at, and what it found.

    Parameters
    ----------
    clips : int
        Clips that could be read, of both corpora.
    labels, groups : int
        How many there are of each.
    compared : int
        Clips that could be compared by fingerprint.
    findings : tuple of Finding
        The gravest first.
    failures : tuple of Failure
        Clips that could not be read.
    """

    clips: int
    labels: int
    groups: int
    compared: int
    findings: tuple[Finding, ...]
    failures: tuple[Failure, ...]

    @property
    def exit_status(self) -> int:
        """2 where something serious was found, 3 where clips could not be read, else 0."""
        if any(finding.severity == "serious" for finding in self.findings):
            return 2
        return 3 if self.failures else 0

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "clips": self.clips,
            "labels": self.labels,
            "groups": self.groups,
            "compared": self.compared,
            "findings": [finding.as_dict() for finding in self.findings],
            "errors": [failure.record() for failure in self.failures],
        }

    def as_text(self) -> str:
        """The report for the terminal."""
        what = (
            f"{self.clips} clips, {self.labels} labels, {self.groups} groups; {self.compared} compared by fingerprint"
        )
        counts = {severity: sum(finding.severity == severity for finding in self.findings) for severity in SEVERITIES}
        found = ", ".join(f"{severity} {count}" for severity, count in counts.items() if count)
        return "\n".join([what, f"found: {found or 'nothing'}", *(finding.as_text() for finding in self.findings)])


@dataclass(frozen=True, eq=False)
class _Look:
    """What is kept of a clip."""

    fingered: Fingered
    properties: Properties


def audit(
    entries: Sequence[Entry],
    others: Sequence[Entry] = (),
    jobs: int = 1,
    progress: Progress | None = None,
    read: Reader = read_through,
) -> Audit:
    """Look for copies, divided groups, and classes that the recordings give away.

    Parameters
    ----------
    entries : sequence of Entry
        A corpus.
    others : sequence of Entry, optional
        A second one: copies within it, and between the two, are looked for as well.
    jobs : int, default 1
        Threads; the result is the same for any number.
    progress : callable, optional
        Called with the number of clips read and their total.
    read : Reader
        Default: in this process; `gmmaudio.corpus.isolate.isolated` makes one that decodes in others.

    Returns
    -------
    Audit

    Raises
    ------
    NothingLeft
        No clip can be read; the code is that of the first.
    """
    tagged = [*((entry, 0) for entry in entries), *((entry, 1) for entry in others)]
    with one_blas_thread():
        results = list(counted(map_in_order(partial(_look, read), tagged, jobs), len(tagged), progress))
        looks = [result for result in results if isinstance(result, _Look)]
        failures = tuple(result for result in results if isinstance(result, Failure))
        if failures and not looks:
            error = failures[0].error
            many = f"none of the {len(failures)} clips can be read; the first"
            told = many if len(failures) > 1 else "the only clip cannot be read"
            raise NothingLeft(error.code, f"{told}: {error.message}", error.hint)
        clips = [look.fingered for look in looks]
        mine = [look for look in looks if look.fingered.data == 0]
        found = [
            *copy_findings(clips, jobs),
            *division_findings(entries, others),
            *recording_findings([look.fingered.entry for look in mine], [look.properties for look in mine]),
            *_unusable(clips, failures),
            *_too_short(clips),
        ]
    groups = len({(data, entry.group) for entry, data in tagged if entry.group is not None})
    return _audit([entry for entry, _ in tagged], groups, clips, found, failures)


def audit_stored(stored: Stored, entries: Sequence[Entry] | None = None) -> Audit:
    """Look for what a feature store can tell: divided groups and exact copies; it holds no sound.

    Parameters
    ----------
    stored : Stored
    entries : sequence of Entry, optional
        Some of the store's. Default: all.

    Returns
    -------
    Audit
        With the finding ``sound_not_at_hand``, which says what could not be looked for.
    """
    rows = [(entry, stored.outcome(entry)) for entry in (stored.entries if entries is None else entries)]
    failures = tuple(Failure(entry, said) for entry, said in rows if isinstance(said, ClipError))
    clips = [
        Fingered(entry, 0, said.sample_hash, NO_PEAKS, _silent(said.warnings))
        for entry, said in rows
        if isinstance(said, Kept)
    ]
    known = [entry for entry, _ in rows]
    found = [*copy_findings(clips), *division_findings(known), *_unusable(clips, failures), _NO_SOUND]
    return _audit(known, len({entry.group for entry in known} - {None}), clips, found, failures)


def _audit(
    entries: Sequence[Entry],
    groups: int,
    clips: Sequence[Fingered],
    found: Sequence[Finding],
    failures: tuple[Failure, ...],
) -> Audit:
    ordered = sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))
    compared = sum(comparable(clip.peaks) for clip in clips)
    return Audit(len(clips), len({entry.label for entry in entries}), groups, compared, tuple(ordered), failures)


def _look(read: Reader, task: tuple[Entry, int]) -> _Look | Failure:
    entry, data = task
    try:
        samples, facts = read(entry.path, None, joined, entry.start, entry.end)
        low = clip_from_array(samples, facts.rate, RATE)
    except ClipError as error:
        return Failure(entry, error)
    peaks = fingerprint(low.samples, low.rate)
    fingered = Fingered(entry, data, sample_hash(samples), peaks, _silent(facts.warnings))
    return _Look(fingered, properties_of(samples, facts))


def _silent(warnings: Sequence[ClipWarning]) -> bool:
    return any(warning.code == "silence" for warning in warnings)


def _unusable(clips: Sequence[Fingered], failures: Sequence[Failure]) -> list[Finding]:
    silent = [clip for clip in clips if clip.silent]
    found = []
    if failures:
        text = f"{len(failures)} clips cannot be read, such as: {failures[0].error.message}"
        rows = tuple((failure.entry.name,) for failure in failures)
        found.append(Finding("unreadable", "warning", text, "repair or remove them", rows))
    if silent:
        text = f"{len(silent)} clips hold nothing but digital silence; they count as copies of nothing"
        found.append(Finding("silence", "warning", text, "remove them", tuple((clip.name,) for clip in silent)))
    return found


def _too_short(clips: Sequence[Fingered]) -> list[Finding]:
    short = [clip for clip in clips if not clip.silent and not comparable(clip.peaks)]
    if not short:
        return []
    text = f"{len(short)} clips are too short or too plain to be compared by fingerprint; exact copies were looked for"
    rows = tuple((clip.name,) for clip in short)
    return [Finding("not_compared", "note", text, "about half a second of sound is needed", rows)]
