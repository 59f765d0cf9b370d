"""Intervals: against scipy, closed forms, and coverage by simulation."""

import numpy as np
import pytest
from scipy import stats

from lvutils.stats import (
    Interval,
    bootstrap_interval,
    crossed_interval,
    mean_interval,
    nested_interval,
    paired_interval,
    proportion_interval,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("n", [2, 5, 40])
def test_mean_interval_is_students(rng, n, level):
    values = rng.normal(3, 2, size=n)
    interval = mean_interval(values, level)
    expected = stats.ttest_1samp(values, 0).confidence_interval(level)
    assert interval[:4] == pytest.approx((values.mean(), expected.low, expected.high, n))


def test_mean_interval_of_two_values_by_hand():
    assert mean_interval([1.0, 3.0])[:4] == pytest.approx((2.0, 2 - 12.7062, 2 + 12.7062, 2), abs=1e-4)


def test_mean_interval_covers_the_mean_as_often_as_it_says(rng):
    intervals = [mean_interval(row) for row in rng.normal(1, 3, size=(3000, 5))]
    assert np.mean([i.low < 1 < i.high for i in intervals]) == pytest.approx(0.95, abs=0.012)


def test_equal_values_give_an_interval_without_width():
    assert mean_interval([0.25] * 4)[:4] == (0.25, 0.25, 0.25, 4)


def test_paired_interval_is_the_t_test_on_pairs(rng):
    a, b = rng.normal(size=(2, 12))
    expected = stats.ttest_rel(a, b).confidence_interval()
    assert paired_interval(a, b)[:4] == pytest.approx(((a - b).mean(), expected.low, expected.high, 12))


def test_pairing_removes_what_the_pairs_share(rng):
    shared, noise = rng.normal(0, 100, size=20), rng.normal(0, 0.1, size=20)
    interval = paired_interval(shared + noise + 1, shared)
    assert 0.9 < interval.low < 1 < interval.high < 1.1


def test_exchanging_the_pairs_mirrors_the_interval(rng):
    a, b = rng.normal(size=(2, 9))
    one, other = paired_interval(a, b), paired_interval(b, a)
    assert (one.mean, one.low, one.high) == pytest.approx((-other.mean, -other.high, -other.low))


def test_pairs_need_equal_lengths():
    with pytest.raises(ValueError, match=r"^pairs need equal lengths, got 3 and 2$"):
        paired_interval([1, 2, 3], [1, 2])


@pytest.mark.parametrize("interval", [mean_interval, lambda v: paired_interval(v, v)])
@pytest.mark.parametrize("values", [[], [1.0], [[1.0, 2.0], [3.0, 4.0]], 3.0])
def test_an_interval_needs_a_flat_list_of_two_values(interval, values):
    with pytest.raises(ValueError, match=r"^an interval needs a flat list of at least 2 values, got shape "):
        interval(values)


def test_bootstrap_interval_agrees_with_scipy(rng):
    values = rng.exponential(size=60)
    interval = bootstrap_interval(values, rng, n_resamples=8000)
    expected = stats.bootstrap((values,), np.mean, method="percentile", rng=1).confidence_interval
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=0.02)
    assert (interval.mean, interval.n) == (values.mean(), 60)


def test_bootstrap_interval_covers_the_mean_nearly_as_often_as_it_says(rng):
    samples = rng.normal(size=(250, 40))
    intervals = [bootstrap_interval(row, rng, n_resamples=300) for row in samples]
    assert 0.89 < np.mean([i.low < 0 < i.high for i in intervals]) < 0.98


def test_bootstrap_interval_keeps_the_rows_of_a_table_together(rng):
    x = rng.normal(size=200)
    table = np.column_stack([x, 2 * x])
    interval = bootstrap_interval(table, rng, lambda t: np.corrcoef(t.T)[0, 1], n_resamples=50)
    assert interval[:4] == pytest.approx((1, 1, 1, 200))


@pytest.mark.parametrize("statistic", [np.mean, np.median])
def test_bootstrap_interval_is_the_same_many_at_a_time(rng, statistic):
    for n in (20, 37, 38, 20_000):
        values = rng.normal(size=n)
        one, two = (
            bootstrap_interval(values, np.random.default_rng(0), f, n_resamples=70)
            for f in (statistic, lambda x: statistic(x))
        )
        assert one == two


def test_bootstrap_interval_repeats_with_its_generator():
    values = np.arange(20.0)
    one, same, other = (bootstrap_interval(values, np.random.default_rng(s), n_resamples=99) for s in (1, 1, 2))
    assert one == same != other


def test_a_wider_level_gives_a_wider_interval(rng):
    values = rng.normal(size=30)
    widths = [
        [i.high - i.low for i in (f(0.5), f(0.9), f(0.99))]
        for f in (
            lambda level: mean_interval(values, level),
            lambda level: proportion_interval(12, 30, level),
            lambda level: bootstrap_interval(values, np.random.default_rng(0), level=level, n_resamples=500),
        )
    ]
    assert all(narrow < middle < wide for narrow, middle, wide in widths)


