"""Stored outputs: how they are made, and that nbval with recorded figures turns red when it must and only then."""

import base64
import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time

import pytest
from conftest import read_json

from lvutils.paths import ROOT
from lvutils.press import refresh as refreshing
from lvutils.press.errors import RunFailed
from lvutils.press.notebook import clean, dump, read_notebook
from lvutils.press.pool import results_path
from lvutils.press.refresh import refresh, reproduce, tolerance
from lvutils.record import Results


def test_refresh_stores_clean_outputs_with_tolerances(stored_mini):
    text = stored_mini.read_text()
    notebook = read_notebook(stored_mini)
    assert [c["execution_count"] for c in notebook["cells"]] == [1, 2, 3, 4, 5]
    assert [c["id"] for c in notebook["cells"]] == [f"cell{k}" for k in range(5)]
    assert not re.search(r"papermill|start_time|20\d\d-\d\d-\d\d|/tmp/|stderr", text)
    results = Results.read(results_path(stored_mini))
    assert results.values["closed_form"].tolerance == pytest.approx(2e-6)
    mean = results.values["mean"]
    assert mean.tolerance < 0.01 * abs(mean.value), "another processor changes the last digits of a mean"
    assert 0.05 < mean.spread < 0.4  # of a mean of 50 standard normals over seeds: 0.14
    assert set(results.identity) == {"code", "package", "inputs", "versions"}
    assert results.book.seeds == [0, 1, 2, 3, 4, 5]
    assert results.book.arithmetic == 2
    first, _, last = results.book.claims.values()
    assert (first.verdict, first.counts, first.agreed) == ("holds", {"holds": 6}, True)
    assert (last.verdict, last.counts) == ("fails here", {"fails here": 6})
    assert first.control_holds == 0
    inside, n = first.inside[""]
    assert n == 5
    assert inside >= 3


def test_the_refresh_tells_what_each_parameter_moves(stored_mini):
    moved = Results.read(results_path(stored_mini)).book.parameters
    assert moved["shift"].claims == ["C1", "C2", "C3"]
    assert moved["n_draws"].claims == ["C1", "C2", "C3"]
    assert (moved["pause"].claims, moved["pause"].n_values) == ([], 0)
    assert moved["trouble"].failed.startswith("mini: the kernel died in cell 4"), "of raise and die, which were tried"
    assert "data" not in moved, "there is no example of a reader's file"


def test_the_refresh_tries_the_ends_of_each_range(stored_mini):
    ends = Results.read(results_path(stored_mini)).book.ends
    died = "mini: the kernel died in cell 4 (out of memory, or killed)"
    assert ends == {
        "shift=-5.0": "",
        "shift=5.0": "",
        "n_draws=2": "RuntimeWarning: few draws",
        "n_draws=1000": "",
        "pause=60.0": refreshing.SLOW,
        "trouble=raise": "mini: cell 4 failed: ValueError: planned",
        "trouble=die": died,
        "trouble=hang": refreshing.SLOW,
    }


def test_a_parameter_that_cannot_touch_a_claim_is_told_so(stored_mini):
    results = Results.read(results_path(stored_mini))
    results.book.parameters["shift"].claims = ["C1", "C3"]
    assert results.untouched(["shift"]) == ["C2"]
    assert results.untouched(["shift", "pause"]) == ["C2"]
    assert results.untouched(["pause"]) == ["C1", "C2", "C3"]
    assert results.untouched(["shift", "nobody"]) == []
    assert results.untouched([]) == []


def test_stored_text_is_clean(stored_mini):
    text = stored_mini.read_text()
    assert dump(read_notebook(stored_mini)) == text


def test_the_same_seed_gives_identical_records(stored_mini, tmp_path):
    copy = shutil.copy(stored_mini, tmp_path)
    shutil.copy(stored_mini.with_suffix(".results.json"), tmp_path)
    reports = []
    reproduce([type(stored_mini)(copy)], workers=1, report=reports.append)
    assert reports == ["mini:\n  all verdicts and values are equal to the stored ones"]


