"""Scores of predictions that say how sure they are: proper scores, coverage, calibration.

Log scores of one Gaussian are `scipy.stats.norm.logpdf`. A score has the shape of the outcomes; the mean over the
units of a claim is for the chapter to take.
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp, ndtr
from scipy.stats import norm


def mixture_log_score(y, means, sds) -> np.ndarray:
    """Log density of outcomes under equally weighted Gaussians: of draws, of the members of an ensemble.

    y: [...]; means: [k, ...] or [k], in the unit of y; sds: as means, or one number, above 0, else ValueError. Returns
    [...], in nats; larger is better.
    """
    y, means, sds = _members(y, means, sds)
    return logsumexp(norm.logpdf(y, means, sds), axis=0) - np.log(len(means))


def mixture_pit(y, means, sds) -> np.ndarray:
    """Probability below each outcome under equally weighted Gaussians, uniform where the prediction is calibrated.

    Shapes as in `mixture_log_score`; one Gaussian is a mixture of one, means [1].
    """
    y, means, sds = _members(y, means, sds)
    return ndtr((y - means) / sds).mean(0)


def gaussian_crps(y, mean, sd) -> np.ndarray:
    """Continuous ranked probability score of a Gaussian, in the unit of y; smaller is better.

    Gneiting and Raftery (2007), equation 21, with the sign turned. y, mean, sd: shapes that broadcast, sd above 0.
    """
    z = (np.asarray(y) - mean) / sd
    return sd * (z * (2 * ndtr(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))


def ensemble_crps(y, draws) -> np.ndarray:
    """Continuous ranked probability score of a distribution known by k draws, in the unit of y; smaller is better.

    The fair estimate: its expectation does not depend on k (Ferro, 2014). y: [...]; draws: [k, ...], k >= 2.
    Raises ValueError for a single draw.
    """
    draws = np.sort(draws, axis=0)
    k = len(draws)
    if k < 2:
        raise ValueError("the fair score needs two draws or more, got one")
    # the sum of |a - b| over pairs, from the order of the draws alone
    order = np.arange(1 - k, k, 2).reshape(-1, *[1] * (draws.ndim - 1))
    return np.abs(draws - y).mean(0) - (order * draws).sum(0) / (k * (k - 1))


def central_coverage(pit, levels) -> np.ndarray:
    """Share of outcomes inside the central interval of each level: on the diagonal where calibrated.

    pit: [..., n], the probability that was given to values below each outcome; levels: [m], between 0 and 1.
    Returns [..., m].
    """
    return (np.abs(np.asarray(pit)[..., None] - 0.5) <= np.asarray(levels) / 2).mean(-2)


def calibration_error(probabilities, y, n_bins: int = 10) -> float:
    """Expected calibration error of the class that is said to be likeliest (Guo et al., 2017, equation 3).

    probabilities: [n, classes]; y: [n], classes 0, 1, ... The bins are of equal width. It is biased upwards where bins
    hold few cases: compare predictions of equally many.
    """
    sure, right = np.max(probabilities, 1), np.argmax(probabilities, 1) == y
    place = np.minimum((sure * n_bins).astype(int), n_bins - 1)
    return float(np.abs(np.bincount(place, right - sure, n_bins)).sum() / len(sure))


def _members(y, means, sds):
    """All as [k, ...]: an axis of members before those of the outcomes."""
    y, means, sds = np.asarray(y, float)[None], np.asarray(means, float), np.asarray(sds, float)
    means, sds = (a.reshape(*a.shape, *[1] * (y.ndim - a.ndim)) if a.ndim else a for a in (means, sds))
    if not (sds > 0).all():
        raise ValueError(f"standard deviations must be above 0, got {sds.min()}")
    return np.broadcast_arrays(y, means, sds)