@pytest.mark.parametrize("n", [1, 5, 19])
def test_a_percentile_bootstrap_of_few_cases_is_refused(rng, n):
    with pytest.raises(ValueError, match=rf"^a percentile bootstrap needs at least 20 cases, got {n}; use"):
        bootstrap_interval(np.ones((n, 2)), rng)


@pytest.mark.parametrize(("k", "n"), [(1, 2), (3, 10), (99, 100)])
def test_proportion_interval_is_that_of_the_beta_quantiles(k, n):
    expected = (k / n, stats.beta.ppf(0.025, k, n - k + 1), stats.beta.ppf(0.975, k + 1, n - k), n)
    assert proportion_interval(k, n)[:4] == pytest.approx(expected)


def test_proportion_interval_at_the_ends_in_closed_form():
    assert proportion_interval(0, 20)[:4] == pytest.approx((0, 0, 1 - 0.025 ** (1 / 20), 20))
    assert proportion_interval(20, 20)[:4] == pytest.approx((1, 0.025 ** (1 / 20), 1, 20))


def test_proportion_interval_covers_at_least_as_often_as_it_says():
    n = 15
    intervals = [proportion_interval(k, n) for k in range(n + 1)]
    for p in np.linspace(0.01, 0.99, 50):
        covered = [i.low <= p <= i.high for i in intervals]
        assert stats.binom.pmf(np.arange(n + 1), n, p)[covered].sum() >= 0.95


def test_more_successes_than_trials_are_refused():
    with pytest.raises(ValueError, match="must not be greater"):
        proportion_interval(5, 3)


def test_an_interval_follows_shift_and_scale(rng):
    values = rng.normal(size=10)
    low, high = mean_interval(values)[1:3]
    assert mean_interval(10 - 2 * values)[1:3] == pytest.approx((10 - 2 * high, 10 - 2 * low))


@pytest.mark.parametrize(
    ("interval", "spec", "text"),
    [
        (Interval(0.123, 0.0721, 0.168, 5), "", "0.12 [0.072, 0.17]"),
        (Interval(0.123, 0.0721, 0.168, 5), ".1f", "0.1 [0.1, 0.2]"),
        (Interval(-1.0, -2.0, 0.0, 5), "+.1f", "-1.0 [-2.0, +0.0]"),
        (Interval.exact(3), "", "3"),
        (Interval.exact(0.98765), ".3f", "0.988"),
    ],
)
def test_an_interval_reads_as_estimate_and_bounds(interval, spec, text):
    assert format(interval, spec) == text


def test_an_exact_figure_has_no_width():
    assert Interval.exact(np.float32(0.5), n=12, why="all of them") == (0.5, 0.5, 0.5, 12, "all of them")
    assert Interval.exact(2).n == 1


@pytest.mark.parametrize("n", [5, 12, 20, 50])
def test_few_models_with_cases_of_their_own_are_covered(rng, n):
    hits = 0
    for _ in range(300):
        groups = rng.normal(size=(n, 1)) + rng.normal(size=(n, 10))
        interval = nested_interval(groups, rng, n_resamples=600)
        hits += interval.low <= 0 <= interval.high
    assert hits / 300 > 0.90


@pytest.mark.parametrize("n", [5, 12, 20, 50])
def test_models_that_share_their_cases_are_covered(rng, n):
    hits = 0
    for _ in range(300):
        table = 0.5 * rng.normal(size=(n, 1)) + rng.normal(size=30) + rng.normal(size=(n, 30))
        interval = crossed_interval(table)
        hits += interval.low <= 0 <= interval.high
    assert hits / 300 > 0.90


def test_shared_cases_are_not_independent_ones(rng):
    table = rng.normal(size=20) + 0.01 * rng.normal(size=(6, 20))
    crossed, by_model = crossed_interval(table), mean_interval(table.mean(1))
    assert crossed.high - crossed.low > 20 * (by_model.high - by_model.low)
    assert crossed.n == 6


def test_a_group_a_value_is_wider_than_a_plain_bootstrap(rng):
    values = rng.normal(size=20)
    nested, plain = nested_interval(values[:, None], rng), bootstrap_interval(values, rng)
    assert nested.high - nested.low > plain.high - plain.low


@pytest.mark.parametrize("groups", [[[1.0, 2.0]], [[1.0], []]])
def test_one_group_or_an_empty_one_is_refused(rng, groups):
    with pytest.raises(ValueError, match="at least two groups"):
        nested_interval(groups, rng)


def test_a_table_of_one_model_is_refused():
    with pytest.raises(ValueError, match="at least two of each"):
        crossed_interval(np.ones((1, 4)))
