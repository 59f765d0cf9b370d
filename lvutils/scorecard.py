"""Claims, the rules that decide them, and the table that shows them.

A rule is fixed before the run and comes from the paper's claim. The verdict is computed from the measured interval,
so it can go against the paper; then it stays, with a sentence on why that may be.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lvutils.parameters import PROFILES
from lvutils.stats import Interval

if TYPE_CHECKING:
    from lvutils.chapter import Run

# From best to worst: a claim of several conditions gets the worst verdict among them.
VERDICTS = ("holds", "direction holds", "inconclusive", "untested", "fails here")


@dataclass(frozen=True)
class Verdict:
    """One of VERDICTS, with the reason where it is ``untested``."""

    word: str
    reason: str = ""

    def __post_init__(self):
        if self.word not in VERDICTS:
            raise ValueError(f"verdict {self.word!r} is not one of {', '.join(VERDICTS)}")


def above(interval: Interval, bound: float, direction: float | None = None) -> Verdict:
    """The rule "larger than ``bound``".

    ``holds`` if the whole interval lies above the bound, ``inconclusive`` if it straddles it, ``fails here`` if it lies
    below. With ``direction`` (usually 0, the value of no effect), an interval below the bound but wholly above
    ``direction`` is ``direction holds``.
    """
    if math.isnan(interval.low) or math.isnan(interval.high):
        raise ValueError(f"no verdict on the interval {interval}")
    if interval.low > bound:
        return Verdict("holds")
    if interval.high >= bound and interval.low != interval.high:
        return Verdict("inconclusive")
    if direction is not None and interval.low > direction:
        return Verdict("direction holds")
    return Verdict("fails here")


def below(interval: Interval, bound: float, direction: float | None = None) -> Verdict:
    """The rule "smaller than ``bound``": the mirror image of :func:`above`."""
    mirrored = Interval(-interval.mean, -interval.high, -interval.low, interval.n)
    return above(mirrored, -bound, None if direction is None else -direction)


def all_of(*verdicts: Verdict) -> Verdict:
    """The verdict of a claim with several conditions: the worst of theirs."""
    return max(verdicts, key=lambda v: VERDICTS.index(v.word))


def untested(reason: str) -> Verdict:
    """The verdict of a claim that cannot be tested here, with the reason."""
    return Verdict("untested", reason)


@dataclass(frozen=True)
class Claim:
    """One claim of the paper and what became of it.

    id: ``C1`` to ``C5``. claim: one sentence. paper: the paper's own figure, in words where it gives none.
    source: where in the paper it stands. rule: what decides, in words. measured: an Interval, or several by name.
    verdict: from :func:`above`, :func:`below`, :func:`all_of`, :func:`untested`. why: a sentence on why that may be,
    shown when the verdict goes against the paper. min_profile: the smallest profile at which the claim can be tested;
    below it the verdict is ``untested``. unsettled: says which other verdicts other seeds give; then the
    claim is ``inconclusive`` whatever this run alone would say.
    """

    id: str
    claim: str
    paper: str
    source: str
    rule: str
    measured: Interval | Mapping[str, Interval]
    verdict: Verdict
    why: str = ""
    unsettled: str = ""
    min_profile: str = "quick"

    def under(self, profile: str) -> Verdict:
        """The verdict that counts under a profile."""
        if PROFILES.index(profile) < PROFILES.index(self.min_profile):
            return untested(f"needs the {self.min_profile} profile")
        return Verdict("inconclusive", self.unsettled) if self.unsettled else self.verdict

    def intervals(self) -> dict[str, Interval]:
        """The measured intervals by name; the name is empty where there is only one."""
        return {"": self.measured} if isinstance(self.measured, Interval) else dict(self.measured)


class Scorecard:
    """The claims of a run. Shown as a table where it is the last line of a cell."""

    def __init__(self, claims: Sequence[Claim], profile: str):
        self.claims = list(claims)
        self.profile = profile

    def records(self) -> list[dict]:
        """The claims as plain data for the results file."""
        rows = []
        for c in self.claims:
            verdict = c.under(self.profile)
            rows.append(
                {
                    "id": c.id,
                    "claim": c.claim,
                    "paper": c.paper,
                    "source": c.source,
                    "rule": c.rule,
                    "measured": {name: [*map(float, i[:3]), i.n] for name, i in c.intervals().items()},
                    "shown": {name: f"{i}" for name, i in c.intervals().items()},
                    "verdict": verdict.word,
                    "reason": verdict.reason,
                    "why": c.why,
                }
            )
        return rows

    def __repr__(self) -> str:
        return "\n".join(f"{r['id']} {r['verdict']}: {r['claim']}" for r in self.records())

    def _repr_html_(self) -> str:
        head = "".join(
            f"<th>{h}</th>" for h in ("", "Claim", "The paper", "Here, with 95 % interval", "Rule", "Verdict")
        )
        rows = []
        for r in self.records():
            verdict = f'<span class="lv-chip lv-{r["verdict"].replace(" ", "-")}">{r["verdict"]}</span>'
            cells = [
                f"<strong>{r['id']}</strong>",
                html.escape(r["claim"]),
                f"{html.escape(r['paper'])} <em>({html.escape(r['source'])})</em>",
                measured_html(r),
                html.escape(r["rule"]),
                verdict + note_html(r),
            ]
            rows.append("<tr>" + "".join(f"<td>{c}</td>" for c in cells) + "</tr>")
        return f'<table class="lv-scorecard"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def measured_html(record: Mapping) -> str:
    """A claim's measured effects as HTML, each with name and interval. record: one of :meth:`Scorecard.records`."""
    return "".join(
        f'<div class="lv-measured">{html.escape(f"{name}: " if name else "")}<b>{html.escape(value)}</b></div>'
        for name, value in record["shown"].items()
    )


def note_html(record: Mapping) -> str:
    """Why a claim is untested, or why it may have come out against the paper, as HTML; empty where it holds."""
    note = record["reason"] or ("" if record["verdict"] == "holds" else record["why"])
    return f"<br><small>{html.escape(note)}</small>" if note else ""


def scorecard(run: Run, claims: Sequence[Claim]) -> Scorecard:
    """Print one stable line a claim (``C1 holds``), hand the claims to the run's record, and return the table.

    Raises ValueError unless there are three to five claims, numbered C1, C2, ... .
    """
    ids = [c.id for c in claims]
    if not 3 <= len(ids) <= 5 or ids != [f"C{k + 1}" for k in range(len(ids))]:
        raise ValueError(f"a scorecard has three to five claims, C1, C2, ... in order; got {', '.join(ids) or 'none'}")
    card = Scorecard(claims, run.profile)
    records = card.records()
    for r in records:
        print(r["id"], r["verdict"])
    run.finish(records)
    return card
