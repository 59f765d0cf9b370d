"""What a result depends on, in one place.

Names of runs, "there already", staleness of stored outputs and which runs may be compared all follow from it: the
notebook's code, the definitions of ``lvutils`` that it reaches, the data and models that it names, the versions that
matter. Code counts as syntax, so that a comment, a docstring or a line break changes nothing. (The keys of trained
models follow the same rule from inside a run: :func:`lvutils.trained.key_of`.)
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

import yaml

from lvutils.files import read_json
from lvutils.paths import DATA, MODELS, ROOT
from lvutils.press.notebook import code_cells
from lvutils.syntax import syntax

VERSIONS = ("numpy", "scipy", "scikit-learn", "torch")
# Modules that frame a run and compute nothing in it: a change there shows in the test run, which compares every value.
# (Data sets count by the hash of what was read, not by the code that read it.)
FRAME = {
    "chapter",
    "data",
    "files",
    "frames",
    "parameters",
    "paths",
    "plot",
    "record",
    "scorecard",
    "syntax",
    "trained",
}
STORED = (
    "code",
    "package",
    "inputs",
)  # the parts by which stored outputs go stale; they may be checked under other versions


def identity(notebook: Mapping, slug: str) -> dict[str, str]:
    """What all runs of a chapter share, in four hashes: code, package, inputs (data and models), versions."""
    return {
        "code": _hash(_code(cell["source"]) for _, cell in code_cells(notebook)),
        "package": _hash(_reached(notebook)),
        "inputs": _hash(f"{name} {sha}" for name, sha in sorted(_inputs(notebook, slug).items())),
        "versions": _hash(f"{name} {_version(name)}" for name in VERSIONS),
    }


def run_name(shared: Mapping[str, str], parameters: Mapping, files: Iterable[Path] = ()) -> str:
    """What a run is named by: :func:`identity`, its parameters, the content of the reader's files among them."""
    parts = [json.dumps(dict(shared), sort_keys=True), json.dumps(dict(parameters), sort_keys=True)]
    parts += [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    return _hash(parts)


def _hash(parts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:16]


def _code(source: str) -> str:
    try:
        return syntax(source)
    except SyntaxError:  # it will fail when it runs; until then it is its text
        return source


@cache
def _version(name: str) -> str:
    return metadata.version(name).partition("+")[0]


def _trees(notebook: Mapping) -> Iterator[ast.AST]:
    for _, cell in code_cells(notebook):
        try:
            yield ast.parse(cell["source"])
        except SyntaxError:
            continue


def _inputs(notebook: Mapping, slug: str) -> dict[str, str]:
    """SHA-256 of the data sets and stored models whose names stand in the code."""
    words = {
        n.value
        for tree in _trees(notebook)
        for n in ast.walk(tree)
        if isinstance(n, ast.Constant) and type(n.value) is str
    }
    registry = yaml.safe_load((DATA / "registry.yml").read_text(encoding="utf-8"))
    found = {name: entry.get("sha256", "") for name, entry in registry.items() if name in words}
    for path in MODELS.glob("*.json"):
        stem = path.stem  # a name may be put together, as f"model-{k}"; a chapter's own models begin with its name
        if stem in words or stem.startswith(tuple(w for w in {*words, f"{slug}-"} if len(w) > 1 and w.endswith("-"))):
            found[f"model {stem}"] = read_json(path, ["sha256"])["sha256"]
    return found


def _reached(notebook: Mapping) -> Iterator[str]:
    """The syntax of every definition of the library wing that the notebook's imports reach, frames left out."""
    modules = _library()
    waiting = [target for tree in _trees(notebook) for target in _imported(tree, modules)]
    seen = set()
    while waiting:
        module, name = waiting.pop()
        if (module, name) in seen or module not in modules or module.split(".")[0] in FRAME:
            continue
        seen.add((module, name))
        own = modules[module]
        if name == "*":
            waiting += [(module, each) for each in own.definitions]
        elif name in own.definitions:
            for node in own.definitions[name]:
                waiting += [(module, n.id) for n in ast.walk(node) if isinstance(n, ast.Name)]
                waiting += _imported(node, modules)
        elif name in own.imports:
            waiting.append(own.imports[name])
    for module, name in sorted(seen):
        if name in modules[module].definitions:
            yield f"{module} {' '.join(syntax(ast.Module([n], [])) for n in modules[module].definitions[name])}"


class _Module:
    """A module's top-level definitions by name, and what it imports from the package."""

    def __init__(self, tree: ast.Module):
        self.definitions: dict[str, list[ast.AST]] = {}
        self.imports: dict[str, tuple[str, str]] = {}
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                self.definitions.setdefault(node.name, []).append(node)
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in (n for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)):
                    self.definitions.setdefault(target.id, []).append(node)
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lvutils."):
                for alias in node.names:
                    self.imports[alias.asname or alias.name] = (node.module.removeprefix("lvutils."), alias.name)


@cache
def _library() -> dict[str, _Module]:
    modules = {}
    for path in [*(ROOT / "lvutils").glob("*.py"), *(ROOT / "lvutils" / "data").glob("*.py")]:
        name = ".".join(path.relative_to(ROOT / "lvutils").with_suffix("").parts).removesuffix(".__init__")
        if name != "__init__":
            modules[name] = _Module(ast.parse(path.read_text(encoding="utf-8")))
    return modules


def _imported(tree: ast.AST, modules: Mapping) -> list[tuple[str, str]]:
    """What a piece of code imports from the package: (module, name), ``*`` for all of a module."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(a.name.removeprefix("lvutils."), "*") for a in node.names if a.name.startswith("lvutils.")]
        elif isinstance(node, ast.ImportFrom) and node.module == "lvutils":
            found += [(a.name, "*") for a in node.names if a.name in modules]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lvutils."):
            found += [(node.module.removeprefix("lvutils."), a.name) for a in node.names]
    return found
