"""The scikit-learn face: mixtures as estimators on plain arrays.

``GaussianMixture`` stands in for scikit-learn's class of that name; ``MixtureClassifier`` fits one mixture per class.
Settings are checked and attributes converted in this room; the mathematics is in the room ``gmm``.
"""

from gmmaudio.estimators.checks import RegularisationWarning
from gmmaudio.estimators.gaussian_mixture import GaussianMixture
from gmmaudio.estimators.mixture_classifier import MixtureClassifier

__all__ = ["GaussianMixture", "MixtureClassifier", "RegularisationWarning"]
