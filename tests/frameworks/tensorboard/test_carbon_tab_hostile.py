"""Names that try to break out of the page: they are shown, and nothing of them is executed."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.carbon_page import CarbonTab, opened
from support.hostile_runs import write_hostile_runs
from support.report_page import HOSTILE
from support.screenshot import tensorboard

from green_callbacks.cli import main

if TYPE_CHECKING:
    from playwright.sync_api import Page

IMAGE = "<img src=x onerror=alert(1)>"
TEXTS = [IMAGE, *HOSTILE]
NAMES = [
    IMAGE,
    "__proto__",
    "constructor",
    "[(*",
    "\u202eright to left",
    "'\"`${alert(1)}",
    "&lt;b&gt;&amp;",
    "a" * 200,
]
"""Folders of the first runs."""


def write(folder: Path) -> None:
    """Write runs whose every text and folder is hostile."""
    write_hostile_runs(folder, TEXTS)
    for number, name in enumerate(NAMES):
        (folder / f"run_{number}").rename(folder / name)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    write(folder)
    return folder


@pytest.fixture(scope="module", params=["bare", "tensorboard", "report"])
def tab(request: pytest.FixtureRequest, browser: "Page", logs: Path) -> Iterator[CarbonTab]:
    if request.param == "report":
        report = logs.parent / "report.html"
        assert main(["report", str(logs), "-o", str(report), "--title", IMAGE]) == 0
        tab = CarbonTab(browser, report.as_uri())
        browser.goto(tab.address)
        yield tab.drawn()
        assert tab.faults == []
        assert tab.frame.evaluate("window.opened") == []
        return
    with tensorboard(logs) as address, opened(browser, address, is_bare=request.param == "bare") as tab:
        yield tab


def test_hostile_names_are_texts_and_nothing_of_them_is_executed(tab):
    assert set(NAMES) <= set(tab.names())
    for name in (IMAGE, "__proto__", "constructor"):
        tab.get("#rows th button").filter(has_text=name).first.click()
    tab.until(lambda: [text[:6] for text in tab.get(".facts").all_inner_texts()] == ["Totals"] * 3)
    text = "".join(tab.get(".facts").all_inner_texts())
    assert IMAGE in text
    assert HOSTILE[0] in text
    assert tab.get("main img, main script, main a, main iframe").count() == 0
    assert IMAGE in tab.get("select[name=metric]").inner_text()
    tab.get("select[name=metric]").select_option(IMAGE)
    tab.get("#front").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        tab.page.keyboard.press(key)
    assert IMAGE in tab.get("#front-text").inner_text()


def test_hostile_names_can_be_filtered_and_sorted(tab):
    tab.labeled("Filter").fill("[(*")
    assert tab.names() == ["[(*"]
    tab.labeled("Filter").fill("")
    for title in ("Run", "Metric", "Stopped because"):
        tab.get("thead button").get_by_text(title, exact=True).click()
    assert len(tab.swatches()) == len(TEXTS)


def test_hostile_rules_and_stored_states_are_harmless(tab):
    tab.get("input[name=rule]").fill(IMAGE)
    tab.get("input[name=rule]").press("Enter")
    tab.drawn()
    assert tab.get("main img").count() == 0
    tab.get("input[name=rule]").fill("")
    tab.get("input[name=rule]").press("Enter")
    if tab.is_bare:
        tab.frame.evaluate("for (const key of Object.keys(sessionStorage)) sessionStorage[key] = '{not json'")
        tab.page.reload()
        tab.drawn()
        assert len(tab.swatches()) == len(TEXTS)
