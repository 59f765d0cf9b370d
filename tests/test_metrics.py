"""Measures against closed forms and libraries."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from lvutils.metrics import frechet_distance


def test_frechet_distance_to_itself_is_zero_and_symmetric():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(400, 5)), rng.normal(1, 2, size=(300, 5))
    assert abs(frechet_distance(a, a)) < 1e-9
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)


def test_frechet_distance_of_a_scaled_and_shifted_copy_has_a_closed_form():
    a = np.random.default_rng(1).normal(size=(500, 4)) @ np.diag([1, 2, 3, 0.5])
    expected = ((a.mean(0) + 3) ** 2).sum() + np.trace(np.cov(a.T))
    assert frechet_distance(a, 2 * a + 3) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_agrees_with_the_matrix_square_root_of_scipy():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6)), rng.normal(size=(90, 6)) @ rng.normal(size=(6, 6)) + 1
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * sqrtm(cov_a @ cov_b).real)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("a", "b"), [((3, 2), (3, 3)), ((1, 2), (3, 2)), ((3,), (3,))])
def test_frechet_distance_refuses_what_it_cannot_compare(a, b):
    with pytest.raises(ValueError, match="sets of features"):
        frechet_distance(np.zeros(a), np.zeros(b))
