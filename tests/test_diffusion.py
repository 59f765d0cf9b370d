"""Diffusion: closed forms for a Gaussian target, invariances, and the schedulers of diffusers as an oracle."""

import itertools

import pytest
import torch

from lvutils.diffusion import (
    Schedule,
    add_noise,
    cosine_schedule,
    ddim_step,
    guided,
    invert,
    linear_schedule,
    predict_x0,
    predictor,
    sample,
    velocity,
    velocity_loss,
)


def gaussian_score(schedule, mean, std):
    """The exact noise predictor of data from N(mean, std^2): minus the score times the noise level."""

    def eps(x, t):
        a = float(schedule.alpha_bar[t])
        return (1 - a) ** 0.5 * (x - a**0.5 * mean) / (a * std**2 + 1 - a)

    return eps


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("schedule", [linear_schedule(1000), cosine_schedule(1000), cosine_schedule(50)])
def test_a_schedule_falls_from_one_to_almost_nothing(schedule):
    assert schedule.alpha_bar[0] == 1
    assert (schedule.alpha_bar.diff() < 0).all()
    assert 0 < schedule.alpha_bar[-1] < 1e-3
    assert torch.allclose(schedule.signal(7) ** 2 + schedule.noise(7) ** 2, torch.tensor(1.0, dtype=torch.float64))


@pytest.mark.parametrize("bad", [[1.0], [0.9, 0.5], [1.0, 0.5, 0.5], [1.0, 0.5, 0.0]])
def test_a_bad_schedule_is_refused(bad):
    with pytest.raises(ValueError, match="fall strictly from 1"):
        Schedule(torch.tensor(bad))


def test_times_run_from_the_last_to_zero_without_repeats():
    for n_steps in (1, 7, 50, 100):
        times = linear_schedule(100).times(n_steps)
        assert (times[0], times[-1], len(set(times))) == (100, 0, n_steps + 1)
    with pytest.raises(ValueError, match="n_steps is 101, expected 1 to 100"):
        linear_schedule(100).times(101)


def test_noised_data_have_the_stated_moments():
    schedule = linear_schedule(100)
    x0 = torch.full((200_000, 1), 3.0, dtype=torch.float64)
    x = add_noise(schedule, x0, torch.full((200_000,), 40), randn(200_000, 1))
    assert x.mean() == pytest.approx(3 * float(schedule.signal(40)), abs=0.01)
    assert x.std() == pytest.approx(float(schedule.noise(40)), abs=0.01)


def test_velocity_gives_back_noise_and_data():
    schedule, t = linear_schedule(100), 30
    x0, noise = randn(5, 2, seed=1), randn(5, 2, seed=2)
    ts = torch.full((5,), t)
    x = add_noise(schedule, x0, ts, noise)
    eps = predictor(lambda x, t: velocity(schedule, x0, t, noise), schedule)(x, t)
    assert torch.allclose(eps, noise)
    assert torch.allclose(predict_x0(schedule, x, eps, t), x0)


def test_velocity_loss_is_zero_for_the_true_velocity_and_one_for_zero_on_white_data():
    schedule = linear_schedule(100)
    x0 = torch.zeros(64, 3)
    # for data at the origin x_t is noise times its level, and v = signal * x_t / noise level
    exact = lambda x, t: (schedule.signal(t) / schedule.noise(t)).float()[:, None] * x  # noqa: E731
    assert velocity_loss(exact, schedule, x0, generator=torch.Generator().manual_seed(0)) < 1e-10
    white = torch.randn(20_000, 3, generator=torch.Generator().manual_seed(1))
    loss = velocity_loss(lambda x, t: 0 * x, schedule, white, generator=torch.Generator().manual_seed(2))
    assert loss == pytest.approx(1.0, abs=0.03)


def test_velocity_loss_takes_the_times_it_is_given():
    schedule = linear_schedule(100)
    x0, t = torch.zeros(6, 3), torch.tensor([1, 5, 9, 50, 99, 100])
    seen = []
    velocity_loss(lambda x, t: seen.append(t) or x, schedule, x0, generator=torch.Generator().manual_seed(0), t=t)
    assert torch.equal(seen[0], t)


