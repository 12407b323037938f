"""The built site in a real browser: every page, from a server and from a file, wide and narrow, by mouse and by keyboard."""

import json
from typing import Any

from browser.conftest import SITE, watched
import pytest

PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("*.html")) or ["index.html"]
NOTEBOOKS = [page for page in PAGES if page.startswith("notebooks/") and page[10:12].isdigit()]


@pytest.fixture(scope="module")
def axe() -> Any:
    """The accessibility checker axe-core."""
    return pytest.importorskip("axe_playwright_python.sync_playwright", reason="make test-browser installs axe").Axe()


def all_shown(page: Any) -> None:
    """Scroll through a page, so that every picture is loaded."""
    page.evaluate("document.querySelectorAll('img').forEach(image => image.loading = 'eager')")
    page.wait_for_function("[...document.images].every(image => image.complete && image.naturalWidth > 0)")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_quiet_whole_and_readable_by_all(browser: Any, server: str, axe: Any, name: str) -> None:
    with watched(browser, f"{server}/{name}") as page:
        all_shown(page)
        assert page.title()
        assert page.evaluate("[...document.images].filter(image => !image.alt.trim()).length") == 0
        found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
        grave = [
            (rule["id"], node["target"], node.get("failureSummary"))
            for rule in found
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]
        assert grave == [], json.dumps(grave[:3], indent=1)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_works_from_a_file(browser: Any, server: str, name: str) -> None:
    with watched(browser, (SITE / name).as_uri(), theme="dark") as page:
        all_shown(page)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_telephone(browser: Any, server: str, name: str, theme: str) -> None:
    with watched(browser, f"{server}/{name}", width=390, theme=theme) as page:
        all_shown(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_small_before_pictures_and_formulas(name: str) -> None:
    assert (SITE / name).stat().st_size < 500_000


def test_every_notebook_has_its_page_with_the_ones_beside_it(browser: Any, server: str) -> None:
    assert len(NOTEBOOKS) == 11
    with watched(browser, f"{server}/{NOTEBOOKS[4]}") as page:
        assert page.get_attribute("a.prev-page", "href") == NOTEBOOKS[3].removeprefix("notebooks/")
        assert page.get_attribute("a.next-page", "href") == NOTEBOOKS[5].removeprefix("notebooks/")


def test_search_finds_a_word(browser: Any, server: str) -> None:
    with watched(browser, f"{server}/search.html?q=dilation_rate") as page:
        page.wait_for_selector("#search-results li")
        assert "02_every_option" in page.inner_html("#search-results")


def test_formulas_are_drawn(browser: Any, server: str) -> None:
    with watched(browser, f"{server}/notebooks/02_every_option.html") as page:
        page.wait_for_selector("mjx-container svg")
        assert page.locator("mjx-merror").count() == 0


@pytest.mark.parametrize(
    ("page_of", "kind", "control"),
    [
        ("00_start_here", "kernel_explorer", "input[type=range]"),
        ("02_every_option", "convolution_explorer", "select, input"),
    ],
)
def test_an_explorer_answers_the_keyboard_alone(
    browser: Any, server: str, page_of: str, kind: str, control: str
) -> None:
    with watched(browser, f"{server}/notebooks/{page_of}.html") as page:
        host = page.locator(f".convtour-{kind}").first
        shown = "host => host.shadowRoot.textContent"
        before = host.evaluate(shown)
        host.locator(control).first.focus()
        page.keyboard.press("Home")
        assert host.evaluate(shown) != before


# A seven: along the top, then down to the left; and a one, a single stroke. In shares of the square.
STROKES = {"seven": [(0.25, 0.25), (0.75, 0.25), (0.45, 0.8)], "one": [(0.55, 0.2), (0.5, 0.8)]}


@pytest.mark.parametrize("name", ["index.html", "digit.html"])
@pytest.mark.parametrize("digit", STROKES)
def test_a_digit_drawn_by_the_mouse_is_read_right(browser: Any, server: str, name: str, digit: str) -> None:
    with watched(browser, f"{server}/{name}") as page:
        pad = page.locator(".convtour-digit canvas").first
        page.get_by_role("button", name="Clear").click()
        box = pad.bounding_box()
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in STROKES[digit]]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point, steps=12)
        page.mouse.up()
        page.wait_for_function(f"document.body.innerText.includes('It reads: {digit}')")


def test_a_sample_digit_is_chosen_by_the_keyboard_alone(browser: Any, server: str) -> None:
    with watched(browser, f"{server}/digit.html") as page:
        page.locator(".convtour-digit [role=radio][aria-checked=true], .convtour-digit input:checked").first.focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("document.body.innerText.includes('It reads: four')")
