"""Rules, verdicts, controls."""

import itertools

import pytest

from lvutils.chapter import Run
from lvutils.claims import (
    VERDICTS,
    Claim,
    Control,
    Verdict,
    above,
    all_of,
    apart,
    below,
    each,
    scorecard,
    untested,
    within,
)
from lvutils.parameters import PROFILES
from lvutils.stats import Interval


def interval(low, high):
    return Interval((low + high) / 2, low, high, 5)


def claim(number=1, **changes):
    fields = {
        "id": f"C{number}",
        "claim": "x rises",
        "paper": "it rises",
        "source": "Fig. 1",
        "rule": "interval above 0",
        "measured": interval(1, 2),
        "verdict": lambda effect: above(effect, 0),
    }
    return Claim(**fields | changes)


@pytest.fixture
def run():
    return Run("toy", {"profile": "book", "seed": 0})


# --- rules --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "bound", "direction", "word"),
    [
        (1.1, 2.0, 1, None, "holds"),
        (1.1, 2.0, 1, 0, "holds"),
        (1.0, 2.0, 1, None, "inconclusive"),
        (0.5, 2.0, 1, 0, "inconclusive"),
        (-1.0, 2.0, 1, 0, "inconclusive"),
        (0.5, 1.0, 1, 0, "inconclusive"),
        (0.5, 0.9, 1, None, "fails here"),
        (0.5, 0.9, 1, 0, "direction holds"),
        (0.5, 0.9, 1, 0.4, "direction holds"),
        (0.5, 0.9, 1, 0.6, "fails here"),
        (0.5, 0.9, 1, -0.6, "direction holds"),
        (0.0, 0.9, 1, 0, "fails here"),
        (-0.1, 0.9, 1, 0, "fails here"),
        (-2.0, -1.0, 1, 0, "fails here"),
        (1.001, 1.001, 1, None, "holds"),
        (1.0, 1.0, 1, None, "fails here"),
        (1.0, 1.0, 1, 0, "direction holds"),
        (0.0, 0.0, 1, 0, "fails here"),
        (0.0, 0.0, 0, 0, "fails here"),
    ],
)
def test_a_rule_decides_by_the_whole_interval_and_its_mirror_alike(low, high, bound, direction, word):
    assert above(interval(low, high), bound, direction).word == word
    mirrored = None if direction is None else -direction
    assert below(interval(-high, -low), -bound, mirrored).word == word


def test_above_and_below_never_both_hold():
    for low, high, bound in itertools.product(range(-2, 3), range(-2, 3), range(-2, 3)):
        if low <= high:
            words = {above(interval(low, high), bound).word, below(interval(low, high), bound).word}
            assert words in ({"holds", "fails here"}, {"inconclusive"}, {"fails here"})


@pytest.mark.parametrize("rule", [above, below])
def test_an_interval_that_is_not_a_number_gets_no_verdict(rule):
    with pytest.raises(ValueError, match="nan"):
        rule(Interval(float("nan"), float("nan"), float("nan"), 5), 0)


def test_a_claim_of_several_conditions_gets_the_worst_verdict():
    assert VERDICTS == ("holds", "direction holds", "inconclusive", "untested", "fails here")
    for one, other in itertools.product(range(5), range(5)):
        verdict = all_of(Verdict(VERDICTS[one]), Verdict(VERDICTS[other]))
        assert verdict.word == VERDICTS[max(one, other)]


def test_several_conditions_keep_the_reason_of_the_one_that_decides():
    assert all_of(Verdict("holds"), untested("no GPU"), Verdict("inconclusive")) == Verdict("untested", "no GPU")


def test_each_judges_every_effect_by_a_comparison_of_its_own():
    effects = {"share": Interval(0.95, 0.92, 0.98, 9), "error": Interval(0.7, 0.5, 0.9, 9)}
    rule = each((above, 0.9), (below, 0.8))
    assert rule(effects) == all_of(above(effects["share"], 0.9), below(effects["error"], 0.8))
    assert (rule(effects).word, each((above, 0.9), (below, 1))(effects).word) == ("inconclusive", "holds")
    with pytest.raises(ValueError, match="zip"):
        each((above, 0.9))(effects)


@pytest.mark.parametrize("word", ["Holds", "", "fails", "true"])
def test_a_verdict_is_one_of_five_words(word):
    with pytest.raises(ValueError, match=f"^verdict '{word}' is not one of holds, direction holds, "):
        Verdict(word)


@pytest.mark.parametrize(
    ("low", "high", "near_zero", "apart_from_zero"),
    [
        (-0.5, 0.5, "holds", "fails here"),
        (0.5, 1.5, "inconclusive", "holds"),
        (-1.5, 0.5, "inconclusive", "inconclusive"),
        (-3.0, 3.0, "inconclusive", "inconclusive"),
        (1.5, 2.0, "fails here", "holds"),
        (-2.0, -1.5, "fails here", "holds"),
        (0.0, 0.5, "holds", "fails here"),
    ],
)
def test_within_a_radius_and_apart_from_a_value(low, high, near_zero, apart_from_zero):
    assert within(interval(low, high), 1).word == near_zero
    assert apart(interval(low, high), 0, negligible=1).word == apart_from_zero
    shifted = Interval(7, low + 7, high + 7, 5)
    assert apart(shifted, 7, negligible=1).word == apart_from_zero


# --- controls -----------------------------------------------------------------------------------------------------


def test_the_verdict_is_the_rule_s_where_the_control_fails(run):
    record = claim(control=Control("labels shuffled", interval(-1, 1))).record(run)
    assert (record.verdict, record.rule_verdict, record.control.verdict) == ("holds", "holds", "inconclusive")
    assert record.control.what == "labels shuffled"


