"""Measures against closed forms and libraries."""

import itertools

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.stats import norm
from sklearn.feature_selection import mutual_info_classif
from sklearn.metrics import mutual_info_score

from lvutils.metrics import (
    active_latents,
    dci,
    explicitness,
    frechet_distance,
    infomec,
    mig,
    modularity,
    mutual_information,
)


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


def grid(*sizes):
    """All combinations of sources, a full and balanced grid."""
    return np.array(list(itertools.product(*map(range, sizes))))


SOURCES = grid(6, 5, 4, 3)
RNG = np.random.default_rng(3)


def test_a_permuted_and_relabelled_copy_of_the_sources_is_perfect():
    codes = (7 - 2 * SOURCES)[:, [2, 0, 3, 1]]
    assert infomec(SOURCES, codes, discrete=True) == pytest.approx((1, 1, 1), abs=1e-3)
    assert mig(SOURCES, codes, discrete=True) == pytest.approx(1)
    assert modularity(SOURCES, codes, discrete=True) == pytest.approx(1)
    assert dci(SOURCES, codes) == pytest.approx((1, 1, 1), abs=1e-6)


def test_real_codes_that_each_follow_one_source_are_perfect():
    codes = np.repeat(SOURCES, 5, 0) + RNG.uniform(-0.3, 0.3, (5 * len(SOURCES), 4))
    sources = np.repeat(SOURCES, 5, 0)
    assert infomec(sources, codes, discrete=False) == pytest.approx((1, 1, 1), abs=0.02)
    assert mig(sources, codes, discrete=False) == pytest.approx(1, abs=0.03)


def test_two_copies_of_each_source_are_modular_and_explicit_and_not_compact():
    codes = np.hstack([SOURCES, SOURCES])
    scores = infomec(SOURCES, codes, discrete=True)
    assert scores.modularity == pytest.approx(1)
    assert scores.compactness == pytest.approx(
        (1 / 2 - 1 / 8) / (1 - 1 / 8)
    )  # half of the information in the best of 8
    assert mig(SOURCES, codes, discrete=True) == pytest.approx(0, abs=1e-12)


def test_two_sources_in_one_latent_are_compact_and_not_modular():
    sources = grid(4, 4)
    codes = (4 * sources[:, :1] + sources[:, 1:]).repeat(2, 1) * [1, 0]  # the second latent is off
    assert infomec(sources, codes, discrete=True) == pytest.approx((0, 1, 1), abs=1e-3)
    assert modularity(sources, codes, discrete=True) == pytest.approx(0)


def test_explicitness_can_be_left_out():
    codes = np.roll(SOURCES, 1, 1)
    whole, part = infomec(SOURCES, codes, discrete=True), infomec(SOURCES, codes, discrete=True, explicit=False)
    assert (part.modularity, part.compactness) == (whole.modularity, whole.compactness)
    assert np.isnan(part.explicitness)


def test_codes_that_know_nothing_score_nothing():
    sources = np.repeat(SOURCES, 10, 0)
    for codes, discrete in ((RNG.integers(0, 4, (len(sources), 4)), True), (RNG.normal(size=(len(sources), 4)), False)):
        scores = infomec(sources, codes, discrete=discrete)
        assert scores.explicitness == pytest.approx(0, abs=0.01)
        assert mig(sources, codes, discrete=discrete) == pytest.approx(0, abs=0.02)
    assert dci(sources, codes).disentanglement == pytest.approx(0, abs=0.02)
    assert dci(sources, codes).informativeness == pytest.approx(0, abs=0.05)
    constant = np.ones((len(sources), 3))
    assert infomec(sources, constant, discrete=False) == pytest.approx((0, 0, 0), abs=1e-9)
    assert modularity(sources, constant, discrete=False) == 0


def test_a_rotation_by_45_degrees_destroys_modularity_and_keeps_explicitness():
    sources = np.repeat(grid(8, 8), 30, 0)
    straight = sources - 3.5 + RNG.normal(0, 0.02, sources.shape)
    turned = straight @ np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
    before, after = infomec(sources, straight, discrete=False), infomec(sources, turned, discrete=False)
    assert before.modularity == pytest.approx(1, abs=0.01)
    assert after.modularity == pytest.approx(0, abs=0.02)
    assert after.explicitness == pytest.approx(1, abs=0.02)
    assert mig(sources, turned, discrete=False) == pytest.approx(0, abs=0.02)


