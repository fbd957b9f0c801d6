"""What a model file or a clip is, as plain facts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gmmaudio.classify.model_file import load
from gmmaudio.corpus.audio import read_clip
from gmmaudio.features.frontend import PRESETS


def describe(path: str) -> dict[str, Any]:
    """Facts about a model or a clip.

    Raises
    ------
    ModelError, ClipError
    """
    return _model(path) if _looks_like_a_model(Path(path)) else _clip(path)


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
        "training": dict(classifier.training),
    }


def _clip(path: str) -> dict[str, Any]:
    clip = read_clip(path)
    frames = PRESETS["general"](read_clip(path, PRESETS["general"].rate))
    return {
        "clip": path,
        "rate": clip.rate,
        "seconds": len(clip.samples) / clip.rate,
        "peak": float(abs(clip.samples).max()),
        "voiced_seconds": int(frames.voiced.sum()) * frames.hop,
        "warnings": [{"code": warning.code, "message": warning.message} for warning in clip.warnings],
    }
