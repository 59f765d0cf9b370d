"""The frame of a chapter: begin, sizes, random numbers, recorded values, the check against stored results."""

import itertools
import json
import linecache
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from ipykernel.compiler import XCachingCompiler
from threadpoolctl import threadpool_info, threadpool_limits

import lvutils
from lvutils import begin
from lvutils.chapter import Run
from lvutils.claims import Claim, above, scorecard
from lvutils.data import Dataset
from lvutils.files import write_json
from lvutils.parameters import ParameterError
from lvutils.record import RecordError, Results
from lvutils.stats import Interval

CELL = """\
profile: str = "quick"  # size of the run; one of quick, book, paper
seed: int = 5  # root seed; 0 to 1000000
beta: float = 4.0  # weight of the KL term; 0.5 to 16
"""
DATA = Dataset("blobs", np.arange(6.0).reshape(3, 2), np.array([0, 1, 1]), "ab" * 32, (2,))


@pytest.fixture(autouse=True)
def no_press_around(monkeypatch):
    for name in ("LVUTILS_CHECK", "LVUTILS_RESULTS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def start(monkeypatch):
    """Call ``begin`` in a notebook whose cells ran, with the kernel's own ways of keeping their text.

    history: whether the kernel keeps ``In``, as it does in JupyterLab and not under nbval.
    """
    monkeypatch.setattr(linecache, "cache", {})

    def call(*cells, without=(), history=True, **values):
        namespace = {"In": ["", *cells] if history else [""]}
        for cell in cells:
            XCachingCompiler().cache(cell)
            exec(cell, namespace)
        namespace |= values
        return begin("toy", {name: value for name, value in namespace.items() if name not in without})

    return call


def run_of(**params):
    return Run("toy", {"profile": "quick", "seed": 0, **params})


def claims(gain=2.0):
    measured = [Interval(gain, gain - 1, gain + 1, 5), Interval.exact(3), {"a": Interval.exact(1.5)}]
    verdicts = [above(measured[0], 0), above(measured[1], 2), above(measured[2]["a"], 1)]
    return [
        Claim(f"C{k}", "x rises", "it rises", "Fig. 1", "interval above 0", m, v, why="noise")
        for k, (m, v) in enumerate(zip(measured, verdicts, strict=True), 1)
    ]


def play(run, gain=2.0, names=("gain", "count"), data=DATA):
    """A whole chapter in four lines."""
    run.fingerprint(data)
    for name, value in zip(names, (gain, 3.0), strict=False):
        run.record(name, value, unit="nats", exact=name == "count")
    return scorecard(run, claims(gain))


# --- begin --------------------------------------------------------------------------------------------------------


def test_the_package_gives_begin_and_run_and_nothing_unknown():
    assert lvutils.Run is Run
    with pytest.raises(AttributeError, match="has no attribute 'start'"):
        _ = lvutils.start


def test_begin_reads_declarations_and_values_from_the_notebook(start):
    run = start(CELL, beta=2, unrelated=9)
    assert (run.slug, run.profile, run.seed) == ("toy", "quick", 5)
    assert run.params == {"profile": "quick", "seed": 5, "beta": 2.0}
    assert type(run.params["beta"]) is float


def test_begin_takes_values_from_the_cell_that_papermill_put_after_the_declared_one(start):
    assert start(CELL, "# Parameters\nbeta = 2.0\nseed = 3\n").params == {"profile": "quick", "seed": 3, "beta": 2.0}


WIDER = CELL.replace("0.5 to 16", "0.5 to 100")


@pytest.mark.parametrize(
    ("cells", "high"), [((CELL, WIDER), 100), ((WIDER, CELL), 16), ((CELL, WIDER, CELL), 16), ((CELL, CELL), 16)]
)
def test_begin_takes_the_parameters_cell_that_was_run_last(start, cells, high):
    assert start(*cells, beta=float(high)).params["beta"] == high
    with pytest.raises(ParameterError, match=f"expected a float from 0.5 to {high}$"):
        start(*cells, beta=high + 1.0)


def test_begin_works_where_the_kernel_keeps_no_history(start):
    assert start("import numpy", CELL, "beta = 3.0", history=False).params["beta"] == 3.0


def test_begin_uses_the_default_where_a_name_was_deleted(start):
    assert start(CELL, without=["beta"]).params["beta"] == 4.0


def test_begin_asks_for_the_parameters_cell_where_it_was_not_run(start):
    with pytest.raises(ParameterError, match=r"^run the parameters cell .* before begin\(\.\.\.\)$"):
        start("import numpy", "x = 'profile: str'")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"beta": 40.0}, "parameter beta is 40.0, expected a float from 0.5 to 16"),
        ({"seed": "1"}, "parameter seed is '1', expected an int from 0 to 1000000"),
        ({"profile": "long"}, "parameter profile is 'long', expected one of quick, book, paper"),
    ],
)
def test_begin_refuses_what_a_reader_typed_out_of_range(start, values, message):
    with pytest.raises(ParameterError, match=f"^{message}$"):
        start(CELL, **values)


