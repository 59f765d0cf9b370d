r"""A small decoder-only transformer with every head in view: hooks, activation capture, patching, logit lens.

Pre-layer-norm, learned positions, one matrix a head; where asked for, queries and keys are mixed over a few tokens.
The forward pass announces its activations at named *sites*; a hook at a site sees the tensor and may return another in
its place. Sites of layer ``l``, with shapes:

``embed``
    tokens plus positions, [batch, length, d_model];
``l.value``, ``l.pattern``, ``l.head``
    value vectors [batch, head, length, d_head], attention weights [batch, head, length, length] and each head's mix of
    values [batch, head, length, d_head];
``l.attention``, ``l.mlp``
    what the layer's two parts add to the residual stream, [batch, length, d_model];
``l.residual``
    the residual stream after the layer, [batch, length, d_model].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import nn

Hook = Callable[[torch.Tensor], "torch.Tensor | None"]


@dataclass(frozen=True)
class LMConfig:
    """Sizes of a language model. ``tied``: the unembedding is the embedding's transpose.

    ``mix``: over how many tokens, itself and those before, a head's queries and keys are mixed (1: not at all). By a
    learned causal convolution of each feature, as in Primer (So et al., 2021, multi-dconv-head attention), which mixes
    values too. Without it small models take very long to learn which statement a question is about.
    """

    n_vocab: int
    n_context: int
    n_layers: int = 3
    n_heads: int = 4
    d_model: int = 96
    tied: bool = False
    mix: int = 1

    def __post_init__(self):
        if self.mix < 1:
            raise ValueError(f"mix must be at least 1, not {self.mix}")
        if self.d_model % self.n_heads:
            raise ValueError(f"d_model {self.d_model} must be a multiple of n_heads {self.n_heads}")

    def as_dict(self) -> dict:
        """The sizes as plain data, for a model card."""
        return asdict(self)


class LanguageModel(nn.Module):
    """A decoder-only transformer (Vaswani et al., 2017), small enough to look at."""

    def __init__(self, config: LMConfig):
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.n_vocab, config.d_model)
        self.position = nn.Parameter(0.02 * torch.randn(config.n_context, config.d_model))
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.n_layers))
        self.final_norm = nn.LayerNorm(config.d_model)
        self.unembed = nn.Linear(config.d_model, config.n_vocab, bias=False)
        nn.init.normal_(self.embed.weight, std=0.02)
        nn.init.normal_(self.unembed.weight, std=0.02)
        if config.tied:
            self.unembed.weight = self.embed.weight

    def forward(self, tokens: torch.Tensor, hooks: Mapping[str, Hook] | None = None) -> torch.Tensor:
        """Logits of the next token, [batch, length, n_vocab]. tokens: [batch, length] of integers.

        Raises ValueError for a text longer than the context or a hook at an unknown site.
        """
        if tokens.shape[1] > self.config.n_context:
            raise ValueError(f"text of {tokens.shape[1]} tokens, context is {self.config.n_context}")
        if unknown := set(hooks or ()) - set(self.sites()):
            raise ValueError(f"unknown site {sorted(unknown)[0]!r}; known: {', '.join(self.sites())}")

        def at(site: str, x: torch.Tensor) -> torch.Tensor:
            if not hooks or site not in hooks:
                return x
            changed = hooks[site](x)
            return x if changed is None else changed

        x = at("embed", self.embed(tokens) + self.position[: tokens.shape[1]])
        for layer, block in enumerate(self.blocks):
            x = block(x, layer, at)
        return self.lens(x)

    def lens(self, residual: torch.Tensor) -> torch.Tensor:
        """The logits that a residual stream would give if the model stopped there (logit lens)."""
        return self.unembed(self.final_norm(residual))

    def sites(self) -> list[str]:
        """Names of all sites, in the order of the forward pass."""
        parts = ("value", "pattern", "head", "attention", "mlp", "residual")
        return ["embed", *(f"{layer}.{part}" for layer in range(self.config.n_layers) for part in parts)]

    def head_outputs(self, layer: int, head: torch.Tensor) -> torch.Tensor:
        """What each head of a layer writes to the residual stream, [batch, head, length, d_model].

        head: the activation at site ``layer.head``. The outputs and the layer's bias add up to ``layer.attention``.
        """
        return torch.einsum("bhld,hdm->bhlm", head, self.blocks[layer].w_o)


class _Block(nn.Module):
    def __init__(self, config: LMConfig):
        super().__init__()
        h, d, d_head = config.n_heads, config.d_model, config.d_model // config.n_heads
        self.norm_1, self.norm_2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.w_q, self.w_k, self.w_v = (nn.Parameter(torch.randn(h, d, d_head) / math.sqrt(d)) for _ in range(3))
        self.w_o = nn.Parameter(torch.randn(h, d_head, d) / math.sqrt(d * 2 * config.n_layers))
        self.b_o = nn.Parameter(torch.zeros(d))
        if config.mix > 1:
            self.mix_q, self.mix_k = (nn.Parameter(_first_mix(config.mix, h, d_head)) for _ in range(2))
        self.mlp = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))
        future = torch.ones(config.n_context, config.n_context, dtype=torch.bool).triu(1)
        self.register_buffer("future", future, persistent=False)

    def forward(self, x: torch.Tensor, layer: int, at: Callable[[str, torch.Tensor], torch.Tensor]) -> torch.Tensor:
        n = x.shape[1]
        normed = self.norm_1(x)
        q, k, v = (torch.einsum("blm,hmd->bhld", normed, w) for w in (self.w_q, self.w_k, self.w_v))
        if hasattr(self, "mix_q"):
            q, k = _mix(q, self.mix_q), _mix(k, self.mix_k)
        v = at(f"{layer}.value", v)
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        pattern = at(f"{layer}.pattern", scores.masked_fill(self.future[:n, :n], -torch.inf).softmax(-1))
        head = at(f"{layer}.head", pattern @ v)
        x = x + at(f"{layer}.attention", torch.einsum("bhld,hdm->blm", head, self.w_o) + self.b_o)
        x = x + at(f"{layer}.mlp", self.mlp(self.norm_2(x)))
        return at(f"{layer}.residual", x)


def _first_mix(width: int, n_heads: int, d_head: int) -> torch.Tensor:
    weight = 0.3 * torch.randn(width, n_heads, 1, d_head)
    weight[0] += 1.0  # mostly the token itself
    return weight


def _mix(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Causal depthwise convolution along the text. x: [batch, head, length, d]; weight: [lag, head, 1, d]."""
    length, out = x.shape[2], x * weight[0]
    for lag in range(1, min(len(weight), length)):
        out = out + weight[lag] * nn.functional.pad(x[:, :, : length - lag], (0, 0, lag, 0))
    return out


