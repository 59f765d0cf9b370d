"""What leads out of the pages: downloads, figures, and the project's address, where it has one."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
import yaml
from test_book import HTML
from test_browser import CHROMIUM, Visit, browser, chapters, visit  # noqa: F401

from lvutils.paths import ROOT
from lvutils.press import catalogue
from lvutils.press.pages import CITATION, README, citation, readme
from lvutils.press.site import needs_lvutils
from lvutils.press.sphinx_ext import folded_name

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium, and no package manager here could install it")
ADDRESS = "https://github.com/somebody/latent-book"


@pytest.fixture(scope="module", params=["", ADDRESS], ids=["no address", "address"])
def small_book(request, tmp_path_factory):
    """A book of three pages, built with the settings of the real one, without and with an address."""
    root = tmp_path_factory.mktemp("book")
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    settings["repository"]["url"] = request.param
    settings |= {"bibtex_bibfiles": ["references.bib"], "logo": str(ROOT / "book" / "_static" / "logo.svg")}
    settings["html"]["favicon"] = str(ROOT / "book" / "_static" / "favicon.svg")
    for name in ("html_static_path", "templates_path"):
        settings["sphinx"]["config"][name] = [str(ROOT / path) for path in settings["sphinx"]["config"][name]]
    (root / "_config.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    (root / "_toc.yml").write_text("format: jb-book\nroot: intro\nchapters:\n- file: run\n- file: chapter\n")
    (root / "references.bib").write_text("@misc{one, title={One}}\n")
    (root / "intro.md").write_text("# Title\n\nOpening.\n\nRest.\n")
    (root / "run.md").write_text("# Run\n\n<!-- clone -->\n\nThen run it.\n")
    chapter = {"cells": [{"cell_type": "markdown", "metadata": {}, "source": "# Chapter", "id": "a"}]}
    chapter |= {"metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}}
    (root / "chapter.ipynb").write_text(json.dumps(chapter | {"nbformat": 4, "nbformat_minor": 5}))
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(root), "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    return request.param, root / "_build" / "html"


def test_all_that_names_the_project_follows_one_setting(small_book):
    address, html = small_book
    chapter, run = ((html / f"{name}.html").read_text(encoding="utf-8") for name in ("chapter", "run"))
    assert "executablebooks" not in chapter + run
    there = bool(address)
    for text in (
        f'href="{ADDRESS}"',
        f"{ADDRESS}/issues/new",
        "mybinder.org/v2/gh/somebody/latent-book",
        "colab.research",
    ):
        assert (text in chapter) == there, text
    assert (f"git clone {ADDRESS}\ncd latent-book" in re.sub("<[^>]*>", "", run)) == there
    if there:
        assert "urlpath=lab" in chapter
        assert "colab.research.google.com/github/somebody/latent-book/blob/main/chapter.ipynb" in chapter
    else:
        assert "github" not in chapter + run


def test_the_citation_follows_the_setting():
    text = CITATION.read_text(encoding="utf-8")
    assert citation(text, catalogue.repository()[0]) == text, "run: lvutils pages"
    with_address = citation(text, ADDRESS)
    assert yaml.safe_load(with_address)["repository-code"] == ADDRESS
    assert citation(with_address, ADDRESS) == with_address
    assert citation(with_address, "") == citation(text, "")


@needs_browser
def test_a_notebook_is_downloaded_from_a_page_opened_as_a_file(visit):  # noqa: F811
    page = visit.open(chapters()[0])
    page.get_by_role("button", name="Download this page").click()
    with page.expect_download() as download:
        page.locator('a[download$=".ipynb"]').click()
    paper = catalogue.written()[0]
    assert download.value.suggested_filename == f"{paper.slug}.ipynb"
    notebook, stored = (json.loads(p.read_text("utf-8")) for p in (download.value.path(), paper.notebook))
    first = next(k for k, cell in enumerate(stored["cells"]) if cell["cell_type"] == "code")
    assert notebook["cells"].pop(first)["source"] == needs_lvutils(catalogue.repository()[0])
    assert notebook == stored


@pytest.mark.parametrize("url", ["", ADDRESS])
def test_a_chapter_that_left_the_book_says_what_it_needs(url, monkeypatch):
    cell = needs_lvutils(url)
    exec(cell, {})  # here the package is there
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError) as caught:
        exec(cell, {})
    (line,) = caught.value._render_traceback_()
    assert "needs lvutils" in line
    assert "make lab" in line
    assert (f"git clone {ADDRESS}" in line) == bool(url)


def test_the_readme_follows_the_setting():
    text = README.read_text(encoding="utf-8")
    assert readme(text, catalogue.repository()[0]) == text, "run: lvutils pages"
    with_address = readme(text, ADDRESS)
    assert f"git clone {ADDRESS}\ncd latent-book\n" in with_address
    assert readme(with_address, ADDRESS) == with_address
    assert readme(with_address, "") == readme(text, "")


def test_a_folded_cell_is_named_after_its_figure():
    cell = {"cell_type": "code", "source": "draw()", "metadata": {"mystnb": {"figure": {"name": "fig-x"}}}}
    assert folded_name(cell, {"source": "**Figure 3.** Two runs."}) == "the drawing of Figure 3"
    assert folded_name(cell) == "the figure below"


@needs_browser
def test_a_figure_fills_the_window_and_goes_back(visit):  # noqa: F811
    page = visit.open(chapters()[0])
    button = page.locator("button.lv-enlarge").first
    alt = button.locator("img").get_attribute("alt")
    view = page.locator("dialog.lv-figure")
    small = button.bounding_box()["width"]
    button.click()
    assert view.is_visible()
    assert view.locator("img").get_attribute("alt") == alt
    assert view.locator("img").bounding_box()["width"] > 1.4 * small
    view.locator("img").click()
    assert not view.is_visible()
    button.focus()
    page.keyboard.press("Enter")
    assert view.is_visible()
    page.keyboard.press("Escape")
    assert not view.is_visible()
    assert button.evaluate("e => e === document.activeElement")


@pytest.mark.parametrize("part", ["autoencoders", "mixtures", "causality"])
def test_the_pieces_of_a_part_s_drawing_are_links(part):
    text = (HTML / "book" / f"part-{part}.html").read_text(encoding="utf-8")
    drawing = text[text.index('<svg class="lv-drawing"') :].partition("</svg>")[0]
    for paper in catalogue.written():
        if paper.part == part:
            assert f'<a href="../notebooks/{part}/{paper.slug}.html">' in drawing, paper.slug
