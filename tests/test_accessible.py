"""axe-core finds nothing on each kind of page, light and dark, on a wide screen and on a phone."""

from __future__ import annotations

import pytest
from test_browser import CHROMIUM, Visit, browser, chapters  # noqa: F401

from lvutils.paths import ROOT

AXE = ROOT / "_build" / "axe-core" / "axe.min.js"  # put there by tests/install_browser.sh
PAGES = [
    "book/intro.html",
    "book/how-to-read.html",
    "book/how-to-rerun.html",
    "book/gallery.html",
    "book/scoreboard.html",
    "book/part-autoencoders.html",
    chapters()[0],
    chapters()[-1],
    "notebooks/models/digits-diffusion.html",
    "book/notation.html",
    "book/glossary.html",
    "book/status.html",
    "book/api.html",
    "book/bibliography.html",
    "genindex.html",
    "search.html?q=collapse",
]

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium, and no package manager here could install it"),
    pytest.mark.skipif(not AXE.is_file(), reason="axe-core could not be fetched; see tests/install_browser.sh"),
]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing(browser, path, scheme, width):  # noqa: F811
    visit = Visit(browser, viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce")
    page = visit.open(path)
    page.evaluate("window.MathJax?.startup?.promise")
    page.wait_for_timeout(300)
    page.add_script_tag(path=AXE)
    # Formulas are MathJax's own: a picture with the formula's MathML beside it for screen readers.
    found = page.evaluate("axe.run({exclude: ['mjx-container']}, {resultTypes: ['violations']})")
    visit.context.close()
    said = [
        f"{v['id']} ({v['impact']}): {v['help']}: {len(v['nodes'])} times, as in\n    "
        + "\n    ".join(f"{n['target'][0]}  {n['html'][:160]}" for n in v["nodes"][:3])
        for v in found["violations"]
    ]
    assert not said, "\n".join(said)
