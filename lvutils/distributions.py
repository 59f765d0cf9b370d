"""Building blocks of variational models."""

from __future__ import annotations

import math

import torch


def gaussian_kl(mean: torch.Tensor, log_var: torch.Tensor, prior_std: float = 1.0) -> torch.Tensor:
    r"""KL( N(mean, diag exp(log_var)) || N(0, prior_std^2 I) ) of each unit, in nats.

    $\tfrac12\big(\tfrac{\mu^2+\sigma^2}{\eta^2}-1-\log\tfrac{\sigma^2}{\eta^2}\big)$; Kingma & Welling (2014),
    appendix B, with a prior of standard deviation $\eta$.

    mean, log_var: [batch, latent]. Returns [batch, latent], each >= 0. Raises ValueError if the shapes differ.
    """
    if mean.shape != log_var.shape:
        raise ValueError(f"mean {tuple(mean.shape)} and log_var {tuple(log_var.shape)} must have the same shape")
    prior_var = prior_std**2
    return 0.5 * ((mean.square() + log_var.exp()) / prior_var - 1.0 - log_var + math.log(prior_var))


def reparameterise(mean: torch.Tensor, log_var: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A draw from N(mean, diag exp(log_var)) through which gradients flow. All tensors: [batch, latent]."""
    noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype)
    return mean + (0.5 * log_var).exp() * noise
