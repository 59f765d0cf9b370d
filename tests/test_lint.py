"""The linter: a chapter that keeps the contract passes; each single breach is named with its cell and its cure."""

import json
import shutil

import pytest
from conftest import read_json

from lvutils.press import catalogue
from lvutils.press.lint import lint_chapter
from lvutils.press.new import new_chapter
from lvutils.press.refresh import refresh, results_path

CHAPTER = catalogue.find("posterior-collapse").notebook


def index(notebook, test):
    return next(i for i, cell in enumerate(notebook["cells"]) if test(cell))


def cell(notebook, test):
    return notebook["cells"][index(notebook, test)]


def source(c):
    return "".join(c["source"])


def figure(c):
    return any("image/png" in o.get("data", {}) for o in c.get("outputs", []))


def tagged(tag):
    return lambda c: tag in c["metadata"].get("tags", [])


def replace(c, old, new):
    assert old in source(c)
    c["source"] = source(c).replace(old, new)


def heading(title):
    return lambda c: c["cell_type"] == "markdown" and title in source(c)


def drop_alt(nb):
    del cell(nb, figure)["metadata"]["mystnb"]["image"]


def drop_caption(nb):
    cell(nb, figure)["metadata"]["mystnb"]["figure"]["caption"] = ""


def rename_figure(nb):
    cell(nb, figure)["metadata"]["mystnb"]["figure"]["name"] = "fig-x"


def unfold_figure(nb):
    cell(nb, figure)["metadata"]["tags"] = []


def two_figures(nb):
    cell(nb, figure)["outputs"] *= 2


def wide_figure(nb):
    import base64

    output = next(o for o in cell(nb, figure)["outputs"] if "image/png" in o["data"])
    png = bytearray(base64.b64decode("".join(output["data"]["image/png"])))
    png[16:20] = (900).to_bytes(4, "big")
    output["data"]["image/png"] = base64.b64encode(png).decode()


def swap_headings(nb):
    replace(cell(nb, heading("## Data")), "## Data", "## Datum")


def other_card(nb):
    replace(nb["cells"][0], "ICLR 2024", "ICML 2024")


def other_title(nb):
    replace(nb["cells"][0], "# Which latent", "# What latent")


def no_range(nb):
    c = cell(nb, tagged("parameters"))
    c["source"] = source(c) + "\nwidth: int = 3  # width of the net"


def two_equals(nb):
    c = cell(nb, tagged("parameters"))
    c["source"] = source(c) + "\nwidth: int = 3  # a = b; 1 to 5"


def no_parameters(nb):
    cell(nb, tagged("parameters"))["metadata"]["tags"] = []


def profile_branch(nb):
    c = cell(nb, heading_code("begin("))
    c["source"] = source(c) + '\nif run.profile == "quick": pass'


def heading_code(text):
    return lambda c: c["cell_type"] == "code" and text in source(c)


def never_run(nb):
    cell(nb, figure)["execution_count"] = None


def out_of_order(nb):
    cell(nb, figure)["execution_count"] = 99


def error_output(nb):
    output = {"output_type": "error", "ename": "ValueError", "evalue": "x", "traceback": []}
    cell(nb, figure)["outputs"].append(output)


def stderr(nb):
    cell(nb, figure)["outputs"].append({"output_type": "stream", "name": "stderr", "text": "Warning"})


