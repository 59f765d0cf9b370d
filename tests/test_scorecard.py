"""How claims are shown: every field, nothing as markup, the book's verdicts beside a run's own."""

from xml.etree import ElementTree

import pytest

from lvutils.record import VERDICTS, ClaimRecord, ControlRecord, Effect, Results, Verdicts, pool
from lvutils.scorecard import Scorecard, note_html, scorecard_html, seeds_text, verdict_lines

EFFECT = Effect(1.5, 1, 2, 5, bounds=["> 0"])


def record(id_="C1", **changes):
    fields = {
        "claim": "x rises",
        "paper": "it rises",
        "source": "Fig. 1",
        "rule": "interval above 0",
        "measured": {"": EFFECT},
        "verdict": "holds",
    }
    return ClaimRecord(id_, **fields | changes)


def page_of(records, pooled=None):
    """The table as a tree; text that became markup would not parse or would show as an element."""
    return ElementTree.fromstring(scorecard_html(records, pooled).replace("<br>", "<br/>").replace("&nbsp;", "&#160;"))


def test_the_table_shows_every_field_of_every_claim():
    controls = {
        "control": ControlRecord("labels shuffled", {"": Effect(0.1, -1, 1, 5)}, "inconclusive"),
        "positive": ControlRecord("a world that obeys", {"": Effect(7, 6, 8, 5)}, "holds"),
    }
    measured = {"ours": EFFECT, "theirs": Effect(3.5, 3, 4, 9)}
    page = page_of([record(measured=measured, verdict="fails here", why="w1", **controls), record("C2", why="w2")])
    text = " ".join(page.itertext())
    shown = (
        *("C1", "C2", "x rises", "it rises", "Fig. 1", "interval above 0", "ours", "theirs", "w1", "1.5 [1, 2]"),
        *("> 0", "n\xa0=\xa05", "n\xa0=\xa09", "labels shuffled", "0.1 [-1, 1]", "a world that obeys", "7 [6, 8]"),
    )
    for part in shown:
        assert part in text
    assert "w2" not in text, "a claim that holds needs no excuse"
    assert [len(row) for row in page.iter("tr")] == [5] * 3


def test_an_explanation_without_a_value_is_called_a_guess():
    assert "A guess, not tested: too little data" in note_html(record(verdict="fails here", why="too little data"))
    shown = note_html(record(verdict="fails here", why="too little data", because={"gain at 4n": 0.25}))
    assert "guess" not in shown
    assert "too little data (Shown by gain at 4n = 0.25.)" in shown


@pytest.mark.parametrize("word", VERDICTS)
def test_each_verdict_has_a_class_of_its_own_for_its_colour(word):
    page = page_of([record(verdict=word)])
    classes = [span.get("class") for span in page.iter("span") if "lv-chip" in span.get("class", "")]
    assert classes == [f"lv-chip lv-{word.replace(' ', '-')}"]


@pytest.mark.parametrize("field", ["claim", "paper", "source", "rule", "why", "reason", "measured", "control"])
def test_text_of_a_claim_cannot_become_markup(field):
    evil = 'p < 0.05 & <script>alert("x")</script>'
    changes = {field: evil}
    if field == "measured":
        changes = {"measured": {evil: EFFECT}}
    if field == "control":
        changes = {"control": ControlRecord(evil, {"": EFFECT}, "fails here")}
    if field in ("why", "reason"):
        changes |= {"verdict": "untested"}
    page = page_of([record(**changes)])
    assert page.find(".//script") is None
    assert evil in "".join(page.itertext())


@pytest.mark.parametrize(
    ("bounds", "shown"),
    [
        ([], "0.8 [0.8, 0.81]"),
        (["> 0.5"], "0.8 [0.8, 0.81]"),
        (["> 0.8"], "0.804 [0.801, 0.807]"),
        (["> 0.801"], "0.8039 [0.8012, 0.8068]"),
    ],
)
def test_digits_show_the_margin_to_the_bound(bounds, shown):
    assert str(Effect(0.8039, 0.8012, 0.8068, 9, bounds=bounds)) == shown


def test_the_book_s_verdict_and_its_counts_stand_in_place_of_a_run_s():
    mixed = Verdicts("inconclusive", {"holds": 4, "inconclusive": 2}, inside={"": [5, 5]})
    assert seeds_text(record(), mixed) == "seeds: 4 holds, 2 inconclusive"
    text = " ".join(page_of([record()], {"C1": mixed}).itertext())
    assert "inconclusive" in text
    assert "4 holds, 2 inconclusive" in text
    agreed = Verdicts("holds", {"holds": 6}, inside={"": [5, 5]})
    assert seeds_text(record(), agreed) == "6 of 6 seeds"
    still = Verdicts("holds", {"holds": 6})
    assert seeds_text(record(), still) == "over 5 independent models or data sets; no seed changes it"
    turned = Verdicts("inconclusive", {"holds": 6}, turned=True, inside={"": [5, 5]})
    assert seeds_text(record(), turned).endswith("other arithmetic turns it")


def test_printed_lines_are_the_book_s_where_the_runs_disagree():
    def results(*words):
        return Results("toy", {"seed": 0}, {}, {}, {}, [record(f"C{k}", verdict=w) for k, w in enumerate(words, 1)])

    stored = results("holds", "holds")
    stored.book = pool(
        [stored, *(results("holds", w) for w in ("holds", "holds", "inconclusive", "fails here", "holds"))]
    )
    lines = ["C1 holds", "C2 inconclusive (no seed changes it)"]
    assert verdict_lines(stored.claims, stored)[0] == lines[0]
    assert verdict_lines(stored.claims, stored)[1].startswith("C2 inconclusive (")
    assert verdict_lines(stored.claims, None) == ["C1 holds", "C2 holds"]
    assert repr(Scorecard(stored.claims)).splitlines() == ["C1 holds: x rises", "C2 holds: x rises"]
