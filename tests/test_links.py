"""References and captions: plain Markdown in a notebook, the book's own in the build."""

import copy

import pytest
from conftest import lvutils

from lvutils.press import catalogue, links
from lvutils.press.notebook import dump, read_notebook

CITED = '[Zhang et al., 2017](https://arxiv.org/abs/1702.08423 "zhang2017age")'
OTHER = next(p for p in catalogue.written())


def markdown(text, *tags):
    return {"cell_type": "markdown", "id": f"m{hash(text) % 10**6}", "metadata": {"tags": list(tags)}, "source": text}


def figure(name):
    return {"cell_type": "code", "id": name, "metadata": {"mystnb": {"figure": {"name": name}}}, "source": "1"}


@pytest.fixture
def notebook():
    cells = [
        markdown(f"As {CITED} say. See [Figure 7](#fig-x-b), [(9)](#eq-x-loss) and *more* ({CITED}, {CITED})."),
        figure("fig-x-a"),
        markdown(f"**Figure 1.** What is drawn ({CITED}).", "caption"),
        markdown("$$\na = b\n$$ (eq-x-model)\n\n$$\nc = d\n$$ (eq-x-loss)"),
        figure("fig-x-b"),
        markdown("**Figure 1.** Another, beside [Figure 1](#fig-x-a).", "caption"),
        markdown(f"## Further reading\n\n[A sibling](../{OTHER.part}/{OTHER.slug}.ipynb), [a page](https://a.b)."),
    ]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def test_numbers_are_those_of_the_place(notebook):
    links.number(notebook)
    first, *_, last, _ = (c["source"] for c in notebook["cells"] if c["cell_type"] == "markdown")
    assert "[Figure 2](#fig-x-b), [(2)](#eq-x-loss)" in first
    assert last == "**Figure 2.** Another, beside [Figure 1](#fig-x-a)."
    again = copy.deepcopy(notebook)
    links.number(again)
    assert again == notebook


def test_the_build_gets_roles_captions_and_a_bibliography(notebook):
    links.for_sphinx(notebook)
    first, _, equations, _, further = notebook["cells"]
    assert first["source"] == (
        "As {footcite:t}`zhang2017age` say. See {numref}`fig-x-b`, {eq}`eq-x-loss` and *more* "
        "{footcite:p}`zhang2017age,zhang2017age`."
    )
    captions = [c["metadata"]["mystnb"]["figure"]["caption"] for c in notebook["cells"] if c["cell_type"] == "code"]
    assert captions == ["What is drawn {footcite:p}`zhang2017age`.", "Another, beside {numref}`fig-x-a`."]
    assert equations["source"].endswith("(eq-x-loss)")
    assert (
        f"{{ref}}`A sibling <ch-{OTHER.slug}>`, [a page](https://a.b).\n\n```{{footbibliography}}" in further["source"]
    )


def test_a_citation_names_authors_and_year_and_leads_to_the_paper():
    assert links.citation("zhang2017age") == CITED
    assert links.cited(CITED) == ["zhang2017age"]
    assert links.citation("schonemann1966generalized").startswith("[Schönemann, 1966](")
    assert links.citation("wu2022unifying").startswith("[Wu and De la Torre, 2022](")


def test_the_command_writes_the_numbers_and_nothing_else():
    before = OTHER.notebook.read_text()
    assert lvutils("number", OTHER.slug).returncode == 0
    assert OTHER.notebook.read_text() == before
    assert dump(read_notebook(OTHER.notebook)) == before
