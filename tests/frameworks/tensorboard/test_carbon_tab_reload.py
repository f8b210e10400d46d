"""The tab *Carbon* while runs go on, begin and die, and while its server is gone."""

import os
import re
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.carbon_page import CarbonTab, closings, mass
from support.many_runs import MadeRun, grow, make_runs, write_run
from support.screenshot import tensorboard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

RUNS = 4
EPOCHS = 9


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make_runs(tmp_path_factory.mktemp("logs"), RUNS, EPOCHS, killed=0.0)


@pytest.fixture(scope="module")
def logs(ledgers: list[Path]) -> Path:
    return next(parent for parent in ledgers[0].parents if parent.name.startswith("logs"))


@pytest.fixture(scope="module")
def tab(browser: "Page", logs: Path) -> "Iterator[CarbonTab]":
    with tensorboard(logs) as address:
        yield CarbonTab(browser, address, is_bare=False).open()


def reload(tab: CarbonTab) -> None:
    """Press TensorBoard's own button."""
    tab.page.wait_for_timeout(1100)  # the log folder is searched at most once a second
    tab.page.locator("button.reload-button").click()


def test_a_run_that_grew_shows_its_new_epochs_and_grams(tab, ledgers, logs):
    before, picture = tab.row("search/trial_002"), tab.picture(1)
    grow(ledgers[-1], 3)
    reload(tab)
    tab.until(lambda: tab.row("search/trial_002") != before)
    after = tab.row("search/trial_002")
    closing = closings(logs)["search/trial_002"]
    assert int(after["Epochs"]) == int(before["Epochs"]) + 3 == closing.epochs
    assert after["CO2e"] == mass(1000 * closing.emissions_kg)
    tab.until(lambda: tab.picture(1) != picture, waiting_for="a new picture of the epochs")


def test_a_failure_that_has_passed_is_forgotten_at_the_next_reload(tab):
    tab.page.route("**/green_callbacks/run?*", lambda route: route.fulfill(status=503, json={"error": "Ask again."}))
    tab.open()
    tab.get("tbody th button").last.click()
    tab.frame.get_by_text("Ask again.").first.wait_for()
    tab.page.unroute("**/green_callbacks/run?*")
    reload(tab)
    tab.frame.get_by_text("Origin of the numbers").first.wait_for()
    tab.faults.clear()  # the browser logs the answers 503


def test_reloads_while_ledgers_are_read_keep_one_chain_of_questions(tab):
    asked = []

    def half_read(route):
        asked.append(route)
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "read": 1, "of": 2})

    tab.page.route("**/green_callbacks/runs?*", half_read)
    for _ in range(5):
        tab.page.locator("button.reload-button").click()
        tab.page.wait_for_timeout(300)
    tab.page.wait_for_timeout(1000)
    before = len(asked)
    tab.page.wait_for_timeout(4000)
    tab.page.unroute_all(behavior="wait")
    assert 1 <= len(asked) - before <= 5
    tab.open()


def test_a_new_run_appears_and_the_others_keep_their_colors(tab, logs):
    before = tab.swatches()
    first = logs / "a_new_run"  # before all others in the alphabet
    write_run(MadeRun(2 * RUNS, EPOCHS, is_killed=False), first, has_events=True)
    reload(tab)
    tab.until(lambda: len(tab.swatches()) == RUNS + 1, waiting_for="the new run")
    after = tab.swatches()
    assert {name: after[name] for name in before} == before
    assert tab.totals()[0] == f"{RUNS + 1}\nruns"


def test_a_run_without_a_sign_of_life_is_killed(tab, ledgers):
    assert tab.row("search/trial_002")["State"] == "running"
    os.utime(ledgers[-1], (time.time() - 1000,) * 2)
    reload(tab)
    tab.until(lambda: tab.row("search/trial_002")["State"] == "killed")


def test_a_button_keeps_its_focus_when_new_data_come(tab, ledgers):
    tab.button("search/trial_001").focus()
    grow(ledgers[-1])
    before = tab.row("search/trial_002")
    reload(tab)
    tab.until(lambda: tab.row("search/trial_002")["Epochs"] != before["Epochs"])
    assert "search/trial_001" in tab.frame.evaluate("document.activeElement.textContent") or not tab.frame.evaluate(
        "document.hasFocus()"
    )


def test_reading_on_leaves_no_faults_behind(tab):
    assert tab.faults == []


@contextmanager
def no_answers(page: "Page") -> "Iterator[None]":
    """Fail all requests for the runs, as if the server were gone."""
    page.route("**/green_callbacks/runs?*", lambda route: route.abort())
    try:
        yield
    finally:
        page.unroute("**/green_callbacks/runs?*")


def assert_is_told(tab: CarbonTab) -> None:
    """Check that a sentence of ours says what is wrong, with a remedy."""
    said = tab.get("main > [role=status]")
    tab.until(lambda: bool(said.inner_text().strip()), waiting_for="a sentence")
    assert re.fullmatch(r"[A-Z][^.]*\. [A-Z][^.]*\.", said.inner_text().strip()), said.inner_text()
    assert "fetch" not in said.inner_text(), "the sentence is one of the browser's"


def test_without_an_answer_the_last_picture_stays_with_a_sentence(tab, ledgers):
    rows, totals, picture = tab.rows(), tab.totals(), tab.picture(0)
    with no_answers(tab.page):
        grow(ledgers[-1])
        reload(tab)
        assert_is_told(tab)
        assert (tab.rows(), tab.totals(), tab.picture(0)) == (rows, totals, picture)
    reload(tab)
    tab.until(lambda: tab.rows() != rows, waiting_for="the page to recover")
    assert not tab.get("main > [role=status]").inner_text().strip()


def test_without_a_first_answer_a_sentence_stands_in_place_of_a_blank_tab(tab):
    with no_answers(tab.page):
        tab.page.reload()
        tab.page.frame_locator("iframe").locator("main").wait_for()
        assert_is_told(tab)
    reload(tab)
    tab.drawn()
    assert len(tab.names()) > RUNS
