"""Building blocks of variational models, against torch.distributions and closed forms."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from lvutils.distributions import gaussian_kl, reparameterise


@pytest.fixture
def mean():
    return torch.randn(50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.fixture
def log_var():
    return 2 * torch.randn(50, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("prior_std", [1.0, 0.3, 2.5])
def test_gaussian_kl_is_that_of_torch_unit_by_unit(mean, log_var, prior_std):
    kl = gaussian_kl(mean, log_var, prior_std)
    expected = kl_divergence(Normal(mean, (0.5 * log_var).exp()), Normal(torch.zeros_like(mean), prior_std))
    assert kl.shape == mean.shape
    torch.testing.assert_close(kl, expected)


def test_gaussian_kl_by_hand():
    mean, log_var = torch.tensor([[0.0, 1.0, 0.0]]), torch.tensor([[0.0, 0.0, math.log(4.0)]])
    torch.testing.assert_close(gaussian_kl(mean, log_var), torch.tensor([[0.0, 0.5, 1.5 - math.log(2.0)]]))


@pytest.mark.parametrize("prior_std", [1.0, 0.3, 2.5])
def test_gaussian_kl_is_zero_at_the_prior_and_positive_elsewhere(mean, log_var, prior_std):
    at_prior = gaussian_kl(torch.zeros_like(mean), torch.full_like(mean, 2 * math.log(prior_std)), prior_std)
    torch.testing.assert_close(at_prior, torch.zeros_like(mean))
    assert (gaussian_kl(mean, log_var, prior_std) > 0).all()


def test_gaussian_kl_depends_only_on_ratios_to_the_prior(mean, log_var):
    scaled = gaussian_kl(3 * mean, log_var + 2 * math.log(3.0), prior_std=3.0)
    torch.testing.assert_close(scaled, gaussian_kl(mean, log_var))


def test_gaussian_kl_has_the_gradients_of_its_formula(mean, log_var):
    mean.requires_grad_()
    log_var.requires_grad_()
    gaussian_kl(mean, log_var, prior_std=2.0).sum().backward()
    torch.testing.assert_close(mean.grad, mean.detach() / 4)
    torch.testing.assert_close(log_var.grad, 0.5 * (log_var.detach().exp() / 4 - 1))


@pytest.mark.parametrize("shape", [(50, 3), (50, 1), (4,)])
def test_gaussian_kl_refuses_other_shapes_and_names_both(mean, shape):
    with pytest.raises(ValueError, match=r"^mean \(50, 4\) and log_var \(.*\) must have the same shape$"):
        gaussian_kl(mean, torch.zeros(shape))


def test_reparameterise_draws_from_the_gaussian():
    mean, log_var = torch.tensor([-1.0, 0.0, 3.0]), torch.tensor([-2.0, 0.0, 1.5])
    draws = reparameterise(mean.expand(40_000, 3), log_var.expand(40_000, 3), torch.Generator().manual_seed(0))
    torch.testing.assert_close(draws.mean(0), mean, atol=0.05, rtol=0)
    torch.testing.assert_close(draws.var(0), log_var.exp(), atol=0, rtol=0.04)
    assert (torch.corrcoef(draws.T) - torch.eye(3)).abs().max() < 0.025


def test_reparameterise_lets_gradients_through_to_mean_and_log_var(mean, log_var):
    mean.requires_grad_()
    log_var.requires_grad_()
    z = reparameterise(mean, log_var, torch.Generator().manual_seed(0))
    z.sum().backward()
    torch.testing.assert_close(mean.grad, torch.ones_like(mean))
    torch.testing.assert_close(log_var.grad, 0.5 * (z - mean).detach())


def test_reparameterise_repeats_with_its_generator(mean, log_var):
    one, same, other = (reparameterise(mean, log_var, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_reparameterise_draws_noise_in_the_precision_of_the_mean(mean):
    noise = reparameterise(torch.zeros_like(mean), torch.zeros_like(mean), torch.Generator().manual_seed(0))
    assert noise.dtype == torch.float64
    assert not torch.equal(noise, noise.float().double())


def test_reparameterise_without_variance_is_the_mean(mean):
    torch.testing.assert_close(reparameterise(mean, torch.full_like(mean, -80.0), torch.Generator()), mean)