def test_mutual_information_is_that_of_scikit_learn():
    sources = np.repeat(SOURCES, 3, 0)
    sources[0, 1] = 99  # a value seen once
    real = sources[:, [0, 1, 1]] + RNG.normal(0, [0.2, 1, 5], (len(sources), 3))
    whole = RNG.integers(0, 3, (len(sources), 3)) + sources[:, [0, 1, 1]]
    estimated = mutual_information(sources, real, discrete=False)
    counted = mutual_information(sources, whole, discrete=True)
    for i, source in enumerate(sources.T):
        expected = mutual_info_classif(real, source, discrete_features=False, n_neighbors=10, random_state=0)
        assert estimated[i] == pytest.approx(expected, abs=1e-3)
        assert counted[i] == pytest.approx([mutual_info_score(source, code) for code in whole.T], abs=1e-9)


def test_mutual_information_of_two_shifted_gaussians_is_that_of_the_integral():
    source = np.repeat([[0], [1]], 10_000, 0)
    code = RNG.normal(size=(20_000, 1)) + 2 * source
    grid_z = np.linspace(-8, 10, 20_001)
    densities = norm.pdf(grid_z), norm.pdf(grid_z, 2)
    mixture = sum(densities) / 2
    expected = sum(np.trapezoid(p * np.log(p / mixture), grid_z) / 2 for p in densities)
    assert mutual_information(source, code, discrete=False)[0, 0] == pytest.approx(expected, abs=0.015)


def test_latents_that_hardly_move_are_switched_off():
    codes = RNG.uniform(-1, 1, (100, 4)) * [1, 0.06, 0.04, 0]
    assert active_latents(codes, discrete=False).tolist() == [True, True, False, False]
    assert active_latents((codes > 0).astype(int), discrete=True).tolist() == [True, True, True, False]


@pytest.mark.parametrize(
    ("sources", "codes", "message"),
    [
        (SOURCES[:5], SOURCES, "sources .n, n_sources. and codes"),
        (SOURCES * 1.0, SOURCES, "must be integers; got float64"),
        (SOURCES, SOURCES * 1.0, "must be integers; got int64 and float64"),
        (SOURCES * [1, 0, 1, 1], SOURCES, "source 1 takes a single value"),
    ],
)
def test_what_does_not_fit_is_named(sources, codes, message):
    for measure in (mutual_information, infomec, mig, modularity):
        with pytest.raises(ValueError, match=message):
            measure(sources, codes, discrete=True)


def test_codes_must_be_finite():
    with pytest.raises(ValueError, match="finite"):
        infomec(SOURCES, np.full(SOURCES.shape, np.nan), discrete=False)


def test_explicitness_by_hand():
    """Four values told by two: half the information, and the log loss of a fair guess between two."""
    source = np.tile(np.arange(4), 50)[:, None]
    assert explicitness(source, source // 2, discrete=True) == pytest.approx(0.5, abs=1e-4)
    assert explicitness(source, source, discrete=True) == pytest.approx(1, abs=1e-2)
    assert explicitness(source, 0 * source, discrete=True) == 0


def test_explicitness_reads_all_latents_also_those_that_count_as_switched_off():
    source = np.tile(np.arange(2), 100)[:, None]
    codes = np.column_stack([np.random.default_rng(0).normal(size=200), 0.001 * source[:, 0]])
    assert active_latents(codes, discrete=False).tolist() == [True, False]
    assert explicitness(source, codes, discrete=False) == pytest.approx(1, abs=1e-2)
    assert infomec(source, codes, discrete=False).explicitness == explicitness(source, codes, discrete=False)


def test_one_hot_bins_read_what_no_linear_read_out_does():
    x = np.arange(400)[:, None] / 100
    source = x.astype(int) % 2  # rises and falls with x
    assert explicitness(source, x, discrete=False) < 0.3
    assert explicitness(source, x, discrete=False, one_hot=4) == pytest.approx(1, abs=1e-2)
