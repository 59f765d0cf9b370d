"""The transformer: attention against torch's own, hooks that change nothing or exactly what they say, the loss."""

import math

import pytest
import torch
from torch import nn

from lvutils.lm import LanguageModel, LMConfig, capture, next_token_loss, replace_head, scale_head

CONFIG = LMConfig(n_vocab=11, n_context=9, n_layers=3, n_heads=4, d_model=32)


def build(config=CONFIG, seed=0):
    torch.manual_seed(seed)
    model = LanguageModel(config).double()
    with torch.no_grad():  # away from the initial values, so that no bias or norm is trivial
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return model


@pytest.fixture
def model():
    return build()


@pytest.fixture
def tokens():
    return torch.randint(11, (5, 8), generator=torch.Generator().manual_seed(1))


def close(a, b):
    torch.testing.assert_close(a, b, atol=1e-10, rtol=1e-10)


# --- attention ----------------------------------------------------------------------------------------------------


def before(model, layer, seen):
    """The residual stream that enters a layer, after its first norm."""
    return model.blocks[layer].norm_1(seen["embed" if layer == 0 else f"{layer - 1}.residual"])


def sites_into(layer):
    return ["embed" if layer == 0 else f"{layer - 1}.residual", f"{layer}.head", f"{layer}.attention"]


@pytest.mark.parametrize("layer", range(3))
def test_heads_agree_with_scaled_dot_product_attention(model, tokens, layer):
    block, seen = model.blocks[layer], capture(model, tokens, sites_into(layer))[1]
    x = before(model, layer, seen)[:, None]
    q, k, v = (x @ w for w in (block.w_q, block.w_k, block.w_v))
    expected = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    close(seen[f"{layer}.head"], expected.detach())


