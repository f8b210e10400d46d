"""The tab *Carbon* in TensorBoard: its parts, its numbers, and its colors."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.carbon_page import CarbonTab, closings, energy, mass, opened
from support.many_runs import make_runs
from support.screenshot import tensorboard

if TYPE_CHECKING:
    from playwright.sync_api import Page

RUNS = 8


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    make_runs(folder, RUNS, 20, killed=0.2)
    return folder


@pytest.fixture(scope="module")
def address(logs: Path) -> Iterator[str]:
    with tensorboard(logs) as address:
        yield address


@pytest.fixture(scope="module")
def tab(browser: "Page", address: str) -> Iterator[CarbonTab]:
    with opened(browser, address, is_bare=False) as tab:
        yield tab


def set_theme(tab: CarbonTab, name: str) -> None:
    """Choose a theme in TensorBoard's own menu."""
    tab.page.get_by_label("Menu for changing light or dark theme").click()
    tab.page.get_by_role("menuitem").filter(has_text=name).click()
    is_dark = name == "Dark"
    tab.until(lambda: (tab.frame.evaluate("document.documentElement.className") == "dark") is is_dark)
    tab.page.wait_for_timeout(200)


def time_series_colors(tab: CarbonTab) -> dict[str, str]:
    """The colors of the runs in the tab Time series."""
    tab.page.goto(f"{tab.address}#timeseries")
    tab.page.locator(".run-color-swatch").nth(RUNS - 1).wait_for()
    return tab.page.evaluate("""() => Object.fromEntries([...document.querySelectorAll(".run-color-swatch")].map(
        (swatch) => [
            swatch.closest("tb-data-table-content-row, tr, [role=row]").textContent.trim(),
            getComputedStyle(swatch).backgroundColor,
        ]))""")


def test_the_parts_come_in_the_order_in_which_people_need_them(tab):
    headings = tab.get("main section:not([aria-label]) h2").all_inner_texts()
    first_words = ("Best quality for the carbon", "Emissions", "Runs", "What if", "Where would a rule have stopped?")
    assert all(heading.startswith(words) for heading, words in zip(headings, first_words, strict=True))
    assert tab.get("main > section").first.get_attribute("aria-label") == "Totals"
    tops = [box["y"] for each in tab.get("main > section").all() if (box := each.bounding_box())]
    assert tops == sorted(tops)


def test_one_screen_shows_totals_charts_and_the_first_rows(tab):
    box = tab.get("tbody tr").nth(3).bounding_box()
    assert box["y"] + box["height"] < 1000


def test_the_totals_are_the_sums_of_the_ledgers(tab, logs):
    found = closings(logs).values()
    g, low, high = (
        1000 * sum(getattr(each, f"emissions_{name}kg") for each in found) for name in ("", "low_", "high_")
    )
    kwh, joules = sum(each.facility_kwh for each in found), sum(each.energy_joules for each in found)
    measured = sum(each.energy_joules * each.measured_share for each in found) / joules
    assert tab.totals() == [
        f"{RUNS}\nruns", f"{mass(g)}\nCO2e ({mass(low)} to {mass(high)})", f"{energy(kwh)}\nenergy of the facility",
        f"{100 * measured:.3g} %\nmeasured, the rest is modelled",
    ]  # fmt: skip


def test_each_row_has_the_numbers_of_its_ledger(tab, logs):
    for name, closing in closings(logs).items():
        row = tab.row(name)
        assert row["CO2e"] == mass(1000 * closing.emissions_kg)
        assert row["Energy"] == energy(closing.facility_kwh)
        assert row["Epochs"] == str(closing.epochs)


def test_a_row_tells_whether_its_run_is_closed_running_or_killed(tab):
    states = {row["State"] for row in tab.rows()}
    assert states == {"", "closed", "running", "killed"}
    assert tab.row("search/trial_004")["State"] == "running"


def test_runs_of_a_folder_are_a_group_with_its_sum(tab, logs):
    members = [closing for name, closing in closings(logs).items() if name.startswith("search/")]
    group = tab.row(f"search ({len(members)} runs)")
    assert group["CO2e"] == mass(1000 * sum(each.emissions_kg for each in members))
    assert group["Epochs"] == str(sum(each.epochs for each in members))
    tab.button("search (4 runs)").click()
    assert not [name for name in tab.names() if name.startswith("search/")]
    tab.button("search (4 runs)").click()
    assert len(tab.names()) == RUNS + 1


def test_a_run_has_the_color_of_the_tab_time_series_in_light_and_dark(tab):
    for theme in ("Light", "Dark"):
        set_theme(tab, theme)
        ours = tab.swatches()
        theirs = time_series_colors(tab)
        tab.page.goto(f"{tab.address}#green_callbacks")
        tab.drawn()
        assert ours == theirs
    set_theme(tab, "Light")


def test_the_lines_have_the_colors_of_their_rows(tab):
    names = [name for name, row in zip(tab.names(), tab.rows(), strict=True) if row["Metric"] == "val_acc"]
    colors = set(tab.colors(0, 1))
    shown = [name for name in names if tab.labeled(f"Show {name}").is_checked()]
    assert len(shown) > 2
    assert {tab.swatches()[name] for name in shown} <= colors
    for name in shown:
        tab.labeled(f"Show {name}").uncheck()
    tab.page.wait_for_timeout(200)
    assert not {tab.swatches()[name] for name in shown} & set(tab.colors(0, 1))
    for name in shown:
        tab.labeled(f"Show {name}").check()


def test_the_theme_of_tensorboard_draws_the_charts_again(tab):
    set_theme(tab, "Light")
    light = [tab.picture(place) for place in (0, 1)]
    set_theme(tab, "Dark")
    dark = [tab.picture(place) for place in (0, 1)]
    assert all(one != other for one, other in zip(light, dark, strict=True))
    assert "rgb(189, 193, 198)" in tab.colors(0, 5), "labels of axes are not light on dark"
    set_theme(tab, "Light")
    assert [tab.picture(place) for place in (0, 1)] == light


def test_the_tab_keeps_its_state_over_a_reload_of_the_page(tab):
    tab.labeled("Filter").fill("trial")
    tab.page.reload()
    tab.drawn()
    assert tab.labeled("Filter").input_value() == "trial"
    assert tab.get("main p[role=status]").inner_text().startswith(f"4 of {RUNS} runs")
    tab.labeled("Filter").fill("")