def test_other_arithmetic_stays_within_the_tolerances(stored_mini, tmp_path):
    copy = shutil.copy(stored_mini, tmp_path)
    shutil.copy(results_path(stored_mini), tmp_path)
    reports = []
    reproduce([type(stored_mini)(copy)], workers=2, report=reports.append, arithmetic=True)
    assert len(reports) == 3
    assert any("ATEN_CPU_CAPABILITY=default" in text for text in reports)


@pytest.mark.parametrize(("spoil", "stays"), [("", ""), ("exact", "OUTSIDE"), ("identity", "not those of the stored")])
def test_another_processor_widens_tolerances_but_no_closed_form_s_and_not_of_other_code(
    stored_mini, tmp_path, spoil, stays
):
    copy = type(stored_mini)(shutil.copy(stored_mini, tmp_path))
    results = Results.read(results_path(stored_mini))
    name = next(n for n, v in results.values.items() if v.value and not v.exact)
    results.values[name].value *= 1.01  # as if another processor had stored it
    results.values[name].exact = spoil == "exact"
    if spoil == "identity":
        results.identity["code"] = "another"
    results.write(results_path(copy))
    reports = []
    if stays:
        with pytest.raises(RunFailed, match="differs from the stored results: mini"):
            reproduce([copy], workers=1, report=reports.append, widen=True)
        assert stays in reports[0]
        assert Results.read(results_path(copy)).values[name].tolerance == results.values[name].tolerance
    else:
        reproduce([copy], workers=1, report=reports.append, widen=True)
        assert f"widened: OUTSIDE tolerance {results.values[name].tolerance:.2g}: {name}" in reports[0]
        reproduce([copy], workers=1, report=reports.append)
        assert f"within tolerance {0.01 / 1.01 * 5 * results.values[name].value:.2g}" in reports[1]


def test_tolerance_is_some_times_what_other_arithmetic_does():
    assert tolerance(2.0, [2.001, 1.998], exact=False) == pytest.approx(0.01)
    assert tolerance(2.0, [2.0, 2.0], exact=False) == pytest.approx(2e-4, rel=1e-4)
    assert tolerance(2.0, [], exact=True) == pytest.approx(2e-6)
    assert tolerance(0.0, [0.0], exact=False) == pytest.approx(1e-9)
    assert tolerance(1e-5, [1e-5], exact=False) == pytest.approx(2e-9)


def test_differences_name_verdicts_values_and_data(stored_mini):
    stored, fresh = (Results.read(results_path(stored_mini)) for _ in range(2))
    assert stored.differences(fresh) == []
    fresh.claims[1].verdict = "fails here"
    fresh.values["closed_form"].value += 1
    fresh.values["mean"].value += 1e-9
    fresh.data["iris"] = "0"
    lines = stored.differences(fresh)
    assert lines[0] == "verdict C2: stored holds, now fails here"
    assert lines[1].startswith("data: ")
    assert lines[2].startswith("OUTSIDE tolerance 2e-06: closed_form stored 2, now 3")
    assert lines[3].startswith("within tolerance")
    stored.book.claims["C2"].counts = {"holds": 4, "fails here": 2}
    assert stored.differences(fresh)[0].startswith("within what its seeds gave: verdict C2")


def test_a_worker_that_is_killed_takes_no_other_work_along(mini, tmp_path, monkeypatch):
    """The first worker that starts is killed; all that was unfinished starts again."""
    import threading

    import psutil

    from lvutils.press import execute, pool

    jobs = {k: pool.Job(execute.plan(mini, {"seed": k, "pause": 1.0}), tmp_path / str(k)) for k in range(3)}

    def kill():
        me = psutil.Process()
        while True:
            for child in me.children():
                with contextlib.suppress(psutil.Error):
                    if "spawn_main" in " ".join(child.cmdline()):
                        time.sleep(1)
                        child.kill()
                        return
            time.sleep(0.1)

    killer = threading.Thread(target=kill)
    killer.start()
    done = {key: result() for key, result in pool.run_all(jobs, 2, "test")}
    killer.join()
    assert {key: r.parameters["seed"] for key, r in done.items()} == {0: 0, 1: 1, 2: 2}