@pytest.mark.parametrize("layer", range(3))
def test_attention_agrees_with_multihead_attention_of_the_same_weights(model, tokens, layer):
    block, seen = model.blocks[layer], capture(model, tokens, sites_into(layer))[1]
    reference = nn.MultiheadAttention(32, 4, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        columns = [w.permute(1, 0, 2).flatten(1).T for w in (block.w_q, block.w_k, block.w_v)]
        reference.in_proj_weight.copy_(torch.cat(columns))
        reference.in_proj_bias.zero_()
        reference.out_proj.weight.copy_(block.w_o.flatten(0, 1).T)
        reference.out_proj.bias.copy_(block.b_o)
        x = before(model, layer, seen)
        future = torch.ones(8, 8, dtype=torch.bool).triu(1)
        expected, _ = reference(x, x, x, attn_mask=future, need_weights=False)
    close(seen[f"{layer}.attention"], expected)


def test_mixed_queries_and_keys_are_a_causal_depthwise_convolution(tokens):
    model = build(LMConfig(n_vocab=11, n_context=9, n_layers=2, n_heads=4, d_model=32, mix=3))
    block, seen = model.blocks[0], capture(model, tokens, sites_into(0))[1]
    x = before(model, 0, seen)[:, None]

    def mixed(x, weight):  # by torch's own convolution, heads and features as channels
        channels = x.transpose(2, 3).flatten(1, 2)
        kernel = weight[:, :, 0].flatten(1).T.flip(-1)[:, None]
        out = nn.functional.conv1d(nn.functional.pad(channels, (2, 0)), kernel, groups=32)
        return out.unflatten(1, (4, 8)).transpose(2, 3)

    q, k = mixed(x @ block.w_q, block.mix_q), mixed(x @ block.w_k, block.mix_k)
    expected = nn.functional.scaled_dot_product_attention(q, k, x @ block.w_v, is_causal=True)
    close(seen["0.head"], expected.detach())
    close(model(tokens)[:, :5], model(tokens[:, :5]))
    close(model(tokens[:, :1]), model(tokens)[:, :1])


def test_a_mix_of_no_token_is_refused():
    with pytest.raises(ValueError, match="mix must be at least 1, not 0"):
        LMConfig(n_vocab=11, n_context=9, mix=0)


def test_patterns_are_causal_distributions(model, tokens):
    _, seen = capture(model, tokens, [f"{layer}.pattern" for layer in range(3)])
    for pattern in seen.values():
        close(pattern.sum(-1), torch.ones(5, 4, 8, dtype=torch.float64))
        assert (pattern.triu(1) == 0).all()
        assert (pattern.tril() > 0).sum() == 5 * 4 * 36


def test_a_later_token_does_not_change_earlier_logits(model, tokens):
    changed = tokens.clone()
    changed[:, 5] = (changed[:, 5] + 1) % 11
    a, b = model(tokens), model(changed)
    close(a[:, :5], b[:, :5])
    assert ((a[:, 5:] - b[:, 5:]).abs().amax(-1) > 1e-6).all()


def test_cutting_the_end_off_does_not_change_the_rest(model, tokens):
    close(model(tokens)[:, :3], model(tokens[:, :3]))


def test_order_of_the_words_matters(model, tokens):
    swapped = tokens.clone()
    swapped[:, :2] = torch.tensor([3, 7])
    other = swapped.clone()
    other[:, :2] = torch.tensor([7, 3])
    assert (model(swapped)[:, -1] - model(other)[:, -1]).abs().max() > 1e-6


# --- what is captured adds up -------------------------------------------------------------------------------------


def test_capture_gives_every_site_in_its_shape_and_the_same_logits(model, tokens):
    logits, seen = capture(model, tokens, model.sites())
    close(logits, model(tokens).detach())
    assert list(seen) == model.sites()
    shapes = {"value": (5, 4, 8, 8), "pattern": (5, 4, 8, 8), "head": (5, 4, 8, 8)}
    for site, x in seen.items():
        assert x.shape == shapes.get(site.split(".")[-1], (5, 8, 32)), site
        assert not x.requires_grad


@pytest.mark.parametrize("layer", range(3))
def test_heads_add_up_to_the_attention_output(model, tokens, layer):
    _, seen = capture(model, tokens, [f"{layer}.head", f"{layer}.attention"])
    written = model.head_outputs(layer, seen[f"{layer}.head"])
    assert written.shape == (5, 4, 8, 32)
    close(written.sum(1) + model.blocks[layer].b_o, seen[f"{layer}.attention"])


@pytest.mark.parametrize("layer", range(3))
def test_heads_are_patterns_times_values(model, tokens, layer):
    _, seen = capture(model, tokens, [f"{layer}.{part}" for part in ("value", "pattern", "head")])
    close(seen[f"{layer}.pattern"] @ seen[f"{layer}.value"], seen[f"{layer}.head"])


def test_the_residual_stream_adds_up(model, tokens):
    _, seen = capture(model, tokens, model.sites())
    total = seen["embed"]
    for layer in range(3):
        total = total + seen[f"{layer}.attention"] + seen[f"{layer}.mlp"]
        close(seen[f"{layer}.residual"], total)


def test_the_lens_at_the_last_layer_gives_the_logits(model, tokens):
    logits, seen = capture(model, tokens, ["0.residual", "2.residual"])
    close(model.lens(seen["2.residual"]), logits)
    assert (model.lens(seen["0.residual"]) - logits).abs().max() > 1e-3


def test_embedding_is_token_plus_position(model, tokens):
    _, seen = capture(model, tokens, ["embed"])
    close(seen["embed"][2, 3], (model.embed.weight[tokens[2, 3]] + model.position[3]).detach())


# --- hooks --------------------------------------------------------------------------------------------------------


def test_hooks_that_return_nothing_leave_the_logits_identical(model, tokens):
    visited = []
    hooks = {site: lambda x, site=site: visited.append(site) for site in model.sites()}
    assert torch.equal(model(tokens, hooks), model(tokens))
    assert visited == model.sites()


@pytest.mark.parametrize("site", ["embed", "1.attention", "0.mlp", "1.residual", "2.residual"])
def test_a_hook_replaces_what_the_model_goes_on_with(model, tokens, site):
    _, seen = capture(model, tokens, [site])
    assert torch.equal(model(tokens, {site: lambda x: seen[site]}), model(tokens))
    assert (model(tokens, {site: lambda x: x + 1e-2 * torch.arange(32)}) - model(tokens)).abs().max() > 1e-4


@pytest.mark.parametrize("site", ["1.value", "1.head"])
def test_a_head_scaled_by_one_is_the_head(model, tokens, site):
    assert torch.equal(model(tokens, {site: scale_head(2, 1.0)}), model(tokens))


@pytest.mark.parametrize("factor", [0.0, -1.0, 3.0])
def test_scaling_values_or_their_mix_is_the_same_and_touches_one_head(model, tokens, factor):
    by_value = {"1.value": scale_head(2, factor)}
    by_head = {"1.head": scale_head(2, factor)}
    close(model(tokens, by_value), model(tokens, by_head))
    _, seen = capture(model, tokens, ["1.head", "1.attention"])
    scaled = []
    model(tokens, by_value | {"1.head": lambda x: scaled.append(x.clone())})
    for head in range(4):
        close(scaled[0][:, head], seen["1.head"][:, head] * (factor if head == 2 else 1.0))


def test_scaling_a_head_changes_what_the_layer_writes_by_its_output(model, tokens):
    _, seen = capture(model, tokens, ["1.head", "1.attention"])
    written = model.head_outputs(1, seen["1.head"])[:, 3]
    after = []
    model(tokens, {"1.head": scale_head(3, 0.5), "1.attention": lambda x: after.append(x)})
    close(after[0].detach(), seen["1.attention"] - 0.5 * written)


def test_scale_and_replace_leave_the_tensor_they_get_alone():
    x = torch.ones(2, 4, 3, 5)
    assert (scale_head(1, 7.0)(x) != x).sum() == 30
    assert (replace_head(1, torch.zeros_like(x))(x) != x).sum() == 30
    assert (x == 1).all()


def test_replacing_a_head_by_itself_is_the_identity(model, tokens):
    _, seen = capture(model, tokens, ["1.head"])
    assert torch.equal(model(tokens, {"1.head": replace_head(0, seen["1.head"])}), model(tokens))


def test_replacing_all_heads_of_the_first_layer_by_another_text_moves_its_attention(model, tokens):
    other = tokens.flip(0)
    _, seen = capture(model, other, ["0.head", "0.attention"])
    patched = []
    model(tokens, {"0.head": lambda x: seen["0.head"], "0.attention": lambda x: patched.append(x.detach())})
    close(patched[0], seen["0.attention"])


def test_replacing_one_head_replaces_that_head_only(model, tokens):
    _, own = capture(model, tokens, ["1.head"])
    _, other = capture(model, tokens.flip(0), ["1.head"])
    mixed = replace_head(2, other["1.head"])(own["1.head"])
    assert torch.equal(mixed[:, 2], other["1.head"][:, 2])
    assert torch.equal(mixed[:, [0, 1, 3]], own["1.head"][:, [0, 1, 3]])


# --- gradients, sizes, errors -------------------------------------------------------------------------------------


def test_gradients_reach_every_weight_and_agree_with_finite_differences(model, tokens):
    loss = next_token_loss(model, tokens)
    loss.backward()
    for name, p in model.named_parameters():
        assert p.grad.abs().max() > 0, name
    weight = model.blocks[1].w_q
    with torch.no_grad():
        step, at = 1e-6, (2, 5, 3)
        weight[at] += step
        up = next_token_loss(model, tokens)
        weight[at] -= 2 * step
        down = next_token_loss(model, tokens)
    assert weight.grad[at].item() == pytest.approx(((up - down) / (2 * step)).item(), rel=1e-4)


def test_gradients_flow_through_hooks(model, tokens):
    factor = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    model(tokens, {"1.value": scale_head(0, factor)})[:, -1].square().sum().backward()
    assert abs(factor.grad.item()) > 1e-8


def test_tied_models_share_one_matrix():
    config = LMConfig(n_vocab=11, n_context=9, n_layers=1, n_heads=2, d_model=8, tied=True)
    tied, free = LanguageModel(config), LanguageModel(LMConfig(**config.as_dict() | {"tied": False}))
    assert tied.unembed.weight is tied.embed.weight
    count = [sum(p.numel() for p in m.parameters()) for m in (tied, free)]
    assert count[1] - count[0] == 11 * 8


def test_the_config_rebuilds_the_model(model, tokens):
    again = LanguageModel(LMConfig(**model.config.as_dict())).double()
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(tokens), model(tokens))


