r"""Diffusion models: schedule, losses, samplers, guidance, inversion.

Notation of Ho et al. (2020) and Song et al. (2021): $x_t=\sqrt{\bar\alpha_t}\,x_0+\sqrt{1-\bar\alpha_t}\,\epsilon$,
times $0\le t\le T$ with $\bar\alpha_0=1$ (the data). A *noise predictor* is any function ``eps(x, t)`` of a batch
``x`` [batch, ...] and an integer time ``t`` that returns the predicted $\epsilon$, of the shape of ``x``: a trained
network, a guided one, or the closed form of a known density.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

NoisePredictor = Callable[[torch.Tensor, int], torch.Tensor]


@dataclass(frozen=True)
class Schedule:
    r"""The noise schedule: ``alpha_bar`` [T + 1], float64, $\bar\alpha_t$ falling from 1 at $t=0$."""

    alpha_bar: torch.Tensor

    def __post_init__(self):
        a = self.alpha_bar
        if a.ndim != 1 or len(a) < 2 or a[0] != 1 or not bool((a[1:] < a[:-1]).all()) or a[-1] <= 0:
            raise ValueError("alpha_bar must fall strictly from 1 and stay above 0")

    @property
    def n_times(self) -> int:
        """T, the number of noise levels above zero."""
        return len(self.alpha_bar) - 1

    def times(self, n_steps: int) -> list[int]:
        """``n_steps`` + 1 times from T down to 0, evenly spaced. Raises ValueError for more steps than times."""
        if not 1 <= n_steps <= self.n_times:
            raise ValueError(f"n_steps is {n_steps}, expected 1 to {self.n_times}")
        return [round(self.n_times * (1 - k / n_steps)) for k in range(n_steps + 1)]

    def signal(self, t) -> torch.Tensor:
        r"""$\sqrt{\bar\alpha_t}$. t: an integer or a tensor of integers."""
        return self.alpha_bar[t].sqrt()

    def noise(self, t) -> torch.Tensor:
        r"""$\sqrt{1-\bar\alpha_t}$. t: an integer or a tensor of integers."""
        return (1 - self.alpha_bar[t]).sqrt()


def linear_schedule(n_times: int = 1000, beta_first: float = 1e-4, beta_last: float = 0.02) -> Schedule:
    """Linear betas (Ho et al., 2020, section 4)."""
    beta = torch.linspace(beta_first, beta_last, n_times, dtype=torch.float64)
    return Schedule(torch.cat([torch.ones(1, dtype=torch.float64), (1 - beta).cumprod(0)]))


def cosine_schedule(n_times: int = 1000, offset: float = 0.008, beta_max: float = 0.999) -> Schedule:
    """The cosine schedule (Nichol and Dhariwal, 2021, equation 17), its betas capped."""
    angle = (torch.arange(n_times + 1, dtype=torch.float64) / n_times + offset) / (1 + offset) * math.pi / 2
    level = angle.cos().square()
    beta = (1 - level[1:] / level[:-1]).clamp(max=beta_max)
    return Schedule(torch.cat([torch.ones(1, dtype=torch.float64), (1 - beta).cumprod(0)]))


def add_noise(schedule: Schedule, x0: torch.Tensor, t: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    r"""$x_t=\sqrt{\bar\alpha_t}x_0+\sqrt{1-\bar\alpha_t}\epsilon$. x0, noise: [batch, ...]; t: [batch], integers."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    return schedule.signal(t).to(x0.dtype).reshape(shape) * x0 + schedule.noise(t).to(x0.dtype).reshape(shape) * noise


