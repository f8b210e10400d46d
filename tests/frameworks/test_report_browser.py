"""A report in a real browser: it draws, asks nobody for anything, and runs nothing that a name holds."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.hostile_runs import write_hostile_runs
from support.many_runs import make_runs
from support.report_page import HOSTILE, STAND_IN
from support.runs import scripted, train
from support.screenshot import CHROMIUM, browser_page

from green_callbacks.cli import main
from green_callbacks.page.report import report_html

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest.importorskip("playwright.sync_api")

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed")


class Watched:
    """A browser page, with everything that went wrong on it."""

    def __init__(self, page: "Page") -> None:
        self.page = page
        self.dialogs: list[str] = []
        self.requests: list[str] = []
        self.said: list[str] = []
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))

    def open(self, html: str, path: Path) -> str:
        """Open a report as a file; all text that it shows."""
        path.write_bytes(html.encode())
        return self.open_file(path)

    def open_file(self, path: Path) -> str:
        """Open a report; all text that it shows."""
        self.page.goto(path.as_uri())
        self.page.wait_for_timeout(300)
        return self.page.evaluate("document.body.innerText")


@pytest.fixture(scope="module")
def browser() -> Iterator["Page"]:
    with browser_page() as page:
        yield page


@pytest.fixture
def watched(browser: "Page") -> Iterator[Watched]:
    page = browser.context.new_page()
    yield Watched(page)
    page.close()


def test_hostile_texts_are_shown_and_run_nothing(watched: Watched, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    shown = watched.open(report_html({"texts": HOSTILE}, title=HOSTILE[0], assets=STAND_IN), path)

    assert (watched.dialogs, watched.said) == ([], [])
    assert watched.requests == [path.as_uri()]
    assert "onerror=alert(1)" in shown
    assert "x" * 10_000 in shown
    assert watched.page.evaluate("window.drawn") == "function"
    assert watched.page.title() == HOSTILE[0]


def test_styles_of_the_file_and_of_its_scripts_apply(watched: Watched, tmp_path: Path) -> None:
    watched.open(report_html({}, assets=STAND_IN), tmp_path / "report.html")
    style = watched.page.evaluate(
        """() => {
          const { color, fontWeight } = getComputedStyle(document.querySelector("body > p"));
          return [color, fontWeight];
        }"""
    )
    assert style == ["rgb(1, 2, 3)", "700"]


def test_the_policy_holds_back_whatever_the_file_does_not_carry(watched: Watched, tmp_path: Path) -> None:
    watched.open(report_html({}, assets=STAND_IN), tmp_path / "report.html")
    watched.page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.broken = 1";
          document.body.append(script);
          const image = document.createElement("img");
          image.src = "http://127.0.0.1:9/x.png";
          document.body.append(image);
          return fetch("http://127.0.0.1:9/").catch(() => null);
        }"""
    )
    assert watched.page.evaluate("window.broken") is None
    assert len([text for text in watched.said if "Content Security Policy" in text]) >= 3


def test_uplot_draws_under_the_policy(watched: Watched, tmp_path: Path) -> None:
    watched.open(report_html({}, assets=STAND_IN), tmp_path / "report.html")
    watched.said.clear()
    watched.page.evaluate(
        """() => {
          const series = [{}, { stroke: "red", width: 3 }];
          const options = { width: 300, height: 200, scales: { x: { time: false } }, series };
          new uPlot(options, [[0, 1], [0, 1]], document.body);
          return new Promise((done) => setTimeout(done, 200));
        }"""
    )
    pixels = watched.page.evaluate(
        """() => {
          const canvas = document.querySelector("canvas");
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const isRed = (value, at) => at % 4 === 0 && value > 200 && data[at + 1] < 50 && data[at + 3] > 200;
          return data.filter(isRed).length;
        }"""
    )
    assert pixels > 50
    assert watched.said == []


def test_a_report_of_real_runs_draws_without_a_request_or_a_complaint(watched: Watched, tmp_path: Path) -> None:
    make_runs(tmp_path / "logs", 20, 12, has_events=False)
    path = tmp_path / "report.html"
    assert main(["report", str(tmp_path / "logs"), "-o", str(path), "--title", "Carbon of <logs>"]) == 0

    shown = watched.open_file(path)

    assert (watched.dialogs, watched.said) == ([], [])
    assert watched.requests == [path.as_uri()]
    assert watched.page.evaluate("document.documentElement.dataset.read") == "20/20"
    assert watched.page.locator("canvas").count() >= 2
    assert "search/trial_001" in shown
    assert watched.page.title() == "Carbon of <logs>"
    assert watched.page.evaluate("document.documentElement.lang") == "en"


