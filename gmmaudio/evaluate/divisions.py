"""What a manifest's groups allow: groups on both sides, classes of one group or of few, no groups at all."""

from __future__ import annotations

from collections.abc import Sequence

from gmmaudio.corpus.manifest import Entry
from gmmaudio.corpus.selection import straddling_groups
from gmmaudio.evaluate.finding import Finding
from gmmaudio.files import printable

FEW_GROUPS = 5
"""With fewer groups in a class, its figures rest on a handful of speakers, artists or recordings."""


def division_findings(entries: Sequence[Entry], others: Sequence[Entry] = ()) -> list[Finding]:
    """What is wrong with the groups of a corpus, and between it and a second one.

    Parameters
    ----------
    entries, others : sequence of Entry

    Returns
    -------
    list of Finding
        no_groups, missing_groups, groups_across_split, groups_across_fold, groups_in_both, one_group_class,
        few_groups.

    Examples
    --------
    >>> from pathlib import Path
    >>> clips = [Entry(Path(f"{i}.wav"), "dog", "rex", split) for i, split in enumerate(["train", "test"])]
    >>> [finding.code for finding in division_findings(clips)]
    ['groups_across_split', 'one_group_class']
    """
    found = _groups_known(entries)
    for column in ("split", "fold"):
        found += _across(entries, column)
    return [*found, *_in_both(entries, others), *_classes(entries)]


def _groups_known(entries: Sequence[Entry]) -> list[Finding]:
    without = [entry for entry in entries if entry.group is None]
    hint = "add a column 'group' to the manifest: the speaker, the artist or the source recording of each clip"
    if not without:
        return []
    if len(without) == len(entries):
        text = (
            "NO GROUPS: nothing says which clips belong together, so no split can keep a speaker, an artist or a source"
            " recording on one side, and figures may be far too good"
        )
        return [Finding("no_groups", "warning", text, hint)]
    text = f"{len(without)} of {len(entries)} clips have no group; each counts as a group of its own"
    return [Finding("missing_groups", "warning", text, hint, tuple((entry.name,) for entry in without))]


def _across(entries: Sequence[Entry], column: str) -> list[Finding]:
    sided = [entry for entry in entries if entry.column(column) is not None]
    torn = straddling_groups([entry.group for entry in sided], [entry.column(column) for entry in sided])
    if not torn:
        return []
    rows = [tuple(entry.name for entry in sided if entry.group == group) for group in torn]
    text = f"{len(torn)} groups, with {sum(torn.values())} clips, stand in more than one {column}, such as "
    hint = f"give all clips of a group the same {column}; crossval makes folds that never divide one"
    return [Finding(f"groups_across_{column}", "serious", text + repr(printable(next(iter(torn)))), hint, tuple(rows))]


def _in_both(entries: Sequence[Entry], others: Sequence[Entry]) -> list[Finding]:
    both = sorted({e.group for e in entries if e.group is not None} & {e.group for e in others if e.group is not None})
    if not both:
        return []
    rows = [tuple(entry.name for entry in [*entries, *others] if entry.group == group) for group in both]
    text = f"{len(both)} groups are named in both corpora, such as {printable(both[0])!r}"
    hint = "if these are the same speakers, artists or recordings, one corpus cannot test a model of the other"
    return [Finding("groups_in_both", "warning", text, hint, tuple(rows))]


def _classes(entries: Sequence[Entry]) -> list[Finding]:
    groups: dict[str, set[str | None]] = {}
    for entry in entries:
        groups.setdefault(entry.label, set()).add(entry.group)
    known = {label: names - {None} for label, names in sorted(groups.items()) if None not in names}
    one = [label for label, names in known.items() if len(names) == 1]
    few = {label: len(names) for label, names in known.items() if 1 < len(names) < FEW_GROUPS}
    found = []
    if one:
        names = _listed(one)
        only = f"every clip of {names} is of one group" if len(one) == 1 else f"one group per class: {names}"
        text = f"{only}; what is learned may be the group, and no split can tell"
        found.append(Finding("one_group_class", "serious", text, "record the class with other groups as well"))
    if few:
        text = f"few groups: {_listed([f'{label} ({count})' for label, count in few.items()])}"
        hint = "figures of these classes say little about groups that are not there"
        found.append(Finding("few_groups", "warning", text, hint))
    return found


def _listed(names: Sequence[str]) -> str:
    return ", ".join(printable(name) for name in names[:10]) + (f" and {len(names) - 10} more" if names[10:] else "")
