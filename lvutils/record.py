"""What a run leaves behind: values, claims, results. The only reader and writer of ``results.json``.

A *run* is one execution of a chapter, a *value* a number that it records, a *figure* a picture. A run writes
:class:`Results`; the refresh adds to those of the stored run what the other runs say, as :class:`Book`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lvutils.files import parse_json, write_text

if typing.TYPE_CHECKING:
    from lvutils.stats import Interval

SCHEMA = 2

# From best to worst: a claim of several conditions gets the worst verdict among them.
VERDICTS = ("holds", "direction holds", "inconclusive", "untested", "fails here")
AGREE = 5 / 6  # of the runs under different seeds: so many must give a verdict for it to be the book's
WIDENED = math.sqrt(2)  # two estimates of one effect differ by this much more than each from the truth


class RecordError(RuntimeError):
    """A record is not readable, or a run is out of step with the stored results (in the test run only)."""

    def _render_traceback_(self) -> list[str]:
        return [f"RecordError: {self}"]  # IPython shows this in place of a traceback


@dataclass
class Value:
    """A recorded number.

    exact: it is a closed form. tolerance: how far a run of the same seed on another machine may lie from it (from
    repetitions under other arithmetic). spread: standard deviation over the seeds, for readers. Both are None in a run.
    """

    value: float
    unit: str = ""
    exact: bool = False
    tolerance: float | None = None
    spread: float | None = None


@dataclass
class Effect:
    """A measured effect with its 95 % interval, over ``n`` independent units.

    exact: why there is no sampling error, where there is none. bounds: the rule's conditions on it, such as ``> 0.8``.
    """

    mean: float
    low: float
    high: float
    n: int
    exact: str = ""
    bounds: list[str] = field(default_factory=list)

    @property
    def is_exact(self) -> bool:
        """Whether the interval is a point."""
        return self.low == self.high

    def __str__(self) -> str:
        """The numbers with as many digits as it takes to tell them from the bounds (two to four)."""
        bounds = [float(bound.split()[-1]) for bound in self.bounds]
        ends = {self.mean, self.low, self.high}
        for digits in (2, 3, 4):
            shown = {f"{x:.{digits}g}" for x in ends}
            if all(b in ends or f"{b:.{digits}g}" not in shown for b in bounds):
                break
        if self.is_exact:
            return f"{self.mean:.{digits}g}"
        return f"{self.mean:.{digits}g} [{self.low:.{digits}g}, {self.high:.{digits}g}]"

    def covers(self, estimate: float) -> bool:
        """Whether another run's estimate lies in the interval widened by the root of two."""
        low = self.mean - WIDENED * (self.mean - self.low)
        high = self.mean + WIDENED * (self.high - self.mean)
        return low <= estimate <= high


@dataclass
class ControlRecord:
    """A claim's measure and rule in another world. needs: the size at which the rule would tell, in words."""

    what: str
    measured: dict[str, Effect]
    verdict: str
    needs: str = ""


@dataclass
class ClaimRecord:
    """One claim of the paper in one run. The fields are those of :class:`lvutils.claims.Claim`.

    rule_verdict: what the rule gives, before controls are looked at. tested: False for a claim without a rule, which no
    run of this chapter tests.
    """

    id: str
    claim: str
    paper: str
    source: str
    rule: str
    measured: dict[str, Effect]
    verdict: str
    reason: str = ""
    rule_verdict: str = ""
    why: str = ""
    because: dict[str, float] = field(default_factory=dict)
    control: ControlRecord | None = None
    positive: ControlRecord | None = None
    tested: bool = True


@dataclass
class Verdicts:
    """What the runs under several seeds say of one claim.

    verdict: the book's. counts: runs by verdict. turned: other arithmetic gave the stored seed another verdict.
    control_holds: runs in which the negative control held. inside: for each measured effect that the seed changes, how
    many of the other runs' estimates lie within its widened interval, and of how many. exact_moves: effects that are
    recorded as free of sampling error and yet change with the seed.
    """

    verdict: str
    counts: dict[str, int]
    turned: bool = False
    control_holds: int = 0
    inside: dict[str, list[int]] = field(default_factory=dict)
    exact_moves: list[str] = field(default_factory=list)

    @property
    def moves(self) -> bool:
        """Whether the seed changes any measured effect of the claim, or its verdict."""
        return bool(self.inside or self.exact_moves) or len(self.counts) > 1

    @property
    def agreed(self) -> bool:
        """Whether all runs, under other seeds and other arithmetic, gave this verdict."""
        return not self.turned and set(self.counts) == {self.verdict}


