"""The pictures of the tab *Carbon*: budgets, bounds, modelled epochs, and a closer look."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.carbon_page import CarbonTab, opened
from support.screenshot import tensorboard

from green_callbacks import CarbonBudget, EnergyAccountant
from green_callbacks.clock import ScriptedClock
from green_callbacks.sources import ScriptedSource

if TYPE_CHECKING:
    from playwright.sync_api import Page

EPOCHS = 6


def write(folder: Path, name: str, policies: list[CarbonBudget], method: str = "counter") -> None:
    """Write a run of 1 kWh and so of 330 g in 10 h."""
    clock = ScriptedClock()
    source = ScriptedSource(100.0, clock=clock, method=method)
    ledger = folder / name / "green-callbacks" / "run.jsonl"
    options = {"location": "DE", "pue": 1.0, "sources": [source], "clock": clock, "policies": policies, "sinks": []}
    with EnergyAccountant(ledger=ledger, **options) as accountant:
        for epoch in accountant.epochs(EPOCHS):
            clock.advance(6000.0)
            accountant.observe({"val_acc": 0.5 + epoch / 20})


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    write(folder, "alone", [CarbonBudget("400 g")])
    write(folder, "modelled", [], method="modelled")
    for name in ("one", "two"):
        write(folder, name, [CarbonBudget("2 kg", project=folder)])
    return folder


@pytest.fixture(scope="module")
def tab(browser: "Page", logs: Path) -> Iterator[CarbonTab]:
    with tensorboard(logs) as address, opened(browser, address) as tab:
        yield tab


@pytest.fixture(autouse=True)
def _anew(tab: CarbonTab) -> None:
    tab.open()


def shown(tab: CarbonTab, name: str) -> None:
    """Show one run alone."""
    tab.labeled("Filter").fill(f"^{name}$")
    tab.get("#rows input").set_checked(True)
    tab.until(lambda: "1 of 1 ticked runs." in tab.get("#drawn").inner_text())


def test_a_shared_budget_is_a_bar_with_the_spending_of_all_runs(tab, logs):
    meter = tab.get("meter")
    assert meter.count() == 1
    assert meter.get_attribute("aria-label") == f"the budget of {logs.name}: 659 g of 2 kg"
    assert float(meter.get_attribute("value")) == pytest.approx(659.4)


def test_a_budget_of_one_run_is_a_line(tab):
    shown(tab, "modelled")
    assert tab.get("#front .limit").count() == 0
    shown(tab, "alone")
    assert tab.get("#front text.limit").all_text_contents() == ["budget 400 g"]
    assert tab.get("#front path.limit").count() == 1


def test_modelled_epochs_are_dotted_and_measured_epochs_are_not(tab):
    dots = "#epochs svg path[stroke-dasharray='1 4']"
    shown(tab, "alone")
    assert tab.get(dots).count() == 0
    shown(tab, "modelled")
    assert tab.get(dots).count() == 1


def test_each_run_has_a_band_per_epoch_and_none_in_the_sum_or_elsewhere(tab):
    shown(tab, "alone")
    band = tab.get("#epochs svg .band")
    assert band.count() == 1
    tab.get("select[name=kind]").select_option("so far")
    assert band.count() == 0
    tab.get("select[name=kind]").select_option("per epoch")
    tab.get("select[name=zone]").select_option("PL")
    assert band.count() == 0


def test_dragging_zooms_and_a_double_click_shows_all_again(tab):
    before = tab.picture(0)
    box = tab.get("#front .u-over").bounding_box()
    tab.page.mouse.move(box["x"] + 100, box["y"] + 40)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + 300, box["y"] + 160, steps=5)
    tab.page.mouse.up()
    tab.page.mouse.move(0, 0)
    tab.until(lambda: tab.picture(0) != before, waiting_for="a closer look")
    tab.page.mouse.dblclick(box["x"] + 200, box["y"] + 100)
    tab.page.mouse.move(0, 0)
    tab.until(lambda: tab.picture(0) == before, waiting_for="the whole picture")
