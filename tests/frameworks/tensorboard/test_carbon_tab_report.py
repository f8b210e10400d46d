"""The report: the page of the tab *Carbon* as one file, which needs neither a server nor a network."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.carbon_page import CarbonTab, closings, mass
from support.many_runs import make_runs

from green_callbacks.carbon import lookup
from green_callbacks.cli import main

if TYPE_CHECKING:
    from playwright.sync_api import Page

RUNS = 8


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    make_runs(folder, RUNS, 30, has_events=False)
    return folder


@pytest.fixture(scope="module")
def report(browser: "Page", logs: Path) -> Iterator[CarbonTab]:
    path = logs.parent / "report.html"
    assert main(["report", str(logs), "-o", str(path), "--rule", "budget=2 g", "--title", "My runs"]) == 0
    tab = CarbonTab(browser, path.as_uri())
    tab.page.goto(tab.address)
    yield tab.drawn()
    assert tab.faults == []
    assert tab.frame.evaluate("window.opened") == []


def test_a_report_has_the_parts_and_numbers_of_the_tab(report, logs):
    assert report.page.title() == "My runs"
    assert report.get("main h2").count() == 5
    found = closings(logs)
    assert len(report.swatches()) == RUNS
    for name, closing in found.items():
        assert report.row(name)["CO2e"] == mass(1000 * closing.emissions_kg)
    assert report.totals()[1].startswith(mass(1000 * sum(each.emissions_kg for each in found.values())))


def test_a_report_asks_nobody_for_anything(report):
    asked = []
    report.page.on("request", lambda request: asked.append(request.url))
    report.page.reload()
    report.drawn()
    assert [url for url in asked if url != report.address] == []


def test_what_if_works_in_a_report(report, logs):
    report.get("select[name=zone]").select_option("SE")
    closing = closings(logs)["resnet18_lr0.1_000"]
    g = closing.facility_kwh * lookup("SE").g_per_kwh
    assert report.row("resnet18_lr0.1_000")["CO2e"] == mass(g)
    assert "What if: Sweden" in report.get("section.totals").inner_text()
    report.button("Reset").click()
    assert report.row("resnet18_lr0.1_000")["CO2e"] == mass(1000 * closing.emissions_kg)


def test_the_rule_of_a_report_says_where_it_would_have_stopped(report):
    assert report.get("#rules option").evaluate_all("all => all.map((each) => each.value)") == ["budget=2 g"]
    report.get("input[name=rule]").fill("budget=2 g")
    report.get("input[name=rule]").press("Enter")
    report.until(lambda: "would stop after" in report.get("#stops").inner_text())
    assert report.get("#front .mark").count() > 2


def test_a_rule_that_is_not_in_a_report_says_so(report):
    report.get("input[name=rule]").fill("marginal-gain")
    report.get("input[name=rule]").press("Enter")
    report.until(lambda: "…" not in report.get("#stops").inner_text())
    assert report.get("#stops li").all_inner_texts() == ["The report has no such rule. Write it again with --rule."]


def test_epochs_and_provenance_are_in_a_report(report):
    report.button("search/trial_001").click()
    report.until(lambda: "NVIDIA A100" in report.get(".facts").inner_text())
    report.get("#epochs").focus()
    report.page.keyboard.press("ArrowRight")
    assert "in epoch" in report.get("#epochs-text").inner_text()
    report.button("search/trial_001").click()


def test_a_report_is_drawn_in_the_dark_too(report):
    light = report.picture(0)
    report.page.emulate_media(color_scheme="dark")
    report.until(lambda: report.picture(0) != light)
    report.page.emulate_media(color_scheme="light")
    report.until(lambda: report.picture(0) == light)