def test_a_new_model_knows_nothing(tokens):
    torch.manual_seed(0)
    assert next_token_loss(LanguageModel(CONFIG), tokens).item() == pytest.approx(math.log(11), abs=0.1)


def test_errors_name_what_is_wrong(model):
    with pytest.raises(ValueError, match="text of 10 tokens, context is 9"):
        model(torch.zeros(1, 10, dtype=torch.long))
    with pytest.raises(ValueError, match=r"unknown site '3\.head'; known: embed, 0\.value"):
        model(torch.zeros(1, 2, dtype=torch.long), {"3.head": lambda x: x})
    with pytest.raises(ValueError, match="d_model 32 must be a multiple of n_heads 5"):
        LMConfig(n_vocab=3, n_context=3, n_heads=5, d_model=32)


# --- the loss -----------------------------------------------------------------------------------------------------


class Fixed(nn.Module):
    """Gives token 0 probability 1/2 and tokens 1 and 2 a quarter each, whatever came before."""

    def forward(self, tokens):
        return torch.tensor([0.5, 0.25, 0.25]).log().expand(*tokens.shape, 3)


def test_next_token_loss_against_a_number_made_by_hand():
    tokens = torch.tensor([[2, 0, 1], [1, 0, 0]])  # targets: 0, 1 and 0, 0
    assert next_token_loss(Fixed(), tokens).item() == pytest.approx(math.log(2) * 5 / 4)


def test_next_token_loss_leaves_padding_out():
    tokens = torch.tensor([[2, 0, 1], [1, 0, 0]])
    counts = torch.tensor([[True, True, True], [True, True, False]])
    assert next_token_loss(Fixed(), tokens, counts).item() == pytest.approx(math.log(2) * 4 / 3)
    assert next_token_loss(Fixed(), tokens, torch.ones_like(counts)).item() == pytest.approx(math.log(2) * 5 / 4)


def test_next_token_loss_predicts_the_next_token_not_the_same(model, tokens):
    log_probs = model(tokens).log_softmax(-1)
    by_hand = torch.stack([-log_probs[b, t, tokens[b, t + 1]] for b in range(5) for t in range(7)]).mean()
    close(next_token_loss(model, tokens), by_hand)
