"""Scores: against closed forms, against scoringrules, and honest forecasts score best."""

import numpy as np
import pytest
import scoringrules
from scipy.integrate import quad
from scipy.stats import norm

from lvutils.scores import (
    calibration_error,
    central_coverage,
    ensemble_crps,
    gaussian_crps,
    mixture_log_score,
    mixture_pit,
)


@pytest.fixture
def outcomes():
    return np.random.default_rng(0).normal(1, 2, size=(40, 3))


def test_log_score_of_one_gaussian_and_of_a_mixture(outcomes):
    assert np.allclose(mixture_log_score(outcomes, [1.0], 2.0), norm.logpdf(outcomes, 1, 2))
    means, sds = np.array([-1.0, 4.0]), np.array([0.5, 3.0])
    density = (norm.pdf(outcomes, -1, 0.5) + norm.pdf(outcomes, 4, 3)) / 2
    assert np.allclose(mixture_log_score(outcomes, means, sds), np.log(density))
    assert np.isfinite(mixture_log_score(1e3, means, sds)).all()  # far out, where the densities underflow


def test_probability_below_is_the_integral_of_the_density():
    means, sds = np.array([-1.0, 4.0]), np.array([0.5, 3.0])
    below = quad(lambda v: np.exp(mixture_log_score(v, means, sds)), -40, 2.0, points=[-1])[0]
    assert abs(mixture_pit(2.0, means, sds) - below) < 1e-6


def test_gaussian_crps_is_the_integral_and_what_scoringrules_gives(outcomes):
    whole = quad(lambda v: (norm.cdf(v, 1, 2) - (v >= 2.5)) ** 2, -30, 30, points=[2.5])[0]
    assert abs(gaussian_crps(2.5, 1, 2) - whole) < 1e-6
    assert np.allclose(gaussian_crps(outcomes, 1, 2), scoringrules.crps_normal(outcomes, 1, 2))


def test_ensemble_crps_is_what_scoringrules_gives_and_does_not_depend_on_the_number_of_draws(outcomes):
    rng = np.random.default_rng(1)
    draws = rng.normal(1, 2, size=(7, *outcomes.shape))
    assert np.allclose(ensemble_crps(outcomes, draws), scoringrules.crps_ensemble(outcomes, draws, 0, estimator="fair"))
    few, many = (ensemble_crps(0.5, rng.normal(1, 2, size=(k, 20000))) for k in (2, 20))
    assert abs(few.mean() - gaussian_crps(0.5, 1, 2)) < 4 * few.std() / 20000**0.5
    assert abs(many.mean() - gaussian_crps(0.5, 1, 2)) < 4 * many.std() / 20000**0.5
    with pytest.raises(ValueError, match="two draws"):
        ensemble_crps(0.0, [1.0])


@pytest.mark.parametrize("score", [gaussian_crps, lambda y, m, s: -mixture_log_score(y, [m], [s])])
def test_scores_are_proper(score):
    y = np.random.default_rng(2).normal(1, 2, size=20000)
    honest = score(y, 1.0, 2.0).mean()
    assert all(score(y, m, s).mean() > honest + 0.005 for m, s in ((1.5, 2.0), (1.0, 1.5), (1.0, 2.6), (0.5, 2.5)))


def test_coverage_is_on_the_diagonal_for_the_truth_and_below_it_for_the_too_sure():
    y, levels = np.random.default_rng(3).normal(size=(2, 20000)), np.array([0.5, 0.8, 0.9])
    honest = central_coverage(mixture_pit(y, [0.0], 1.0), levels)
    assert honest.shape == (2, 3)
    assert np.allclose(honest, levels, atol=0.015)
    sure = central_coverage(mixture_pit(y, [0.0], 0.5), levels)
    assert np.allclose(sure, 2 * norm.cdf(0.5 * norm.ppf((1 + levels) / 2)) - 1, atol=0.015)


def test_calibration_error_of_known_tables():
    rng = np.random.default_rng(4)
    p = rng.dirichlet(np.ones(3), size=20000)
    y = (rng.random((len(p), 1)) > p.cumsum(1)).sum(1)
    assert calibration_error(p, y) < 0.015
    said = np.tile([0.9, 0.1], (100, 1))
    assert abs(calibration_error(said, np.arange(100) % 2) - 0.4) < 1e-12
    assert calibration_error(np.eye(2)[[0, 1, 1]], np.array([0, 1, 1])) == 0  # a certainty of 1 has a bin


def test_a_spread_of_nought_is_refused():
    with pytest.raises(ValueError, match="above 0, got 0"):
        mixture_log_score(0.0, [0.0, 1.0], [1.0, 0.0])
