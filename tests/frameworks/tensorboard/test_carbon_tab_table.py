"""The table of the tab *Carbon*: sorted, filtered, saved, and opened."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.carbon_page import UNKNOWN, CarbonTab, closings, mass, opened
from support.many_runs import MadeRun, make_runs, write_run
from support.screenshot import tensorboard

if TYPE_CHECKING:
    from playwright.sync_api import Page

RUNS = 16
MANY = 230
FORMULAS = {"=1+1": 23, "+sum": 25, "-5": 33, "@cell": 43}
"""Names that a spreadsheet takes for formulas, of runs that a rule or a budget stopped."""


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    make_runs(folder, RUNS, 60, has_events=False)
    for name, number in FORMULAS.items():
        write_run(MadeRun(number, 60, is_killed=False), folder / name, has_events=False)
    return folder


@pytest.fixture(scope="module")
def tab(browser: "Page", logs: Path) -> Iterator[CarbonTab]:
    with tensorboard(logs) as address, opened(browser, address) as tab:
        yield tab


@pytest.fixture(scope="module")
def saved(tab: CarbonTab) -> list[dict[str, str]]:
    """All runs with their exact numbers."""
    return tab.csv()


def head(tab: CarbonTab, title: str) -> str | None:
    """Press the head of a column; return how the column is sorted then."""
    tab.get("thead button").get_by_text(title, exact=True).click()
    return tab.get("thead th").filter(has_text=title).first.get_attribute("aria-sort")


NUMBERS = {
    "CO2e": "co2e_g", "Energy": "facility_kwh", "J/sample": "joules_per_sample", "Best": "best", "Measured": "measured",
    "PUE": "pue", "Epochs": "epochs", "Time": "seconds",
}  # fmt: skip
TEXTS = {"Run": "name", "State": "state", "Metric": "metric", "Zone": "zone", "Stopped because": "stop"}


@pytest.mark.parametrize(("title", "name"), [*NUMBERS.items(), *TEXTS.items()])
def test_a_column_sorts_both_ways_with_the_unknown_last(tab, title, name):
    ways = set()
    for _ in range(2):
        ways.add(way := head(tab, title))
        order = [row[name] for row in tab.csv()]
        known = [value for value in order if value]
        assert order[: len(known)] == known, "an unknown value is before known values"
        if title in NUMBERS:
            numbers = [float(value) for value in known]
            assert numbers == sorted(numbers, reverse=way == "descending")
        else:
            assert sum(one != other for one, other in pairwise(known)) == len(set(known)) - 1, "equal texts are apart"
    assert ways == {"ascending", "descending"}


def test_a_sorted_column_is_told_by_a_sign_too(tab):
    head(tab, "PUE")
    content = "th => getComputedStyle(th.querySelector('button'), '::after').content"
    signs = [tab.get("thead th").nth(i).evaluate(content) for i in range(tab.get("thead th").count())]
    assert sum(sign != "none" for sign in signs) == 1


def test_a_filter_takes_a_regular_expression(tab):
    tab.labeled("Filter").fill(r"trial_00[1-3]|-5$")
    assert {"search/trial_001", "search/trial_002", "search/trial_003", "-5"} <= set(tab.names())
    assert tab.get("#count").inner_text().startswith(f"4 of {RUNS + len(FORMULAS)} runs, ")
    tab.labeled("Filter").fill("TRIAL_004")
    assert "search/trial_004" in tab.names()
    assert len(tab.names()) == 1
    tab.labeled("Filter").fill("")


def test_a_filter_takes_a_text_that_is_no_regular_expression(tab):
    tab.labeled("Filter").fill("+sum")
    assert tab.names() == ["+sum"]
    tab.labeled("Filter").fill("nothing like this")
    assert tab.names() == []
    assert tab.get("#count").inner_text().startswith("0 of ")
    tab.labeled("Filter").fill("")
    assert len(tab.names()) > RUNS


def test_the_sum_below_is_the_sum_of_the_filtered_runs(tab, logs):
    tab.labeled("Filter").fill("resnet18")
    sums = sum(each.emissions_kg for name, each in closings(logs).items() if "resnet18" in name)
    assert tab.get("#count").inner_text().endswith(f"{mass(1000 * sums)}.")
    tab.labeled("Filter").fill("")


def test_the_grams_to_a_value_are_those_of_its_first_point(tab, logs):
    tab.labeled("Value to reach").fill("0.5")
    found = {row["name"].lstrip("'"): row["co2e_g_to_value"] for row in tab.csv()}
    for name, closing in closings(logs).items():
        if closing.monitor != "val_acc" or closing.energy_joules is None:
            continue
        first = next((point.kg for point in closing.front if point.value >= 0.5), None)
        if first is None:
            assert found[name] == ""
        else:
            assert float(found[name]) == pytest.approx(1000 * first, rel=1e-4)
    assert {tab.row("search/trial_001")["To the value"]} != {UNKNOWN}
    tab.labeled("Value to reach").fill("")
    assert {row["To the value"] for row in tab.rows() if "(" not in row["Run"]} == {UNKNOWN}


def test_a_value_to_reach_of_zero_and_below_is_a_value(tab):
    for value in ("0", "-1"):
        tab.labeled("Value to reach").fill(value)
        assert tab.row("search/trial_001")["To the value"] != UNKNOWN
    tab.labeled("Value to reach").fill("")


def test_the_csv_holds_exact_numbers_of_all_runs(saved, logs):
    assert len(saved) == RUNS + len(FORMULAS)
    found = {row["name"].lstrip("'"): row for row in saved}
    for name, closing in closings(logs).items():
        if closing.energy_joules is not None:
            assert float(found[name]["co2e_g"]) == pytest.approx(1000 * closing.emissions_kg, rel=1e-5)
            assert float(found[name]["facility_kwh"]) == pytest.approx(closing.facility_kwh, rel=1e-5)


def test_no_spreadsheet_takes_a_name_for_a_formula(saved):
    assert {f"'{name}" for name in FORMULAS} <= {row["name"] for row in saved}


def test_a_run_without_energy_has_no_emissions_instead_of_zero(tab):
    row = next(row for row in tab.rows() if row["CO2e"] == UNKNOWN)
    assert (row["Energy"], row["Measured"]) == (UNKNOWN, UNKNOWN)
    assert "1 of 20 runs has no known energy" in tab.get("#said").inner_text()


def test_a_run_without_energy_is_not_drawn_as_zero(tab):
    name = next(row["Run"] for row in tab.rows() if row["CO2e"] == UNKNOWN).removeprefix("▸ ")
    tab.labeled("Filter").fill(f"^{name}$")
    tick = tab.get("#rows input").first
    tick.set_checked(True)
    tab.until(lambda: "0 of 1 ticked runs." in tab.get("#drawn").inner_text())
    assert tab.get("#epochs svg path[d^=M]").count() == 0
    tab.labeled("Filter").fill("")


def test_an_opened_row_shows_where_its_numbers_come_from(tab):
    button = tab.button("search/trial_001")
    assert button.get_attribute("aria-expanded") == "false"
    button.click()
    facts = tab.get(".facts")
    tab.until(lambda: "Totals" in facts.inner_text())
    text = facts.inner_text()
    for words in ("made-run-000001", "NVIDIA A100", "node02", "digits", "python", "2.9.0", "share measured", "PUE"):
        assert words in text
    assert tab.button("search/trial_001").get_attribute("aria-expanded") == "true"
    tab.button("search/trial_001").click()
    assert tab.get(".facts").count() == 0


def test_more_than_a_page_of_rows_is_shown_on_demand(browser, tmp_path):
    make_runs(tmp_path, MANY, 3, has_events=False, distinct=10)
    page = browser.context.new_page()
    with tensorboard(tmp_path) as address, opened(page, address) as many:
        assert len(many.rows()) == 200
        assert many.get("#count").inner_text().startswith(f"{MANY} of {MANY} runs")
        many.button("More rows").click()
        assert len(many.rows()) == MANY + 1
        assert many.get("#more").is_hidden()
        assert len(many.csv()) == MANY
