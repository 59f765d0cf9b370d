"""The command ``lvutils``: chapters from outside."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from pathlib import Path

import click
import psutil

from lvutils.files import FileError, read_json
from lvutils.parameters import split_values
from lvutils.paths import MODELS, NOTEBOOKS, ROOT
from lvutils.press import catalogue
from lvutils.press.errors import Misuse, RunFailed

RUNS = ROOT / "runs"
NO_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)  # a full disk, or no right to


class _Group(click.Group):
    """Commands whose errors are one line each: exit code 2 for misuse, 1 for a run that failed."""

    def invoke(self, context: click.Context):
        for number in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: what was begun is cleared away
            signal.signal(number, signal.default_int_handler)
        try:
            if odd := [word for word in sys.argv[1:] if not word.isprintable() and not _is_text(word)]:
                raise Misuse(f"{odd[0]!r}: expected names in UTF-8; rename the file or folder")
            return super().invoke(context)
        except Misuse as error:
            click.echo(f"lvutils: {error}", err=True)
            sys.exit(2)
        except (RunFailed, FileError) as error:
            click.echo(f"lvutils: {error}", err=True)
            sys.exit(1)
        except OSError as error:
            if error.errno not in NO_WRITING:
                raise
            click.echo(f"lvutils: {error.filename or 'a file'} could not be written: {error.strerror}", err=True)
            sys.exit(1)
        except Exception as error:
            if isinstance(error.__context__, KeyboardInterrupt):  # libraries that were cut off as they cleared away
                raise KeyboardInterrupt from None
            raise


def _is_text(word: str) -> bool:
    """Whether a word of the command line is what can be written as UTF-8, as a name of other bytes cannot."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lvutils")
def main():
    """Chapters of "Latent Variables, Executed": list them, run them with other parameters, refresh and check them."""


@main.command("list")
@click.option("--all", "all_", is_flag=True, help="Also the planned chapters.")
@click.option("--models", is_flag=True, help="The stored models in place of chapters.")
@click.argument("slug", required=False)
def list_(all_: bool, models: bool, slug: str | None):
    """The chapters with their verdicts; with SLUG, one chapter's parameters."""
    if models:
        _show_models()
        return
    if slug:
        _show_parameters(catalogue.find_written(slug))
        return
    from lvutils.press.pool import stored_results

    for part in catalogue.parts():
        papers = [p for p in catalogue.papers() if p.part == part.id and (all_ or p.notebook.is_file())]
        if papers:
            click.echo(f"\n{part.title}")
        for paper in papers:
            results = stored_results(paper.notebook)
            verdicts = " ".join(f"{c.id}:{results.verdict(c)}" for c in results.claims) if results else ""
            state = "" if paper.notebook.is_file() else "(planned) "
            click.echo(f"  {paper.slug:<32} {state}{paper.short}  {verdicts}".rstrip())


@main.command()
@click.argument("chapter", metavar="SLUG")
@click.option("-p", "pairs", metavar="NAME=VALUE", multiple=True, help="A parameter; may be given again.")
@click.option("--profile", help="Short for -p profile=...: quick, book or paper.")
@click.option("--seed", help="Short for -p seed=...")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run; default runs/SLUG/HASH.")
@click.option("--timeout", type=float, help="Seconds a cell may take; default by profile, none for paper.")
@click.option("--force", is_flag=True, help="Run again where the run is there already.")
def run(chapter, pairs, profile, seed, out, timeout, force):
    """Run a chapter with other parameters, into a folder of its own. SLUG may be the path of a notebook."""
    from lvutils.press import execute
    from lvutils.press.notebook import shown
    from lvutils.press.outcome import told
    from lvutils.press.training import retraining
    from lvutils.record import RecordError, Results

    path = _notebook(chapter)
    given = _pairs(pairs)
    given |= {name: value for name, value in (("profile", profile), ("seed", seed)) if value is not None}
    plan = execute.plan(path, given)
    out = out or RUNS / path.stem / plan.name
    if (out / "results.json").is_file() and not force:
        try:
            results = Results.read(out / "results.json")
        except RecordError as error:
            raise Misuse(f"{shown(out)}: {error}; give another --out, or --force to replace it") from None
        if results.name != plan.name:
            raise Misuse(
                f"{shown(out)} holds another run (other parameters, code, data or versions); "
                "give another --out, or --force to replace it"
            )
        click.echo(f"this run is there already: {out.resolve()} (--force repeats it)")
    else:
        for line in retraining(path.stem, plan):
            click.echo(line)
        results = execute.execute(plan, out, timeout=timeout, bar=sys.stderr.isatty())
        seconds = time.time() - psutil.Process().create_time()
        click.echo(
            f"{path.stem}: done in {seconds:.0f} s, start-up and all ({results.cost.cpu_seconds:.0f} s of processor "
            f"time), {out.resolve()}"
        )
    for line in told(plan, results, out):
        click.echo(line)