def test_a_rule_that_holds_where_the_claim_is_false_tests_nothing(run):
    record = claim(control=Control("labels shuffled", interval(0.5, 1))).record(run)
    assert (record.verdict, record.rule_verdict) == ("untested", "holds")
    assert record.reason.endswith("the rule holds for the negative control too (labels shuffled)")


@pytest.mark.parametrize(
    ("positive", "verdict"), [((1, 2), "fails here"), ((-1, 2), "untested"), ((-2, -1), "untested")]
)
def test_a_claim_fails_only_where_the_rule_can_hold(run, positive, verdict):
    world = Control("an effect of two", interval(*positive), needs="about 400 cases")
    record = claim(measured=interval(-2, -1), positive=world).record(run)
    assert (record.verdict, record.rule_verdict) == (verdict, "fails here")
    if verdict == "untested":
        assert record.reason == (
            "no power: the rule does not hold where the claim is true either (an effect of two); "
            "it would take about 400 cases"
        )


def test_a_claim_that_holds_needs_no_power(run):
    assert claim(positive=Control("an effect of two", interval(-1, 1))).record(run).verdict == "holds"


def test_a_control_measures_what_the_claim_does(run):
    with pytest.raises(ValueError, match="C1, control 'shuffled': measures b, expected a as the claim does"):
        claim(
            measured={"a": interval(1, 2)},
            verdict=lambda m: above(m["a"], 0),
            control=Control("shuffled", {"b": interval(1, 2)}),
        ).record(run)


def test_conditions_of_a_rule_stand_beside_the_effects_that_they_are_on(run):
    record = claim(
        measured={"a": interval(1, 2), "b": interval(3, 4)},
        verdict=lambda m: all_of(above(m["a"], 0.5), below(m["a"], 9), above(m["b"], 1)),
    ).record(run)
    assert [e.bounds for e in record.measured.values()] == [["> 0.5", "< 9"], ["> 1"]]


def test_an_explanation_names_a_recorded_value(run):
    run.record("gap", 2.0)
    assert claim(because="gap").record(run).because == {"gap": 2.0}
    with pytest.raises(ValueError, match="C1: because='gape' is not a recorded value"):
        claim(because="gape").record(run)


# --- profiles and settings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("least", "profile"), list(itertools.product(PROFILES, PROFILES)))
def test_a_claim_is_untested_below_its_least_profile(least, profile):
    record = claim(min_profile=least).record(Run("toy", {"profile": profile, "seed": 0}))
    if PROFILES.index(profile) < PROFILES.index(least):
        assert (record.verdict, record.reason) == ("untested", f"needs the {least} profile")
    else:
        assert record.verdict == "holds"


def test_a_run_that_counts_for_nothing_says_why(run):
    run.untested = "this run is about your own data"
    record = claim().record(run)
    assert (record.verdict, record.reason, record.rule_verdict) == (
        "untested",
        "this run is about your own data",
        "holds",
    )


# --- the card -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [3, 4, 5])
def test_a_scorecard_prints_one_stable_line_a_claim_and_hands_the_records_on(run, capsys, n):
    card = scorecard(run, [claim(k + 1, verdict=Verdict(VERDICTS[k])) for k in range(n)])
    assert capsys.readouterr().out == "".join(f"C{k + 1} {VERDICTS[k]}\n" for k in range(n))
    assert [r.id for r in card.records] == [f"C{k + 1}" for k in range(n)]


def test_claims_without_a_rule_come_after_the_tested_ones(run, capsys):
    aside = [claim(k, rule="", measured={}, verdict=untested("images are not to be had")) for k in (4, 5, 6, 7)]
    scorecard(run, [*(claim(k) for k in (1, 2, 3)), *aside])
    assert capsys.readouterr().out.splitlines()[3:] == [f"C{k} untested" for k in (4, 5, 6, 7)]
    with pytest.raises(ValueError, match="untested ones after them"):
        scorecard(run, [claim(1), claim(2), claim(3, rule="", verdict=untested("x")), claim(4)])


@pytest.mark.parametrize(
    ("numbers", "got"),
    [
        ([], "none"),
        ([1, 2], "C1, C2"),
        ([1, 2, 3, 4, 5, 6], "C1, C2, C3, C4, C5, C6"),
        ([2, 1, 3], "C2, C1, C3"),
        ([1, 2, 4], "C1, C2, C4"),
        ([1, 1, 2], "C1, C1, C2"),
        ([0, 1, 2], "C0, C1, C2"),
    ],
)
def test_tested_claims_are_three_to_five_in_order(run, capsys, numbers, got):
    with pytest.raises(ValueError, match=f"three to five tested claims, .* got {got}$"):
        scorecard(run, [claim(k) for k in numbers])
    assert capsys.readouterr().out == ""


def test_every_effect_of_claims_and_controls_is_a_recorded_value(run):
    several = {"ours": interval(1, 2), "theirs": Interval.exact(3, why="closed form")}
    control = Control("shuffled", {"ours": interval(-1, 0), "theirs": Interval.exact(0, why="closed form")})
    first = claim(measured=several, verdict=lambda m: above(m["ours"], 0), control=control)
    scorecard(run, [first, claim(2, positive=Control("true", interval(5, 6))), claim(3)])
    assert {n: (v.value, v.exact) for n, v in run.values.items()} == {
        "C1: ours": (1.5, False),
        "C1: theirs": (3.0, True),
        "C1 control: ours": (-0.5, False),
        "C1 control: theirs": (0.0, True),
        "C2": (1.5, False),
        "C2 positive": (5.5, False),
        "C3": (1.5, False),
    }
