"""How claims are shown: in the chapter, on the scoreboard and in reports."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from lvutils.record import ClaimRecord, Effect, Results, Verdicts


class Scorecard:
    """The claims of a run. Shown as a table where it is the last line of a cell."""

    def __init__(self, records: Sequence[ClaimRecord]):
        self.records = list(records)

    def __repr__(self) -> str:
        return "\n".join(f"{r.id} {r.verdict}: {r.claim}" for r in self.records)

    def _repr_html_(self) -> str:
        return scorecard_html(self.records)


def chip_html(verdict: str, text: str = "") -> str:
    """A verdict as a coloured chip. text: in place of the verdict itself."""
    return f'<span class="lv-chip lv-{verdict.replace(" ", "-")}">{html.escape(text or verdict)}</span>'


def scorecard_html(records: Sequence[ClaimRecord], pooled: Mapping[str, Verdicts] | None = None) -> str:
    """The table of claims. pooled: what runs under several seeds say, by claim; then the verdicts are the book's."""
    left = 'style="text-align:left;vertical-align:top"'  # JupyterLab, which has no style sheet of ours, puts it right
    head = "".join(
        f"<th {left}>{h}</th>" for h in ("Claim", "The paper", "Here, with 95 % interval", "Controls", "Verdict")
    )
    rows = []
    for r in records:
        own = pooled.get(r.id) if pooled else None
        cells = [
            f"<strong>{r.id}</strong> {html.escape(r.claim)}"
            + (f"<br><small>Rule: {html.escape(r.rule)}</small>" if r.rule else ""),
            f"{html.escape(r.paper)} <em>({html.escape(r.source)})</em>",
            effects_html(r.measured),
            controls_html(r),
            chip_html(own.verdict if own else r.verdict)
            + (f'<div class="lv-note">{html.escape(seeds_text(r, own))}</div>' if own and r.tested else "")
            + note_html(r, own),
        ]
        rows.append(f'<tr id="{row_id(r.id)}">' + "".join(f"<td {left}>{c}</td>" for c in cells) + "</tr>")
    return f'<table class="lv-scorecard"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def row_id(claim: str) -> str:
    """The id of a claim's row in the scorecard, which the chips of a chapter and of the scoreboard lead to."""
    return f"claim-{claim.lower()}"


def effects_html(measured: Mapping[str, Effect]) -> str:
    """Measured effects as HTML, each with name, interval, the rule's bounds and how many units stand behind it."""
    lines = []
    for name, e in measured.items():
        label = html.escape(f"{name}: ") if name else ""
        bounds = f' <span class="lv-bound">{html.escape(", ".join(e.bounds))}</span>' if e.bounds else ""
        count = f" <small>n&nbsp;=&nbsp;{e.n}</small>" if e.n > 1 and not e.is_exact else ""
        lines.append(f'<div class="lv-measured">{label}<b>{html.escape(str(e))}</b>{bounds}{count}</div>')
    return "".join(lines) or "—"


def controls_html(record: ClaimRecord) -> str:
    """A claim's controls as HTML: the world, what the measure gives there, what the rule says of it."""
    parts = []
    for sign, name, c in (("−", "negative control", record.control), ("+", "positive control", record.positive)):
        if c is not None:
            numbers = "; ".join(f"{k}: {e}" if k else f"{e}" for k, e in c.measured.items())
            parts.append(
                f'<div class="lv-control"><span title="{name}" aria-label="{name}">{sign}</span> '
                f"{html.escape(c.what)}: "
                f"<b>{html.escape(numbers)}</b>, {html.escape(c.verdict)}</div>"
            )
    return "".join(parts) or "—"


def seeds_text(record: ClaimRecord, verdicts: Verdicts) -> str:
    """How many runs, each under another seed, gave which verdict: ``6 of 6 seeds``, or the counts.

    Where the seed changes no measured effect it is no evidence, and the number of independent units stands instead.
    """
    n = sum(verdicts.counts.values())
    if not verdicts.moves:
        units = min((e.n for e in record.measured.values()), default=0)
        return (
            f"over {units} independent models or data sets; no seed changes it" if units > 1 else "no seed changes it"
        )
    if set(verdicts.counts) == {verdicts.verdict}:
        return f"{n} of {n} seeds"
    counts = ", ".join(f"{k} {word}" for word, k in verdicts.counts.items())
    return f"seeds: {counts}" + ("; other arithmetic turns it" if verdicts.turned else "")


def verdict_lines(claims: Sequence[ClaimRecord], stored: Results | None) -> list[str]:
    """``C1 holds`` for each claim; where the stored runs disagree, the book's verdict and the counts."""
    pooled = stored.book.claims if stored and stored.book else {}
    return [
        f"{c.id} {c.verdict}"
        if c.id not in pooled or pooled[c.id].agreed
        else f"{c.id} {pooled[c.id].verdict} ({seeds_text(c, pooled[c.id])})"
        for c in claims
    ]


def note_html(record: ClaimRecord, pooled: Verdicts | None = None) -> str:
    """Why a claim is untested, or why it may have come out against the paper, as HTML; empty where it holds."""
    verdict = pooled.verdict if pooled else record.verdict
    if record.reason and verdict == "untested":
        note = record.reason
    elif verdict == "holds" or not record.why:
        return ""
    elif record.because:
        shown = ", ".join(f"{name} = {value:.3g}" for name, value in record.because.items())
        note = f"{record.why} (Shown by {shown}.)"
    else:
        note = f"A guess, not tested: {record.why}"
    return f'<div class="lv-note">{html.escape(note)}</div>'
