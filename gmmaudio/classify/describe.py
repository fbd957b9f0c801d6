"""What a model file, a feature store or a clip is, as plain facts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from gmmaudio.classify.floor import floor_from
from gmmaudio.classify.gate import gate_from
from gmmaudio.classify.model_file import load
from gmmaudio.corpus.audio import Reader, read_through
from gmmaudio.errors import ClipError
from gmmaudio.features.frontend import PRESETS, FrontEnd
from gmmaudio.features.store import is_store, open_shard, open_store
from gmmaudio.features.store_index import Kept


def describe(path: str, front_end: FrontEnd = PRESETS["general"], read: Reader = read_through) -> dict[str, Any]:
    """Facts about a model, a store or a clip.

    Parameters
    ----------
    path : str
    front_end : FrontEnd, default the preset "general"
        What tells the voiced parts of a clip.
    read : Reader
        What reads a clip; `gmmaudio.corpus.isolate.isolated` makes one that decodes in another process.

    Raises
    ------
    ModelError, StoreError, ClipError
    """
    if is_store(Path(path)):
        return _store(path)
    return _model(path) if _looks_like_a_model(Path(path)) else _clip(path, front_end, read)


def in_words(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts for a reader: of a model, when it answers unknown and what that costs, in words.

    Examples
    --------
    >>> in_words({"labels": ["cat", "dog"], "unknown": None})
    {'labels': ['cat', 'dog'], 'unknown': None}
    """
    plain = facts.get("unknown")
    if plain is None:
        return facts
    refusing = gate_from(plain) if "levels" in plain else floor_from(plain)
    return {**facts, "unknown": refusing.summary}


def is_clip(path: str) -> bool:
    """Whether ``describe`` would take a path for a clip."""
    return not is_store(Path(path)) and not _looks_like_a_model(Path(path))


def _looks_like_a_model(path: Path) -> bool:
    """By its name, or by its first bytes: the length of a header, and a brace."""
    if path.suffix == ".safetensors":
        return True
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(9)[8:] == b"{"


def _model(path: str) -> dict[str, Any]:
    classifier = load(path)
    return {
        "model": path,
        "bytes": Path(path).stat().st_size,
        "labels": list(classifier.labels),
        "score_kind": classifier.scorer.score_kind,
        "dimension": classifier.front_end.dimension,
        "front_end": classifier.front_end.as_dict(),
        "training_clips": len(classifier.clip_hashes),
        "calibration": classifier.calibration and classifier.calibration.summary,
        "unknown": (refusing := classifier.gate or classifier.floor) and refusing.as_dict(),
        "training": dict(classifier.training),
    }


def _store(path: str) -> dict[str, Any]:
    store = open_store(Path(path))
    missing = store.missing()
    shards = [open_shard(store.folder, name, store.front_end) for name in store.names if name not in missing]
    rows = [row for shard in shards for row in shard.index.rows]
    kept = [row.outcome for row in rows if isinstance(row.outcome, Kept)]
    return {
        "store": path,
        "complete": not missing,
        "shards": len(shards),
        "shards_missing": len(missing),
        "clips": len(rows),
        "failed": len(rows) - len(kept),
        "labels": dict(sorted(Counter(row.clip.entry.label for row in rows).items())),
        "groups": len({row.clip.entry.group for row in rows} - {None}),
        "frames": sum(outcome.frames for outcome in kept),
        "hours": sum(outcome.seconds for outcome in kept) / 3600,
        "voiced_hours": sum(outcome.voiced_seconds for outcome in kept) / 3600,
        "failures": dict(sorted(Counter(r.outcome.code for r in rows if isinstance(r.outcome, ClipError)).items())),
        "dimension": store.front_end.dimension,
        "front_end": store.front_end.as_dict(),
    }


def _clip(path: str, front_end: FrontEnd, read: Reader) -> dict[str, Any]:
    peak, facts = read(path, None, lambda blocks: max(float(abs(block).max()) for block in blocks))
    voiced, _ = read(path, front_end.rate, front_end.voiced_frames)
    return {
        "clip": path,
        "rate": facts.rate,
        "seconds": facts.seconds,
        "peak": peak,
        "voiced_seconds": voiced.seconds,
        "warnings": [{"code": warning.code, "message": warning.message} for warning in facts.warnings],
    }
