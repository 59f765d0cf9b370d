"""Parameters of a chapter, declared once: in the cell that a reader sees and papermill overrides.

One line a parameter, ``name: type = literal  # meaning; range``. The range after the last ``;`` is part of the
declaration, so the command line can refuse a bad value before a kernel starts and the kernel can refuse one that a
reader typed, both from the same line:

``LOW to HIGH``
    a number between the two, ends included;
``FEWEST to MOST numbers from LOW to HIGH``
    a list of so many numbers (its type is ``list[int]`` or ``list[float]``);
``one of A, B, C``
    one of these words;
``one of A, B, or a path ...``
    one of these words, or the path of a file that exists;
``a path ...``
    the path of a file that exists.
"""

from __future__ import annotations

import ast
import io
import os
import re
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

PROFILES = ("quick", "book", "paper")

_TYPES = {"int": int, "float": float, "str": str, "bool": bool, "list[int]": list, "list[float]": list}
_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?"
_NUMERIC_RANGE = re.compile(rf"^({_NUMBER}) to ({_NUMBER})$")
_LIST_RANGE = re.compile(rf"^(\d+) to (\d+) numbers from ({_NUMBER}) to ({_NUMBER})$")


class ParameterError(ValueError):
    """A parameter is unknown, of the wrong type or out of range. The message is one line, fit for a reader."""

    def _render_traceback_(self) -> list[str]:
        return [f"ParameterError: {self}"]  # IPython shows this in place of a traceback


@dataclass(frozen=True)
class Parameter:
    """One declared parameter.

    ``choices`` are the words allowed (empty when any is), ``path`` says whether a file's path is allowed,
    ``low`` and ``high`` bound a number (None where the line gives no range). A list has ``fewest`` to ``most`` entries
    of type ``item``, each between ``low`` and ``high``.
    """

    name: str
    type: type
    default: object
    meaning: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    path: bool = False
    item: type | None = None
    fewest: int = 0
    most: int = 0

    @property
    def expected(self) -> str:
        """What a value must be, in words: ``a float from 0.05 to 8``."""
        if self.choices:
            return "one of " + ", ".join(self.choices) + (", or the path of a file" if self.path else "")
        if self.path:
            return "the path of a file"
        if self.item is not None:
            kind = "integers" if self.item is int else "numbers"
            return f"{self.fewest} to {self.most} {kind} from {_number(self.low)} to {_number(self.high)}, as 1,2"
        if self.low is not None:
            return f"{_article(self.type.__name__)} from {_number(self.low)} to {_number(self.high)}"
        return "True or False" if self.type is bool else _article(self.type.__name__)

    def check(self, value: object) -> object:
        """The value, as the declared type. Raises ParameterError with name, value and what was expected."""
        if self.item is not None:
            return self._check_list(value)
        ok = type(value) is self.type or (self.type is float and type(value) is int)
        if ok and self.low is not None:
            ok = self.low <= value <= self.high  # also refuses nan
        if ok and (self.choices or self.path):
            ok = value in self.choices or (self.path and os.path.isfile(value))
        if not ok:
            raise ParameterError(f"parameter {self.name} is {value!r}, expected {self.expected}")
        return self.type(value)

    def _check_list(self, value: object) -> list:
        ok = isinstance(value, list | tuple) and self.fewest <= len(value) <= self.most
        for entry in value if ok else ():
            ok = ok and (type(entry) is self.item or (self.item is float and type(entry) is int))
            ok = ok and self.low <= entry <= self.high
        if not ok:
            raise ParameterError(f"parameter {self.name} is {value!r}, expected {self.expected}")
        return [self.item(entry) for entry in value]

    def others(self) -> list[object]:
        """Other allowed values, to see what the parameter moves, the nearest first; none for a file's path alone."""
        if self.choices:
            return [c for c in self.choices if c != self.default]
        if self.type is bool:
            return [not self.default]
        if self.item is not None:
            doubled = [min(entry * 2, self.item(self.high)) for entry in self.default]
            tried = [self.default[:-1], doubled]
            return [t for t in tried if t != self.default and len(t) >= self.fewest]
        if self.low is None:
            return []
        tried = [self.default * 2, self.default / 2, (self.low + self.high) / 2, self.low, self.high]
        if self.default == 0:  # usually "the profile's own": something small, but not the smallest
            tried = [self.low + (self.high - self.low) / share for share in (50, 8)] + tried
        tried = [self.type(t) for t in tried]
        return list(dict.fromkeys(t for t in tried if t != self.default and self.low <= t <= self.high))

    def ends(self) -> list[object]:
        """The extreme allowed values, which a run must survive: ends of the range, all choices; none for a file."""
        if self.choices:
            ends = self.choices
        elif self.type is bool:
            ends = (False, True)
        elif self.item is not None:
            ends = ([self.item(self.low)] * self.fewest, [self.item(self.high)] * self.most)
        else:
            ends = () if self.low is None else (self.type(self.low), self.type(self.high))
        return [end for end in ends if end != self.default]

    def parse(self, text: str) -> object:
        """The value that ``text`` from a command line stands for, checked."""
        if self.type is str:
            return self.check(text)
        try:
            value = ast.literal_eval(text)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            value = text
        if self.type is bool and text.lower() in {"true", "false"}:
            value = text.lower() == "true"
        if self.item is not None and not isinstance(value, list | tuple):
            value = (value,)
        if self.type is float and text.lower() in {"nan", "inf", "-inf"}:
            value = float(text)
        if self.type is int and type(value) is float and value.is_integer():
            value = int(value)  # 1e3 is how people write a thousand
        return self.check(value)


