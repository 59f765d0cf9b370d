"""The store of a chapter's own models: the key is all that the weights depend on."""

import json
import linecache
from collections import namedtuple

import numpy as np
import pytest
import torch

from lvutils import trained
from lvutils.chapter import Run

SCALE = 2.0


def helper(x):
    return x * SCALE


def unreached(x):
    return x


def make(streams, data, *, n_steps, rate):
    """Trains."""
    weights = torch.zeros(3) + float(data.sum()) * rate * n_steps + helper(float(streams.rng("w").normal()))
    return {"w": weights}, {"curve": [1.0, 0.5], "quality": {"loss": 0.5}}


SETTINGS = {"n_steps": 100, "rate": 0.5}
DATA = np.arange(4.0)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(trained, "MODELS", tmp_path)
    monkeypatch.delenv(trained.TRAIN, raising=False)
    return tmp_path


def run_of(profile="book", seed=0):
    return Run("toy", {"profile": profile, "seed": seed})


def keep(run=None, settings=SETTINGS, data=DATA, function=make):
    return (run or run_of()).trained("net", function, settings=settings, brief={"n_steps": 1}, data=(data,))


def stored(monkeypatch, store):
    with monkeypatch.context() as patch:
        patch.setenv(trained.TRAIN, str(store))
        return keep()


def test_what_is_stored_is_what_comes_back(store, monkeypatch):
    made = stored(monkeypatch, store)
    kept = keep()
    assert (made.stored, kept.stored, kept.brief) == (False, True, False)
    assert torch.equal(kept.tensors["w"], made.tensors["w"])
    assert kept.about["curve"] == [1.0, 0.5]
    card = json.loads((store / "toy-net.json").read_text())
    assert (card["chapter"], card["settings"], card["quality"]) == ("toy", SETTINGS, {"loss": 0.5})
    assert torch.equal(keep(run_of(seed=7)).tensors["w"], kept.tensors["w"]), "stored models know no seed"


@pytest.mark.parametrize("profile", ["quick", "book"])
def test_changed_settings_are_never_answered_with_old_weights(store, monkeypatch, profile):
    stored(monkeypatch, store)
    run = run_of(profile)
    kept = keep(run, settings={**SETTINGS, "rate": 0.25})
    assert (kept.stored, kept.brief) == (False, profile == "quick")
    expected, _ = make(trained.Streams(trained.SEED), DATA, n_steps=1 if kept.brief else 100, rate=0.25)
    assert torch.allclose(kept.tensors["w"], expected["w"], rtol=1e-3)
    assert run.untested == ("net was trained briefly" if kept.brief else "")


def test_other_data_and_other_code_train_anew(store, monkeypatch):
    stored(monkeypatch, store)
    assert not keep(data=DATA + 1).stored

    def other(streams, data, *, n_steps, rate):
        return {"w": torch.ones(3)}

    assert not keep(function=other).stored
    monkeypatch.setattr("test_trained.SCALE", 3.0)
    assert not keep().stored, "a constant that a reached function reads"


def test_the_key_is_that_of_reached_code_alone():
    code = list(trained.reached_code(make))
    assert len(code) == 3
    assert "def helper" in code[1] or "FunctionDef" in code[1]
    assert not any("unreached" in part for part in code)


RUN = run_of()


def test_what_cannot_be_told_must_be_given():
    def reads_the_run(streams):
        return {"w": torch.ones(1) * RUN.seed}

    with pytest.raises(ValueError, match="reads_the_run reaches RUN, a Run: give it as data or settings"):
        run_of().trained("net", reads_the_run, settings={})


def test_a_changed_setting_is_announced_with_its_time(store, monkeypatch, mini):
    from lvutils.press import execute, training

    card = {"name": "mini-net", "chapter": "mini", "settings": {"n_draws": 50, "shift": 1.0}, "cpu_seconds": 600}
    (store / "mini-net.json").write_text(json.dumps(card))
    monkeypatch.setattr(training, "MODELS", store)
    assert training.retraining("mini", execute.plan(mini, {"pause": 1.0})) == []
    assert training.retraining("mini", execute.plan(mini, {"n_draws": 50})) == []
    said = training.retraining("mini", execute.plan(mini, {"n_draws": 60}))
    assert said == ["n_draws changed: net is trained anew (about 10 min of one core, as long as for the stored one)"]
    said = training.retraining("mini", execute.plan(mini, {"shift": 2.0, "profile": "quick"}))
    assert said == ["shift changed: net is trained anew (briefly, under quick: its claims are untested)"]


def test_the_methods_of_a_notebook_s_class_are_part_of_the_key():
    """As IPython does: the class belongs to no file, its methods are known to the cache of lines."""
    keys = []
    for factor in (2, 3):
        text = f"class Net:\n    def __init__(self):\n        self.w = {factor}\n\n\n"
        text += "def made(streams):\n    return Pair(Net().w, 0)\n"
        file = f"<a cell {factor}>"
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        namespace = {"__name__": "__main__", "Pair": namedtuple("Pair", "a b", module="__main__")}
        exec(compile(text, file, "exec"), namespace)
        keys.append(trained.key_of(namespace["made"], {}, ()))
    assert keys[0] != keys[1]


def test_a_function_without_text_is_refused():
    namespace = {}
    exec("def made(streams):\n    return 1\n", namespace)
    with pytest.raises(OSError, match="source"):
        trained.key_of(namespace["made"], {}, ())
