"""The built book in headless Chromium, with the network blocked."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading

import numpy as np
import pytest

from lvutils.frames import Frames
from lvutils.paths import ROOT
from lvutils.press import catalogue

HTML = ROOT / "_build" / "html"
CHROMIUM = next((path for n in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(n))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

SERVER = "http://127.0.0.1"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium, and no package manager here could install it")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """Opens pages of the book and keeps what went wrong: errors, and requests that leave the book."""

    def __init__(self, browser, **options):
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.outside: list[str] = []
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda e: self.errors.append(str(e)))
        self.page.on("requestfailed", lambda r: self.errors.append(f"{r.url} {r.failure}"))
        self.context.route("**/*", self._route)

    def _route(self, route):
        if route.request.url.startswith(("file:", "data:", "blob:", SERVER)):
            route.continue_()
        else:
            self.outside.append(route.request.url)
            route.abort()

    def open(self, path: str):
        file, _, query = path.partition("?")
        self.page.goto((HTML / file).as_uri() + (f"?{query}" if query else ""), wait_until="load")
        return self.page


@pytest.fixture
def visit(browser):
    visit = Visit(browser, viewport={"width": 1440, "height": 900})
    yield visit
    visit.context.close()
    assert visit.outside == []
    assert visit.errors == []


def chapters() -> list[str]:
    return [f"notebooks/{p.part}/{p.slug}.html" for p in catalogue.written()]


@pytest.mark.parametrize("path", chapters())
def test_mathematics_is_typeset(visit, path):
    page = visit.open(path)
    page.wait_for_selector("mjx-container")
    page.wait_for_function("MathJax.startup.promise.then(() => true)")
    formulas = page.locator(".math").count()
    assert formulas > 5
    assert page.locator(".math mjx-container").count() >= formulas
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0


@pytest.mark.parametrize("path", ["index.html", "book/status.html", "book/api.html", "book/glossary.html"])
def test_pages_open_without_an_error(visit, path):
    visit.open(path).wait_for_selector("article h1")  # index.html leads on to the landing page


@pytest.fixture
def server():
    """The book served on this machine: pages opened as files may not read the pages that a search shows excerpts of."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(HTML))
    handler.log_message = lambda *arguments: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"{SERVER}:{server.server_port}"
        server.shutdown()


def test_search_answers(server, visit):  # in this order, so that the server outlives the page
    page = visit.page
    page.goto(f"{server}/search.html?q=collapse")
    page.wait_for_selector("#search-results li")
    found = page.locator("#search-results li").all_inner_texts()
    assert any("Which latent units will die?" in text for text in found)
    page.wait_for_load_state("networkidle")  # the excerpts of all results are read


def test_the_gallery_filters(visit):
    page = visit.open("book/gallery.html")
    shown = page.locator(".lv-card:visible")
    assert shown.count() == 67
    page.select_option('[data-filter="part"]', "mixtures")
    n_mixtures = sum(p.part == "mixtures" for p in catalogue.papers())
    assert shown.count() == n_mixtures
    assert page.locator("form.lv-filter output").inner_text() == f"{n_mixtures} of 67"
    page.fill('[data-filter="text"]', "clusters without")
    assert shown.count() == 1
    page.locator(".lv-card:visible h3 a").click()
    assert "Clusters without centroids" in page.locator("article h1").inner_text()


def test_the_scoreboard_filters_and_leads_to_the_scorecard(visit):
    page = visit.open("book/scoreboard.html")
    rows = page.locator("tbody tr:visible")
    everything = rows.count()
    page.select_option('[data-filter="verdict"]', "holds")
    assert 0 < rows.count() <= everything
    page.locator("tbody tr:visible .lv-chip").first.click()
    page.wait_for_selector("#does-the-claim-hold", state="attached")
    assert page.url.endswith("#does-the-claim-hold")


def test_folded_code_unfolds(visit):
    page = visit.open(chapters()[0])
    fold = page.locator("details.hide, .toggle-details, .tag_hide-input details").first
    assert fold.get_attribute("open") is None
    fold.locator("summary").click()
    assert fold.get_attribute("open") is not None


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["index.html", "book/gallery.html", "book/scoreboard.html", *chapters()])
def test_no_page_is_wider_than_the_screen(browser, path, scheme, width):
    visit = Visit(browser, viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = visit.open(path)
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    visit.context.close()
    assert visit.outside == []


def test_frames_are_stepped_through_by_keyboard_without_scripts(browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    frames = Frames(np.eye(3)[:, None] * np.ones((3, 2, 3)), "abc", legend="column", alt="one bright column")
    page.set_content(frames._repr_mimebundle_()["text/html"])
    assert page.get_by_role("img", name="one bright column").count() == 1
    stage = page.locator(".stage").bounding_box()
    top = lambda: page.locator(".stage img").bounding_box()["y"] - stage["y"]  # noqa: E731
    assert page.get_by_role("group", name="column").get_by_role("radio").count() == 3
    assert top() == pytest.approx(0, abs=1)
    page.keyboard.press("Tab")
    for k in (1, 2):
        page.keyboard.press("ArrowRight")
        assert page.get_by_role("radio", name="abc"[k]).is_checked()
        assert top() == pytest.approx(-k * stage["height"], abs=1)
    page.get_by_text("a", exact=True).click()
    assert top() == pytest.approx(0, abs=1)
    context.close()
