"""What the tab *Carbon* says of other places, of other facilities, and of rules."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.carbon_page import CarbonTab, closings, mass, opened
from support.many_runs import make_runs
from support.screenshot import tensorboard

from green_callbacks.carbon import lookup
from green_callbacks.cli import main
from green_callbacks.ledger import read_ledger
from green_callbacks.units import JOULES_PER_KWH

if TYPE_CHECKING:
    from playwright.sync_api import Page

VARYING = "resnet18_lr0.003_006"
"""A run whose carbon intensity changed while it trained."""


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    make_runs(folder, 8, 60, has_events=False)
    return folder


@pytest.fixture(scope="module")
def running(browser: "Page", logs: Path) -> Iterator[CarbonTab]:
    with tensorboard(logs) as address, opened(browser, address) as tab:
        yield tab


@pytest.fixture
def tab(running: CarbonTab) -> CarbonTab:
    """The tab as it is at first."""
    return running.open()


def move(tab: CarbonTab, zone: str = "", pue: float | None = None) -> None:
    """Choose a place and a PUE."""
    tab.get("select[name=zone]").select_option(zone)
    if pue is not None:
        tab.get("input[name=pue]").fill(str(pue))
    tab.page.wait_for_timeout(100)


@pytest.mark.parametrize(("zone", "pue"), [("SE", None), ("", 2.0), ("FR", 1.1)])
def test_numbers_are_the_energy_times_pue_times_intensity(tab, logs, zone, pue):
    move(tab, zone, pue)
    found = {row["name"]: row for row in tab.csv()}
    total_g, total_kwh = 0.0, 0.0
    for name, closing in closings(logs).items():
        facility = closing.energy_joules / JOULES_PER_KWH * pue if pue else closing.facility_kwh
        g = facility * lookup(zone).g_per_kwh if zone else 1000 * closing.emissions_kg * facility / closing.facility_kwh
        total_g, total_kwh = total_g + g, total_kwh + facility
        assert float(found[name]["co2e_g"]) == pytest.approx(g, rel=1e-4)
        assert float(found[name]["facility_kwh"]) == pytest.approx(facility, rel=1e-4)
        assert tab.row(name)["CO2e"] == mass(g)
    assert tab.totals()[1].startswith(mass(total_g))


def kwh_until(logs: Path, value: float | None = None) -> tuple[float, int]:
    """Return the IT energy until the varying run was as good as a value, or as its best; and the epoch."""
    (ledger,) = (logs / VARYING).rglob("*.jsonl")
    history = read_ledger(ledger).history
    values = [record.metrics.get("val_acc", -1.0) for record in history]
    wanted = max(values) if value is None else value
    row = next(row for row, each in enumerate(values) if each >= wanted)
    return history.cumulative_joules[row] / JOULES_PER_KWH, history[row].epoch


def test_the_picture_moves_to_the_energy_times_pue_times_intensity(tab, logs):
    """The last point of a run whose intensity varied in time is its best value at the energy used until then."""
    tab.labeled("Filter").fill(VARYING)
    move(tab, "SE", 1.5)
    tab.get("#front").focus()
    for _ in range(100):
        tab.page.keyboard.press("ArrowRight")
    kwh, epoch = kwh_until(logs)
    assert f"at {mass(kwh * 1.5 * lookup('SE').g_per_kwh)}, epoch {epoch}" in tab.get("#front-text").inner_text()


def test_grams_to_a_value_move_too(tab, logs):
    tab.labeled("Value to reach").fill("0.4")
    move(tab, "FR", 1.2)
    row = {row["name"]: row for row in tab.csv()}[VARYING]
    kwh, _ = kwh_until(logs, 0.4)
    assert float(row["co2e_g_to_value"]) == pytest.approx(kwh * 1.2 * lookup("FR").g_per_kwh, rel=1e-4)


def test_charts_are_drawn_anew_and_everything_is_marked_as_what_if(tab):
    pictures = [tab.picture(place) for place in (0, 1)]
    assert "what if" not in tab.get("main").inner_text().lower().replace("what if it had run elsewhere?", "")
    move(tab, "PL", 1.4)
    tab.page.wait_for_load_state("networkidle")
    assert all(old != tab.picture(place) for place, old in enumerate(pictures))
    for heading in tab.get("h2").all_inner_texts()[:2]:
        assert heading.endswith("(what if)")
    assert "What if: Poland, PUE 1.4" in tab.get("section.totals").inner_text()
    assert "recorded: " in tab.totals()[1]


def test_the_table_and_its_file_name_the_place_of_their_numbers(tab):
    move(tab, "PL", 1.4)
    row = {row["name"]: row for row in tab.csv()}[VARYING]
    assert tab.get("h2").all_inner_texts()[2].endswith("(what if)")
    assert (row["zone"], row["pue"]) == ("PL", "1.4")
    assert (tab.row(VARYING)["Zone"], tab.row(VARYING)["PUE"]) == ("PL", "1.4")


def test_the_axis_is_drawn_at_every_scale(tab):
    """A logarithmic axis that begins at an odd number made uPlot step for ever."""
    for name in (row["name"] for row in tab.csv() if row["metric"] == "val_acc"):
        tab.labeled("Filter").fill(f"{name}$")
        for pue in (1.0, 1.13, 1.37, 1.7, 2.1, 2.47):
            tab.get("input[name=pue]").fill(str(pue))
            assert tab.faults == []
            assert tab.get("#front path.front").evaluate("each => each.getBBox().width") > 100
            assert "rgb(95, 99, 104)" in tab.colors(0, 5), "the axis has no labels"


def test_reset_brings_back_what_was_recorded(tab):
    before = tab.rows(), tab.totals(), tab.picture(0)
    move(tab, "PL", 1.9)
    assert tab.rows() != before[0]
    tab.button("Reset").click()
    tab.page.wait_for_timeout(300)
    assert (tab.rows(), tab.totals(), tab.picture(0)) == before
    assert tab.get("select[name=zone]").input_value() == tab.get("select[name=pue]").input_value() == ""


def test_a_facility_sets_the_pue(tab):
    option = tab.get("select[name=pue]").locator("option").nth(1)
    value = option.get_attribute("value")
    tab.get("select[name=pue]").select_option(value)
    assert f"PUE {float(value):g}" in tab.get("section.totals").inner_text()
    assert tab.get("input[name=pue]").input_value() == value


def test_no_request_is_needed_for_what_if(tab):
    for name in tab.swatches():  # the runs that are ticked at first are those on the front, which moves
        tab.labeled(f"Show {name}").check()
    tab.page.wait_for_load_state("networkidle")
    asked = []
    tab.page.on("request", lambda request: asked.append(request.url))
    move(tab, "FR", 1.3)
    assert asked == []


def ticked(tab: CarbonTab) -> list[str]:
    return [name for name in tab.swatches() if tab.labeled(f"Show {name}").is_checked()]


def sentences(tab: CarbonTab, text: str) -> list[str]:
    """Set a rule; return what is said of it."""
    tab.labeled("Rule").fill(text)
    tab.labeled("Rule").press("Enter")
    items = tab.get("#stops li")
    tab.until(lambda: not any(each.endswith("…") for each in items.all_inner_texts()), waiting_for="the stops")
    return items.all_inner_texts()


def set_rule(tab: CarbonTab, text: str) -> dict[str, str]:
    """Set a rule; return its sentence on each ticked run."""
    return dict(each.split(": ", 1) for each in sentences(tab, text))


def test_a_rule_says_the_numbers_and_the_reason_of_the_command_replay(tab, logs, capsys):
    said = set_rule(tab, "marginal-gain")
    assert set(said) == set(ticked(tab))
    stopped = 0
    for name, sentence in said.items():
        (ledger,) = (logs / name).rglob("*.jsonl")
        assert main(["replay", str(ledger), "--policy", "marginal-gain"]) == 0
        told = " ".join(capsys.readouterr().out.split())
        assert sentence.split(". ", 1)[1] in told
        if found := re.search(r"would stop (after \d+ of \d+ epochs), save (.*? CO2e) \((.*? %)\)", sentence):
            stopped += 1
            assert all(each in told for each in (found[1].replace("after", "After"), found[2], found[3]))
        else:
            assert "The rule would not have stopped this run" in sentence
    assert stopped


def test_a_rule_marks_its_stops_in_the_picture(tab):
    before = tab.picture(0)
    assert any("would stop after" in each for each in set_rule(tab, "budget=2 g").values())
    tab.until(lambda: tab.picture(0) != before, waiting_for="marks")


@pytest.mark.parametrize("rule", ["nonsense", "budget=many", "marginal-gain:no_such_metric", "budget=", "a" * 400])
def test_a_rule_that_is_none_says_why(tab, rule):
    said = sentences(tab, rule)
    assert len(said) == len(set(said)), "it is said once, and not of each run"
    for sentence in said:
        assert sentence[0].isupper() or sentence.startswith(("'", '"', rule[:10]))
        assert sentence.endswith(".")
        assert "Traceback" not in sentence


def test_no_rule_asks_for_a_rule(tab):
    set_rule(tab, "marginal-gain")
    tab.labeled("Rule").fill("")
    tab.labeled("Rule").press("Enter")
    assert tab.get("#stops li").all_inner_texts() == ["Choose or write a rule. ◆ marks the stop of each ticked run."]