@dataclass
class Moved:
    """What changes when one parameter is changed, under ``quick``: claims by id, and the number of recorded values.

    failed: the error, where the chapter does not run under the other value.
    """

    default: object
    other: object
    claims: list[str]
    n_values: int
    failed: str = ""


@dataclass
class Book:
    """What the refresh adds to the stored run. seeds: all that were run, the stored one first.

    arithmetic: repetitions of the stored seed under other arithmetic. parameters: what each moves. ends: for each
    "name=value" at an end of a parameter's range, tried under ``quick``, what went wrong (nothing: empty); None where
    nobody looked.
    """

    seeds: list[int]
    claims: dict[str, Verdicts]
    arithmetic: int = 0
    parameters: dict[str, Moved] = field(default_factory=dict)
    ends: dict[str, str] | None = None


@dataclass
class Cost:
    """What a run took: processor seconds, peak memory, the day, and the versions of what it was made with."""

    cpu_seconds: float
    memory_mib: int
    date: str
    versions: dict[str, str]


@dataclass
class Results:
    """All that a run leaves, as in its ``results.json``.

    name: the hash of all that the results depend on, and identity: its parts (``lvutils.press.identity``); cost, name
    and identity are added by whoever ran the notebook. data and models: SHA-256 by name. book: by the refresh only.
    """

    slug: str
    parameters: dict[str, object]
    data: dict[str, str]
    models: dict[str, str]
    values: dict[str, Value]
    claims: list[ClaimRecord]
    name: str = ""
    identity: dict[str, str] = field(default_factory=dict)
    cost: Cost | None = None
    book: Book | None = None

    @classmethod
    def read(cls, path: Path) -> Results:
        """Read a results file. Raises RecordError naming the file and the place where it is not as expected."""
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise RecordError(f"{path.name}: {error.strerror or error}") from None
        return cls.parse(text, path.name)

    @classmethod
    def parse(cls, text: str, where: str) -> Results:
        """The results that a text holds. where: names it in messages. Raises RecordError."""
        try:
            content = parse_json(text)
        except ValueError as error:
            raise RecordError(f"{where}: not JSON ({error})") from None
        found = content.pop("schema", None) if isinstance(content, dict) else None
        if found != SCHEMA:
            raise RecordError(
                f"{where}: results of schema {found}, expected {SCHEMA}; run or refresh the chapter again"
            )
        return _decode(cls, content, where)

    def text(self) -> str:
        """As it stands in a file."""
        content = {"schema": SCHEMA, **dataclasses.asdict(self)}
        return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def write(self, path: Path) -> None:
        """Write the results file, atomically."""
        write_text(path, self.text())

    def effects(self) -> Iterable[tuple[str, str, Effect]]:
        """Id of the claim, name and effect of all that was measured for the claims."""
        for claim in self.claims:
            for name, effect in claim.measured.items():
                yield claim.id, name, effect

    def verdict(self, claim: ClaimRecord) -> str:
        """The book's verdict on a claim where the runs were pooled, else this run's."""
        return self.book.claims[claim.id].verdict if self.book and claim.id in self.book.claims else claim.verdict

    def untouched(self, changed: Iterable[str]) -> list[str]:
        """Ids of the claims that none of the changed parameters can touch, as far as the refresh has looked.

        Empty where it was not looked at, or a parameter is changed whose effect is not known.
        """
        changed = set(changed)
        known = self.book.parameters if self.book else {}
        if not changed or not changed <= set(known):
            return []
        touched = {id_ for name in changed for id_ in known[name].claims}
        return [c.id for c in self.claims if c.tested and c.id not in touched]

    def differences(self, fresh: Results) -> list[str]:
        """In words, what a fresh run of the same seed and parameters gives otherwise; ``self`` are the stored results.

        Lines that start with ``within`` name values inside their tolerance, all others are out of step.
        """
        lines = []
        old, new = ({c.id: c.verdict for c in r.claims} for r in (self, fresh))
        for id_ in sorted(old.keys() | new.keys()):
            agreed = self.book is None or id_ not in self.book.claims or self.book.claims[id_].agreed
            if old.get(id_) != new.get(id_):
                mark = "" if agreed else "within what its seeds gave: "
                lines.append(f"{mark}verdict {id_}: stored {old.get(id_, 'none')}, now {new.get(id_, 'none')}")
        if self.data != fresh.data:
            lines.append(f"data: stored {self.data}, now {fresh.data}")
        for name in sorted(self.values.keys() | fresh.values.keys()):
            if name not in fresh.values or name not in self.values:
                lines.append(f"value {name}: only in the {'stored' if name in self.values else 'fresh'} results")
                continue
            stored, now = self.values[name], fresh.values[name].value
            if now != stored.value:
                ok = stored.tolerance is not None and abs(now - stored.value) <= stored.tolerance
                lines.append(
                    f"{'within' if ok else 'OUTSIDE'} tolerance {stored.tolerance or 0:.2g}: {name} "
                    f"stored {stored.value:.6g}, now {now:.6g}"
                )
        return lines