def test_groups_draw_without_a_complaint_whatever_their_names(watched: Watched, tmp_path: Path) -> None:
    for at, name in enumerate(HOSTILE[:7]):
        accountant, clock = scripted(ledger=tmp_path / "logs" / f"{at}.jsonl", labels={"method": name})
        accountant.start()
        train(accountant, clock, range(4), metrics=lambda epoch: {"val_acc": 0.5 + epoch / 10})
        accountant.close()
    path = tmp_path / "report.html"
    assert main(["report", str(tmp_path / "logs"), "-o", str(path), "--group-by", "method"]) == 0

    shown = watched.open_file(path)

    assert (watched.dialogs, watched.said) == ([], [])
    assert watched.requests == [path.as_uri()]
    assert "onerror=alert(1)" in shown
    assert watched.page.locator("#groups .plot path[stroke]").count() == 7
    assert watched.page.locator("#groups tbody tr").count() == 7


def test_hostile_ledgers_run_nothing_and_are_shown(watched: Watched, tmp_path: Path) -> None:
    logs, path = tmp_path / "logs", tmp_path / "report.html"
    write_hostile_runs(logs, HOSTILE)
    make_runs(logs / "<img src=x onerror=alert(1)>", 2, 3, has_events=False)
    assert main(["report", str(logs), "-o", str(path), "--rule", "budget=500 g", "--rule", "marginal-gain"]) == 0

    shown = watched.open_file(path)
    for toggle in watched.page.locator("table button[aria-expanded]").all():
        toggle.click()
    for choice in watched.page.locator("select").all():
        if choice.is_visible():
            for value in choice.evaluate("list => [...list.options].slice(0, 30).map((option) => option.value)"):
                choice.select_option(value=value)
    watched.page.wait_for_timeout(300)

    assert (watched.dialogs, watched.said) == ([], [])
    assert watched.requests == [path.as_uri()]
    assert "<img src=x onerror=alert(1)>" in shown
    assert watched.page.locator("img, iframe, [onload], [onerror]").count() == 0
    assert watched.page.locator("script").count() == 3


def test_a_run_inside_another_is_in_no_sum_of_the_page(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("outer", "inner"):
        accountant, clock = scripted(ledger=tmp_path / "runs" / f"{name}.jsonl")
        accountant.start()
        train(accountant, clock, range(2), seconds=60.0, metrics=lambda epoch: {"val_acc": 0.5 + epoch / 10})
        monkeypatch.setenv("GREEN_CALLBACKS_PARENT", accountant.run_id)
        accountant.close()
    path = tmp_path / "report.html"
    assert main(["report", str(tmp_path / "runs"), "-o", str(path)]) == 0
    assert "2 of 2 runs, 10 g." in watched.open_file(path)
    assert watched.page.locator("#mass").inner_text().startswith("10 g")
    watched.page.get_by_role("searchbox").or_(watched.page.locator("[name=filter]")).first.fill("inner")
    watched.page.keyboard.press("Enter")
    assert watched.page.locator("#count").inner_text() == "1 of 2 runs, 10 g."
    assert watched.said == []


def test_a_folder_of_a_command_and_its_run_has_the_epochs_of_the_run(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, epochs in (("other/alone", 5), ("both/outer", 0), ("both/inner", 2)):
        accountant, clock = scripted(ledger=tmp_path / "runs" / f"{name}.jsonl")
        accountant.start()
        train(accountant, clock, range(epochs), seconds=60.0)
        if name == "both/outer":
            monkeypatch.setenv("GREEN_CALLBACKS_PARENT", accountant.run_id)
            clock.advance(200.0)
        accountant.close()
    path = tmp_path / "report.html"
    assert main(["report", str(tmp_path / "runs"), "-o", str(path)]) == 0
    watched.open_file(path)
    group = watched.page.locator("tr.note", has_text="(2 runs)")
    assert group.locator("td").nth(-3).inner_text() == "2"
