"""The linter: a chapter that keeps the contract passes; each single breach is named with its cell and its cure.

The chapter is the skeleton of a planned one, with what an author must fill in filled in, refreshed.
"""

import base64
import io
import json
import shutil

import pytest
from conftest import read_json
from PIL import Image

from lvutils.press import catalogue, lint
from lvutils.press.lint import lint_chapter
from lvutils.press.new import new_chapter
from lvutils.press.notebook import dump, read_notebook
from lvutils.press.pool import results_path
from lvutils.press.refresh import refresh

PAPER = next(p for p in catalogue.papers() if not p.notebook.is_file())
SLUG = PAPER.slug


@pytest.fixture(scope="session")
def skeleton(tmp_path_factory):
    """The skeleton as `lvutils new` makes it, refreshed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "NOTEBOOKS", tmp_path_factory.mktemp("skeleton"))
        path = new_chapter(SLUG)
        refresh([path], workers=2, report=lambda text: None)
    return path


@pytest.fixture(scope="session")
def chapter(tmp_path_factory, skeleton):
    """The same as a finished chapter, which the linter passes. Copy it before changing it."""
    path = tmp_path_factory.mktemp("chapter") / skeleton.name
    text = skeleton.read_text().replace("TODO", "a word or two")
    path.write_text(text)
    notebook = read_notebook(path)
    path.write_text(dump(notebook))
    results = read_json(results_path(skeleton))
    results = json.loads(json.dumps(results).replace("TODO", "a word or two"))
    results["identity"] = lint.evidence.identity(notebook, SLUG)
    results_path(path).write_text(json.dumps(results))
    return path


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


def value_beside_figure(nb):
    cell(nb, figure)["outputs"].insert(0, {"output_type": "execute_result", "data": {"text/plain": "[Text(0, 0, '')]"}})


def drop_caption(nb):
    cell(nb, tagged("caption"))["source"] = "**Figure 1.** Short."


def rename_figure(nb):
    cell(nb, figure)["metadata"]["mystnb"]["figure"]["name"] = "fig-x"


def unfold_figure(nb):
    cell(nb, figure)["metadata"]["tags"] = []


def two_figures(nb):
    cell(nb, figure)["outputs"] *= 2


def wide_figure(nb):
    output = next(o for o in cell(nb, figure)["outputs"] if "image/png" in o["data"])
    buffer = io.BytesIO()
    Image.new("L", (1800, 20)).save(buffer, "png", dpi=(200, 200))
    output["data"]["image/png"] = base64.b64encode(buffer.getvalue()).decode()


def swap_headings(nb):
    replace(cell(nb, heading("## Data")), "## Data", "## Datum")


def other_card(nb):
    replace(nb["cells"][0], PAPER.title, "Another title")


def other_title(nb):
    replace(nb["cells"][0], f"# {PAPER.short}", f"# Not {PAPER.short}")


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
    nb["cells"][0]["source"] = source(nb["cells"][0]) + '\n[Nobody, 1999](https://a.b "nobody1999")'


def old_role(nb):
    nb["cells"][0]["source"] = source(nb["cells"][0]) + "\n{footcite}`nobody1999`"


def wrong_number(nb):
    c = cell(nb, tagged("caption"))
    c["source"] = source(c).replace("**Figure 1.**", "**Figure 2.**")


def lost_reference(nb):
    nb["cells"][0]["source"] = source(nb["cells"][0]) + "\n[Figure 1](#fig-x)"


def todo(nb):
    nb["cells"][0]["source"] = source(nb["cells"][0]) + "\nTODO"


def same_id(nb):
    nb["cells"][1]["id"] = nb["cells"][0]["id"]


def long_line(nb):
    c = cell(nb, heading_code("begin("))
    c["source"] = source(c) + "\nx = '" + 90 * "x" + "'"


def long_code(nb):
    c = cell(nb, heading_code("begin("))
    c["source"] = source(c) + 600 * "\nx = 1"


def free_text(nb):
    c = cell(nb, tagged("parameters"))
    c["source"] = source(c) + '\nname: str = "x"  # what it is called'


def no_objections(nb):
    replace(cell(nb, heading("## What differs from the paper")), "**What a referee would.**", "Well.")


def bare_sibling(nb):
    c = cell(nb, heading("## Further reading"))
    c["source"] = source(c) + "\nSee posterior-collapse, too."


def bare_sibling_as_code(nb):
    c = cell(nb, heading("## Further reading"))
    c["source"] = source(c) + "\nSee `posterior-collapse`, too."


def exact_without_reason(nb):
    c = cell(nb, heading_code("begin("))
    c["source"] = source(c) + "\nx = Interval.exact(sum(1, 2))"


def widget_metadata(nb):
    nb["metadata"]["widgets"] = {}


@pytest.mark.parametrize(
    ("breach", "said"),
    [
        (drop_alt, "figure without alt text; set mystnb.image.alt"),
        (drop_caption, "figure without a caption; give it a cell below, tagged caption"),
        (rename_figure, f"set mystnb.figure.name to fig-{SLUG}-..."),
        (unfold_figure, "tag it hide-input"),
        (two_figures, "draws 2 figures; one cell, one figure"),
        (value_beside_figure, "a figure's cell shows something else beside it"),
        (wide_figure, "figure is 900 pixels of the page wide"),
        (swap_headings, "expected '## Data'"),
        (other_card, "the paper card differs from the catalogue's"),
        (other_title, "must start with the label and the catalogue's short title"),
        (no_range, "a number needs a range"),
        (two_equals, "one line, one '='"),
        (no_parameters, "expected one cell tagged 'parameters', found 0"),
        (profile_branch, "no 'if profile ...'"),
        (never_run, "was never run; run: lvutils refresh "),
        (out_of_order, "execution count is 99"),
        (error_output, "stored error output ValueError"),
        (stderr, "stored stderr output"),
        (raw_float, "checked text holds a raw float"),
        (unchecked_data, "'## Data' has no cell tagged nbval-check-output"),
        (odd_tag, "unknown tag 'hide_input'; did you mean hide-input?"),
        (parent_path, "a path with '../'"),
        (machine_path, "a path of one machine (/home/ada)"),
        (changed_code, "its code changed since the outputs were stored"),
        (no_table, "needs a table with three columns"),
        (no_solution, "solutions are folded"),
        (old_role, "'{footcite}`nobody1999`' is nothing to JupyterLab"),
        (wrong_number, "a number of a figure or equation is not that of its place"),
        (lost_reference, "a reference leads to fig-x, which is not in the chapter"),
        (unknown_citation, "citation nobody1999 is not in book/references.bib"),
        (todo, "cell 1: TODO is left"),
        (same_id, "cell id is missing or not unique"),
        (widget_metadata, "notebook metadata widgets"),
        (long_line, "a line of 96 characters scrolls sideways, at most 88 here"),
        (long_code, "lines of code, at most 600"),
        (exact_without_reason, "Interval.exact(sum(1, 2)) gives no reason"),
        (free_text, "parameter name takes any text"),
        (no_objections, "no paragraph that starts with **What a referee would"),
        (bare_sibling, "names the chapter posterior-collapse without a link; write *posterior-collapse*"),
        (bare_sibling_as_code, "names the chapter posterior-collapse without a link"),
    ],
)
def test_each_breach_is_named(tmp_path, chapter, breach, said):
    notebook = read_json(chapter)
    breach(notebook)
    path = tmp_path / chapter.name
    path.write_text(json.dumps(notebook))
    shutil.copy(results_path(chapter), tmp_path)
    problems = lint_chapter(path)
    assert any(said in p for p in problems), problems


def test_a_chapter_that_keeps_the_contract_passes(chapter):
    assert lint_chapter(chapter) == []


def change_results(tmp_path, chapter, change):
    shutil.copy(chapter, tmp_path)
    results = read_json(results_path(chapter))
    change(results)
    (tmp_path / results_path(chapter).name).write_text(json.dumps(results))
    return lint_chapter(tmp_path / chapter.name)


def pooled(results, **changes):
    results["book"]["claims"]["C1"] |= changes


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: pooled(r, verdict="untested"), "the printed verdicts are not those of the results file"),
        (lambda r: pooled(r, verdict="fails here"), "C1 fails here without a word on why"),
        (lambda r: r["parameters"].update(seed=5), "the stored results are of other parameters"),
        (lambda r: r["identity"].update(package="0"), "what it uses of lvutils changed since"),
        (lambda r: r["identity"].update(inputs="0"), "its data or models changed since"),
        (lambda r: r["claims"][0].update(control=None), "C1 has no negative control"),
        (lambda r: r["claims"][0]["control"].update(verdict="holds"), "C1 holds for its negative control too"),
        (lambda r: pooled(r, control_holds=1), "C1 holds for its negative control too"),
        (
            lambda r: (r["claims"][0].update(positive=None), pooled(r, verdict="inconclusive")),
            "C1 inconclusive without a positive control",
        ),
        (
            lambda r: pooled(r, inside={"": [2, 5]}),
            "C1 effect: the interval is too narrow, 2 of 5",
        ),
        (
            lambda r: [c.update(inside={"": [4, 5]}) for c in r["book"]["claims"].values()],
            "intervals too narrow: 12 of 15 estimates of other seeds lie in them",
        ),
        (lambda r: r["claims"][0]["measured"][""].update(low=1, mean=1, high=1, n=1), "C1 effect has no interval"),
        (lambda r: r["book"].update(ends=None), "the ends of its parameters' ranges were not tried"),
        (lambda r: r["book"].update(ends={"n=9": "RuntimeWarning: x"}), "n=9 under quick: RuntimeWarning: x"),
        (lambda r: pooled(r, exact_moves=["n"]), "C1 n is given as exact and changes with the seed"),
        (
            lambda r: r["book"]["parameters"].update(x={"default": 1, "other": 2, "claims": [], "n_values": 0}),
            "parameter x moves no claim and no recorded value; take it away",
        ),
        (
            lambda r: r["book"]["parameters"].update(
                x={"default": 1, "other": 2, "claims": [], "n_values": 0, "failed": "cell 9 failed"}
            ),
            "parameter x = 2: cell 9 failed",
        ),
        (
            lambda r: r["values"]["C1"].update(tolerance=9 * abs(r["values"]["C1"]["value"])),
            "value C1: other arithmetic moves it by more than a fifth",
        ),
        (  # out of an interval that is wider than a fifth of the effect
            lambda r: (
                r["claims"][0]["measured"][""].update(low=-1.0, mean=0.5, high=2.0),
                r["values"]["C1"].update(value=0.5, tolerance=5 * 1.6),
            ),
            "value C1: other arithmetic moves it by more than a fifth",
        ),
    ],
)
def test_evidence_that_does_not_stand_is_named(tmp_path, chapter, change, said):
    problems = change_results(tmp_path, chapter, change)
    assert any(said in p for p in problems), problems


def test_an_effect_near_zero_may_move_within_its_interval(tmp_path, chapter):
    def change(r):
        r["claims"][0]["measured"][""].update(low=-1.0, mean=0.5, high=2.0)
        r["values"]["C1"].update(value=0.5, tolerance=5 * 1.4)

    assert not [p for p in change_results(tmp_path, chapter, change) if "other arithmetic" in p]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}', '{"schema": 2, "slug": 3}'])
def test_results_that_are_missing_or_of_an_earlier_form_are_named(tmp_path, chapter, text):
    shutil.copy(chapter, tmp_path)
    (tmp_path / results_path(chapter).name).write_text(text)
    assert any("results.json is missing or of an earlier form" in p for p in lint_chapter(tmp_path / chapter.name))


def test_a_skeleton_needs_nothing_but_its_author(skeleton):
    problems = lint_chapter(skeleton)
    assert problems
    assert [p for p in problems if "TODO" not in p] == []