def test_a_run_fixes_threads_determinism_and_global_seeds():
    def draws():
        run_of(seed=5)
        return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002 - the global state is tested

    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(False)
    assert draws() == draws()
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()


# --- sizes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("profile", "n"), [("quick", 2), ("book", 5), ("paper", 20)])
def test_choose_gives_the_sizes_of_the_profile(profile, n):
    sizes = run_of(profile=profile).choose(quick={"n": 2, "d": 1}, book={"n": 5, "d": 1}, paper={"n": 20, "d": 3})
    assert (sizes.n, sizes.d) == (n, 3 if profile == "paper" else 1)


@pytest.mark.parametrize(("profile", "n"), [("quick", 2), ("book", 5), ("paper", 20)])
def test_choose_takes_a_triple_a_size_and_one_for_all(profile, n):
    sizes = run_of(profile=profile).choose(n=(2, 5, 20), lr=0.1, betas=([1], [1, 2], [1, 2]))
    assert (sizes.n, sizes.lr, sizes.betas) == (n, 0.1, [1] if profile == "quick" else [1, 2])
    with pytest.raises(ValueError, match="n needs one size each for quick, book, paper, or one for all"):
        run_of().choose(n=(2, 5))


def test_sizes_belong_to_the_profile_and_cannot_be_changed():
    sizes = run_of(profile="book").choose(n=(2, 5, 20))
    with pytest.raises(AttributeError, match="size n cannot be changed"):
        sizes.n = 2
    with pytest.raises(AttributeError, match="no size 'm'; there are n"):
        _ = sizes.m
    assert not hasattr(sizes, "__dict__"), "nothing of another profile can be slipped in"


def test_a_reader_s_data_turn_the_built_in_ones_into_a_demonstration():
    run = run_of(profile="book")
    sizes = run.choose(n=(2, 5, 20), n_resamples=(10, 1000, 1000), own_data=True, keep=["n_resamples"])
    assert (sizes.n, sizes.n_resamples) == (2, 1000)
    assert "your own data" in run.untested


@pytest.mark.parametrize(
    ("profiles", "message"),
    [
        ({}, "takes quick, book, paper; got nothing"),
        ({"quick": {"n": 1}, "book": {"n": 1}}, "takes quick, book, paper; got quick, book"),
        ({"quick": {}, "book": {}, "paper": {}, "huge": {}}, "got quick, book, paper, huge"),
        ({"quick": {"n": 1}, "book": {"n": 1}, "paper": {"n": 1, "m": 2}}, "same names; m is not in all"),
        ({"quick": {"a": 1}, "book": {"b": 1}, "paper": {"c": 1}}, "same names; a, b, c is not in all"),
    ],
)
def test_choose_wants_the_same_names_in_all_three_profiles(profiles, message):
    with pytest.raises(ValueError, match=message):
        run_of().choose(**profiles)


# --- random numbers -----------------------------------------------------------------------------------------------

KEYS = [(), ("a",), ("b",), ("ab",), ("a", "b"), ("b", "a"), ("a", 1), ("a", 2), (1, "a"), (1,), (2,), (1, 2), (2, 1)]


def normals(run, key):
    return run.rng(*key).normal(size=4000)


def torch_normals(run, key):
    return torch.randn(4000, generator=run.torch_rng(*key)).numpy()


@pytest.mark.parametrize("draw", [normals, torch_normals])
def test_the_same_key_gives_the_same_stream_in_every_run(draw):
    for key in KEYS:
        np.testing.assert_array_equal(draw(run_of(), key), draw(run_of(profile="book", beta=1.0), key))


