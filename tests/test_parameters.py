"""The parameters cell: what may stand there, and what a value may be."""

import ast
import re
from pathlib import Path

import nbformat
import pytest

from lvutils.parameters import PROFILES, ParameterError, check_values, nearest, parse_parameters, split_values

HEAD = """\
profile: str = "book"  # size of the run; one of quick, book, paper
seed: int = 0  # root seed; 0 to 1000000
"""
CELL = (
    HEAD
    + """\
beta: float = 4.0  # weight of the KL term; 0.5 to 16
n_steps: int = 600  # training steps; 1 to 100000
shift: float = -2  # displacement; -3.5 to 1e-3
clamp: bool = False  # keep x_hat within the data's range
data: str = "iris"  # what to model; one of iris, wine, or a path of a CSV file
names: str = "names.txt"  # list of names; a path of a text file
title: str = ""  # printed above the table
"""
)


def declared(*lines):
    return parse_parameters(HEAD + "".join(line + "\n" for line in lines))


@pytest.fixture
def parameters(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("names.txt").write_text("Ada\n")
    return parse_parameters(CELL)


def test_a_cell_gives_its_parameters_in_order_with_meaning_and_range(parameters):
    assert list(parameters) == ["profile", "seed", "beta", "n_steps", "shift", "clamp", "data", "names", "title"]
    beta, data = parameters["beta"], parameters["data"]
    assert (beta.type, beta.default, beta.meaning) == (float, 4.0, "weight of the KL term")
    assert (beta.low, beta.high) == (0.5, 16)
    assert (data.choices, data.path) == (("iris", "wine"), True)
    assert (parameters["names"].choices, parameters["names"].path) == ((), True)
    assert (parameters["shift"].low, parameters["shift"].high) == (-3.5, 1e-3)
    assert parameters["profile"].choices == PROFILES


def test_blank_lines_and_comment_lines_are_allowed():
    assert list(declared("", "# the model", "beta: float = 1.0  # weight; 0 to 2")) == ["profile", "seed", "beta"]


def test_only_what_follows_the_last_semicolon_is_the_range():
    beta = declared("beta: float = 1.0  # weight; of the KL term; 0 to 2")["beta"]
    assert (beta.meaning, beta.low, beta.high) == ("weight; of the KL term", 0, 2)


def test_a_comma_in_the_description_of_a_path_is_not_a_choice():
    data = declared('data: str = "iris"  # what to model; one of iris, or a path of a CSV file, with a header')["data"]
    assert (data.choices, data.path) == (("iris",), True)


@pytest.mark.parametrize(
    "line",
    [
        "beta = 1.0  # weight; 0 to 2",
        "beta: float  # weight; 0 to 2",
        "beta += 1.0  # weight; 0 to 2",
        "print(seed)  # weight; 0 to 2",
        "import math  # weight; 0 to 2",
        "a.beta: float = 1.0  # weight; 0 to 2",
        "beta: list = []  # weight; 0 to 2",
        "beta: float | None = 1.0  # weight; 0 to 2",
        "beta: float = 2 * 3  # weight; 0 to 8",
        "beta: float = seed  # weight; 0 to 2",
        "beta: float = float('nan')  # weight; 0 to 2",
        "beta: float = 1.0  # weight, beta = 1 is the ELBO; 0 to 2",
        'beta: str = "a=b"  # weight',
        'beta: str = "no. #1"  # weight',
        "beta: float = 1.0; gamma: float = 1.0  # weights; 0 to 2",
        "beta: float = 1.0",
        "beta: float = 1.0  # weight",
        "beta: float = 1.0  # 0 to 2",
        "beta: float = 1.0  # ; 0 to 2",
        "beta: bool = True  #",
        "beta: float = 1.0  # weight; at least 0",
        "beta: float = 1.0  # weight; 0 to inf",
        "beta: float = 1.0  # weight; one of 1.0, 2.0",
        "beta: bool = True  # weight; 0 to 1",
        'beta: str = "1"  # weight; 0 to 2',
    ],
)
def test_a_line_of_another_form_is_refused_by_its_number_and_text(line):
    with pytest.raises(ParameterError) as caught:
        declared(line)
    message = str(caught.value)
    assert message.startswith(f"parameters cell, line 3 ({line!r}): ")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("lines", "number"),
    [
        ("beta: float = (\n    1.0\n)  # weight; 0 to 2", 3),
        ('title: str = """\n"""  # printed above', 3),
        ("beta: float = 1.0  # weight; 0 to 2\ngamma: float = 1.0", 4),
    ],
)
def test_the_number_is_that_of_the_line_where_the_form_breaks(lines, number):
    with pytest.raises(ParameterError, match=rf"^parameters cell, line {number} "):
        declared(lines)


