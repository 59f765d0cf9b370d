"""Probes: against scikit-learn, side by side as one by one, penalties chosen inside, scale of no matter."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from lvutils.probes import few_shot, few_shot_probe, linear_probe


@pytest.fixture
def world():
    """Three classes around three means in ten dimensions: draws [6, 30, 10], classes and held-out rows of each."""
    rng = np.random.default_rng(0)
    means = 1.2 * rng.normal(size=(3, 10))
    y, y_test = np.tile(np.arange(30) % 3, (6, 1)), np.tile(np.arange(300) % 3, (6, 1))
    return (*(means[labels] + rng.normal(size=(*labels.shape, 10)) for labels in (y, y_test)), y, y_test)


@pytest.mark.parametrize("penalty", [3e-3, 0.1, 1.0])
def test_rule_is_penalised_logistic_regression(world, penalty):
    x, x_test, y, _ = world
    probe = few_shot_probe(x, y, penalties=[penalty], n_steps=1000)
    for draw in range(len(x)):
        strength = penalty * np.linalg.norm(x[draw], 2) ** 2
        peer = LogisticRegression(C=1 / strength, tol=1e-8, max_iter=5000).fit(x[draw], y[draw])
        ours = probe.scores(x_test)[draw]
        assert np.allclose(ours - ours.mean(1, keepdims=True), peer.decision_function(x_test[draw]), atol=2e-3)


def test_draws_side_by_side_give_what_each_gives(world):
    x, x_test, y, y_test = world
    folds = np.arange(30) // 3 % 5
    together = few_shot_probe(x, y, folds)
    for draw in range(len(x)):
        alone = few_shot_probe(x[draw : draw + 1], y[draw : draw + 1], folds)
        assert together.penalty[draw] == alone.penalty[0]
        assert np.allclose(together.weights[draw], alone.weights[0])
    assert together.accuracy(x_test, y_test).shape == (6,)
    assert np.allclose(together.accuracy(x_test, y_test), (together.scores(x_test).argmax(2) == y_test).mean(1))


def test_penalty_is_chosen_by_the_folds():
    """A loud column without meaning leads a large penalty astray: the chosen one is right most often, or nearly."""
    rng, penalties, folds = np.random.default_rng(1), np.array([1e-4, 1e-2, 10.0]), np.arange(40) // 2 % 4
    y = np.tile(np.arange(40) % 2, (8, 1))
    x = np.concatenate(
        [0.6 * (2 * y[:, :, None] - 1) + rng.normal(size=(8, 40, 5)), 10 * rng.normal(size=(8, 40, 1))], 2
    )
    hits = np.zeros((3, 8))
    for fold in range(4):
        rest, out = folds != fold, folds == fold
        for row, penalty in zip(hits, penalties, strict=True):
            rule = few_shot_probe(x[:, rest], y[:, rest], penalties=[penalty])
            row += (rule.scores(x[:, out]).argmax(2) == y[:, out]).sum(1)
    chosen = few_shot_probe(x, y, folds, penalties=penalties).penalty
    assert np.ptp(hits, axis=0).mean() > 2  # else the choice would not matter
    assert (hits[np.searchsorted(penalties, chosen), np.arange(8)] >= hits.max(0) - 1).all()
    same = few_shot_probe(x, y, folds, penalties=[1e-2, 1e-2 * (1 + 1e-9)]).penalty
    assert (same > 1e-2).all()  # of equals, the larger


def test_scale_and_directions_without_data_do_not_matter(world):
    x, _, y, _ = world
    folds = np.arange(30) // 3 % 5
    plain = few_shot_probe(x, y, folds)
    wide = few_shot_probe(np.concatenate([x, np.zeros((*x.shape[:2], 60))], 2), y, folds)
    assert np.allclose(wide.weights[:, :10], plain.weights[:, :10])
    assert np.allclose(wide.weights[:, 10:-1], 0)
    large = few_shot_probe(1e3 * x, y, folds)
    assert np.allclose(1e3 * large.weights[:, :-1], plain.weights[:, :-1])
    assert np.allclose(large.weights[:, -1], plain.weights[:, -1])


def test_few_shot_draws_are_balanced_nested_and_without_repeats():
    y = np.random.default_rng(0).integers(4, size=200)
    rows = few_shot(y, 20, np.random.default_rng(1))
    assert rows.shape == (4, 20)
    assert len(np.unique(rows)) == 80
    assert (y[rows] == np.arange(4)[:, None]).all()
    assert not np.array_equal(rows, few_shot(y, 20, np.random.default_rng(2)))


def test_linear_probe_reads_what_is_there_and_no_more():
    rng = np.random.default_rng(0)
    y, y_test = np.arange(600) % 4, np.arange(1000) % 4
    means = 3 * rng.normal(size=(4, 5))
    scale = np.array([1e-3, 1, 1, 1e3, 1])  # standardised away
    signal, held = ((means[labels] + rng.normal(size=(len(labels), 5))) * scale for labels in (y, y_test))
    probe = linear_probe(signal, y)
    assert probe.score(held, y_test) > 0.9
    assert abs(linear_probe(rng.normal(size=(600, 5)), y).score(rng.normal(size=(1000, 5)), y_test) - 0.25) < 0.06
    x = StandardScaler().fit_transform(signal)
    kept = probe[-1].alpha_
    target = np.where(np.eye(4)[y] > 0, 1.0, -1.0)
    by_hand = np.linalg.solve(x.T @ x + kept * np.eye(5), x.T @ (target - target.mean(0)))
    assert np.allclose(probe[-1].coef_, by_hand.T)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: few_shot(np.array([0, 0, 1]), 2, np.random.default_rng(0)), "class 1 has 1 rows, 2 are needed"),
        (lambda: few_shot_probe(np.zeros((5, 2)), np.zeros(5, int)), r"got \(5, 2\)"),
        (lambda: few_shot_probe(np.zeros((1, 5, 2)), np.zeros((1, 5), int)), "no folds"),
    ],
)
def test_bad_input_is_named(call, says):
    with pytest.raises(ValueError, match=says):
        call()