def parse_parameters(source: str) -> dict[str, Parameter]:
    """The parameters that a cell declares, in order.

    source: text of the cell tagged ``parameters``. Raises ParameterError naming the line where the form is broken.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        line = (source.splitlines() or [""])[(error.lineno or 1) - 1].strip()
        raise ParameterError(f"parameters cell, line {error.lineno} ({line!r}): {error.msg}") from None
    comments = {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }
    parameters = {}
    for node in tree.body:
        line = source.splitlines()[node.lineno - 1].strip()
        form = f"parameters cell, line {node.lineno} ({line!r})"
        if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None):
            raise ParameterError(f"{form}: expected 'name: type = literal  # meaning; range'")
        type_ = _TYPES.get(ast.unparse(node.annotation))
        if type_ is None:
            raise ParameterError(f"{form}: the type must be one of {', '.join(_TYPES)}")
        hash_in_text = "#" in ast.get_source_segment(source, node.value)
        if node.end_lineno != node.lineno or line.count("=") != 1 or hash_in_text:
            raise ParameterError(
                f"{form}: one line, one '=' and no '#' in the value: papermill cannot read another form"
            )
        try:
            default = ast.literal_eval(node.value)
        except (ValueError, TypeError):
            raise ParameterError(f"{form}: the value must be a plain literal") from None
        if not comments.get(node.lineno):
            raise ParameterError(f"{form}: a comment must say the meaning and the range")
        meaning, range_ = _split_comment(comments[node.lineno])
        try:
            item = {"list[int]": int, "list[float]": float}.get(ast.unparse(node.annotation))
            parameter = Parameter(node.target.id, type_, default, meaning, item=item, **_parse_range(range_, type_))
        except ValueError as error:
            raise ParameterError(f"{form}: {error}") from None
        parameter.check(default)
        parameters[parameter.name] = parameter
    for name, type_ in (("profile", str), ("seed", int)):
        if name not in parameters or parameters[name].type is not type_:
            raise ParameterError(f"parameters cell: '{name}: {type_.__name__}' is missing")
    if parameters["profile"].choices != PROFILES:
        raise ParameterError(f"parameters cell: profile must be 'one of {', '.join(PROFILES)}'")
    return parameters


def check_values(parameters: Mapping[str, Parameter], values: Mapping[str, object]) -> dict[str, object]:
    """All parameters' values: the given ones, checked, and the defaults of the rest.

    Raises ParameterError for an unknown name (with the nearest known one) or a bad value.
    """
    for name in values:
        if name not in parameters:
            raise ParameterError(f"unknown parameter {name}{nearest(name, parameters)}")
    return {name: p.check(values.get(name, p.default)) for name, p in parameters.items()}


def split_values(text: str) -> list[str]:
    """The values that a sweep's ``V1,V2`` names; a list among them stands in brackets, as ``[1,2],[3]``."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "[") - (character == "]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint for a message: ``; did you mean beta?``, or all the known words where none is near."""
    import difflib

    known = list(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e16 else repr(value)


def _article(word: str) -> str:
    return ("an " if word[0] in "aeiou" else "a ") + word


def _split_comment(comment: str) -> tuple[str, str]:
    meaning, _, range_ = comment.rpartition(";")
    return (meaning.strip(), range_.strip()) if meaning else (comment, "")


def _parse_range(text: str, type_: type) -> dict:
    if not text:
        if type_ is list:
            raise ValueError(
                "a list needs a range, '; FEWEST to MOST numbers from LOW to HIGH' at the end of the comment"
            )
        if type_ in (int, float):
            raise ValueError("a number needs a range, '; LOW to HIGH' at the end of the comment")
        return {}
    if type_ in (int, float) and (match := _NUMERIC_RANGE.match(text)):
        return {"low": float(match[1]), "high": float(match[2])}
    if type_ is list and (match := _LIST_RANGE.match(text)):
        fewest, most, low, high = match.groups()
        return {"fewest": int(fewest), "most": int(most), "low": float(low), "high": float(high)}
    if type_ is str and text.startswith("one of "):
        words, path, _ = text.removeprefix("one of ").partition(", or a path")
        return {"choices": tuple(w.strip().removeprefix("or ") for w in words.split(",")), "path": bool(path)}
    if type_ is str and text.startswith("a path"):
        return {"path": True}
    raise ValueError(f"cannot read the range {text!r}; expected 'LOW to HIGH', 'one of A, B, C' or 'a path ...'")
