"""Training stored models anew: those of a chapter by running it, shared ones by their notebooks.

``notebooks/models/index.yml`` says which notebook makes which shared model.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Sequence

import yaml

from lvutils.files import read_json, write_bytes, write_json, write_text
from lvutils.parameters import nearest
from lvutils.paths import MODELS, NOTEBOOKS, ROOT
from lvutils.press import catalogue, execute
from lvutils.press.errors import Misuse, RunFailed
from lvutils.press.notebook import clean, dump, read_notebook
from lvutils.press.pool import Job, run_all
from lvutils.record import Results

FOLDER = NOTEBOOKS / "models"
WORK = ROOT / "runs" / "models"  # where a training run lies until its models are stored; it stays where that fails


def index() -> dict[str, dict]:
    """The shared models by name: the notebook that makes each, its parameters, and the models that must be there."""
    path = FOLDER / "index.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}


def cards(chapter: str) -> list[dict]:
    """The cards of the models that a chapter trains itself."""
    found = (read_json(p, ["name"]) for p in sorted(MODELS.glob(f"{chapter}-*.json")))
    return [card for card in found if card.get("chapter") == chapter]


def retraining(chapter: str, todo: execute.Plan) -> list[str]:
    """What a run's changed settings train anew and about how long that takes, a line a model; before it starts."""
    lines = []
    for card in cards(chapter):
        changed = [n for n, v in todo.given.items() if n in card["settings"] and card["settings"][n] != v]
        if changed:
            name, minutes = card["name"].removeprefix(f"{chapter}-"), card["cpu_seconds"] / 60
            how = (
                "briefly, under quick: its claims are untested"
                if todo.parameters["profile"] == "quick"
                else f"about {minutes:.0f} min of one core, as long as for the stored one"
            )
            lines.append(f"{', '.join(changed)} changed: {name} is trained anew ({how})")
    return lines


def train(names: Sequence[str], workers: int, report: Callable[[str], None]) -> None:
    """Train models and store them: those of the chapters that are named, shared ones by their own names, all where
    nothing is named.

    A model's two files are replaced only when its notebook has run to its end; the outputs of a shared model's run
    under default parameters are stored, too. Raises Misuse for an unknown name, RunFailed, after the rest is done,
    naming what failed.
    """
    shared = index()
    chapters = {p.slug: p.notebook for p in catalogue.written()}
    for name in names:
        if name not in shared and name not in chapters:
            raise Misuse(f"unknown model or chapter {name!r}{nearest(name, [*shared, *chapters])}")
    failures: list[str] = []
    own = [name for name in names if name in chapters] if names else [slug for slug in chapters if cards(slug)]
    left = [name for name in dict.fromkeys(names or shared) if name in shared and name not in own]
    while left or own:  # those that others are measured with come first, chapters last
        now = [name for name in left if not set(shared[name].get("after", ())) & set(left)]
        if left and not now:
            raise ValueError(f"index.yml: {', '.join(left)} wait for each other")
        jobs = {}
        for name in now:
            todo = execute.plan(FOLDER / f"{shared[name]['notebook']}.ipynb", shared[name].get("parameters", {}))
            jobs[name] = Job(todo, WORK / name, {"train": True, "scored": False})
        for slug in own if not now else ():
            jobs[slug] = Job(execute.plan(chapters[slug], {}), WORK / slug, {"train": True})
        left, own = [name for name in left if name not in now], own if now else []
        for name, result in run_all(jobs, workers, "training"):
            job = jobs[name]
            try:
                report(_store(name, job, result()))
            except RunFailed as error:
                failures.append(str(error))
            else:
                shutil.rmtree(job.out)
    if failures:
        raise RunFailed("\n".join(failures))


def _store(name: str, job: Job, results: Results) -> str:
    made = sorted(path.stem for path in job.out.glob("*.safetensors"))
    shared = not job.options.get("scored", True)
    if shared and name not in made:
        raise RunFailed(f"{job.todo.path.stem} ran to its end without store_model({name!r}, ...)")
    if not made:
        raise RunFailed(f"{name} trains no model of its own; run.trained(...) keeps one")
    MODELS.mkdir(parents=True, exist_ok=True)
    lines = []
    for each in made:
        card = read_json(job.out / f"{each}.json")
        if shared:
            card |= {"notebook": job.todo.path.stem, "parameters": job.todo.parameters}
            card |= {"code": results.identity["code"], "run": dataclasses.asdict(results.cost)}
        write_bytes(MODELS / f"{each}.safetensors", (job.out / f"{each}.safetensors").read_bytes())
        write_json(MODELS / f"{each}.json", card)
        quality = ", ".join(f"{k} {v}" for k, v in card["quality"].items())
        minutes = (results.cost.cpu_seconds if shared else card["cpu_seconds"]) / 60
        lines.append(f"{each}: {card['n_parameters']} weights, {minutes:.0f} min; {quality}")
    if shared and not job.todo.given:
        write_text(job.todo.path, dump(clean(read_notebook(job.out / "chapter.ipynb"))))
    return "\n".join(lines)