@pytest.mark.parametrize("line", ['title: str = "no end', "beta: float =", "beta: float = (1.0", "  beta: float = 1.0"])
def test_a_cell_that_is_not_python_is_refused_like_any_other_form(line):
    with pytest.raises(ParameterError, match="line 3"):
        declared(line)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("beta: float = 3.0  # weight; 0 to 2", "parameter beta is 3.0, expected a float from 0 to 2"),
        ("beta: float = 1.0  # weight; 2 to 0", "parameter beta is 1.0, expected a float from 2 to 0"),
        ("n_steps: int = 1.0  # steps; 0 to 2", "parameter n_steps is 1.0, expected an int from 0 to 2"),
        ("clamp: bool = 1  # keep in range", "parameter clamp is 1, expected True or False"),
        ("title: str = None  # printed above", "parameter title is None, expected a str"),
        ('data: str = "mnist"  # data; one of iris, wine', "parameter data is 'mnist', expected one of iris, wine"),
        ('data: str = "no.csv"  # data; a path of a file', "parameter data is 'no.csv', expected the path of a file"),
    ],
)
def test_a_default_must_keep_its_own_declaration(line, message):
    with pytest.raises(ParameterError, match=f"{re.escape(message)}$"):
        declared(line)


@pytest.mark.parametrize(
    ("cell", "missing"),
    [
        ("", "'profile: str' is missing"),
        (HEAD.splitlines()[0], "'seed: int' is missing"),
        (HEAD.splitlines()[1], "'profile: str' is missing"),
        (HEAD.replace("seed: int", "seed: float"), "'seed: int' is missing"),
        (HEAD.replace("quick, book, paper", "quick, book"), "profile must be 'one of quick, book, paper'"),
        (HEAD.replace("; one of quick, book, paper", ""), "profile must be 'one of quick, book, paper'"),
    ],
)
def test_profile_and_seed_are_in_every_chapter(cell, missing):
    with pytest.raises(ParameterError, match=f"^parameters cell: {missing}$"):
        parse_parameters(cell)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("beta", 0.5, 0.5),
        ("beta", 16, 16.0),
        ("n_steps", 1, 1),
        ("shift", 1e-3, 1e-3),
        ("clamp", True, True),
        ("data", "wine", "wine"),
        ("data", "names.txt", "names.txt"),
        ("names", "names.txt", "names.txt"),
        ("title", "any words; even one of these", "any words; even one of these"),
    ],
)
def test_check_gives_the_value_as_the_declared_type(parameters, name, value, expected):
    checked = parameters[name].check(value)
    assert checked == expected
    assert type(checked) is parameters[name].type


BAD = [
    ("beta", 0.4999, "a float from 0.5 to 16"),
    ("beta", 16.001, "a float from 0.5 to 16"),
    ("beta", float("nan"), "a float from 0.5 to 16"),
    ("beta", float("inf"), "a float from 0.5 to 16"),
    ("beta", "4.0", "a float from 0.5 to 16"),
    ("beta", True, "a float from 0.5 to 16"),
    ("beta", None, "a float from 0.5 to 16"),
    ("n_steps", 0, "an int from 1 to 100000"),
    ("n_steps", 600.0, "an int from 1 to 100000"),
    ("n_steps", True, "an int from 1 to 100000"),
    ("shift", 0.002, "a float from -3.5 to 0.001"),
    ("clamp", 0, "True or False"),
    ("clamp", "False", "True or False"),
    ("profile", "fast", "one of quick, book, paper"),
    ("data", "Iris", "one of iris, wine, or the path of a file"),
    ("data", "", "one of iris, wine, or the path of a file"),
    ("data", ".", "one of iris, wine, or the path of a file"),
    ("data", "two\nlines", "one of iris, wine, or the path of a file"),
    ("data", "x" * 300, "one of iris, wine, or the path of a file"),
    ("data", "nul\0byte", "one of iris, wine, or the path of a file"),
    ("names", "none.txt", "the path of a file"),
    ("title", 3, "a str"),
]


