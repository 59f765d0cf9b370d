"""Rules, verdicts and the table of claims."""

import itertools
import json
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from lvutils.claims import VERDICTS, Claim, Scorecard, Verdict, above, all_of, below, scorecard, untested
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
        "verdict": Verdict("holds"),
    }
    return Claim(**fields | changes)


@pytest.fixture
def run():
    finished = []
    return SimpleNamespace(profile="book", finish=finished.append, finished=finished)


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
    assert above(interval(low, high), bound, direction) == Verdict(word)
    mirrored = None if direction is None else -direction
    assert below(interval(-high, -low), -bound, mirrored) == Verdict(word)


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


@pytest.mark.parametrize("word", ["Holds", "", "fails", "true"])
def test_a_verdict_is_one_of_five_words(word):
    with pytest.raises(ValueError, match=f"^verdict '{word}' is not one of holds, direction holds, "):
        Verdict(word)


# --- profiles -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("least", "profile"), list(itertools.product(PROFILES, PROFILES)))
def test_a_claim_is_untested_below_its_least_profile(least, profile):
    verdict = claim(min_profile=least).under(profile)
    if PROFILES.index(profile) < PROFILES.index(least):
        assert verdict == Verdict("untested", f"needs the {least} profile")
    else:
        assert verdict == Verdict("holds")


def test_the_least_profile_counts_in_print_and_record_and_table(run, capsys):
    run.profile = "quick"
    card = scorecard(run, [claim(1), claim(2, min_profile="book"), claim(3, verdict=Verdict("fails here"))])
    assert capsys.readouterr().out == "C1 holds\nC2 untested\nC3 fails here\n"
    assert [r["verdict"] for r in run.finished[0]] == ["holds", "untested", "fails here"]
    assert run.finished[0][1]["reason"] == "needs the book profile"
    assert "needs the book profile" in card._repr_html_()
    assert [line.split(":")[0] for line in repr(card).splitlines()] == ["C1 holds", "C2 untested", "C3 fails here"]


# --- the card -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [3, 4, 5])
def test_a_scorecard_prints_one_stable_line_a_claim_and_hands_the_records_on(run, capsys, n):
    card = scorecard(run, [claim(k + 1, verdict=Verdict(VERDICTS[k])) for k in range(n)])
    assert capsys.readouterr().out == "".join(f"C{k + 1} {VERDICTS[k]}\n" for k in range(n))
    assert run.finished == [card.records()]


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
def test_claims_are_three_to_five_in_order(run, capsys, numbers, got):
    with pytest.raises(ValueError, match=f"three to five claims, .* got {got}$"):
        scorecard(run, [claim(k) for k in numbers])
    assert capsys.readouterr().out == ""
    assert run.finished == []


def test_records_are_plain_data_with_every_interval():
    several = {"ours": Interval(0.5, 0.25, 0.75, 8), "theirs": Interval.exact(0.125)}
    records = Scorecard([claim(1, measured=several, why="small data")], "book").records()
    assert json.loads(json.dumps(records)) == records
    assert records[0] == {
        "id": "C1",
        "claim": "x rises",
        "paper": "it rises",
        "source": "Fig. 1",
        "rule": "interval above 0",
        "measured": {"ours": [0.5, 0.25, 0.75, 8], "theirs": [0.125, 0.125, 0.125, 1]},
        "shown": {"ours": "0.5 [0.25, 0.75]", "theirs": "0.12"},
        "verdict": "holds",
        "reason": "",
        "why": "small data",
    }
    assert list(claim().intervals()) == [""]


def page_of(card):
    """The table as a tree; text that became markup would not parse or would show as an element."""
    return ElementTree.fromstring(card._repr_html_().replace("<br>", "<br/>"))


def test_a_claim_that_other_seeds_decide_otherwise_is_inconclusive():
    record = Scorecard([claim(1, verdict=Verdict("holds"), unsettled="two of six seeds")], "book").records()[0]
    assert (record["verdict"], record["reason"]) == ("inconclusive", "two of six seeds")


def test_the_table_shows_every_field_of_every_claim():
    measured = {"ours": interval(1, 2), "theirs": interval(3, 4)}
    fails = Verdict("fails here")
    claims = [
        claim(1, measured=measured, verdict=fails, why="w1"),
        claim(2, verdict=untested("r2"), why="w2"),
        claim(3, verdict=Verdict("holds"), why="w3"),
    ]
    page = page_of(Scorecard(claims, "book"))
    text = " ".join(page.itertext())
    for part in ("C1", "C2", "C3", "x rises", "it rises", "Fig. 1", "interval above 0", "ours", "theirs", "w1", "r2"):
        assert part in text
    assert "1.5 [1, 2]" in text
    assert "w2" not in text
    assert "w3" not in text, "a claim that holds needs no excuse"
    assert [len(row) for row in page.iter("tr")] == [6] * (1 + 3)


@pytest.mark.parametrize("word", VERDICTS)
def test_each_verdict_has_a_class_of_its_own_for_its_colour(word):
    page = page_of(Scorecard([claim(verdict=Verdict(word))], "book"))
    assert [chip.get("class") for chip in page.iter("span")] == [f"lv-chip lv-{word.replace(' ', '-')}"]


@pytest.mark.parametrize("field", ["claim", "paper", "source", "rule", "why", "reason", "measured"])
def test_text_of_a_claim_cannot_become_markup(field):
    evil = 'p < 0.05 & <script>alert("x")</script>'
    changes = {"verdict": untested(evil)} if field == "reason" else {field: evil}
    if field == "measured":
        changes = {"measured": {evil: interval(1, 2)}}
    if field == "why":
        changes |= {"verdict": Verdict("fails here")}
    page = page_of(Scorecard([claim(**changes)], "book"))
    assert page.find(".//script") is None
    assert evil in "".join(page.itertext())
