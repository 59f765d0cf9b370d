"""The search of the built book, in Chromium, on pages opened as files."""

from __future__ import annotations

import re

import pytest
from test_browser import CHROMIUM, Visit, browser, chapters, visit  # noqa: F401

from lvutils.press import catalogue

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium, and no package manager here could install it")


def search(page, query: str) -> list[str]:
    page.fill(".bd-search-container input", query)
    return [text.replace("’", "'") for text in page.locator("#search-results > li").all_inner_texts()]


def test_the_field_in_the_bar_leads_to_answers(visit):  # noqa: F811
    page = visit.open(chapters()[0])
    page.locator("button.search-button__button:visible").click()
    page.keyboard.type("negative control")
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results > li")
    assert page.input_value(".bd-search-container input") == "negative control"
    page.locator("#search-results > li a[href*='#']").first.click()
    page.wait_for_selector("article :target")


def test_a_title_comes_first(visit):  # noqa: F811
    page = visit.open("search.html")
    for paper in catalogue.written():
        assert search(page, paper.short)[0].startswith(paper.short)
        assert search(page, paper.short.lower().rstrip("?"))[0].startswith(paper.short)


def test_authors_are_found(visit):  # noqa: F811
    page = visit.open("search.html")
    for paper in catalogue.written():
        for author in (paper.authors[0], paper.authors[-1]):
            assert any(text.startswith(paper.short) for text in search(page, author)), author
    assert len(search(page, "müller")) == len(search(page, "Muller")) >= 1


def test_letters_and_words(visit):  # noqa: F811
    page = visit.open("search.html")
    assert search(page, "β") == search(page, "beta") != []
    assert "k-means" in search(page, "k-means")[0].lower()
    for text in search(page, "k-means"):
        assert re.search(r"\bk-means\b", text, re.IGNORECASE), text
    assert len(search(page, "k-means")) < len(search(page, "means"))
    assert search(page, "zxzx collapse") == []
    assert page.locator("#search-status").inner_text() == "No page has all of: zxzx collapse"


def test_snippets_are_prose(visit):  # noqa: F811
    page = visit.open("search.html")
    for query in ("likelihood", "β", "posterior", "gradient", "digits"):
        assert search(page, query)
        snippets = page.locator("#search-results p").all_inner_texts()
        assert snippets
        for text in snippets:
            assert not re.search(r"\\[a-z]+|\$|Show code|Download source|Toggle", text), text