@main.command()
@click.argument("chapter", metavar="SLUG")
@click.option("-p", "pairs", metavar="NAME=V1,V2", multiple=True, help="A parameter and its values; all combinations.")
@click.option("--points", type=click.Path(path_type=Path), help="CSV file in place of a grid: a run a line.")
@click.option("--seeds", help="FIRST:END (the end not included) or a list; every point under each of them.")
@click.option("--profile", help="quick, book or paper, for all runs.")
@click.option("--workers", type=click.IntRange(1), help="Runs at a time; default one a core.")
@click.option("--scheduler", metavar="ADDRESS", help="A Dask scheduler, tcp://HOST:PORT, in place of local processes.")
@click.option("--runs", default=str(RUNS), help="Folder or fsspec address of all runs; default runs.")
@click.option("--timeout", type=float, help="Seconds a cell may take; default by profile, none for paper.")
@click.option("--retry-failed", is_flag=True, help="Also run again what failed before.")
def sweep(chapter, pairs, points, seeds, profile, workers, scheduler, runs, timeout, retry_failed):
    """Run a chapter at many points. Interrupted, the same command goes on where it stood."""
    from lvutils.press import sweep as sweeping

    path = _notebook(chapter)
    values = {name: split_values(text) for name, text in _pairs(pairs).items()}
    if profile is not None:
        values |= {"profile": [profile]}
    if points is not None and pairs:
        raise Misuse("--points and -p: expected one of the two")
    listed = sweeping.parse_seeds(seeds) if seeds else []
    table = sweeping.read_points(points) if points else [{}]
    grid = sweeping.grid(values, listed)
    clash = table[0].keys() & grid[0].keys()
    if clash:
        raise Misuse(f"{min(clash)} stands both in {points} and on the command line")
    options = {"workers": workers or os.cpu_count(), "scheduler": scheduler, "timeout": timeout}
    try:
        outcome = sweeping.sweep(
            path,
            [row | point for row in table for point in grid],
            runs,
            retry_failed=retry_failed,
            report=click.echo,
            **options,
        )
    except KeyboardInterrupt:
        click.echo("\nlvutils: interrupted; the same command goes on from here", err=True)
        os._exit(130)  # at once: workers and kernels end with this process, and a cluster takes its time to close
    click.echo(
        f"{outcome.there + outcome.done} done, {len(outcome.failed)} failed, {len(outcome.lost)} lost: "
        f"{runs}/{path.stem}"
    )
    for name, why in outcome.failed.items():
        click.echo(f"failed {name}: {why}", err=True)
    for name, why in outcome.lost.items():
        click.echo(f"lost {name}: {why}", err=True)
    if outcome.failed:
        click.echo("failed runs are left alone unless --retry-failed says otherwise", err=True)
    if outcome.failed or outcome.lost:
        sys.exit(1)


@main.command()
@click.argument("runs")
@click.option("--by", metavar="PARAMETER", help="Plot against this parameter alone.")
@click.option("--value", metavar="VALUE", help="Plot this recorded value alone.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of table and report; default comparison in RUNS.")
def compare(runs, by, value, out):
    """Bring the runs of a sweep into one table, and write a report. RUNS is a folder or address, as runs/SLUG."""
    from lvutils.press.compare import compare as compare_

    if out is None:
        if "://" in runs:
            raise Misuse("--out is needed where the runs are not in a folder of this machine")
        out = Path(runs) / "comparison"
    compare_(runs, out, by, value, click.echo)


