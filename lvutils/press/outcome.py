"""What the command says of a finished run: verdicts and measures beside the book's, what changed, what to do next."""

from __future__ import annotations

import shlex
from pathlib import Path

from lvutils.press.execute import Plan
from lvutils.press.pool import reach, stored_results
from lvutils.record import ClaimRecord, Results
from lvutils.scorecard import seeds_text


def told(todo: Plan, results: Results, out: Path) -> list[str]:
    """Lines on a run. todo: as it was planned; results: what it gave; out: the run's folder."""
    slug, stored = todo.path.stem, stored_results(todo.path)
    lines = []
    if stored:
        changed = [f"{n} {_(stored.parameters[n])} -> {_(v)}" for n, v in results.parameters.items() if n in
                   stored.parameters and stored.parameters[n] != v]  # fmt: skip
        lines.append(f"  changed: {', '.join(changed) or 'nothing, the book ran with the same parameters'}")
    known = {c.id: c for c in stored.claims} if stored else {}
    for claim in results.claims:
        lines.append(f"  {claim.id} {claim.verdict}{_book(stored, known.get(claim.id))}: {claim.claim}")
        if claim.verdict == "untested" and claim.reason:
            lines.append(f"       {claim.reason}")
        for name, effect in claim.measured.items():
            old = known[claim.id].measured.get(name) if claim.id in known else None
            beside = f"  (book {old})" if old else ""
            bound = f"  rule {', '.join(effect.bounds)}" if effect.bounds else ""
            lines.append(f"       {name + ' ' if name else ''}{effect}{beside}{bound}")
    if line := reach(slug, todo.given):
        lines.append(f"  {line}")
    notebook = shlex.quote(str(out.resolve() / "chapter.ipynb"))
    lines.append(f"  read it: jupyter lab {notebook}")
    if todo.given.keys() - {"seed", "profile"} and todo.path.parent.parent.name == "notebooks":
        given = " ".join(f"-p {shlex.quote(f'{n}={_(v)}')}" for n, v in todo.given.items() if n != "seed")
        lines.append(f"  under other seeds: lvutils sweep {slug} {given} --seeds 0:6, then lvutils compare runs/{slug}")
    return lines


def _book(stored: Results | None, claim: ClaimRecord | None) -> str:
    if claim is None:
        return ""
    pooled = stored.book.claims.get(claim.id) if stored.book else None
    seeds = f", {seeds_text(claim, pooled)}" if pooled else ""
    return f" (book: {stored.verdict(claim)}{seeds})"


def _(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
