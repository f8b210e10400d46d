"""The tab *Carbon* by keys alone, and what a screen reader is told."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from support.carbon_page import CarbonTab, opened
from support.many_runs import make_runs
from support.screenshot import tensorboard

if TYPE_CHECKING:
    from playwright.sync_api import Page

FRONT = re.compile(r"(?P<name>\S+): val_acc (?P<value>0\.\d+) at (?P<grams>[\d.,]+) (µg|mg|g|kg), epoch (?P<epoch>\d+)")
EPOCHS = re.compile(r"(?P<name>\S+): [\d.,]+ m?g \([\d.,]+ m?g to [\d.,]+ m?g\) in epoch (?P<epoch>\d+)")


@pytest.fixture(scope="module")
def tab(browser: "Page", tmp_path_factory: pytest.TempPathFactory) -> Iterator[CarbonTab]:
    folder = tmp_path_factory.mktemp("logs")
    make_runs(folder, 6, 15, has_events=False)
    with tensorboard(folder) as address, opened(browser, address) as tab:
        yield tab


def met(tab: CarbonTab, chart: str, *keys: str) -> str:
    """Press keys on a chart, and return what the live region says."""
    tab.get(f"#{chart}").focus()
    for key in keys:
        tab.page.keyboard.press(key)
    return tab.get(f"#{chart}-text").inner_text().strip()


def focused(tab: CarbonTab) -> str:
    """Return what has the focus."""
    text: str = tab.frame.evaluate(
        """() => {
            const { tagName, id, name, type, textContent, ariaLabel } = document.activeElement;
            return [tagName, type, id || name || ariaLabel || textContent.slice(0, 20)].filter(Boolean).join(" ");
        }"""
    )
    return text


@pytest.mark.parametrize(("chart", "pattern"), [("front", FRONT), ("epochs", EPOCHS)])
def test_arrows_move_along_a_run_and_to_other_runs(tab, chart, pattern):
    first = pattern.fullmatch(met(tab, chart, "Escape", "ArrowRight"))
    second = pattern.fullmatch(met(tab, chart, "ArrowRight"))
    back = pattern.fullmatch(met(tab, chart, "ArrowLeft"))
    assert first
    assert second
    assert int(second["epoch"]) > int(first["epoch"])
    assert first["name"] == second["name"]
    assert back[0] == first[0]
    names = [pattern.fullmatch(met(tab, chart, "ArrowDown"))["name"] for _ in range(20)]
    assert len(set(names)) > 2
    assert pattern.fullmatch(met(tab, chart, "ArrowUp"))["name"] == names[-2]
    assert met(tab, chart, "Escape") == ""


@pytest.mark.parametrize("chart", ["front", "epochs"])
def test_arrows_stay_within_a_run(tab, chart):
    start = met(tab, chart, "Escape", "ArrowRight", "ArrowLeft", "ArrowLeft")
    assert met(tab, chart, "ArrowLeft") == start
    end = met(tab, chart, *["ArrowRight"] * 40)
    assert met(tab, chart, "ArrowRight") == end != start
    met(tab, chart, "Escape")


@pytest.mark.parametrize("chart", ["front", "epochs"])
def test_a_live_region_tells_the_point_and_the_picture_is_hidden_from_readers(tab, chart):
    assert tab.get(f"#{chart}-text").get_attribute("aria-live") == "polite"
    assert tab.get(f"#{chart} canvas").get_attribute("aria-hidden") == "true"
    assert "rrow keys" in tab.get(f"#{chart}").get_attribute("aria-label")


def test_arrows_do_not_scroll_the_page(tab):
    tab.page.set_viewport_size({"width": 1440, "height": 400})
    met(tab, "front", "ArrowDown", "ArrowDown", "ArrowDown")
    before = tab.frame.evaluate("scrollY")
    met(tab, "front", "ArrowDown", "ArrowRight")
    tab.page.wait_for_timeout(200)
    assert tab.frame.evaluate("scrollY") == before
    tab.page.set_viewport_size({"width": 1440, "height": 1000})


def test_the_pointer_finds_the_point_that_the_keys_find(tab):
    box = tab.get("#front").bounding_box()
    for share in range(5, 95, 2):
        tab.page.mouse.move(box["x"] + box["width"] * share / 100, box["y"] + box["height"] / 2)
        said = tab.get("#front-text").inner_text().strip()
        if said:
            break
    assert FRONT.fullmatch(said)
    tab.page.mouse.move(5, 5)
    assert tab.get("#front-text").inner_text().strip() == ""


def test_everything_is_reached_by_tab_with_a_visible_focus(tab):
    tab.frame.evaluate("() => { document.activeElement.blur(); scrollTo(0, 0); }")
    tab.page.mouse.click(2, 2)
    reached, hidden = [], []
    for _ in range(120):
        tab.page.keyboard.press("Tab")
        if focused(tab).startswith("BODY"):
            break
        reached.append(focused(tab))
        outline = tab.frame.evaluate("getComputedStyle(document.activeElement).outline")
        if "none" in outline or " 0px" in outline:
            hidden.append(focused(tab))
    wanted = tab.frame.evaluate(
        """() => [...document.querySelectorAll("button, input, select, [tabindex='0']")]
            .filter((each) => each.checkVisibility()).length"""
    )
    assert len(reached) == wanted
    assert hidden == []
    parts = ["metric", "scale", "front", "kind", "epochs", "filter", "reach", "csv", "zone", "rule"]
    places = [next(i for i, each in enumerate(reached) if each.endswith(part)) for part in parts]
    assert places[-2:] == sorted(places[-2:])
    assert places[:2] < places[7:9]


def test_a_button_keeps_its_focus_when_it_is_pressed(tab):
    names = ["search/trial_001", "search (3 runs)", "CO2e", "Time"]
    for name in names:
        tab.button(name).focus()
        was = focused(tab)
        for _ in range(2):
            tab.page.keyboard.press("Enter")
            assert focused(tab) == was
    tick = tab.labeled("Show search/trial_001")
    tick.focus()
    was = focused(tab)
    for _ in range(2):
        tab.page.keyboard.press("Space")
        tab.page.wait_for_timeout(100)
        assert focused(tab) == was


def test_an_answer_that_comes_does_not_scroll_the_table_away(tab):
    scroll = tab.get(".scroll")
    tab.page.set_viewport_size({"width": 1440, "height": 1000})
    tab.button("search/trial_001").click()
    tab.until(lambda: "Totals" in tab.get(".facts").inner_text())
    scroll.evaluate("each => each.scrollTop = 150")
    was = scroll.evaluate("each => each.scrollTop")
    tab.button("Time").click()
    assert was > 0
    assert scroll.evaluate("each => each.scrollTop") == was
    tab.button("search/trial_001").click()
