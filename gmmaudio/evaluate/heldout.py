"""Evaluation on labelled clips that the classifier has not seen: by a held-out set, or by cross-validation."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial

from gmmaudio.classify.classifier import Classifier
from gmmaudio.classify.examples import Example, ExampleReader, Failure, Progress, read_examples
from gmmaudio.classify.gate import refuse_reserved
from gmmaudio.classify.inner_folds import Pieces
from gmmaudio.classify.train import Trained, Training, calibrated, clip_warnings, fit_classes, group_hash
from gmmaudio.corpus.manifest import Entry, require_classes
from gmmaudio.corpus.selection import straddling_groups
from gmmaudio.errors import ClipError, DataError
from gmmaudio.evaluate.cross_validation import CrossValidation, accuracy_figure, fold_names
from gmmaudio.evaluate.evaluation import Evaluation, Prediction
from gmmaudio.evaluate.evaluation_text import with_interval
from gmmaudio.evaluate.open_set import asked, divided
from gmmaudio.files import printable
from gmmaudio.parallel import map_in_order, one_blas_thread

log = logging.getLogger("gmmaudio")


def evaluate(
    classifier: Classifier,
    entries: Sequence[Entry],
    jobs: int = 1,
    allow_leaks: bool = False,
    progress: Progress | None = None,
    read: ExampleReader = read_examples,
) -> Evaluation:
    """Evaluate a classifier on labelled clips.

    No clip is refused, so that labels alone are compared. But where some clips are labelled "unknown", the gate is
    asked about all of them: the open set of what is found.

    Parameters
    ----------
    classifier : Classifier
    entries : sequence of Entry
    jobs : int, default 1
    allow_leaks : bool, default False
        Accept clips that the classifier was trained on. The figures then say nothing about new clips.
    progress : callable, optional
    read : callable, default ``read_examples``
        Where the frames come from, as in ``train``.

    Raises
    ------
    DataError
        ``leakage``, ``no_decisions``, ``no_common_labels``; ``bad_setting`` for a model of one label.
    """
    if classifier.floor is not None:
        text = "the model is of one label: accuracy says little of it"
        raise DataError("bad_setting", text, "use gmmaudio.evaluate.anomalies.evaluate_one_class")
    examples, failures = read(entries, classifier.front_end, jobs, progress)
    if not {example.entry.label for example in examples} & set(classifier.labels):
        found = ", ".join(sorted({printable(example.entry.label) for example in examples})[:5])
        text = f"the model knows none of the clips' labels ({found}); it knows {', '.join(classifier.labels[:5])}"
        raise DataError("no_common_labels", text, "label the clips as in training")
    warnings = unleaked(classifier, examples, allow_leaks)
    told = predicted(asked(classifier, {example.entry.label for example in examples}), examples, jobs)
    scored, lost = parted(told)
    clips, open_set = divided(scored, classifier)
    errors = [failure.record() for failure in (*failures, *lost)]
    return Evaluation(clips, classifier.labels, errors, warnings, open_set)


def unleaked(classifier: Classifier, examples: Sequence[Example], allow_leaks: bool) -> list[str]:
    """What is to be said of the clips; ``leakage`` is raised where the classifier was trained on some of them."""
    copies = copies_of(classifier, examples)
    if copies and not allow_leaks:
        text = f"the model was trained on {len(copies)} of the {len(examples)} clips, such as {printable(copies[0])}"
        raise DataError(
            "leakage", text, "evaluate on other clips, or pass --allow-leaks for figures that prove nothing"
        )
    return [*_leaks(classifier, examples, copies), *clip_warnings(examples)]


def copies_of(classifier: Classifier, examples: Sequence[Example]) -> list[str]:
    """Names of the clips whose very samples the classifier was trained on."""
    known = {bytes(row).hex() for row in classifier.clip_hashes}
    return [example.entry.name for example in examples if example.sample_hash in known]


def _leaks(classifier: Classifier, examples: Sequence[Example], copies: Sequence[str]) -> list[str]:
    """Clips and groups that the classifier was trained on, in words.

    Groups are known by their names' hashes only, and two corpora may both have a speaker "1": so a group alone
    makes a warning, not a refusal.
    """
    found = []
    if copies:
        found.append(f"LEAKED: the model was trained on {len(copies)} of these clips; the figures prove nothing")
    groups = {bytes(row).hex() for row in classifier.group_hashes}
    kin = [e for e in examples if e.entry.group is not None and group_hash(e.entry.group) in groups]
    if kin:
        found.append(
            f"LEAKED? the model was trained on groups of the same name as those of {len(kin)} of these clips, such as"
            f" {printable(str(kin[0].entry.group))!r}; if they are the same, the figures say nothing about new ones"
        )
    return found


def cross_validate(
    entries: Sequence[Entry],
    folds: Sequence[str],
    settings: Training,
    jobs: int = 1,
    allow_leaks: bool = False,
    progress: Progress | None = None,
    read: ExampleReader = read_examples,
    pieces: Pieces | None = None,
) -> CrossValidation:
    """Hold out each fold in turn, train on the others, decide about its clips; pool the decisions.

    Parameters
    ----------
    entries : sequence of Entry
    folds : sequence of str
        The fold of each entry.
    settings : Training
    jobs : int, default 1
    allow_leaks : bool, default False
        Accept a group, or the same samples, in more than one fold.
    progress : callable, optional
    read : callable, default ``read_examples``
        Where the frames come from, as in ``train``.
    pieces : callable, optional
        Also calibrate each classifier, on folds inside its own training clips, on these pieces of them, as ``train``
        does. Takes several times as long.

    Raises
    ------
    DataError
        ``reserved_label``, ``leakage``, ``one_fold``, ``no_common_labels`` where each label is in one fold only, and
        what training raises, naming the fold.
    """
    require_classes(entries)
    refuse_reserved({entry.label for entry in entries})
    names = fold_names(folds)
    if len(names) < 2:
        raise DataError("one_fold", f"all clips are in the fold {', '.join(names)!r}; at least two are needed")
    _refuse_untrained(entries, folds)
    if not allow_leaks:
        refuse_straddling([entry.group for entry in entries], folds)
    examples, failures = read(entries, settings.front_end, jobs, progress)
    fold_of = {id(entry): fold for entry, fold in zip(entries, folds, strict=True)}
    if not allow_leaks:
        _refuse_copies(examples, fold_of)
    outcomes: dict[int, Prediction | Failure] = {}
    unsure: dict[str, str] = {}
    for name in names:
        inside = [example for example in examples if fold_of[id(example.entry)] == name]
        outside = [example for example in examples if fold_of[id(example.entry)] != name]
        lost = [failure for failure in failures if fold_of[id(failure.entry)] != name]
        trained = _without(name, outside, lost, settings, jobs, pieces)
        if pieces is not None and trained.classifier.calibration is None:
            unsure[name] = trained.notes[-1]
        told = predicted(trained.classifier, inside, jobs)
        outcomes.update((id(example.entry), one) for example, one in zip(inside, told, strict=True))
        found, _ = parted(told)
        if found:
            figure = accuracy_figure(found)
            log.info("fold %s: %d clips, accuracy %s", printable(name), len(found), with_interval(*figure))
    found, unscored = parted([outcomes[id(example.entry)] for example in examples])
    labels = sorted({entry.label for entry in entries})
    warnings = [*_fold_warnings(entries, folds), *_uncalibrated(unsure, len(names)), *clip_warnings(examples)]
    errors = [failure.record() for failure in (*failures, *unscored)]
    places = [id(example.entry) for example in examples if isinstance(outcomes[id(example.entry)], Prediction)]
    return CrossValidation(Evaluation(found, labels, errors, warnings), [fold_of[place] for place in places])


def _uncalibrated(reasons: Mapping[str, str], folds: int) -> list[str]:
    """Why the classifiers of some folds are not calibrated, in words; each reason once."""
    told = []
    for reason in dict.fromkeys(reasons.values()):
        without = [printable(name) for name, own in reasons.items() if own == reason]
        told.append(reason if len(without) == folds else f"without fold {', '.join(without)}: {reason}")
    return told


def _fold_warnings(entries: Sequence[Entry], folds: Sequence[str]) -> list[str]:
    found = []
    torn = straddling_groups([entry.group for entry in entries], folds)
    if torn:
        found.append(f"LEAKED: {len(torn)} groups stand in several folds, such as {printable(next(iter(torn)))!r}")
    for label, fold in _single_folds(entries, folds).items():
        text = f"all clips of {printable(label)!r} are in fold {fold!r}: when they were tested"
        found.append(f"{text}, training had none")
    return found


def _single_folds(entries: Sequence[Entry], folds: Sequence[str]) -> dict[str, str]:
    """The labels of which all clips are in one fold, in sorted order, and that fold."""
    where: dict[str, set[str]] = {}
    for entry, fold in zip(entries, folds, strict=True):
        where.setdefault(entry.label, set()).add(fold)
    return {label: next(iter(own)) for label, own in sorted(where.items()) if len(own) == 1}


def _refuse_untrained(entries: Sequence[Entry], folds: Sequence[str]) -> None:
    """Raise ``no_common_labels`` where no clip at all is of a label that training without its fold would have."""
    single = _single_folds(entries, folds)
    if len(single) == len({entry.label for entry in entries}):
        label, fold = next(iter(single.items()))
        raise DataError(
            "no_common_labels",
            f"each label is in one fold only, such as {printable(label)!r} in fold {printable(fold)!r}: training"
            " would have none of the labels that are tested, and every answer would be wrong",
            "divide by what each label has several of: --folds 5, or --fold-by with a column such as the speaker",
        )


def refuse_straddling(groups: Sequence[str | None], sides: Sequence[str]) -> None:
    """Raise ``leakage`` where a group stands on more than one side."""
    torn = straddling_groups(groups, sides)
    if torn:
        raise DataError(
            "leakage",
            f"{len(torn)} groups stand on both sides of the split, such as {next(iter(torn))!r}: "
            "a model that learns the group would look as if it had learned the label",
            "split by group, or pass --allow-leaks for figures that prove little",
        )


def _refuse_copies(examples: Sequence[Example], fold_of: Mapping[int, str]) -> None:
    seen: dict[str, Example] = {}
    for example in examples:
        twin = seen.setdefault(example.sample_hash, example)
        if fold_of[id(twin.entry)] != fold_of[id(example.entry)]:
            raise DataError(
                "leakage",
                f"{twin.entry.name} and {example.entry.name} are the same samples in two folds",
                "remove one of them, or pass --allow-leaks",
            )


def _without(
    name: str,
    outside: Sequence[Example],
    failures: Sequence[Failure],
    settings: Training,
    jobs: int,
    pieces: Pieces | None,
) -> Trained:
    """What is trained without a fold; its classifier answers every clip."""
    try:
        trained = fit_classes(outside, failures, settings, jobs)
    except DataError as error:
        raise DataError(error.code, f"without fold {name!r}: {error.message}", error.hint) from error
    if pieces is not None:
        trained = calibrated(trained, outside, settings, pieces, jobs, false_accept=None)
    return trained


def predicted(classifier: Classifier, examples: Sequence[Example], jobs: int) -> list[Prediction | Failure]:
    """What the classifier says of each example."""
    with one_blas_thread():
        return list(map_in_order(partial(prediction, classifier), examples, jobs))


def parted(told: Sequence[Prediction | Failure]) -> tuple[list[Prediction], list[Failure]]:
    """The predictions, and the clips that could not be scored."""
    lost = [one for one in told if isinstance(one, Failure)]
    return [one for one in told if isinstance(one, Prediction)], lost


def prediction(classifier: Classifier, example: Example) -> Prediction | Failure:
    """What the classifier says of one example, if it can be scored; BLAS should be held to one thread."""
    entry = example.entry
    try:
        decision = classifier.decide_frames(example.frames, example.seconds, example.voiced_seconds)
    except ClipError as error:
        return Failure(entry, error)
    where = (entry.group, example.seconds, entry.start, entry.end)
    return Prediction(
        entry.name, entry.label, decision.label, *where, decision, example.sample_hash, len(example.frames)
    )
