"""Audio classifiers built on Gaussian mixture models.

The public names are resolved on first use (PEP 562), so that ``import gmmaudio`` and ``gmmaudio --help`` cost
next to nothing; this is the only lazy place in the package.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "AnomalyDetector": "estimators",
    "AudioClassifier": "estimators",
    "Classifier": "classify.classifier",
    "Decision": "classify.classifier",
    "Entry": "corpus.manifest",
    "FrontEnd": "features.frontend",
    "GaussianMixture": "estimators.gaussian_mixture",
    "GmmaudioError": "errors",
    "Mixture": "gmm.mixture",
    "MixtureClassifier": "estimators.mixture_classifier",
    "Statistics": "gmm.statistics",
    "choose_components": "gmm.choose",
    "load": "classify.model_file",
    "log_mel": "features.dialects",
    "mfcc": "features.dialects",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
