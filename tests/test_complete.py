"""What a page shows is complete: each equation, code cell, table and text output of each chapter, measured in Chromium.

At 1280 and 1440 pixels all of it fits, code up to the width that the linter allows. On a phone what is wider scrolls in
its own box, fades where there is more, and can be reached by the Tab key.
"""

from __future__ import annotations

import pytest
from test_browser import CHROMIUM, Visit, browser, chapters  # noqa: F401

from lvutils.press.lint.form import MAX_LINE

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium, and no package manager here could install it")

WIDTHS = (390, 1280, 1440)
# the sidebar has slid into its place, and scroll.js has looked at each box in its new size
SETTLED = """() => !document.getAnimations().some((slide) => slide.playState === "running")
    && [...document.querySelectorAll("article :is(pre, div.math > mjx-container)")].every((box) =>
    !box.checkVisibility() || getComputedStyle(box).overflowX !== "auto"
    || (box.scrollWidth > box.clientWidth + 1) === Boolean(box.dataset.more))"""
MEASURE = """() => {
    const article = document.querySelector("article.bd-article");
    const page = article.getBoundingClientRect();
    const kinds = {
        equation: 'div.math > mjx-container',
        code: '.cell_input pre, div[class*="highlight-"]:not(.output) > .highlight pre',
        output: '.cell_output .output pre',
        table: 'table',
        figure: 'figure img, .cell_output img',
    };
    const found = [];
    for (const [kind, selector] of Object.entries(kinds))
        for (const e of article.querySelectorAll(selector)) {
            if (!e.checkVisibility() || kind === "code" && e.closest(".cell_output")) continue;
            let box = e;  // which holds it and scrolls, or cuts
            if (kind === "table")
                while (box !== article && getComputedStyle(box).overflowX === "visible") box = box.parentElement;
            const r = (box === article ? e : box).getBoundingClientRect();
            const inside = r.left >= page.left - 1 && r.right <= page.right + 1;
            const fits = inside && (box === article || box.scrollWidth <= box.clientWidth + 1);
            const style = getComputedStyle(box);
            const fades = style.maskImage.includes("gradient");
            const shown = inside && fades && style.overflowX === "auto" && box.tabIndex === 0;
            const longest = Math.max(...e.textContent.split("\\n").map((line) => line.trimEnd().length));
            const begins = kind === "equation" ? "" : (e.alt ?? e.textContent).trim().slice(0, 40);
            const name = `${e.closest("[id]")?.id} ${begins}`;
            found.push({kind, name, fits, shown, longest, pixels: `${box.scrollWidth} in ${box.clientWidth}`});
        }
    return found;
}"""


@pytest.mark.parametrize("path", chapters())
def test_nothing_is_cut(browser, path):  # noqa: F811
    visit = Visit(browser, viewport={"width": WIDTHS[0], "height": 900})
    page = visit.open(path)
    page.wait_for_function("MathJax.startup.promise.then(() => true)")
    cut = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(SETTLED)
        items = page.evaluate(MEASURE)
        assert {item["kind"] for item in items} == {"equation", "code", "output", "table", "figure"}
        for item in items:
            # A longer line is the linter's business: on the page it may scroll.
            may_scroll = item["kind"] != "figure" and width < 1200
            may_scroll |= item["kind"] == "code" and item["longest"] > MAX_LINE
            if not (item["fits"] or (may_scroll and item["shown"])):
                cut.append(
                    f"{width}: {item['kind']} {item['name']!r}, {item['longest']} characters, {item['pixels']} px"
                )
    visit.context.close()
    assert not cut, "\n".join(cut)