@pytest.mark.parametrize("draw", [normals, torch_normals])
def test_streams_of_different_keys_and_seeds_are_uncorrelated(draw):
    streams = np.stack([draw(run_of(seed=seed), key) for seed in (0, 1, 1000) for key in KEYS])
    correlations = np.corrcoef(streams)[np.triu_indices(len(streams), 1)]
    assert np.abs(correlations).max() < 5 / np.sqrt(streams.shape[1])


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations([("a",), ("a", 0), ("a", 0, 0), ("a", 1)], 2)))
def test_a_zero_at_the_end_of_a_key_makes_another_stream(one, other):
    assert run_of().rng(*one).random() != run_of().rng(*other).random()
    assert run_of().torch_rng(*one).initial_seed() != run_of().torch_rng(*other).initial_seed()


def test_drawing_from_one_stream_moves_no_other():
    run = run_of()
    before = run.rng("data").random(3)
    run.rng("noise").random(100)
    np.random.rand(7)  # noqa: NPY002 - the global state must not matter
    np.testing.assert_array_equal(run.rng("data").random(3), before)


def test_seed_torch_fixes_the_first_weights_by_key_and_seed():
    def weights(seed, *key):
        run_of(seed=seed).seed_torch(*key)
        return torch.nn.Linear(3, 2).weight

    assert torch.equal(weights(0, "init", 1), weights(0, "init", 1))
    assert not torch.equal(weights(0, "init", 1), weights(0, "init", 2))
    assert not torch.equal(weights(0, "init", 1), weights(1, "init", 1))


# --- values ------------------------------------------------------------------------------------------------------


def test_record_gives_the_value_back_as_a_float():
    value = run_of().record("kl", torch.tensor(0.5))
    assert value == 0.5
    assert type(value) is float


def test_a_value_is_recorded_once():
    run = run_of()
    run.record("kl", 1.0)
    with pytest.raises(ValueError, match=r"^value 'kl' is recorded twice$"):
        run.record("kl", 1.0)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -np.inf, torch.tensor(float("nan"))])
def test_a_value_is_a_finite_number(value):
    with pytest.raises(ValueError, match=r"^value 'kl' is -?(nan|inf), expected a finite number$"):
        run_of().record("kl", value)


def test_the_fingerprint_is_one_stable_line(capsys):
    run_of().fingerprint(DATA)
    assert capsys.readouterr().out == "blobs: 3 x 2, sha256 abababababab\n"


# --- what a run leaves behind -------------------------------------------------------------------------------------


def test_results_are_written_whole_where_the_press_asks(monkeypatch, tmp_path):
    target = tmp_path / "results.json"
    target.write_text("of an earlier run")
    monkeypatch.setenv("LVUTILS_RESULTS", str(target))
    card = play(run_of(beta=2.0))
    results = Results.read(target)
    assert (results.slug, results.parameters) == ("toy", {"profile": "quick", "seed": 0, "beta": 2.0})
    assert results.data == {"blobs": DATA.sha256}
    assert (results.values["gain"].value, results.values["gain"].unit) == (2.0, "nats")
    assert results.values["count"].exact
    assert results.claims == card.records
    assert list(tmp_path.iterdir()) == [target]