@main.command()
@click.argument("slugs", metavar="[SLUG]...", nargs=-1)
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Runs at a time.")
def refresh(slugs, workers):
    """Execute chapters under six seeds and other arithmetic; store outputs, pooled verdicts, tolerances."""
    from lvutils.press.refresh import refresh as refresh_

    refresh_(_notebooks(slugs), workers, click.echo)


@main.command()
@click.argument("slugs", metavar="[SLUG]...", nargs=-1)
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Runs at a time.")
@click.option("--arithmetic", is_flag=True, help="Also under other arithmetic, as on another processor.")
@click.option("--widen", is_flag=True, help="Take what this processor gives into the stored tolerances.")
def reproduce(slugs, workers, arithmetic, widen):
    """Execute chapters from scratch and report every verdict and value that differs from the stored one."""
    from lvutils.press.refresh import reproduce as reproduce_

    reproduce_(_notebooks(slugs), workers, click.echo, arithmetic, widen)


@main.command()
@click.argument("names", metavar="[SLUG|MODEL]...", nargs=-1)
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Runs at a time.")
def models(names, workers):
    """Train models anew and store them with their cards: of a chapter (its SLUG), or shared ones. Takes long."""
    from lvutils.press.training import train

    train(names, workers, click.echo)


@main.command()
@click.argument("slugs", metavar="[SLUG]...", nargs=-1)
def lint(slugs):
    """Hold chapters against the contract."""
    from lvutils.press.lint import lint_chapter

    problems = [p for path in _notebooks(slugs) for p in lint_chapter(path)]
    for problem in problems:
        click.echo(problem)
    if problems:
        raise RunFailed(f"{len(problems)} problem{'s' if len(problems) > 1 else ''}")
    click.echo("no problems")


@main.command()
@click.argument("slugs", metavar="[SLUG]...", nargs=-1)
def number(slugs):
    """Write the right numbers into references to figures and equations."""
    from lvutils.files import write_text
    from lvutils.press.links import number as number_
    from lvutils.press.notebook import dump, read_notebook

    for path in _notebooks(slugs):
        notebook = read_notebook(path)
        number_(notebook)
        write_text(path, dump(notebook))


@main.command()
@click.argument("slug")
def new(slug):
    """Make a chapter's skeleton from the catalogue."""
    from lvutils.press.new import new_chapter
    from lvutils.press.notebook import shown

    path = new_chapter(slug)
    click.echo(f"{shown(path)}: fill in what says TODO, then run: lvutils refresh {slug}, lvutils lint {slug}")


@main.command()
def pages():
    """Write the pages and the table of contents that are made from the catalogue and the stored results."""
    from lvutils.press.pages import write_pages

    for path in write_pages():
        click.echo(path)


def _notebook(chapter: str) -> Path:
    if not chapter.endswith(".ipynb"):
        return catalogue.find_written(chapter).notebook
    path = Path(chapter).resolve()
    if path.parent == NOTEBOOKS / "models":
        raise Misuse(f"{path.name} trains a model and has no claims; train it with: lvutils models")
    return path


def _notebooks(slugs) -> list[Path]:
    if slugs:
        return [catalogue.find_written(slug).notebook for slug in dict.fromkeys(slugs)]
    return [paper.notebook for paper in catalogue.written()]


def _pairs(pairs) -> dict[str, str]:
    given = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise Misuse(f"-p {pair!r}: expected NAME=VALUE")
        given[name] = value
    return given


def _show_models() -> None:
    for path in sorted(MODELS.glob("*.json")):
        card = read_json(path, ("name", "title", "n_parameters", "quality"))
        quality = ", ".join(f"{k} {v}" for k, v in card["quality"].items())
        click.echo(f"{card['name']:<24} {card['title']}\n{'':<24} {card['n_parameters']} weights; {quality}")


def _show_parameters(paper: catalogue.Paper) -> None:
    from lvutils.press.notebook import parameters_of, read_notebook

    click.echo(f"{paper.slug}: {paper.short}\n{paper.title}\n")
    parameters = parameters_of(read_notebook(paper.notebook), paper.slug).values()
    width = max(len(f"{p.name} = {p.default!r}") for p in parameters)
    for p in parameters:
        click.echo(f"  {f'{p.name} = {p.default!r}':<{width}}  {p.meaning} ({p.expected})")


if __name__ == "__main__":
    main()
