"""Stored models: what is stored is what is loaded, and damage is noticed."""

import ast
import json

import pytest
import torch
from conftest import lvutils

from lvutils import shared, trained
from lvutils.data import DataError
from lvutils.nn import ConvClassifier, UNet
from lvutils.press import catalogue, training
from lvutils.press.identity import identity
from lvutils.press.notebook import code_cells, read_notebook

CONFIG = {"channels": 1, "widths": [8, 16], "n_blocks": 1, "n_labels": 3}


@pytest.fixture
def stored(tmp_path, monkeypatch):
    monkeypatch.setenv(trained.TRAIN, str(tmp_path))
    monkeypatch.setattr(trained, "MODELS", tmp_path)
    model = shared.half_precision(UNet(**CONFIG))
    shared.store_model("tiny", model, "unet", CONFIG, {"title": "A tiny one", "quality": {"loss": 1.0}})
    return model.eval()


def test_a_model_comes_back_as_it_was_stored(stored):
    loaded = shared.load_model("tiny")
    x, t, label = torch.randn(2, 1, 8, 8), torch.tensor([3, 9]), torch.tensor([0, 3])
    assert torch.equal(loaded(x, t, label), stored(x, t, label))
    assert not any(p.requires_grad for p in loaded.parameters())
    assert trained.names() == ["tiny"]
    assert trained.card("tiny")["n_parameters"] == sum(p.numel() for p in stored.parameters())


def test_damage_and_absence_are_named(stored, tmp_path):
    path = tmp_path / "tiny.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"model tiny: SHA-256 of tiny\.safetensors is [0-9a-f]{64}, expected"):
        shared.load_model("tiny")
    path.unlink()
    with pytest.raises(DataError, match=r"model tiny: tiny\.safetensors: No such file"):
        shared.load_model("tiny")
    with pytest.raises(DataError, match="unknown model 'tinny'; did you mean tiny"):
        shared.load_model("tinny")


def test_nothing_is_stored_outside_the_command_line(monkeypatch):
    monkeypatch.delenv(trained.TRAIN, raising=False)
    assert shared.store_model("tiny", UNet(**CONFIG), "unet", CONFIG, {}) is None


def test_a_model_too_large_or_of_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match=r"model big takes .* MB, at most 8"):
        shared.store_model("big", UNet(widths=(256, 512)), "unet", {}, {})
    with pytest.raises(ValueError, match="did you mean unet"):
        shared.store_model("x", UNet(), "u-net", {}, {})


def test_a_bundle_of_tensors_comes_back_and_is_no_model(tmp_path, monkeypatch):
    monkeypatch.setenv(trained.TRAIN, str(tmp_path))
    monkeypatch.setattr(trained, "MODELS", tmp_path)
    tensors = {"a.weight": torch.randn(3, 2).half().float().requires_grad_(), "b.weight": torch.ones(4)}
    trained.store_tensors("both", tensors, {"side": 3}, {"title": "Two of them"})
    found = trained.load_tensors("both")
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], value) and not found[name].requires_grad for name, value in tensors.items())
    assert (trained.card("both")["n_parameters"], trained.card("both")["config"]) == (10, {"side": 3})
    with pytest.raises(DataError, match="model both is a bundle of tensors; read it with load_tensors"):
        shared.load_model("both")


def definitions(path):
    """Functions and classes of a notebook, by name, without comments and layout."""
    trees = [ast.parse(cell["source"]) for _, cell in code_cells(read_notebook(path))]
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name: ast.unparse(node) for tree in trees for node in tree.body if isinstance(node, kinds)}


@pytest.mark.parametrize(
    "slug", sorted({p.slug for p in catalogue.written()} & {p.stem for p in training.FOLDER.glob("*.ipynb")})
)
def test_a_chapter_and_the_notebook_that_trains_its_models_define_the_same(slug):
    chapter, trainer = definitions(catalogue.find(slug).notebook), definitions(training.FOLDER / f"{slug}.ipynb")
    differing = [name for name in chapter.keys() & trainer.keys() if chapter[name] != trainer[name]]
    assert not differing, f"{slug}: {', '.join(differing)} differ between the chapter and the notebook of its models"


def test_the_u_net_keeps_shapes_and_hears_time_and_label():
    torch.manual_seed(0)
    net = UNet(widths=(8, 16, 16), n_blocks=2, n_labels=3)
    torch.nn.init.normal_(net.last[-1].weight, std=0.1)
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d) and not module.weight.any():
            torch.nn.init.normal_(module.weight, std=0.1)
    x = torch.randn(2, 1, 16, 16)
    one = torch.tensor([1, 1])
    base = net(x, one, one)
    assert base.shape == x.shape
    assert not torch.allclose(base, net(x, 50 * one, one))
    assert not torch.allclose(base, net(x, one, 2 * one))
    assert torch.allclose(net(x[:1], one[:1], one[:1]), base[:1], atol=1e-5)


