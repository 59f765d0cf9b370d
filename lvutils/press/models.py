"""Training the stored models anew: ``notebooks/models/index.yml`` says which notebook makes which model."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from lvutils.files import write_bytes, write_json, write_text
from lvutils.parameters import nearest
from lvutils.paths import MODELS, NOTEBOOKS, ROOT
from lvutils.press import run
from lvutils.press.errors import Misuse, RunFailed
from lvutils.press.notebook import clean, code_hash, dump, read_notebook
from lvutils.press.refresh import run_all

FOLDER = NOTEBOOKS / "models"
WORK = ROOT / "runs" / "models"  # where a training run lies until its model is stored; it stays where that fails


def index() -> dict[str, dict]:
    """The stored models by name: the notebook that makes each, its parameters, and the models that must be there."""
    path = FOLDER / "index.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}


def train(names: Sequence[str], workers: int, report: Callable[[str], None]) -> None:
    """Train models (all where none is named) and store them, with the outputs of the runs under default parameters.

    A model's two files are replaced only when its notebook has run to its end. Raises Misuse for an unknown name,
    RunFailed, after the rest is done, naming what failed.
    """
    known = index()
    for name in names:
        if name not in known:
            raise Misuse(f"unknown model {name!r}{nearest(name, known)}")
    failures: list[str] = []
    left = list(dict.fromkeys(names or known))
    while left:  # those that others are measured with come first
        now = [name for name in left if not set(known[name].get("after", ())) & set(left)]
        if not now:
            raise ValueError(f"index.yml: {', '.join(left)} wait for each other")
        left = [name for name in left if name not in now]
        jobs = {}
        for name in now:
            todo = run.plan(FOLDER / f"{known[name]['notebook']}.ipynb", known[name].get("parameters", {}))
            jobs[name] = (todo, WORK / name)
        for name, future in run_all(jobs, workers, "training", trains_model=True):
            todo, out = jobs[name]
            try:
                report(_store(name, todo, out, future.result()))
            except RunFailed as error:
                failures.append(str(error))
            else:
                shutil.rmtree(out)
    if failures:
        raise RunFailed("\n".join(failures))


def _store(name: str, todo: run.Plan, out: Path, results: dict) -> str:
    weights, about = out / f"{name}.safetensors", out / f"{name}.json"
    if not (weights.is_file() and about.is_file()):
        raise RunFailed(f"{todo.path.stem} ran to its end without store_model({name!r}, ...)")
    card = json.loads(about.read_text(encoding="utf-8"))
    card |= {"notebook": todo.path.stem, "parameters": todo.parameters, "code": code_hash(todo.notebook), "run": results["run"]}
    MODELS.mkdir(parents=True, exist_ok=True)
    write_bytes(MODELS / weights.name, weights.read_bytes())
    write_json(MODELS / about.name, card)
    if not todo.given:
        write_text(todo.path, dump(clean(read_notebook(out / "chapter.ipynb"))))
    quality = ", ".join(f"{k} {v}" for k, v in card["quality"].items())
    return f"{name}: {card['n_parameters']} weights, {results['run']['cpu_seconds'] / 60:.0f} min; {quality}"
