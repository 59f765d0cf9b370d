"""The built book in headless Chromium, with the network blocked."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

from lvutils.frames import Frames
from lvutils.paths import ROOT
from lvutils.press import catalogue
from lvutils.press.compare import compare
from lvutils.press.pool import stored_results
from lvutils.record import ClaimRecord, Cost, Results, Value

HTML = ROOT / "_build" / "html"
CHROMIUM = next((path for n in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(n))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

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
        self.page.on("requestfailed", self._failed)
        self.context.route("**/*", self._route)

    def _failed(self, request):
        # A page that is left while its icon loads has ended that request itself: the file is there.
        if request.failure != "net::ERR_ABORTED":
            self.errors.append(f"{request.url} {request.failure}")

    def _route(self, route):
        if route.request.url.startswith(("file:", "data:", "blob:")):
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
    page.locator(".lv-card:visible h2 a").click()
    assert "Clusters without centroids" in page.locator("article h1").inner_text()


def test_the_gallery_finds_all_that_a_card_prints(visit):
    page = visit.open("book/gallery.html")
    papers = catalogue.papers()
    for wanted, found in (
        ("ICLR 2024", [p for p in papers if "ICLR 2024" in p.venue]),
        ("2017", [p for p in papers if "2017" in f"{p.year} {p.venue}"]),
        ("psychometrics", [p for p in papers if "psychometrics" in p.keywords]),
        ("dang nguyen", [p for p in papers if {"Hien Dang", "Tan Nguyen"} <= set(p.authors)]),
        ("posterior-collapse", [p for p in papers if p.slug == "posterior-collapse"]),
    ):
        page.fill('[data-filter="text"]', wanted)
        shown = page.locator(".lv-card:visible h2").all_inner_texts()
        assert {p.short for p in found} <= set(shown), wanted
        assert 0 < len(shown) < len(papers) / 2, wanted


def test_a_keyword_filters_the_gallery_by_mouse_and_keyboard(visit):
    page = visit.open("book/gallery.html")
    n_vae = sum("vae" in p.keywords for p in catalogue.papers())
    chip = page.locator('[data-keyword="vae"]:visible').first
    chip.click()
    assert page.locator(".lv-card:visible").count() == n_vae
    assert page.input_value('[data-filter="keywords"]') == "vae"
    assert chip.get_attribute("aria-pressed") == "true"
    assert page.url.endswith("?keywords=vae")
    chip.focus()
    page.keyboard.press("Enter")
    assert page.locator(".lv-card:visible").count() == 67
    assert page.url.endswith("gallery.html")


def claims() -> list:
    stored = ((p, stored_results(p.notebook)) for p in catalogue.written())
    return [(p, claim) for p, results in stored if results for claim in results.claims]


def test_the_scoreboard_finds_author_slug_and_number(visit):
    page = visit.open("book/scoreboard.html")
    rows = page.locator("tbody tr:visible")
    assert rows.count() == len(claims())
    for wanted, found in (
        ("Hien Dang", [c for p, c in claims() if "Hien Dang" in p.authors]),
        ("posterior-collapse", [c for p, c in claims() if p.slug == "posterior-collapse"]),
        ("c1 posterior-collapse", [c for p, c in claims() if p.slug == "posterior-collapse" and c.id == "C1"]),
    ):
        page.fill('[data-filter="text"]', wanted)
        assert rows.count() == len(found), wanted


@pytest.mark.parametrize("path", ["book/gallery.html", "book/scoreboard.html"])
def test_a_list_says_when_nothing_is_left_and_how_to_go_on(visit, path):
    page = visit.open(path)
    items = page.locator("[data-filterable] > :visible")
    everything = items.count()
    clear = page.get_by_role("button", name="Clear filters")
    assert not clear.is_visible()
    page.fill('[data-filter="text"]', "no such word")
    assert items.count() == 0
    assert (
        page.locator("form.lv-filter output").inner_text() == f"0 of {everything}: nothing is left under these filters"
    )
    clear.click()
    page.wait_for_function("location.search === ''")
    assert items.count() == everything


def test_filters_live_in_the_address_and_survive_back(visit):
    page = visit.open("book/scoreboard.html")
    rows = page.locator("tbody tr:visible")
    page.select_option('[data-filter="verdict"]', "holds")
    page.fill('[data-filter="text"]', "c1")
    n = rows.count()
    assert 0 < n < len(claims())
    assert page.url.endswith("?verdict=holds&text=c1")
    rows.first.locator(".lv-chip").click()
    page.wait_for_selector(".paper-card")
    page.go_back()
    page.wait_for_selector("form.lv-filter")
    assert page.input_value('[data-filter="text"]') == "c1"
    assert page.input_value('[data-filter="verdict"]') == "holds"
    assert rows.count() == n
    fresh = visit.open("book/scoreboard.html?verdict=holds&text=c1")  # as from a link
    assert fresh.locator("tbody tr:visible").count() == n
    fresh = visit.open("book/scoreboard.html?verdict=gone")  # a verdict that no claim has any more
    assert fresh.locator("tbody tr:visible").count() == len(claims())


def test_the_head_of_the_scoreboard_stays_in_view(visit):
    page = visit.open("book/scoreboard.html")
    page.mouse.move(700, 500)
    page.mouse.wheel(0, 4000)
    page.wait_for_function("scrollY > 3000")
    head = page.get_by_role("columnheader", name="Verdict")
    box = head.bounding_box()
    assert 0 <= box["y"] < 100
    middle = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
    assert page.evaluate("([x, y]) => document.elementFromPoint(x, y).innerText", middle) == "Verdict"  # on top


@pytest.mark.parametrize("width", [390, 1440])
def test_a_chip_leads_to_its_claim(browser, width):
    visit = Visit(browser, viewport={"width": width, "height": 900})
    page = visit.open(chapters()[0])
    page.wait_for_function("MathJax.startup.promise.then(() => true)")
    in_view = "e => { const y = e.getBoundingClientRect().y; return 40 < y && y < innerHeight / 2; }"
    page.locator(".lv-glance a", has_text="C3").click()
    row = page.locator("tr#claim-c3")
    assert row.inner_text().startswith("C3")
    assert row.evaluate(in_view)
    page = visit.open("book/scoreboard.html?text=c3")
    page.locator("tbody tr:visible .lv-chip").first.click()
    page.wait_for_selector(".paper-card")
    page.wait_for_function("MathJax.startup.promise.then(() => true)")  # which moves what stands below formulas
    assert page.url.endswith("#claim-c3")
    assert page.locator("tr#claim-c3").evaluate(in_view)
    visit.context.close()


@pytest.mark.parametrize("path", [chapters()[-1], "book/intro.html", "search.html", "book/status.html"])
@pytest.mark.parametrize("width", [390, 1440])
def test_search_and_the_way_home_are_in_view_on_arrival(browser, path, width):
    visit = Visit(browser, viewport={"width": width, "height": 900})
    page = visit.open(path)
    page.wait_for_timeout(300)  # the side bar scrolls to the present chapter
    on_top = """e => {
        const r = e.getBoundingClientRect();
        return e.contains(document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2));
    }"""
    home = page.locator("a.navbar-brand:visible")
    search = page.locator("button.search-button__button:visible")
    for control in (home, search):
        assert control.count() == 1
        assert control.evaluate(on_top)
    assert search.bounding_box()["width"] >= 90  # a field, not a glass alone
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    search.click()
    page.keyboard.type("collapse")
    assert page.evaluate("document.activeElement.value") == "collapse"
    page.keyboard.press("Escape")
    home.click()
    page.wait_for_url(re.compile(r"/book/intro\.html#?$"))
    visit.context.close()
    assert visit.outside == []


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", [chapters()[0], "book/gallery.html", "book/scoreboard.html"])
def test_the_keyboard_is_seen_wherever_it_goes(browser, path, scheme, width):
    """Tab through a page: each kind of control looks different while it has the focus, and no formula is on the way.

    One that is wider than its column stays: without the keyboard its end could not be scrolled to.
    """
    visit = Visit(browser, viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce")
    page = visit.open(path)
    page.add_style_tag(content="* { caret-color: transparent !important; transition: none !important }")
    if "notebooks" in path:
        page.wait_for_function("MathJax.startup.promise.then(() => true)")
    where = """() => {
        const e = document.activeElement;
        if (e === document.body) return null;
        const r = e.getBoundingClientRect();
        const kind = e.tagName + " " + [...e.classList].sort().join(".") + " in " + e.parentElement.className;
        const [x, y] = [Math.max(r.x - 8, 0), Math.max(r.y - 8, 0)];
        const [right, bottom] = [Math.min(r.right + 8, innerWidth), Math.min(r.bottom + 8, innerHeight)];
        const formula = e.closest("mjx-container") !== null && e.scrollWidth <= e.clientWidth;
        return {kind, formula, clip: {x, y, width: right - x, height: bottom - y}};
    }"""
    seen, unseen = set(), []
    for _ in range(1000):
        page.keyboard.press("Tab")
        at = page.evaluate(where)
        if at is None:
            break
        assert not at["formula"]
        if at["kind"] not in seen:
            seen.add(at["kind"])
            if min(at["clip"]["width"], at["clip"]["height"]) <= 0:
                unseen.append(at["kind"])
                continue
            focused = page.screenshot(clip=at["clip"])
            page.evaluate("window.focused = document.activeElement; window.focused.blur()")
            if page.screenshot(clip=at["clip"]) == focused:
                unseen.append(at["kind"])
            page.evaluate("window.focused.focus({preventScroll: true})")
    assert len(seen) > 5
    assert unseen == []
    visit.context.close()


def test_a_dark_page_prints_light_and_whole(browser):
    visit = Visit(browser, viewport={"width": 680, "height": 960}, color_scheme="dark")  # A4 between its margins
    page = visit.open(chapters()[0])
    theme = "document.documentElement.dataset.theme"
    assert page.evaluate(theme) == "dark"
    page.evaluate(f"addEventListener('beforeprint', () => {{ window.printed = {theme}; }})")
    page.pdf(format="A4")
    assert page.evaluate("window.printed") == "light"
    assert page.evaluate(theme) == "dark"  # as it was

    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".cell details:not([open]):visible").count() == 0
    cut = "list => list.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.innerText.slice(0, 80))"
    assert page.locator("pre:visible").evaluate_all(cut) == []
    channels = "e => getComputedStyle(e).color.match(/\\d+/g).slice(0, 3).map(Number)"
    for chip in page.locator(".lv-chip:visible").all():
        assert (
            chip.evaluate("e => getComputedStyle(e).backgroundColor") == "rgba(0, 0, 0, 0)"
        )  # which a printer may omit
        assert contrast_with_white(chip.evaluate(channels)) >= 4.5
    assert page.locator("table.lv-scorecard tbody tr").first.evaluate("e => getComputedStyle(e).display") == "block"
    visit.context.close()


def contrast_with_white(rgb: list[int]) -> float:
    """As WCAG defines it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb)]
    return 1.05 / (np.dot((0.2126, 0.7152, 0.0722), linear) + 0.05)