def test_ddim_maps_a_gaussian_onto_the_target_exactly_in_the_limit():
    """The probability flow of a Gaussian target is linear: x0 = mean + std * (x_T - signal * mean) / std_T."""
    schedule = linear_schedule(1000)
    mean, std = 2.0, 0.5
    x = randn(1000)
    a = float(schedule.alpha_bar[-1])
    exact = mean + std * (x - a**0.5 * mean) / (a * std**2 + 1 - a) ** 0.5
    errors = [
        (sample(gaussian_score(schedule, mean, std), schedule, x, n) - exact).abs().max().item() for n in (25, 100, 400)
    ]
    assert errors[2] < 0.02
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_every_sampler_gives_the_target_distribution(eta):
    schedule = linear_schedule(1000)
    eps = gaussian_score(schedule, 2.0, 0.5)
    x = sample(eps, schedule, randn(50_000), 250, eta=eta, generator=torch.Generator().manual_seed(3))
    assert x.mean() == pytest.approx(2.0, abs=0.02)
    assert x.std() == pytest.approx(0.5, abs=0.02)


def test_inversion_comes_back_closer_with_more_steps():
    schedule = linear_schedule(1000)
    eps = gaussian_score(schedule, 1.0, 0.7)
    x0 = 1 + 0.7 * randn(500, seed=4)
    errors = []
    for n_steps in (20, 80, 320):
        noise = invert(eps, schedule, x0, schedule.times(n_steps))
        errors.append((sample(eps, schedule, noise, n_steps) - x0).abs().max().item())
    assert errors[2] < 0.02
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


def test_inverting_one_step_with_the_same_noise_is_exact():
    schedule = linear_schedule(100)
    x, eps = randn(10, seed=5), randn(10, seed=6)
    down = ddim_step(schedule, x, eps, 60, 50)
    assert torch.allclose(ddim_step(schedule, down, eps, 50, 60), x)


def test_guidance_with_weight_zero_is_none_and_with_equal_models_does_nothing():
    schedule = linear_schedule(100)
    one, two = gaussian_score(schedule, 1.0, 1.0), gaussian_score(schedule, -1.0, 1.0)
    x = randn(10)
    assert torch.equal(guided(one, two, 0.0)(x, 30), one(x, 30))
    assert torch.allclose(guided(one, one, 3.0)(x, 30), one(x, 30))
    assert torch.allclose(guided(one, two, 1.0)(x, 30), 2 * one(x, 30) - two(x, 30))


def test_clipping_bounds_the_result_and_nothing_else():
    schedule = linear_schedule(100)
    x = 10 * randn(100)
    eps = torch.zeros_like(x)
    assert ddim_step(schedule, x, eps, 20, 0, clip=1.0).abs().max() <= 1
    inside = 0.1 * randn(100)
    assert torch.allclose(ddim_step(schedule, inside, eps, 20, 10, clip=5.0), ddim_step(schedule, inside, eps, 20, 10))


def oracle(kind):
    diffusers = pytest.importorskip("diffusers")
    options = {"num_train_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02, "clip_sample": False}
    if kind is not None:
        options |= {"variance_type": kind}
        return diffusers.DDPMScheduler(**options)
    return diffusers.DDIMScheduler(**options, set_alpha_to_one=True, timestep_spacing="leading")


def test_the_schedule_is_that_of_diffusers():
    theirs = oracle(None).alphas_cumprod.double()
    assert torch.allclose(linear_schedule(1000).alpha_bar[1:], theirs, rtol=1e-5)


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_a_ddim_step_is_that_of_diffusers(eta):
    """Their time k is our k + 1: they do not count the data as a time."""
    scheduler = oracle(None)
    scheduler.set_timesteps(50)
    schedule = linear_schedule(1000)
    x, eps, noise = (randn(4, 1, 8, 8, seed=s).float() for s in (7, 8, 9))
    for t, s in itertools.pairwise([961, 941, 421, 401]):
        if t - s != 20:
            continue
        theirs = scheduler.step(eps, t - 1, x, eta=eta, variance_noise=noise if eta else None).prev_sample
        assert torch.allclose(ddim_step(schedule, x, eps, t, s, eta, noise), theirs, atol=1e-5)


def test_the_ancestral_step_is_the_ddpm_posterior_of_diffusers():
    scheduler = oracle("fixed_small")
    schedule, t = linear_schedule(1000), 500
    x, eps = randn(4, 8, seed=10).float(), randn(4, 8, seed=11).float()
    theirs = scheduler.step(eps, t - 1, x, generator=torch.Generator().manual_seed(0)).prev_sample
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(ddim_step(schedule, x, eps, t, t - 1, 1.0, noise), theirs, atol=1e-5)
