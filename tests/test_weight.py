"""A page of the built book loads what it needs and no more, and nothing moves while its formulas are typeset."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from test_browser import CHROMIUM, Visit, browser, chapters  # noqa: F401

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium, and no package manager here could install it")


@pytest.mark.parametrize(
    ("path", "most_kb", "formulas"),
    [("book/intro.html", 750, False), ("book/status.html", 750, False), (chapters()[0], 3700, True)],
)
def test_a_page_weighs_what_it_needs(browser, path, most_kb, formulas):  # noqa: F811
    visit = Visit(browser, viewport={"width": 1440, "height": 900})
    files = set()
    visit.page.on("request", lambda request: files.add(Path(unquote(urlsplit(request.url).path))))
    visit.open(path).wait_for_timeout(300)
    visit.context.close()
    assert any("mathjax" in file.parts for file in files) == formulas
    assert sum(file.stat().st_size for file in files) / 1000 <= most_kb, sorted(files)


@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_moves_while_formulas_are_typeset(browser, width):  # noqa: F811
    visit = Visit(browser, viewport={"width": width, "height": 900})
    visit.page.add_init_script(
        "const height = () => document.documentElement.scrollHeight;"
        "document.addEventListener('DOMContentLoaded', () => { window.before = height(); });"
    )
    for path in chapters()[::5]:
        page = visit.open(path)
        page.wait_for_function("MathJax.startup.promise.then(() => true)")
        page.wait_for_timeout(100)
        before, after = page.evaluate("[window.before, document.documentElement.scrollHeight]")
        assert abs(after - before) < 0.01 * after, path  # 2 to 4 % before their room was kept
        assert page.evaluate("document.documentElement.classList.contains('lv-typesetting')") is False
    visit.context.close()