def test_the_scoreboard_prints_as_cards(visit):
    page = visit.open("book/scoreboard.html")
    page.emulate_media(media="print")
    assert not page.locator("form.lv-filter").is_visible()
    assert not page.locator("table.lv-scoreboard thead").is_visible()
    cells = page.locator("table.lv-scoreboard tbody tr").nth(1).locator("td").all()
    assert len({cell.bounding_box()["x"] for cell in cells}) == 1  # below each other


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


def test_no_name_of_a_stranger_runs_in_the_report_on_runs(browser, tmp_path):
    evil = '<img src=x onerror="document.title=1"><script>document.title=1</script>'
    folder = tmp_path / "runs" / '<b onmouseover="x">mini'
    for k in range(4):
        knob = f"{evil}{k % 2}"
        results = Results("mini", {"seed": k // 2, "profile": evil, evil: knob}, {}, {}, {}, [], f"{k}", {"code": evil})
        results.values = {evil: Value(float(k), evil)}
        results.claims = [ClaimRecord(evil, evil, evil, evil, evil, {}, "holds", evil)]
        results.cost = Cost(1.0, 1, evil, {"torch": evil})
        name = f"{k}<i onclick='x'>"
        (folder / name).mkdir(parents=True)
        results.write(folder / name / "results.json")
    report = compare(str(folder), tmp_path / "<u>out", None, None, lambda text: None)
    page = browser.new_page()
    asked = []
    page.on("request", lambda r: asked.append(r.url) if not r.url.startswith("data:") else None)
    page.on("dialog", lambda d: asked.append("dialog"))
    page.goto(report.as_uri())
    page.wait_for_timeout(300)
    assert page.title() == 'Runs of <b onmouseover="x">mini'
    assert asked == [report.as_uri()]
    assert page.evaluate("document.querySelectorAll('script, [onerror], [onclick], [onmouseover], main u').length") == 0
    assert evil in page.inner_text("body"), "the words themselves are shown"
    assert page.locator("img[alt]").count() == 1, "one value that the swept parameter moves"
    page.close()


def test_a_docstring_that_names_an_equation_leads_to_it(visit):
    page = visit.open("notebooks/autoencoders/posterior-collapse.html")
    link = page.locator("a.lv-equation", has_text="Equation (vae)").first
    assert link.get_attribute("href") == "#equation-eq-posterior-collapse-vae"
    link.click()
    assert page.evaluate("document.querySelector(location.hash).getBoundingClientRect().top < innerHeight")
