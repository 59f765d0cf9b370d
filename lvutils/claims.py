"""Claims, the rules that decide them, and their controls.

A rule is fixed before the run and comes from the paper's claim. It is a function of the measured effects, and the same
function judges the controls: the same measure in a world in which the claim is false (there it must not hold), and in
one made so that it is true (there it must, or a verdict against the claim means nothing).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lvutils.parameters import PROFILES
from lvutils.record import VERDICTS, ClaimRecord, ControlRecord, effect
from lvutils.scorecard import Scorecard
from lvutils.stats import Interval

if TYPE_CHECKING:
    from lvutils.chapter import Run

MAX_EFFECTS = 4
Measured = Interval | Mapping[str, Interval]


@dataclass(frozen=True)
class Condition:
    """One comparison of a rule: an interval against a bound. sign: ``>``, ``<``, ``≠`` or ``within ±``."""

    interval: Interval
    sign: str
    bound: float


@dataclass(frozen=True)
class Verdict:
    """One of VERDICTS, with the reason where it is ``untested``, and the comparisons that gave it."""

    word: str
    reason: str = ""
    conditions: tuple[Condition, ...] = ()

    def __post_init__(self):
        if self.word not in VERDICTS:
            raise ValueError(f"verdict {self.word!r} is not one of {', '.join(VERDICTS)}")


def above(interval: Interval, bound: float, direction: float | None = None) -> Verdict:
    """The rule "larger than ``bound``".

    ``holds`` if the whole interval lies above the bound, ``inconclusive`` if it straddles it, ``fails here`` if it lies
    below. With ``direction`` (usually 0, the value of no effect), an interval below the bound but wholly above
    ``direction`` is ``direction holds``.
    """
    return Verdict(_above(interval, bound, direction), conditions=(Condition(interval, ">", float(bound)),))


def below(interval: Interval, bound: float, direction: float | None = None) -> Verdict:
    """The rule "smaller than ``bound``": the mirror image of :func:`above`."""
    mirrored = Interval(-interval.mean, -interval.high, -interval.low, interval.n)
    word = _above(mirrored, -bound, None if direction is None else -direction)
    return Verdict(word, conditions=(Condition(interval, "<", float(bound)),))


def within(interval: Interval, radius: float) -> Verdict:
    """The rule "no further from 0 than ``radius``": ``fails here`` where the whole interval lies outside."""
    words = [_above(interval, -radius, None), _above(Interval(0, -interval.high, -interval.low, 1), -radius, None)]
    return Verdict(max(words, key=VERDICTS.index), conditions=(Condition(interval, "within ±", float(radius)),))


def apart(interval: Interval, value: float, negligible: float) -> Verdict:
    """The rule "other than ``value``": ``fails here`` where the whole interval is within ``negligible`` of it."""
    _finite(interval)
    if interval.low > value or interval.high < value:
        word = "holds"
    else:
        near = value - negligible < interval.low and interval.high < value + negligible
        word = "fails here" if near else "inconclusive"
    return Verdict(word, conditions=(Condition(interval, "≠", float(value)),))


def all_of(*verdicts: Verdict) -> Verdict:
    """The verdict of a claim with several conditions: the worst of theirs."""
    worst = max(verdicts, key=lambda v: VERDICTS.index(v.word))
    return dataclasses.replace(worst, conditions=tuple(c for v in verdicts for c in v.conditions))


def each(*rules: tuple[Callable[[Interval, float], Verdict], float]) -> Callable[[Mapping[str, Interval]], Verdict]:
    """The rule that judges each measured effect by a comparison of its own: ``each((above, 0.9), (below, 1))``.

    In the order in which the effects are measured; ValueError for more or fewer effects than comparisons.
    """
    return lambda measured: all_of(*(rule(i, bound) for (rule, bound), i in zip(rules, measured.values(), strict=True)))


def untested(reason: str) -> Verdict:
    """The verdict of a claim that cannot be tested here, with the reason."""
    return Verdict("untested", reason)


@dataclass(frozen=True)
class Control:
    """A claim's measured effects in another world, judged by the claim's own rule.

    what: the world, in a phrase (labels shuffled; the network untrained; a world in which the claim is true by design).
    measured: as in the claim, under the same names. needs: for a positive control, the size at which its rule would
    hold, where it does not at this one.
    """

    what: str
    measured: Measured
    needs: str = ""


@dataclass(frozen=True)
class Claim:
    """One claim of the paper and what became of it.

    id: ``C1``, ``C2``, ... . claim: one sentence. paper: the paper's own figure, in words where it gives none.
    source: where in the paper it stands. rule: what decides, in words; empty for a claim that no run here tests.
    measured: an Interval, or up to four by name.
    verdict: the rule as a function of ``measured``, from :func:`above`, :func:`below`, :func:`all_of`,
    :func:`untested`; or a ready verdict, as ``untested("...")`` for a claim that nothing here tests.
    control: a world or an ablation in which the claim is false. positive: one in which it is true.
    why: a sentence on why it came out as it did, shown when the verdict goes against the paper; ``because`` names the
    recorded values that carry it, and without any it is shown as a guess. min_profile: the smallest profile at which
    the claim can be tested; below it the verdict is ``untested``.
    """

    id: str
    claim: str
    paper: str
    source: str
    rule: str
    measured: Measured = dataclasses.field(default_factory=dict)
    verdict: Verdict | Callable[[Measured], Verdict] = Verdict("untested", "not tested here")
    control: Control | None = None
    positive: Control | None = None
    why: str = ""
    because: str | Sequence[str] = ()
    min_profile: str = "quick"

    def record(self, run: Run) -> ClaimRecord:
        """What became of the claim in a run. Raises ValueError where names do not fit or an interval is not finite."""
        rule = self.verdict if callable(self.verdict) else lambda measured: self.verdict
        because = [self.because] if isinstance(self.because, str) else self.because
        if missing := [name for name in because if name not in run.values]:
            raise ValueError(f"{self.id}: because={missing[0]!r} is not a recorded value")
        measured = _named(self.measured)
        if len(measured) > MAX_EFFECTS and self.control:
            raise ValueError(
                f"{self.id} measures {len(measured)} effects, at most {MAX_EFFECTS}; record the others as values"
            )
        given = rule(self.measured)
        control, positive = (self._control(c, rule, run) for c in (self.control, self.positive))
        final = self._final(run, given, control, positive)
        return ClaimRecord(
            self.id,
            self.claim,
            self.paper,
            self.source,
            self.rule,
            {name: effect(interval, _bounds(interval, given)) for name, interval in measured.items()},
            final.word,
            final.reason,
            given.word,
            self.why,
            {name: run.values[name].value for name in because},
            control,
            positive,
            tested=bool(self.rule),
        )

    def _control(self, control: Control | None, rule: Callable, run: Run) -> ControlRecord | None:
        if control is None:
            return None
        measured, own = _named(control.measured), _named(self.measured)
        if measured.keys() != own.keys():
            raise ValueError(
                f"{self.id}, control {control.what!r}: measures {', '.join(measured) or 'one effect'}, "
                f"expected {', '.join(own) or 'one effect'} as the claim does"
            )
        verdict = rule(control.measured)
        effects = {name: effect(interval, _bounds(interval, verdict)) for name, interval in measured.items()}
        return ControlRecord(control.what, effects, verdict.word, control.needs)

    def _final(
        self, run: Run, given: Verdict, control: ControlRecord | None, positive: ControlRecord | None
    ) -> Verdict:
        """The run's verdict: the rule's, unless profile, settings or controls say that nothing is tested."""
        if given.word == "untested":
            return given
        if PROFILES.index(run.profile) < PROFILES.index(self.min_profile):
            return untested(f"needs the {self.min_profile} profile")
        if run.untested:
            return untested(run.untested)
        if control and control.verdict == "holds":
            return untested(f"under these settings the rule holds for the negative control too ({control.what})")
        if given.word != "holds" and positive and positive.verdict != "holds":
            size = f"; it would take {positive.needs}" if positive.needs else ""
            return untested(f"no power: the rule does not hold where the claim is true either ({positive.what}){size}")
        return given


def scorecard(run: Run, claims: Sequence[Claim]) -> Scorecard:
    """Print one stable line a claim (``C1 holds``), hand the claims to the run's record, and return the table.

    Each effect, of claims and controls, is recorded as a value. Raises ValueError unless there are three to five claims
    that some run can test, numbered C1, C2, ..., with those that none can test after them.
    """
    records = [claim.record(run) for claim in claims]
    n_tested = sum(r.tested for r in records)
    expected = [f"C{k + 1}" for k in range(len(claims))]
    if [c.id for c in claims] != expected or not 3 <= n_tested <= 5 or not all(r.tested for r in records[:n_tested]):
        got = ", ".join(r.id + (" (untested)" if not r.tested else "") for r in records)
        raise ValueError(
            "a scorecard has three to five tested claims, C1, C2, ... in order, and untested ones after them; "
            f"got {got or 'none'}"
        )
    for r in records:
        worlds = [(r.id, r.measured)]
        worlds += [
            (f"{r.id} {kind}", c.measured) for kind, c in (("control", r.control), ("positive", r.positive)) if c
        ]
        for world, measured in worlds:
            for name, e in measured.items():
                run.record(f"{world}: {name}" if name else world, e.mean, exact=bool(e.exact))
    for line in run.finish(records):
        print(line)
    return Scorecard(records)


def _named(measured: Measured) -> dict[str, Interval]:
    """The measured intervals by name; the name is empty where there is only one."""
    return {"": measured} if isinstance(measured, Interval) else dict(measured)


def _bounds(interval: Interval, verdict: Verdict) -> list[str]:
    return [f"{c.sign} {c.bound:g}" for c in verdict.conditions if c.interval == interval]


def _above(interval: Interval, bound: float, direction: float | None) -> str:
    _finite(interval)
    if interval.low > bound:
        return "holds"
    if interval.high >= bound and interval.low != interval.high:
        return "inconclusive"
    if direction is not None and interval.low > direction:
        return "direction holds"
    return "fails here"


def _finite(interval: Interval) -> None:
    if math.isnan(interval.low) or math.isnan(interval.high):
        raise ValueError(f"no verdict on the interval {interval}")