def test_nothing_is_written_where_the_press_does_not_ask(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    play(run_of())
    assert list(tmp_path.iterdir()) == []


def test_counts_from_numpy_can_be_written(monkeypatch, tmp_path):
    monkeypatch.setenv("LVUTILS_RESULTS", str(tmp_path / "results.json"))
    counted = Interval.exact(np.float64(0.5), n=np.ones(4, bool).sum(), why="all cases")
    scorecard(run_of(), [Claim(f"C{k}", "c", "p", "s", "r", counted, lambda m: above(m, 0)) for k in (1, 2, 3)])
    effect = Results.read(tmp_path / "results.json").claims[0].measured[""]
    assert (effect.mean, effect.n, effect.exact) == (0.5, 4, "all cases")


def refuse(*_):
    raise OSError("disk full")


@pytest.mark.parametrize(("patched", "content"), [(None, object()), ("replace", 1), ("open", 1)])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(monkeypatch, tmp_path, patched, content):
    target = tmp_path / "results.json"
    target.write_text("old")
    with monkeypatch.context() as patch:
        if patched:
            patch.setattr(Path, patched, lambda *a, **k: refuse())
        with pytest.raises((OSError, TypeError)):
            write_json(target, content)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


# --- the check against stored results -----------------------------------------------------------------------------


@pytest.fixture
def stored(monkeypatch, tmp_path):
    """The results of a run, with tolerances as ``refresh`` stores them; a call edits them and turns the check on."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LVUTILS_RESULTS", "toy.results.json")
    play(run_of())
    monkeypatch.delenv("LVUTILS_RESULTS")
    results = json.loads(Path("toy.results.json").read_text())
    for value in results["values"].values():
        value["tolerance"] = 0.25
    results["values"]["count"]["tolerance"] = 3e-6

    def change(edit=lambda results: None):
        edit(results)
        write_json(Path("toy.results.json"), results)
        monkeypatch.setenv("LVUTILS_CHECK", "1")

    return change


@pytest.mark.parametrize("gain", [2.0, 1.75, 2.25, 2.1])
def test_a_run_within_tolerance_passes(stored, gain):
    stored()
    play(run_of(), gain)


@pytest.mark.parametrize("gain", [1.7499, 2.2501, -2.0])
def test_a_value_outside_its_tolerance_is_named_with_both_values(stored, gain):
    stored()
    with pytest.raises(RecordError, match=rf"^value gain is {gain:.6g}, stored 2 with tolerance 0\.25$"):
        play(run_of(), gain)


def test_a_value_that_is_not_stored_is_named(stored):
    stored(lambda results: results["values"].pop("count"))
    with pytest.raises(RecordError, match=r"^value count is not in toy\.results\.json; refresh the chapter$"):
        play(run_of())


def test_a_stored_value_that_is_not_recorded_is_named_at_the_end(stored):
    stored()
    with pytest.raises(RecordError, match=r"^stored values not recorded in this run: count; refresh"):
        play(run_of(), names=("gain",))


@pytest.mark.parametrize(
    "edit",
    [
        lambda results: results["data"].update(blobs="cd" * 32),
        lambda results: results["data"].pop("blobs"),
        lambda results: results["data"].update(other="cd" * 32),
    ],
)
def test_other_data_are_refused(stored, edit):
    stored(edit)
    with pytest.raises(RecordError, match=r"^data: stored .*, now "):
        play(run_of())


@pytest.mark.parametrize(
    "edit",
    [
        lambda results: results["claims"][1].update(verdict="inconclusive"),
        lambda results: results["claims"].pop(),
        lambda results: results["claims"][2].update(id="C4"),
    ],
)
def test_other_verdicts_are_refused(stored, edit):
    stored(edit)
    with pytest.raises(RecordError, match=r"^verdict C\d: stored "):
        play(run_of())


def test_a_refused_run_leaves_no_results(stored, monkeypatch, tmp_path):
    stored(lambda results: results["claims"][1].update(verdict="inconclusive"))
    monkeypatch.setenv("LVUTILS_RESULTS", str(tmp_path / "new.json"))
    with pytest.raises(RecordError):
        play(run_of())
    assert not (tmp_path / "new.json").exists()


@pytest.mark.parametrize("params", [{"seed": 1}, {"profile": "book"}, {"beta": 4.0}])
def test_a_run_under_other_parameters_is_not_held(stored, params):
    stored()
    play(run_of(**params), gain=50.0, names=("another",))


def test_without_the_check_nothing_is_held(stored, monkeypatch):
    stored()
    monkeypatch.delenv("LVUTILS_CHECK")
    play(run_of(), gain=50.0, names=("another",))


def test_the_check_wants_stored_results_beside_the_chapter(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LVUTILS_CHECK", "1")
    with pytest.raises(RecordError, match=r"^toy\.results\.json is missing .* lvutils refresh toy$"):
        run_of()


def test_a_run_takes_one_thread_also_in_the_linear_algebra_that_is_already_loaded():
    with threadpool_limits(2, user_api="blas"):
        Run("x", {"profile": "quick", "seed": 0})
        assert {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"} == {1}


def test_a_result_file_lies_beside_the_record_and_by_hand_in_the_working_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert run_of().result_file("classes.csv") == tmp_path / "classes.csv"
    monkeypatch.setenv("LVUTILS_RESULTS", str(tmp_path / "run" / "results.json"))
    assert run_of().result_file("classes.csv") == tmp_path / "run" / "classes.csv"
