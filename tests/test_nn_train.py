"""Networks and the training loop."""

import itertools
import math

import pytest
import torch
from torch import nn

from lvutils.ensemble import Stacked
from lvutils.nn import mlp, outlines
from lvutils.train import fit, progress


def squared_error(model, x, y):
    return (model(x) - y).square().mean()


@pytest.fixture
def regression():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(60, 3, generator=g, dtype=torch.float64)
    y = x @ torch.tensor([[1.0], [-2.0], [0.5]], dtype=torch.float64) + 3
    return x, y + 0.3 * torch.randn(60, 1, generator=g, dtype=torch.float64)


def linear(seed=0):
    torch.manual_seed(seed)
    return nn.Linear(3, 1, dtype=torch.float64)


def train(model, tensors, loss=squared_error, seed=0, **settings):
    settings = {"n_epochs": 3, "batch_size": 16, "lr": 0.01} | settings
    return fit(model, loss, tensors, generator=torch.Generator().manual_seed(seed), **settings)


# --- mlp ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("widths", [[5, 2], [5, 7, 2], [5, 7, 4, 2]])
def test_mlp_has_the_widths_that_are_named(widths):
    net = mlp(widths)
    layers = [m for m in net if isinstance(m, nn.Linear)]
    assert [m.in_features for m in layers] + [layers[-1].out_features] == widths
    assert sum(p.numel() for p in net.parameters()) == sum(a * b + b for a, b in itertools.pairwise(widths))
    assert net(torch.zeros(3, 5)).shape == (3, 2)


def test_mlp_has_its_activation_between_layers_and_none_at_the_end():
    assert [type(m) for m in mlp([2, 3, 4, 1], nn.Tanh)] == [nn.Linear, nn.Tanh, nn.Linear, nn.Tanh, nn.Linear]
    assert [type(m) for m in mlp([2, 3, 1])] == [nn.Linear, nn.ReLU, nn.Linear]


def test_mlp_of_two_widths_is_linear():
    net = mlp([4, 2])
    x, y = torch.randn(2, 6, 4)
    torch.testing.assert_close(net(x + y) - net(y), net(x) - net(torch.zeros(4)))


@pytest.mark.parametrize("widths", [[], [4]])
def test_mlp_needs_input_and_output(widths):
    with pytest.raises(ValueError, match="at least input and output, got"):
        mlp(widths)


# --- fit ----------------------------------------------------------------------------------------------------------


def test_stacked_maps_are_plain_linear_maps_that_share_nothing():
    stacked = Stacked(3, 5, 4, torch.Generator().manual_seed(0))
    x = torch.randn(3, 7, 5, generator=torch.Generator().manual_seed(1))
    for k in range(3):
        plain = nn.functional.linear(x[k], stacked.weight[k].T, stacked.bias[k, 0])
        assert torch.allclose(stacked(x)[k], plain, atol=1e-6)
    stacked(x)[1].sum().backward()
    assert [bool(g.abs().sum() > 0) for g in stacked.weight.grad] == [False, True, False]
    assert max(stacked.weight.abs().max(), stacked.bias.abs().max()) <= 5**-0.5


def test_fit_reaches_the_least_squares_solution(regression):
    x, y = regression
    model = linear()
    history = train(model, (x, y), n_epochs=500, batch_size=60, lr=0.05)
    design = torch.cat([x, torch.ones(60, 1, dtype=x.dtype)], 1)
    exact = torch.linalg.lstsq(design, y).solution
    torch.testing.assert_close(model.weight[0], exact[:3, 0], atol=1e-5, rtol=0)
    torch.testing.assert_close(model.bias, exact[3], atol=1e-5, rtol=0)
    assert history[-1] == pytest.approx((design @ exact - y).square().mean().item(), abs=1e-8)


@pytest.mark.parametrize("batch_size", [1, 7, 16, 60, 1000])
def test_history_is_the_mean_over_cases_whatever_the_batches(regression, batch_size):
    model = linear()
    history = train(model, regression, batch_size=batch_size, lr=0.0)
    assert history == pytest.approx([squared_error(model, *regression).item()] * 3)