def raw_float(nb):
    c = cell(nb, tagged("nbval-check-output"))
    c["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "0.123456\n"}]


def unchecked_data(nb):
    for c in nb["cells"]:
        if "nbval-check-output" in c["metadata"].get("tags", []):
            c["metadata"]["tags"] = []


def odd_tag(nb):
    cell(nb, figure)["metadata"]["tags"].append("hide_input")


def parent_path(nb):
    c = cell(nb, heading_code("begin("))
    c["source"] = source(c) + '\nopen("../x")'


def machine_path(nb):
    c = cell(nb, heading_code("begin("))
    c["source"] = source(c) + '\nopen("/home/ada/x")'


def changed_code(nb):
    c = cell(nb, heading_code("begin("))
    c["source"] = source(c) + "\nx = 1"


def no_table(nb):
    replace(cell(nb, heading("## What differs from the paper")), "| --- |", "| x |")


def no_solution(nb):
    c = cell(nb, heading("{solution"))
    c["source"] = source(c).replace(":class: dropdown", "")


def unknown_citation(nb):
    nb["cells"][0]["source"] = source(nb["cells"][0]) + "\n{footcite}`nobody1999`"


def todo(nb):
    nb["cells"][0]["source"] = source(nb["cells"][0]) + "\nTODO"


def same_id(nb):
    nb["cells"][1]["id"] = nb["cells"][0]["id"]


def widget_metadata(nb):
    nb["metadata"]["widgets"] = {}


@pytest.mark.parametrize(
    ("breach", "said"),
    [
        (drop_alt, "figure without alt text; set mystnb.image.alt"),
        (drop_caption, "figure without a caption; set mystnb.figure.caption"),
        (rename_figure, "set mystnb.figure.name to fig-posterior-collapse-..."),
        (unfold_figure, "tag it hide-input"),
        (two_figures, "draws 2 figures; one cell, one figure"),
        (wide_figure, "figure is 900 pixels wide"),
        (swap_headings, "expected '## Data'"),
        (other_card, "the paper card differs from the catalogue's"),
        (other_title, "must start with the label and the catalogue's short title"),
        (no_range, "a number needs a range"),
        (two_equals, "one line, one '='"),
        (no_parameters, "expected one cell tagged 'parameters', found 0"),
        (profile_branch, "no 'if profile ...'"),
        (never_run, "was never run; run: lvutils refresh posterior-collapse"),
        (out_of_order, "execution count is 99"),
        (error_output, "stored error output ValueError"),
        (stderr, "stored stderr output"),
        (raw_float, "checked text holds a raw float"),
        (unchecked_data, "'## Data' has no cell tagged nbval-check-output"),
        (odd_tag, "unknown tag 'hide_input'; did you mean hide-input?"),
        (parent_path, "a path with '../'"),
        (machine_path, "a path of one machine (/home/ada)"),
        (changed_code, "the code changed since the outputs were stored"),
        (no_table, "needs a table with three columns"),
        (no_solution, "solutions are folded"),
        (unknown_citation, "citation nobody1999 is not in book/references.bib"),
        (todo, "cell 1: TODO is left"),
        (same_id, "cell id is missing or not unique"),
        (widget_metadata, "notebook metadata widgets"),
    ],
)
def test_each_breach_is_named(tmp_path, breach, said):
    notebook = read_json(CHAPTER)
    breach(notebook)
    path = tmp_path / CHAPTER.name
    path.write_text(json.dumps(notebook))
    shutil.copy(results_path(CHAPTER), tmp_path)
    problems = lint_chapter(path)
    assert any(said in p for p in problems), problems


def change_results(tmp_path, change):
    shutil.copy(CHAPTER, tmp_path)
    results = read_json(results_path(CHAPTER))
    change(results)
    (tmp_path / results_path(CHAPTER).name).write_text(json.dumps(results))
    return lint_chapter(tmp_path / CHAPTER.name)


def test_results_out_of_step_are_named(tmp_path):
    def flip(results):
        results["claims"][0]["verdict"] = "untested"
        results["claims"][0]["why"] = results["claims"][0]["reason"] = ""

    problems = "\n".join(change_results(tmp_path, flip))
    assert "the printed verdicts are not those of the results file" in problems
    assert "C1 untested without a word on why" in problems
    problems = "\n".join(change_results(tmp_path, lambda r: r["parameters"].update(seed=5)))
    assert "the stored results are of other parameters" in problems


def test_a_verdict_that_hangs_on_the_seed_is_named(tmp_path):
    problems = change_results(tmp_path, lambda r: r["claims"][0].update(over_seeds={"holds": 4, "inconclusive": 2}))
    assert any("C1 hangs on the seed (4 holds, 2 inconclusive)" in p for p in problems)


def test_missing_results_are_named(tmp_path):
    shutil.copy(CHAPTER, tmp_path)
    assert any("results.json is missing" in p for p in lint_chapter(tmp_path / CHAPTER.name))


def test_a_skeleton_needs_nothing_but_its_author(tmp_path, monkeypatch):
    planned = next(p for p in catalogue.papers() if not p.notebook.is_file())
    monkeypatch.setattr(catalogue, "NOTEBOOKS", tmp_path)
    path = new_chapter(planned.slug)
    refresh([path], workers=2, report=lambda text: None)
    problems = lint_chapter(path)
    assert problems
    assert [p for p in problems if "TODO" not in p] == []