def effect(interval: Interval, bounds: Sequence[str] = ()) -> Effect:
    """An interval as it is recorded. Raises ValueError where it is not finite."""
    if not all(map(math.isfinite, interval[:3])):
        raise ValueError(f"the interval {interval} is not finite")
    return Effect(
        float(interval.mean),
        float(interval.low),
        float(interval.high),
        int(interval.n),
        interval.exact_why,
        list(bounds),
    )


def pool(runs: Sequence[Results], arithmetic: Sequence[Results] = ()) -> Book:
    """The book's verdicts from runs of one chapter under different seeds, the stored one first.

    A verdict is the book's where at least five sixths of the runs give it and other arithmetic does not turn it; else
    the claim is ``inconclusive``. arithmetic: the stored seed again, under other arithmetic.
    """
    stored = runs[0]
    verdicts = {}
    for claim in stored.claims:
        same = [next(c for c in r.claims if c.id == claim.id) for r in runs]
        counts = Counter(c.verdict for c in same)
        word, n = counts.most_common(1)[0]
        turned = any(c.verdict != claim.verdict for r in arithmetic for c in r.claims if c.id == claim.id)
        inside, exact_moves = {}, []
        for name, own in claim.measured.items():
            others = [c.measured[name].mean for c in same[1:] if name in c.measured]
            if all(x == own.mean for x in others):
                continue  # the seed does not reach it: its interval is not checked by other seeds
            if own.is_exact:
                exact_moves.append(name)
            else:
                inside[name] = [sum(map(own.covers, others)), len(others)]
        holds = sum(c.control is not None and c.control.verdict == "holds" for c in same)
        book = word if n >= AGREE * len(runs) and not turned else "inconclusive"
        verdicts[claim.id] = Verdicts(book, dict(counts.most_common()), turned, holds, inside, exact_moves)
    return Book([r.parameters["seed"] for r in runs], verdicts, arithmetic=len(arithmetic))


def _decode(kind: typing.Any, content: object, where: str) -> typing.Any:
    """Plain data as the dataclasses above, their types checked."""
    if kind is object:
        return content
    if dataclasses.is_dataclass(kind):
        if not isinstance(content, Mapping):
            raise RecordError(f"{where}: expected {kind.__name__}, found {content!r:.60}")
        hints = typing.get_type_hints(kind)
        if unknown := sorted(content.keys() - hints.keys()):
            raise RecordError(f"{where}: unknown entry {unknown[0]!r} in {kind.__name__}")
        try:
            return kind(**{name: _decode(hints[name], value, f"{where}, {name}") for name, value in content.items()})
        except TypeError as error:
            raise RecordError(f"{where}: {str(error).replace('__init__() ', '')}") from None
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:  # always "X | None" here
        return None if content is None else _decode(arguments[0], content, where)
    if origin is dict and isinstance(content, Mapping):
        return {key: _decode(arguments[1], value, f"{where}, {key}") for key, value in content.items()}
    if origin is list and isinstance(content, list):
        return [_decode(arguments[0], value, f"{where} {k}") for k, value in enumerate(content)]
    ok = type(content) in (int, float) if kind is float else type(content) is kind
    if not ok or (kind is float and not math.isfinite(content)):
        raise RecordError(f"{where}: expected {getattr(kind, '__name__', kind)}, found {content!r:.60}")
    return content