@pytest.mark.parametrize(("name", "value", "expected"), BAD)
def test_a_bad_value_is_refused_in_one_line_with_name_value_and_what_was_expected(parameters, name, value, expected):
    with pytest.raises(ParameterError) as caught:
        parameters[name].check(value)
    assert str(caught.value) == f"parameter {name} is {value!r}, expected {expected}"
    assert "\n" not in str(caught.value)
    assert caught.value._render_traceback_() == [f"ParameterError: {caught.value}"]


def test_a_message_gives_the_ends_of_a_range_to_the_last_digit():
    with pytest.raises(ParameterError, match=r"from 0 to 4294967295$"):
        declared("n: int = 0  # cases; 0 to 4294967295")["n"].check(-1)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("beta", "2.5", 2.5),
        ("beta", "2", 2.0),
        ("beta", "1e1", 10.0),
        ("shift", "-3.5", -3.5),
        ("n_steps", "1000", 1000),
        ("n_steps", "1e3", 1000),
        ("n_steps", "1_000", 1000),
        ("n_steps", "12.0", 12),
        ("clamp", "True", True),
        ("clamp", "False", False),
        ("title", "3", "3"),
        ("title", "True", "True"),
        ("title", "", ""),
        ("title", "'quoted'", "'quoted'"),
        ("data", "wine", "wine"),
        ("profile", "quick", "quick"),
    ],
)
def test_text_from_a_command_line_becomes_the_declared_type(parameters, name, text, value):
    parsed = parameters[name].parse(text)
    assert parsed == value
    assert type(parsed) is parameters[name].type


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("beta", "nan"),
        ("beta", "inf"),
        ("beta", "-inf"),
        ("beta", "1e999"),
        ("beta", "four"),
        ("beta", "4,0"),
        ("beta", "2*2"),
        ("beta", "[4.0]"),
        ("beta", "{[]: 1}"),
        ("beta", ""),
        ("beta", "__import__('os').getcwd()"),
        ("n_steps", "1.5"),
        ("n_steps", "1e400"),
        ("n_steps", "True"),
        pytest.param("n_steps", "9" * 5000, id="n_steps-5000 digits"),
        ("clamp", "1"),
        ("clamp", "yes"),
        ("data", "no.csv"),
    ],
)
def test_text_of_another_type_or_out_of_range_is_refused_in_one_line(parameters, name, text):
    with pytest.raises(ParameterError) as caught:
        parameters[name].parse(text)
    assert str(caught.value).startswith(f"parameter {name} is ")
    assert str(caught.value).endswith(f", expected {parameters[name].expected}")
    assert "\n" not in str(caught.value)


def test_values_not_given_are_the_defaults_as_the_declared_type(parameters):
    values = check_values(parameters, {"beta": 2, "data": "wine"})
    assert list(values) == list(parameters)
    assert values == {n: p.default for n, p in parameters.items()} | {"beta": 2.0, "data": "wine"}
    assert {name: type(value) for name, value in values.items()} == {n: p.type for n, p in parameters.items()}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("bta", "; did you mean beta?"),
        ("nsteps", "; did you mean n_steps?"),
        ("Seed", "; did you mean seed?"),
        ("qqqqqq", "; known: profile, seed, beta, n_steps, shift, clamp, data, names, title"),
    ],
)
def test_an_unknown_name_gets_the_nearest_known_one(parameters, name, hint):
    with pytest.raises(ParameterError, match=f"^unknown parameter {name}{re.escape(hint)}$"):
        check_values(parameters, {name: 1})


def test_an_unknown_name_is_refused_before_a_bad_value(parameters):
    with pytest.raises(ParameterError, match=r"^unknown parameter gamma"):
        check_values(parameters, {"beta": -1.0, "gamma": 1})


