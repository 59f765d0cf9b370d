"""Results as a file: what is written is what is read, and what is not as expected is named; pooling over seeds."""

import copy
import json

import pytest

from lvutils.record import (
    Book,
    ClaimRecord,
    ControlRecord,
    Cost,
    Effect,
    Moved,
    RecordError,
    Results,
    Value,
    Verdicts,
    effect,
    pool,
)
from lvutils.stats import Interval


def results(seed=0, verdict="holds", mean=1.0, control="fails here", exact=""):
    measured = {"": Effect(mean, mean - (0 if exact else 0.5), mean + (0 if exact else 0.5), 5, exact)}
    claim = ClaimRecord(
        "C1", "x rises", "it rises", "Fig. 1", "above 0", measured, verdict, rule_verdict=verdict,
        control=ControlRecord("shuffled", {"": Effect(0, -1, 1, 5)}, control),
    )  # fmt: skip
    return Results("toy", {"seed": seed}, {"iris": "ab"}, {}, {"C1": Value(mean)}, [claim])


def full():
    r = results()
    r.name, r.identity, r.cost = "n", {"code": "c"}, Cost(1.5, 100, "2026-01-01", {"torch": "2"})
    r.book = Book(
        [0, 1], {"C1": Verdicts("holds", {"holds": 2}, inside={"": [1, 1]})}, 2, {"n": Moved(1, [2], ["C1"], 3)}
    )
    return r


def test_what_is_written_is_what_is_read(tmp_path):
    full().write(tmp_path / "results.json")
    assert Results.read(tmp_path / "results.json") == full()


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda c: c.update(schema=1), "results of schema 1, expected 2"),
        (lambda c: c.update(extra=1), "unknown entry 'extra' in Results"),
        (lambda c: c.pop("slug"), "missing 1 required positional argument: 'slug'"),
        (lambda c: c.update(slug=3), "x.json, slug: expected str, found 3"),
        (lambda c: c["values"]["C1"].update(value="1"), "x.json, values, C1, value: expected float, found '1'"),
        (lambda c: c["values"]["C1"].update(value=float("nan")), "values, C1, value: expected float, found nan"),
        (lambda c: c["claims"].append([]), r"claims 1: expected ClaimRecord, found \[\]"),
        (lambda c: c.update(claims={}), "claims: expected list"),
        (lambda c: c["book"]["claims"]["C1"]["counts"].update(holds=True), "counts, holds: expected int, found True"),
    ],
)
def test_what_is_not_as_expected_is_named_with_its_place(edit, said):
    content = json.loads(full().text())
    edit(content)
    with pytest.raises(RecordError, match=said):
        Results.parse(json.dumps(content), "x.json")


def test_an_effect_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="is not finite"):
        effect(Interval(0.0, float("nan"), 1.0, 3))


@pytest.mark.parametrize(
    ("verdicts", "book"),
    [
        (["holds"] * 6, "holds"),
        (["holds"] * 5 + ["fails here"], "holds"),
        (["fails here"] + ["holds"] * 5, "holds"),
        (["holds"] * 4 + ["inconclusive"] * 2, "inconclusive"),
        (["fails here"] * 5 + ["untested"], "fails here"),
        (["untested"] * 6, "untested"),
        (["holds"], "holds"),
    ],
)
def test_the_book_s_verdict_is_what_five_of_six_give(verdicts, book):
    pooled = pool([results(k, word) for k, word in enumerate(verdicts)]).claims["C1"]
    assert pooled.verdict == book
    assert sum(pooled.counts.values()) == len(verdicts)
    assert pooled.agreed is (len(set(verdicts)) == 1)


def test_a_verdict_that_other_arithmetic_turns_is_inconclusive():
    runs = [results(k) for k in range(6)]
    assert pool(runs, [results(), results()]).claims["C1"].verdict == "holds"
    turned = pool(runs, [results(), results(verdict="inconclusive")]).claims["C1"]
    assert (turned.verdict, turned.turned, turned.agreed) == ("inconclusive", True, False)


def test_other_seeds_are_counted_within_the_widened_interval():
    # The interval is [0.5, 1.5], widened by the root of two [0.293, 1.707].
    means = [1.0, 0.3, 1.7, 0.28, 1.72, 1.0]
    pooled = pool([results(k, mean=mean) for k, mean in enumerate(means)]).claims["C1"]
    assert pooled.inside == {"": [3, 5]}
    assert pooled.moves


def test_where_the_seed_changes_nothing_it_is_no_evidence():
    pooled = pool([results(k) for k in range(6)]).claims["C1"]
    assert (pooled.inside, pooled.moves) == ({}, False)


def test_an_exact_effect_that_changes_with_the_seed_is_named():
    pooled = pool([results(k, mean=float(k), exact="closed form") for k in range(6)]).claims["C1"]
    assert pooled.exact_moves == [""]


def test_a_control_that_holds_under_any_seed_is_counted():
    pooled = pool([results(0), results(1, control="holds"), results(2)]).claims["C1"]
    assert pooled.control_holds == 1


def test_pooling_changes_no_run():
    runs = [results(k) for k in range(6)]
    before = copy.deepcopy(runs)
    pool(runs, runs[:1])
    assert runs == before
