"""Whether the recordings tell the classes apart instead of what is in them, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields

from gmmaudio.corpus.manifest import Entry
from gmmaudio.corpus.properties import WORDS, Properties
from gmmaudio.evaluate.confounds import Telling, Values, telling
from gmmaudio.evaluate.finding import Finding
from gmmaudio.files import printable

_TECHNICAL = ("rate", "channels", "format")
"""Properties that cannot come from what was recorded."""

_STANDARD = {"path", "label", "group", "split", "fold", "start", "end", "tags"}
_MOST_VALUES = 50
_ONE_LABEL = 0.9

_ALIKE = "bring all clips to the same form (rate, channels, level) before training, or record anew"

Columns = dict[str, Values]


def recording_findings(entries: Sequence[Entry], properties: Sequence[Properties]) -> list[Finding]:
    """Classes that a recording's properties, or a further column of the manifest, tell apart.

    Parameters
    ----------
    entries : sequence of n Entry
    properties : sequence of n Properties

    Returns
    -------
    list of Finding
        recordings_not_classes, properties_tell_classes, property_tells_class, property_differs, column_tells_class.
    """
    if not entries:
        return []
    labels, groups = [entry.label for entry in entries], [entry.group for entry in entries]
    columns = _columns(properties)
    told = telling(columns, labels, groups)
    found = [] if told is None else _all_together(entries, columns, told)
    found += _one_by_one(columns, labels, groups)
    for name, texts in _further(entries).items():
        one = telling({name: texts}, labels, groups)
        if one is not None and one.above_chance:
            text = f"the column {printable(name)!r} alone, which no model hears, tells the classes: {_figures(one)}"
            hint = f"compare with folds by it: --fold-by {printable(name)}"
            found.append(Finding("column_tells_class", "warning", text, hint, details=(one.as_dict(),)))
    return found


def _columns(properties: Sequence[Properties]) -> Columns:
    names = [field.name for field in fields(Properties)]
    return dict(zip(names, map(list, zip(*map(astuple, properties), strict=True)), strict=True))


def _further(entries: Sequence[Entry]) -> dict[str, list[str]]:
    """Columns of few values, unless they are the label under another name: one value for each label."""
    found = {}
    for name in sorted(set.intersection(*(set(entry.columns) for entry in entries)) - _STANDARD):
        values = [entry.columns[name] for entry in entries]
        of_label = {(entry.label, value) for entry, value in zip(entries, values, strict=True)}
        if 1 < len(set(values)) <= _MOST_VALUES and len(of_label) > len({entry.label for entry in entries}):
            found[name] = values
    return found


def _all_together(entries: Sequence[Entry], columns: Columns, told: Telling) -> list[Finding]:
    if told.above_chance:
        new = (
            "of groups not seen before"
            if told.disjoint
            else "held out clip by clip, as there are no groups to keep apart"
        )
        text = (
            f"a recording's properties alone ({_named(told)}) tell the classes apart, in clips {new}: {_figures(told)}"
        )
        hint = (
            "level, noise floor, duration, bandwidth and clipping may be the sound's own: rain has no pauses; where"
            " they are not, a model learns the microphone: record every class with the same equipment"
        )
        severity = "note" if told.disjoint else "warning"
        return [Finding("properties_tell_classes", severity, text, hint, details=(told.as_dict(),))]
    labels = [entry.label for entry in entries]
    mixed = telling(columns, labels, [None] * len(labels))
    if mixed is None or not mixed.above_chance or not told.disjoint or not _groups_have_one_label(entries):
        return []
    text = (
        f"THE RECORDINGS, NOT THE LABELS, TELL THE CLASSES APART: {_named(mixed)} alone, without hearing what is in"
        f" the clips, know a recording again and with it its label: {_figures(mixed)} while other clips of its group"
        f" are known, but {_percent(told.accuracy)} once they are not"
    )
    name, kept = _by_origin(entries, columns)
    hint = "never divide a group; believe only figures by group"
    if kept is not None:
        text += f" ({_percent(kept.accuracy)} with folds by {printable(name)!r})"
        hint += f", or better by {printable(name)!r}: --fold-by {printable(name)}"
    details = (mixed.as_dict(), told.as_dict(), *([{"folds_by": name, **kept.as_dict()}] if kept else []))
    return [Finding("recordings_not_classes", "warning", text, hint, details=details)]


def _by_origin(entries: Sequence[Entry], columns: Columns) -> tuple[str, Telling | None]:
    """The same by the column that unites groups to the fewest, such as the project that they come from."""
    labels, groups = [entry.label for entry in entries], [entry.group for entry in entries]
    further = sorted(_further(entries).items(), key=lambda item: len(set(item[1])))
    for name, values in further:
        unites = len(set(zip(groups, values, strict=True))) == len(set(groups)) > 2 * len(set(values))
        told = telling(columns, labels, values) if unites else None
        if told is not None and told.disjoint:
            return name, told
    return "", None


def _groups_have_one_label(entries: Sequence[Entry]) -> bool:
    pairs = {(entry.group, entry.label) for entry in entries if entry.group is not None}
    groups = {group for group, _ in pairs}
    return bool(groups) and len(pairs) * _ONE_LABEL <= len(groups)


def _one_by_one(columns: Columns, labels: Sequence[str], groups: Sequence[str | None]) -> list[Finding]:
    """Each property that tells a class from the rest; and, in one note, those that tell a little."""
    told = {name: telling({name: values}, labels, groups) for name, values in columns.items()}
    found, little = [], {}
    for name, one in told.items():
        if one is not None and one.alone:
            classes = ", ".join(printable(label) for label in one.alone)
            text = f"{WORDS[name]} alone tells {classes} from the rest: {_figures(one)}"
            found.append(Finding("property_tells_class", "warning", text, _ALIKE, details=(one.as_dict(),)))
        elif one is not None and one.above_chance:
            little[name] = one
    if little:
        text = "; ".join(f"{WORDS[name]} alone: {_figures(one)}" for name, one in little.items())
        severity = "warning" if set(little) & set(_TECHNICAL) else "note"
        details = tuple(one.as_dict() for one in little.values())
        found.append(
            Finding("property_differs", severity, f"between the classes differ: {text}", _ALIKE, details=details)
        )
    return found


def _figures(told: Telling) -> str:
    low, high = _percent(told.interval.low), _percent(told.interval.high)
    chance = _percent(told.chance)
    return f"{_percent(told.accuracy)} right (99 % interval {low} to {high}; always the same class: {chance})"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _named(told: Telling) -> str:
    words = [WORDS[name] for name in told.names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