def velocity(schedule: Schedule, x0: torch.Tensor, t: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    r"""$v=\sqrt{\bar\alpha_t}\,\epsilon-\sqrt{1-\bar\alpha_t}\,x_0$ (Salimans and Ho, 2022), of even size at all t."""
    shape = (-1,) + (1,) * (x0.ndim - 1)
    return schedule.signal(t).to(x0.dtype).reshape(shape) * noise - schedule.noise(t).to(x0.dtype).reshape(shape) * x0


def velocity_loss(
    network: Callable[..., torch.Tensor],
    schedule: Schedule,
    x0: torch.Tensor,
    *condition: torch.Tensor,
    generator: torch.Generator,
    t: torch.Tensor | None = None,
) -> torch.Tensor:
    """Mean squared error of a network that predicts the velocity.

    network: ``network(x, t, *condition)`` with x [batch, ...] and t [batch]; returns the shape of x. t: [batch],
    integers from 1 to T; drawn uniformly where not given.
    """
    if t is None:
        t = torch.randint(1, schedule.n_times + 1, (len(x0),), generator=generator)
    noise = torch.randn(x0.shape, generator=generator, dtype=x0.dtype)
    predicted = network(add_noise(schedule, x0, t, noise), t, *condition)
    return (predicted - velocity(schedule, x0, t, noise)).square().mean()


def predictor(network: Callable[..., torch.Tensor], schedule: Schedule, *condition: torch.Tensor) -> NoisePredictor:
    r"""A velocity network as a noise predictor: $\epsilon=\sqrt{1-\bar\alpha_t}\,x_t+\sqrt{\bar\alpha_t}\,v$."""

    def eps(x: torch.Tensor, t: int) -> torch.Tensor:
        v = network(x, torch.full((len(x),), t), *condition)
        return float(schedule.noise(t)) * x + float(schedule.signal(t)) * v

    return eps


def guided(conditional: NoisePredictor, unconditional: NoisePredictor, weight: float) -> NoisePredictor:
    r"""Classifier-free guidance (Ho and Salimans, 2022): $(1+w)\,\epsilon_c-w\,\epsilon_u$; weight 0 is no guidance."""
    if weight == 0:
        return conditional
    return lambda x, t: (1 + weight) * conditional(x, t) - weight * unconditional(x, t)


def predict_x0(schedule: Schedule, x: torch.Tensor, eps: torch.Tensor, t: int) -> torch.Tensor:
    r"""$\hat x_0=(x_t-\sqrt{1-\bar\alpha_t}\,\epsilon)/\sqrt{\bar\alpha_t}$."""
    return (x - float(schedule.noise(t)) * eps) / float(schedule.signal(t))


def ddim_step(
    schedule: Schedule,
    x: torch.Tensor,
    eps: torch.Tensor,
    t: int,
    s: int,
    eta: float = 0.0,
    noise: torch.Tensor | None = None,
    clip: float | None = None,
) -> torch.Tensor:
    r"""One step from time ``t`` to time ``s`` along the predicted noise (Song et al., 2021, equations 12 and 16).

    With s < t it denoises; with s > t and ``eta`` 0 it inverts. ``eta`` scales the fresh noise, 1 is the ancestral
    sampler. clip: bound on $|\hat x_0|$, after which the noise is recomputed; leave it out for inversion.
    """
    x0 = predict_x0(schedule, x, eps, t)
    if clip is not None:
        x0 = x0.clamp(-clip, clip)
        eps = (x - float(schedule.signal(t)) * x0) / float(schedule.noise(t))
    a_t, a_s = float(schedule.alpha_bar[t]), float(schedule.alpha_bar[s])
    sigma = eta * math.sqrt((1 - a_s) / (1 - a_t) * (1 - a_t / a_s)) if eta else 0.0
    mean = math.sqrt(a_s) * x0 + math.sqrt(1 - a_s - sigma**2) * eps
    return mean if not sigma else mean + sigma * noise


def sample(
    eps: NoisePredictor,
    schedule: Schedule,
    x: torch.Tensor,
    n_steps: int,
    *,
    eta: float = 0.0,
    generator: torch.Generator | None = None,
    clip: float | None = None,
) -> torch.Tensor:
    """Denoise x [batch, ...] from time T to 0 in ``n_steps``; ``eta`` 0 is DDIM, 1 the ancestral sampler (DDPM)."""
    times = schedule.times(n_steps)
    for t, s in itertools.pairwise(times):
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype) if eta and s else None
        x = ddim_step(schedule, x, eps(x, t), t, s, eta if s else 0.0, noise, clip)
    return x


def invert(eps: NoisePredictor, schedule: Schedule, x: torch.Tensor, times: Sequence[int]) -> torch.Tensor:
    """Run the deterministic sampler backwards, from data x at ``times[-1]`` (0) up to ``times[0]``.

    At each step the network is asked at the less noisy state and the noisier time, the usual first-order inversion.
    """
    upward = list(times)[::-1]
    for s, t in itertools.pairwise(upward):
        x = ddim_step(schedule, x, eps(x, t), s, t)
    return x
