"""The tab *Carbon* for all people and screens: contrast, names, roles, widths, and no motion."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from support.carbon_page import CarbonTab, opened
from support.many_runs import make_runs
from support.screenshot import tensorboard

if TYPE_CHECKING:
    from playwright.sync_api import Page

axe = pytest.importorskip("axe_playwright_python.sync_playwright")

LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
WIDTHS = (380, 1440, 3840)


@pytest.fixture(scope="module")
def running(browser: "Page", tmp_path_factory: pytest.TempPathFactory) -> Iterator[CarbonTab]:
    folder = tmp_path_factory.mktemp("logs")
    make_runs(folder, 16, 30, has_events=False)
    with tensorboard(folder) as address, opened(browser, address) as tab:
        yield tab


@pytest.fixture
def tab(running: CarbonTab) -> Iterator[CarbonTab]:
    """The tab as it is at first."""
    yield running.open()
    running.page.emulate_media(color_scheme="light", reduced_motion="no-preference")
    running.page.set_viewport_size({"width": 1440, "height": 1000})


def violations(tab: CarbonTab) -> list[str]:
    """What axe finds, one line for each rule."""
    found: dict[str, Any] = axe.Axe().run(tab.page, options={"runOnly": LEVELS}).response
    return [
        f"{each['id']}: {each['help']}: {[node['html'][:120] for node in each['nodes'][:3]]}"
        for each in found["violations"]
    ]


def show_everything(tab: CarbonTab) -> None:
    """Open a row, look at another place, and set a rule."""
    tab.button("search/trial_001").click()
    tab.get("select[name=zone]").select_option("FR")
    tab.get("input[name=rule]").fill("marginal-gain")
    tab.get("input[name=rule]").press("Enter")
    tab.labeled("Value to reach").fill("0.5")
    tab.drawn()
    tab.get("#front").focus()
    tab.page.keyboard.press("ArrowRight")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [380, 1440])
def test_axe_finds_no_violation_at_first(tab, theme, width):
    tab.page.emulate_media(color_scheme=theme)
    tab.page.set_viewport_size({"width": width, "height": 900})
    assert violations(tab) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [380, 1440])
def test_axe_finds_no_violation_with_everything_shown(tab, theme, width):
    tab.page.emulate_media(color_scheme=theme)
    tab.page.set_viewport_size({"width": width, "height": 900})
    show_everything(tab)
    assert violations(tab) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_only_the_table_scrolls_sideways(tab, width):
    tab.page.set_viewport_size({"width": width, "height": 900})
    show_everything(tab)
    assert tab.frame.evaluate("document.documentElement.scrollWidth") <= width
    wide = tab.frame.evaluate("""() => [...document.querySelectorAll("main *")]
        .filter((each) => !each.closest(".scroll, svg, .hidden"))
        .filter((each) => each.getBoundingClientRect().right > each.parentElement.getBoundingClientRect().right + 1)
        .map((each) => each.outerHTML.slice(0, 100))""")
    assert wide == []


@pytest.mark.parametrize("width", WIDTHS)
def test_charts_fit_their_cards_and_follow_the_window(tab, width):
    tab.page.set_viewport_size({"width": width, "height": 900})
    tab.page.wait_for_timeout(300)
    for place in (0, 1):
        plot = tab.get(".plot").nth(place).bounding_box()
        canvas = tab.get("canvas").nth(place).bounding_box()
        assert abs(canvas["width"] - plot["width"]) < 2
        assert canvas["width"] > (300 if width == 380 else 0.4 * width)
        assert 250 <= canvas["height"] <= 700


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_in_the_pictures_has_enough_contrast(tab, theme):
    """axe is blind inside a picture, so the colors of its texts are measured here."""
    tab.page.emulate_media(color_scheme=theme)
    for name in ("--dim", "--fg", "--alarm"):
        ratio = tab.frame.evaluate(
            """(name) => {
                const style = getComputedStyle(document.documentElement);
                const light = (color) => {
                    const hex = color.trim().replace(/^#(.)(.)(.)$/, "#$1$1$2$2$3$3");
                    const parts = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255);
                    const [r, g, b] = parts.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
                    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
                };
                const all = [light(style.getPropertyValue(name)), light(style.getPropertyValue("--bg"))];
                return (Math.max(...all) + 0.05) / (Math.min(...all) + 0.05);
            }""",
            name,
        )
        assert ratio >= 4.5, name


def test_nothing_moves_if_people_ask_for_no_motion(tab):
    tab.page.emulate_media(reduced_motion="reduce")
    moving = tab.frame.evaluate("""() => [...document.querySelectorAll("*")].filter((each) => {
        const { animationName, transitionDuration, scrollBehavior } = getComputedStyle(each);
        return animationName !== "none" || transitionDuration !== "0s" || scrollBehavior === "smooth";
    }).length""")
    assert moving == 0
    assert tab.frame.evaluate("document.getAnimations().length") == 0


def test_the_page_has_a_language_a_heading_and_regions_with_names(tab):
    assert tab.get("html").get_attribute("lang") == "en"
    assert tab.get("h1").all_text_contents() == ["Carbon"]
    assert tab.get("main").count() == 1
    assert tab.get("table caption").count() == 1
    assert all(each.get_attribute("scope") == "col" for each in tab.get("thead th").all())