def test_a_bad_value_among_good_ones_is_named(parameters):
    with pytest.raises(ParameterError, match=r"^parameter n_steps is 0,"):
        check_values(parameters, {"beta": 2.0, "n_steps": 0})


def test_the_hint_is_a_near_word_or_all_words():
    assert nearest("quik", PROFILES) == "; did you mean quick?"
    assert nearest("zzz", iter(PROFILES)) == "; known: quick, book, paper"


@pytest.fixture
def notebook_path(tmp_path):
    def write(cell):
        notebook = nbformat.v4.new_notebook(
            cells=[
                nbformat.v4.new_code_cell(cell, metadata={"tags": ["parameters"]}),
                nbformat.v4.new_code_cell("run = begin('x', globals())"),
            ],
            metadata={"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}},
        )
        path = tmp_path / "chapter.ipynb"
        nbformat.write(notebook, path)
        return str(path)

    return write


@pytest.mark.parametrize(
    "extra",
    [
        "",
        'unit: str = "m/s: per second"  # of the axis; one of m/s: per second, km/h\n',
        "data_: str = 'it\"s'  # quotes\n",
        "η: float = .5  # prior's standard deviation; 0.1 to 2\n",
        "\n# how long\nn_epochs: int = 1_000  # epochs; 1 to 5000\n",
    ],
)
@pytest.mark.usefixtures("parameters")
def test_papermill_reads_the_same_names_types_defaults_and_help(notebook_path, extra):
    import papermill

    seen = papermill.inspect_notebook(notebook_path(CELL + extra))
    read = parse_parameters(CELL + extra)
    assert list(seen) == list(read)
    assert {n: s["inferred_type_name"] for n, s in seen.items()} == {n: p.type.__name__ for n, p in read.items()}
    assert {n: ast.literal_eval(s["default"]) for n, s in seen.items()} == {n: p.default for n, p in read.items()}
    assert all(seen[name]["help"].startswith(p.meaning) for name, p in read.items())


def test_values_injected_by_papermill_arrive_after_the_declared_cell_with_their_types(notebook_path, parameters):
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    given = {"beta": 1e-300 + 2, "n_steps": 7, "clamp": True, "title": 'a "b" \\ ü\n', "data": "names.txt", "seed": 3}
    notebook = parameterize_notebook(load_notebook_node(notebook_path(CELL)), given)
    declared_cell, injected, follows = [cell.source for cell in notebook.cells]
    assert (declared_cell, follows) == (CELL, "run = begin('x', globals())")
    namespace = {}
    exec(declared_cell, namespace)
    exec(injected, namespace)
    assert check_values(parameters, {name: namespace[name] for name in parameters}) == check_values(parameters, given)


LIST = HEAD + "betas: list[float] = [0.5, 1]  # weights of the KL; 2 to 4 numbers from 0.05 to 8\n"


@pytest.mark.parametrize(("text", "value"), [("1,2,3", [1.0, 2.0, 3.0]), ("[0.5,8]", [0.5, 8.0])])
def test_a_list_of_numbers_is_read(text, value):
    assert parse_parameters(LIST)["betas"].parse(text) == value


@pytest.mark.parametrize("text", ["1", "1,2,3,4,5", "1,x", "1,9", "0.5,nan", "word", "[1,[2]]"])
def test_a_list_out_of_its_range_is_one_line(text):
    with pytest.raises(ParameterError, match=r"betas is .*, expected 2 to 4 numbers from 0\.05 to 8"):
        parse_parameters(LIST)["betas"].parse(text)


def test_a_list_without_a_range_is_refused():
    with pytest.raises(ParameterError, match="a list needs a range"):
        parse_parameters(HEAD + "betas: list[int] = [1]  # weights\n")


@pytest.mark.parametrize(("text", "value"), [("true", True), ("FALSE", False), ("True", True)])
def test_a_switch_is_read_in_any_case(text, value):
    assert parse_parameters(HEAD + "clamp: bool = False  # keep in range\n")["clamp"].parse(text) is value


def test_values_of_a_sweep_are_split_outside_brackets():
    assert split_values("1,2") == ["1", "2"]
    assert split_values("[1,2],[3,4]") == ["[1,2]", "[3,4]"]