def test_each_epoch_sees_every_case_once_in_another_order():
    seen = []

    def spy(model, rows, twice):
        assert torch.equal(2 * rows, twice)
        seen.append(rows.tolist())
        return squared_error(model, rows[:, None].double().expand(-1, 3), 0.0)

    rows = torch.arange(20)
    train(linear(), (rows, 2 * rows), spy, batch_size=8, n_epochs=2)
    assert [len(batch) for batch in seen] == [8, 8, 4] * 2
    first, second = list(itertools.chain(*seen[:3])), list(itertools.chain(*seen[3:]))
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second


def noisy(generator):
    def loss(model, x, y):
        return squared_error(model, x + 0.1 * torch.randn(x.shape, generator=generator, dtype=x.dtype), y)

    return loss


def test_the_same_seed_gives_the_same_history_and_weights(regression):
    runs = []
    for seed in (1, 1, 2):
        generator, model = torch.Generator().manual_seed(seed), linear()
        history = fit(
            model, noisy(generator), regression, n_epochs=4, batch_size=16, lr=0.01, generator=generator, clip_norm=1.0
        )
        runs.append((history, model.weight.tolist()))
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_training_draws_nothing_from_the_global_generator(regression):
    model = linear()
    before = torch.get_rng_state()
    train(model, regression)
    assert torch.equal(torch.get_rng_state(), before)


def test_clip_norm_bounds_the_gradient(regression):
    norms = []
    for clip_norm in (None, 0.5):
        model = linear()
        train(model, regression, n_epochs=1, batch_size=60, clip_norm=clip_norm)
        norms.append(torch.cat([p.grad.flatten() for p in model.parameters()]).norm().item())
    assert norms[0] > 1
    assert norms[1] == pytest.approx(0.5, rel=1e-4)


def test_clip_norm_leaves_a_small_gradient_alone(regression):
    weights = []
    for clip_norm in (None, 1e6):
        model = linear()
        train(model, regression, clip_norm=clip_norm)
        weights.append(model.weight.tolist())
    assert weights[0] == weights[1]


@pytest.mark.filterwarnings("error")
def test_a_loss_that_diverges_is_named_with_its_epoch(regression):
    with pytest.raises(FloatingPointError, match=r"^the encoder: the loss is (inf|nan) in epoch 2$"):
        train(linear(), regression, batch_size=60, lr=1e200, what="the encoder")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_training_stops_at_the_first_loss_that_is_not_finite(regression, bad):
    calls = []

    def loss(model, x, y):
        calls.append(len(x))
        return squared_error(model, x, y) * (bad if len(calls) == 3 else 1.0)

    with pytest.raises(FloatingPointError, match=r"in epoch 1$"):
        train(linear(), regression, loss, batch_size=6)
    assert len(calls) == 3


def test_no_epochs_change_nothing(regression):
    model = linear()
    before = model.weight.tolist()
    assert train(model, regression, n_epochs=0) == []
    assert model.weight.tolist() == before


# --- progress -----------------------------------------------------------------------------------------------------


def test_progress_hands_on_every_item_and_is_silent_on_short_work(capfd):
    assert list(progress(iter("abc"), "letters")) == ["a", "b", "c"]
    assert capfd.readouterr() == ("", "")


def test_progress_on_long_work_shows_what_it_is_and_leaves_nothing_behind(capfd, monkeypatch):
    monkeypatch.setattr("lvutils.train.PROGRESS_DELAY", 0)
    monkeypatch.delenv("LVUTILS_QUIET", raising=False)
    list(progress(range(3), "letters"))
    error = capfd.readouterr().err
    assert "letters" in error
    assert error.endswith("\r")


def test_progress_is_silent_where_outputs_are_stored(capfd, monkeypatch):
    monkeypatch.setattr("lvutils.train.PROGRESS_DELAY", 0)
    monkeypatch.setenv("LVUTILS_QUIET", "1")
    assert list(progress(range(3), "letters")) == [0, 1, 2]
    assert capfd.readouterr() == ("", "")


def test_the_outline_is_dark_beside_a_stroke_and_light_elsewhere():
    drawing = torch.zeros(1, 1, 5, 5)
    drawing[..., 2, 2] = 1
    expected = torch.ones(5, 5)
    expected[1:4, 1:4] = 0
    expected[2, 2] = 1
    assert torch.equal(outlines(drawing)[0, 0], expected)