def capture(
    model: LanguageModel, tokens: torch.Tensor, sites: Sequence[str]
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Logits and the activations at the given sites, without gradients."""
    seen: dict[str, torch.Tensor] = {}

    def keep(site: str) -> Hook:
        def hook(x: torch.Tensor) -> None:
            seen[site] = x.detach().clone()

        return hook

    with torch.no_grad():
        logits = model(tokens, {site: keep(site) for site in sites})
    return logits, seen


def scale_head(head: int, factor: float) -> Hook:
    """A hook for ``l.value`` or ``l.head`` that multiplies one head's vectors by a factor."""

    def hook(x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        x[:, head] *= factor
        return x

    return hook


def replace_head(head: int, other: torch.Tensor) -> Hook:
    """A hook for ``l.head`` that puts another run's activation of one head in place (activation patching)."""

    def hook(x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        x[:, head] = other[:, head]
        return x

    return hook


def next_token_loss(model: LanguageModel, tokens: torch.Tensor, counts: torch.Tensor | None = None) -> torch.Tensor:
    """Mean cross-entropy of each token given those before it, in nats. tokens, counts: [batch, length].

    counts: which targets count (true) and which are padding (false); all where left out.
    """
    logits = model(tokens[:, :-1])
    losses = nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")
    if counts is None:
        return losses.mean()
    weight = counts[:, 1:].flatten().to(losses.dtype)
    return (losses * weight).sum() / weight.sum()
