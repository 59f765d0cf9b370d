"""Chapters on many files, without kernels; called as a program by test_own_data.py.

In comes JSON: ``{"read": {slug: [files]}, "run": {slug: [file, folder of the record]}}``; out goes what came of each,
a chapter in a process of its own. To read is to run the cells under ``quick`` up to the one that refuses the first
file, and that cell again with each of the others. To run is to run all cells and to draw their figures.
"""

import io
import json
import linecache
import os
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stdout

import matplotlib.pyplot as plt
import pandas as pd  # noqa: F401 - imported once, for all chapters
import torch  # noqa: F401
from scipy import stats  # noqa: F401
from sklearn import cluster, decomposition, linear_model, mixture  # noqa: F401

from lvutils import train
from lvutils.chapter import Run
from lvutils.data import DataError
from lvutils.press import catalogue
from lvutils.press.notebook import PARAMETERS_TAG, code_cells, read_notebook, tags


def cells_run(slug: str, file: str, scope: dict) -> Iterator:
    """Run a chapter on a file in ``scope``, cell by cell; each cell's code comes before it runs."""
    for number, cell in code_cells(read_notebook(catalogue.find_written(slug).notebook)):
        name, source = f"<{slug}, cell {number}>", cell["source"]
        linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name  # as IPython does
        code = compile(source, name, "exec")
        yield code
        exec(code, scope)
        if PARAMETERS_TAG in tags(cell):
            scope.update(profile="quick", data=file)


def read(slug: str, files: list[str]) -> dict:
    """What the chapter says of each file ("" where it takes it), and what it had done until it read the first."""
    worked, said, scope, start = [], {}, {}, time.process_time()
    train.progress = lambda iterable, what: worked.append(what) or iterable
    Run.trained = lambda self, name, *_, **__: worked.append(name)
    try:
        for code in cells_run(slug, files[0], scope):  # noqa: B007 - the last one is wanted
            pass
    except DataError:
        seconds = time.process_time() - start
    for file in files:
        scope["data"], said[file] = file, ""
        try:
            exec(code, scope)
        except DataError as error:
            said[file] = str(error)
        except Exception as error:
            said[file] = f"{type(error).__name__} in place of DataError: {error}"
    return {"said": said, "seconds": seconds, "worked": worked}


def run(slug: str, files: list[str]) -> str:
    """The error that ends the chapter's run on the file, or ""."""
    file, folder = files
    os.environ |= {"LVUTILS_RESULTS": f"{folder}/results.json", "LVUTILS_QUIET": "1"}
    try:
        for _ in cells_run(slug, file, {}):
            for number in plt.get_fignums():
                plt.figure(number).canvas.draw()
            plt.close("all")
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def main() -> None:
    plt.switch_backend("agg")
    found = {"read": {}, "run": {}}
    for job, chapters in json.load(sys.stdin).items():
        for slug, files in chapters.items():
            receive, send = os.pipe()
            if not os.fork():
                with redirect_stdout(io.StringIO()), open(send, "w") as pipe:
                    json.dump((read if job == "read" else run)(slug, files), pipe)
                os._exit(0)
            os.close(send)
            with open(receive) as pipe:
                found[job][slug] = json.loads(pipe.read() or "null")
            os.wait()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
