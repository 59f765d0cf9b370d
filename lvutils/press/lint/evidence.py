"""The evidence of a chapter: stored results in step with the code, and verdicts that mean something."""

from __future__ import annotations

import re

from lvutils.parameters import PROFILES
from lvutils.press.identity import STORED, identity
from lvutils.press.lint.chapter import Chapter, Found, printed, shown_html
from lvutils.press.pool import results_path
from lvutils.press.refresh import SLOW, chaotic
from lvutils.scorecard import verdict_lines

INSIDE, INSIDE_CHAPTER = 3 / 5, 0.85  # of the other seeds' estimates, within an effect's widened interval
WORDS = {"code": "its code", "package": "what it uses of lvutils", "inputs": "its data or models"}


def claims(c: Chapter) -> Found:
    """Verdicts are stored, printed as they are stored, shown as a table."""
    cells = c.sections.get("Does the claim hold?", [])
    if not any('<table class="lv-scorecard"' in shown_html(cell) for _, cell in cells):
        yield None, "the scorecard's table is not shown; end a folded cell with 'card'"
    if c.results is None:
        yield None, f"{results_path(c.path).name} is missing or of an earlier form; run: lvutils refresh {c.slug}"
        return
    lines = re.findall(r"^C\d .+$", "".join(printed(cell) for _, cell in cells), re.MULTILINE)
    if lines != verdict_lines(c.results.claims, c.results):
        yield None, f"the printed verdicts are not those of the results file; run: lvutils refresh {c.slug}"
    if not c.results.values:
        yield None, "no value is recorded; run.record() the numbers that matter"


def explained(c: Chapter) -> Found:
    """A verdict against the paper has a word on why."""
    for claim in c.results.claims if c.results else ():
        if c.results.verdict(claim) != "holds" and not (claim.why or claim.reason):
            yield None, f"{claim.id} {c.results.verdict(claim)} without a word on why; set why= in its Claim"


def in_step(c: Chapter) -> Found:
    """The stored results are those of this code, these parameters and the book profile."""
    if c.results is None:
        return
    now = identity(c.notebook, c.slug)
    for part in STORED:
        if c.results.identity.get(part) != now[part]:
            yield None, f"{WORDS[part]} changed since the outputs were stored; run: lvutils refresh {c.slug}"
    defaults = {name: p.default for name, p in c.declared.items()}
    if defaults and c.results.parameters != defaults:
        yield None, f"the stored results are of other parameters; run: lvutils refresh {c.slug}"
    if c.results.parameters.get("profile") != PROFILES[1]:
        yield None, "the stored outputs must be of the book profile; set it as the default"


def controls(c: Chapter) -> Found:
    """Each tested claim is seen failing where it is false, and, if it does not hold here, holding where it is true."""
    for claim in c.results.claims if c.results else ():
        if not claim.tested:
            continue
        pooled = c.results.book.claims[claim.id] if c.results.book else None
        if claim.control is None:
            yield None, f"{claim.id} has no negative control; set control=Control(...) in its Claim"
        elif claim.control.verdict == "holds" or (pooled and pooled.control_holds):
            yield (
                None,
                f"{claim.id} holds for its negative control too ({claim.control.what}): the rule does not test it",
            )
        if claim.positive is None and c.results.verdict(claim) != "holds":
            yield (
                None,
                (
                    f"{claim.id} {c.results.verdict(claim)} without a positive control: "
                    "would the rule hold where the claim is true?"
                ),
            )


def coverage(c: Chapter) -> Found:
    """Intervals cover what the seed changes: the other seeds' estimates lie where they say."""
    pooled = c.results.book.claims if c.results and c.results.book else {}
    n_in = n_all = 0
    for id_, verdicts in pooled.items():
        for name, (inside, n) in verdicts.inside.items():
            n_in, n_all = n_in + inside, n_all + n
            if inside < INSIDE * n:
                yield (
                    None,
                    f"{id_} {name or 'effect'}: the interval is too narrow, {inside} of {n} other seeds lie in it",
                )
    if n_in < INSIDE_CHAPTER * n_all:
        yield None, f"intervals too narrow: {n_in} of {n_all} estimates of other seeds lie in them, expected 85 %"


def exact(c: Chapter) -> Found:
    """Intervals without width are of closed forms or whole populations, and say so. (Units that are all alike, as five
    shares of zero, have an interval over them without width, too.)
    """
    for number, cell in c.code:
        for call in re.findall(r"Interval\.exact\(((?:[^()]|\([^()]*\))*)\)", cell["source"]):
            if "why=" not in call:
                yield number, f"Interval.exact({call}) gives no reason; say why= there is no sampling error"
    for id_, name, effect in c.results.effects() if c.results else ():
        if effect.is_exact and not effect.exact and effect.n == 1:
            yield None, f"{id_} {name or 'effect'} has no interval; measure one, or Interval.exact(value, why=...)"
    for id_, verdicts in (c.results.book.claims if c.results and c.results.book else {}).items():
        for name in verdicts.exact_moves:
            yield None, f"{id_} {name or 'effect'} is given as exact and changes with the seed; give it an interval"


def reach(c: Chapter) -> Found:
    """Every parameter moves something, and the chapter runs when it is changed.

    A reader's file may move nothing that is recorded: it changes the tables and the file that the reader takes away.
    """
    files = {name for name, p in c.declared.items() if p.path}
    for name, moved in (c.results.book.parameters if c.results and c.results.book else {}).items():
        if moved.failed:
            yield None, f"parameter {name} = {moved.other!r}: {moved.failed}"
        elif not moved.claims and not moved.n_values and name not in files:
            yield None, f"parameter {name} moves no claim and no recorded value; take it away"


def ends(c: Chapter) -> Found:
    """The chapter was run under quick at both ends of each parameter's range, without an error or a warning.

    A value that the chapter refuses in one line, as one that another parameter or the data bound, is none.
    """
    if c.results is None or c.results.book is None:
        return
    tried = c.results.book.ends
    if tried is None:
        yield None, f"the ends of its parameters' ranges were not tried; run: lvutils refresh {c.slug}"
    for end, trouble in (tried or {}).items():
        if trouble and trouble != SLOW and not re.search(r": (Parameter|Data)Error: ", trouble):
            yield None, f"{end} under quick: {trouble}"


def steady(c: Chapter) -> Found:
    """Values are not thrown about by other arithmetic."""
    for name in chaotic(c.results) if c.results else ():
        yield None, f"value {name}: other arithmetic moves it by more than a fifth; record a steadier one (a mean)"
