"""The scikit-learn face: mixtures as estimators on plain arrays, and classifiers of whole clips.

``GaussianMixture`` stands in for scikit-learn's class of that name; ``MixtureClassifier`` fits one mixture per class;
``AudioClassifier`` does so for clips, and ``AnomalyDetector`` learns from normal clips alone.
Settings are checked and attributes converted in this room; the mathematics is in the room ``gmm``.
"""

from gmmaudio.estimators.anomaly_detector import AnomalyDetector
from gmmaudio.estimators.audio_classifier import AudioClassifier
from gmmaudio.estimators.checks import RegularisationWarning
from gmmaudio.estimators.gaussian_mixture import GaussianMixture
from gmmaudio.estimators.mixture_classifier import MixtureClassifier

__all__ = ["AnomalyDetector", "AudioClassifier", "GaussianMixture", "MixtureClassifier", "RegularisationWarning"]