def test_an_untrained_u_net_predicts_zero():
    assert UNet()(torch.randn(1, 1, 14, 14), torch.tensor([3]), torch.tensor([10])).abs().max() < 0.1


def test_the_classifier_separates_what_is_separable():
    torch.manual_seed(0)
    y = torch.arange(40) % 2
    x = torch.randn(40, 1, 8, 8) * 0.1 + y[:, None, None, None]
    net = ConvClassifier(8, width=4, n_features=8, n_labels=2)
    optimiser = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(30):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        optimiser.step()
    net.eval()
    assert (net(x).argmax(1) == y).all()
    assert net.features(x).shape == (40, 8)


@pytest.mark.parametrize("name", sorted(training.index()))
def test_each_stored_model_loads_and_is_in_step_with_its_notebook(name):
    card = trained.card(name)
    trained.load_tensors(name) if card["kind"] == "tensors" else shared.load_model(name)
    assert {"title", "data", "licence", "quality", "notebook", "code", "parameters"} <= set(card)
    notebook = read_notebook(training.FOLDER / f"{card['notebook']}.ipynb")
    assert card["code"] == identity(notebook, card["notebook"])["code"], (
        f"the training code changed; run: lvutils models {name}"
    )
    assert (trained.MODELS / f"{name}.safetensors").stat().st_size <= trained.MAX_BYTES


def test_every_file_of_the_store_is_in_the_index_or_a_chapter_s_own():
    own = {card["name"] for paper in catalogue.written() for card in training.cards(paper.slug)}
    assert set(trained.names()) == set(training.index()) | own
    assert {p.stem for p in trained.MODELS.glob("*.safetensors")} == set(training.index()) | own


@pytest.mark.parametrize("notebook", sorted({entry["notebook"] for entry in training.index().values()}))
def test_each_training_notebook_runs_in_its_quick_profile(notebook, tmp_path):
    """The code works from end to end, and stores a model that loads."""
    from lvutils.press.execute import execute, plan

    execute(
        plan(training.FOLDER / f"{notebook}.ipynb", {"profile": "quick"}),
        tmp_path / "out",
        train=True,
        scored=False,
        quiet=True,
    )
    weights = list((tmp_path / "out").glob("*.safetensors"))
    assert weights
    assert all(json.loads(p.with_suffix(".json").read_text())["name"] == p.stem for p in weights)


def test_the_list_of_models_is_shown_and_an_unknown_one_refused():
    shown = lvutils("list", "--models")
    assert shown.returncode == 0
    for name in training.index():
        assert name in shown.stdout
    done = lvutils("models", "nonesuch")
    assert (done.returncode, "unknown model or chapter 'nonesuch'" in done.stderr) == (2, True)


def test_a_training_notebook_is_no_chapter():
    done = lvutils("run", "notebooks/models/digits-judge.ipynb")
    assert (done.returncode, "digits-judge.ipynb trains a model" in done.stderr) == (2, True)


def test_models_are_trained_after_those_that_judge_them(monkeypatch, tmp_path):
    waves = []

    def recorded(jobs, *_, **__):
        waves.append(set(jobs))
        return []

    monkeypatch.setattr(training, "run_all", recorded)
    monkeypatch.setattr(training, "cards", lambda slug: [{}] if slug == "linkorgs" else [])
    training.train([], 1, print)
    assert waves.pop() == {"linkorgs"}, "chapters come last"
    assert [set(training.index()) - w for w in waves[:1]] == [{"digits-diffusion", "outlines-diffusion"}]
    assert waves[1] == {"digits-diffusion", "outlines-diffusion"}
    waves.clear()
    training.train(["digits-diffusion"], 1, print)
    assert waves == [{"digits-diffusion"}]


@pytest.mark.parametrize("path", sorted(training.FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_each_figure_of_a_training_notebook_has_caption_and_alternative_text(path):
    for _, cell in code_cells(read_notebook(path)):
        if any("image/png" in output.get("data", {}) for output in cell["outputs"]):
            said = cell["metadata"].get("mystnb", {})
            assert len(said.get("figure", {}).get("caption", "")) >= 40, cell["id"]
            assert len(said.get("image", {}).get("alt", "")) >= 40, cell["id"]
