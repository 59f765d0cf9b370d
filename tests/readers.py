"""The readers of the chapters, called on many files without a kernel; called as a program by test_own_data.py.

``{slug: [files]}`` comes in as JSON. For each chapter, in a process of its own: its cells run under ``quick`` up to the
one that refuses the first file, and that cell again with each of the others.
"""

import io
import json
import os
import sys
import time
from contextlib import redirect_stdout

import matplotlib

matplotlib.use("agg")
import pandas as pd  # noqa: F401 - imported once, for all chapters
import torch  # noqa: F401
from scipy import stats  # noqa: F401
from sklearn import cluster, decomposition, linear_model, mixture  # noqa: F401

from lvutils import train
from lvutils.chapter import Run
from lvutils.data import DataError
from lvutils.press import catalogue
from lvutils.press.notebook import PARAMETERS_TAG, code_cells, read_notebook, tags


def read(slug: str, files: list[str]) -> dict:
    """What the chapter says of each file ("" where it takes it), in which cell, and what it had cost until then."""
    worked = []
    train.progress = lambda iterable, what: worked.append(what) or iterable
    Run.trained = lambda self, name, *_, **__: worked.append(name)
    scope, start = {}, time.process_time()
    for number, cell in code_cells(read_notebook(catalogue.find_written(slug).notebook)):
        code = compile(cell["source"], f"<cell {number}>", "exec")
        try:
            exec(code, scope)
        except DataError:
            break
        if PARAMETERS_TAG in tags(cell):
            scope.update(In=[cell["source"]], profile="quick", data=files[0])
    seconds, said = time.process_time() - start, {}
    for file in files:
        scope["data"], said[file] = file, ""
        try:
            exec(code, scope)
        except DataError as error:
            said[file] = str(error)
        except Exception as error:
            said[file] = f"{type(error).__name__} in place of DataError: {error}"
    return {"said": said, "cell": number, "seconds": seconds, "worked": worked}


def main() -> None:
    found = {}
    for slug, files in json.load(sys.stdin).items():
        receive, send = os.pipe()
        if not os.fork():
            with redirect_stdout(io.StringIO()), open(send, "w") as pipe:
                json.dump(read(slug, files), pipe)
            os._exit(0)
        os.close(send)
        with open(receive) as pipe:
            found[slug] = json.loads(pipe.read() or "null")
        os.wait()
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