def test_a_chapter_that_fails_keeps_its_stored_files(stored_mini, tmp_path, monkeypatch):
    path = tmp_path / "mini.ipynb"
    shutil.copy(stored_mini, path)
    shutil.copy(stored_mini.with_suffix(".results.json"), tmp_path)
    path.write_text(path.read_text().replace('trouble: str = \\"none\\"', 'trouble: str = \\"raise\\"'))
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    monkeypatch.setattr(refreshing, "OTHER_SEEDS", 0)
    monkeypatch.setattr(refreshing, "PATIENCE", 3)
    with pytest.raises(refreshing.RunFailed, match="seed 0 of mini: cell 4 failed: ValueError: planned"):
        refresh([path], workers=1, report=print)
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


def change(folder, stored, source=None, results=None, notebook=None):
    """A copy of the stored chapter with one thing changed."""
    folder.mkdir()
    text = stored.read_text()
    for old, new in source or []:
        assert old in text
        text = text.replace(old, new)
    record = read_json(stored.with_suffix(".results.json"))
    if results:
        results(record)
    content = json.loads(text)
    if notebook:
        notebook(content)
    (folder / "mini.ipynb").write_text(json.dumps(content))
    (folder / "mini.results.json").write_text(json.dumps(record))


def test_nbval_is_red_when_it_must_be_and_only_then(stored_mini, tmp_path):
    """Copies of one chapter, run as the test run does; each must end as its name says."""

    def number(results):
        results["values"]["mean"]["value"] *= 1.01  # one per cent

    def near_number(results):
        results["values"]["mean"]["value"] += 0.5 * results["values"]["mean"]["tolerance"]

    def verdict_text(notebook):
        output = notebook["cells"][4]["outputs"][0]
        output["text"] = [line.replace("C1 holds", "C1 inconclusive") for line in output["text"]]

    def verdict_record(results):
        results["claims"][0]["verdict"] = "inconclusive"

    def verdict_of_divided_seeds(results):
        results["book"]["claims"]["C3"] |= {"verdict": "inconclusive", "counts": {"fails here": 4, "holds": 2}}

    def printed_counts(notebook):
        output = notebook["cells"][4]["outputs"][0]
        new = "C3 inconclusive (seeds: 4 fails here, 2 holds)"
        output["text"] = [line.replace("C3 fails here", new) for line in output["text"]]

    def fingerprint(results):
        results["data"]["iris"] = "0" * 64

    def prose(notebook):
        note = {"cell_type": "markdown", "id": "note", "metadata": {}, "source": ["A remark."]}
        notebook["cells"].insert(1, note)

    change(tmp_path / "red-number", stored_mini, results=number)
    change(tmp_path / "red-verdict-text", stored_mini, notebook=verdict_text)
    change(tmp_path / "red-verdict-record", stored_mini, results=verdict_record)
    change(tmp_path / "red-data", stored_mini, results=fingerprint)
    change(tmp_path / "green-unchanged", stored_mini)
    change(tmp_path / "green-divided", stored_mini, results=verdict_of_divided_seeds, notebook=printed_counts)
    change(tmp_path / "green-harmless", stored_mini, results=near_number, notebook=prose)
    change(tmp_path / "green-other-parameters", stored_mini, source=[("n_draws: int = 50", "n_draws: int = 51")])
    options = "--nbval-lax --nbval-current-env -p no:cacheprovider -n 2 --dist loadfile -rA"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", ".", *options.split(), "--rootdir", str(tmp_path), "-c", os.devnull],
        cwd=tmp_path,
        env={**os.environ, "LVUTILS_CHECK": "1", "LVUTILS_QUIET": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    failed = set(re.findall(r"^FAILED ([\w-]+)/mini", done.stdout, re.MULTILINE))
    assert failed == {"red-number", "red-verdict-text", "red-verdict-record", "red-data"}, done.stdout[-3000:]
    passed = set(re.findall(r"^PASSED ([\w-]+)/mini", done.stdout, re.MULTILINE))
    assert {"green-unchanged", "green-divided", "green-harmless", "green-other-parameters"} <= passed
    for message in ("value mean is", "data: stored {'iris'", "verdict C1: stored inconclusive, now holds"):
        assert message in done.stdout


def test_nbval_reports_a_dead_kernel_at_once_with_its_cell(stored_mini, tmp_path):
    change(tmp_path / "red", stored_mini, source=[('trouble: str = \\"none', 'trouble: str = \\"die')])
    shutil.copy(ROOT / "notebooks" / "conftest.py", tmp_path)
    options = "--nbval-lax --nbval-current-env --nbval-cell-timeout 250 -p no:cacheprovider -rA"
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", ".", *options.split(), "--rootdir", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "the kernel died in this cell (out of memory, or killed)" in done.stdout, done.stdout[-3000:]
    assert re.findall(r"^FAILED \S+::Cell (\d+)", done.stdout, re.MULTILINE)[0] == "3"  # as nbval counts, from 0
    assert time.monotonic() - begun < 120


def test_a_stored_notebook_holds_no_address_no_random_id_and_the_same_picture_in_fewer_bytes():
    import matplotlib.pyplot as plt
    import numpy as np
    from PIL import Image

    buffer = io.BytesIO()
    figure = plt.figure(figsize=(3, 2), layout="none")  # 300 x 200 pixels with wide margins
    figure.add_axes((0.3, 0.4, 0.3, 0.3)).plot([0, 1], [1, 0])
    figure.savefig(buffer, format="png", dpi=100)
    plt.close(figure)
    data = {
        "image/png": base64.b64encode(buffer.getvalue()).decode(),
        "text/plain": "<pandas.io.formats.style.Styler at 0x7f28041ab9d0>",
        "text/html": '<table id="T_0990f"><td id="T_0990f_row0_col0">T_cell</td></table>',
    }
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": "1", "execution_count": 7}
    cell["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": data}]
    output = clean({"cells": [cell], "metadata": {}, "nbformat": 4})["cells"][0]["outputs"][0]
    stored = output["data"]
    assert stored["text/plain"] == "<pandas.io.formats.style.Styler>"
    assert stored["text/html"] == '<table id="T_1"><td id="T_1_row0_col0">T_cell</td></table>'
    small = base64.b64decode(stored["image/png"])
    assert len(small) < len(buffer.getvalue())
    before, after = (np.asarray(Image.open(io.BytesIO(b)).convert("RGB")) for b in (buffer.getvalue(), small))
    rows, columns = (np.flatnonzero((before < 255).any((axis, 2))) for axis in (1, 0))
    kept = before[rows[0] - 10 : rows[-1] + 11, columns[0] - 10 : columns[-1] + 11]  # ten white pixels on each side
    assert kept.size < before.size
    np.testing.assert_array_equal(kept, after)  # it has fewer colours than the palette holds
    assert output["metadata"]["image/png"]["width"] == after.shape[1]


def test_jupyterlab_folds_what_the_page_folds():
    def cell(kind, source, *tags):
        code = {"outputs": [], "execution_count": None} if kind == "code" else {}
        return {"cell_type": kind, "id": source[:8], "metadata": {"tags": list(tags)}, "source": source, **code}

    cells = [
        cell("code", "seen"),
        cell("code", "folded", "hide-input"),
        cell("markdown", ":::{solution-start} ex-1\n:class: dropdown\n:::"),
        cell("code", "solution"),
        cell("markdown", "so\n:::{solution-end}\n:::"),
        cell("code", "seen too"),
    ]
    folded = clean({"cells": cells, "metadata": {}, "nbformat": 4})["cells"]
    both = {"source_hidden": True, "outputs_hidden": True}
    expected = [None, {"source_hidden": True}, None, both, None, None]
    assert [c["metadata"].get("jupyter") for c in folded] == expected
