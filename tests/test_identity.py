"""What a result depends on: code as syntax, what is reached of the package, named data and models, versions."""

import ast
import copy

import pytest
from conftest import make_notebook

from lvutils.press import identity as identities
from lvutils.press.identity import identity, run_name
from lvutils.syntax import syntax


def book(*sources):
    return make_notebook(*((source, []) for source in sources))


STATS = """\
LEVEL = 0.95
def half(x):
    return x / 2
def interval(x):
    return half(x) * LEVEL
def other(x):
    return x
"""
METRICS = """\
from lvutils.stats import interval as i
def score(x):
    return i(x)
def apart(x):
    return x
"""


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A small package in place of lvutils; a call writes a module anew."""
    folder = tmp_path / "lvutils"
    (folder / "data").mkdir(parents=True)
    monkeypatch.setattr(identities, "ROOT", tmp_path)

    def write(module, text):
        (folder / f"{module}.py").write_text(text)
        identities._library.cache_clear()

    write("stats", STATS)
    write("metrics", METRICS)
    write("plot", "def draw(x):\n    return x\n")
    yield write
    identities._library.cache_clear()


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("x = 1", "x = 1  # a comment", True),
        ("x = [1,\n 2]", "x = [1, 2]", True),
        ('def f():\n    """Says."""\n    return 1', "def f():\n    return 1", True),
        ("x = 1", "x = 2", False),
        ("x = 1", "y = 1", False),
        ("f(a)", "f(b)", False),
        ("x = 'a'", 'x = "a"', True),
    ],
)
def test_code_counts_as_syntax(before, after, same):
    assert (syntax(before) == syntax(after)) is same
    one, two = identity(book(before), "toy"), identity(book(after), "toy")
    assert (one["code"] == two["code"]) is same


def test_text_and_outputs_do_not_count():
    notebook = book("x = 1")
    other = copy.deepcopy(notebook)
    other["cells"].insert(0, {"cell_type": "markdown", "id": "m", "metadata": {}, "source": "A remark."})
    other["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "1"}]
    assert identity(notebook, "toy") == identity(other, "toy")


@pytest.mark.parametrize(
    ("module", "old", "new", "counts"),
    [
        ("stats", "x / 2", "x / 3", True),  # reached through two functions
        ("stats", "0.95", "0.9", True),  # a constant that a reached function reads
        ("stats", "    return x\n", "    return -x\n", False),  # a function that nothing reaches
        ("stats", "return x / 2", "return x / 2  # half", False),
        ("metrics", "return i(x)", "return -i(x)", True),
        ("metrics", "    return x\n", "    return -x\n", False),
        ("plot", "return x", "return -x", False),  # draws and computes nothing
    ],
)
def test_of_the_package_only_what_is_reached_counts(library, tmp_path, module, old, new, counts):
    notebook = book("from lvutils.metrics import score\nfrom lvutils.plot import draw")
    before = identity(notebook, "toy")
    text = (tmp_path / "lvutils" / f"{module}.py").read_text()
    assert old in text
    library(module, text.replace(old, new))
    after = identity(notebook, "toy")
    assert (before["package"] != after["package"]) is counts
    assert before["code"] == after["code"]


def test_named_data_and_models_count():
    plain, with_data = identity(book("x = 1"), "toy"), identity(book('x = load("mnist5k")'), "toy")
    assert plain["inputs"] != with_data["inputs"]
    judged = identity(book('x = load_model("digits-judge")'), "toy")
    assert judged["inputs"] not in (plain["inputs"], with_data["inputs"])
    assert identity(book("x = 1"), "latent-quantization")["inputs"] != plain["inputs"], "its own models"


def test_a_run_is_named_by_parameters_and_the_content_of_files(tmp_path):
    shared = identity(book("x = 1"), "toy")
    file = tmp_path / "mine.csv"
    file.write_text("a,b\n1,2\n")
    names = {run_name(shared, {"seed": 0}), run_name(shared, {"seed": 1}), run_name(shared, {"seed": 0}, [file])}
    file.write_text("a,b\n1,3\n")
    names.add(run_name(shared, {"seed": 0}, [file]))
    assert len(names) == 4


def test_an_empty_text_at_the_end_of_a_format_counts_for_nothing():
    tree = ast.parse('f"{x:{spec}} y"')
    tree.body[0].value.values[0].format_spec.values.append(ast.Constant(""))  # as some versions of Python parse it
    assert syntax(tree) == syntax('f"{x:{spec}} y"')
