"""Names that attack a terminal, and terminals, pipes and files that fail."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from green_callbacks.carbon import ConstantIntensity
from green_callbacks.cli import main
from green_callbacks.cli import runs as _runs
from green_callbacks.cli.doctor import account
from green_callbacks.errors import LedgerError
from green_callbacks.records import Intensity
from green_callbacks.sources import ScriptedSource

EVIL = "\x1b[2J\x07\r\nforged \x9b31m\u202e"
HARM = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def is_safe(text):
    return HARM.search(text) is None and not any(line.startswith("forged") for line in text.splitlines())


@pytest.fixture
def hostile(ledger, monkeypatch):
    """A ledger in which all that somebody else names is hostile, the run's id too."""
    place = Intensity(g_per_kwh=400.0, zone=f"Z{EVIL}", name=f"N{EVIL}", source=f"S{EVIL}", found_by="argument")
    metric = f"val_acc{EVIL}"
    path = ledger(
        "hostile",
        metrics=lambda epoch: {metric: 0.9 - 0.5 * 0.5**epoch},
        carbon_intensity=ConstantIntensity(place),
        sources=[ScriptedSource(300.0, name=f"dev{EVIL}")],
    )
    read = _runs.read_ledger

    def reads_evil(file):
        return replace(
            read(file),
            run_id=f"{file.stem}{EVIL}",
            stop_reason=f"Enough{EVIL}",
            pue_source=f"P{EVIL}",
            monitor=metric,
            mode="max",
        )

    monkeypatch.setattr(_runs, "read_ledger", reads_evil)
    return path


@pytest.mark.parametrize(
    "argv",
    [
        ["summary"],
        ["replay"],
        ["replay", "--policy", "budget=1 g"],
        ["replay", "--policy", f"marginal-gain:no{EVIL}", "--mode", "max"],
        ["whatif"],
        ["export", "--format", "methods"],
        ["export", "--format", "model-card", "--hardware", EVIL],
        ["export", "--format", "codecarbon-csv", "--project", f"={EVIL}"],
    ],
    ids=" ".join,
)
def test_no_name_in_a_ledger_reaches_the_terminal_as_it_is(hostile, command, argv):
    status, out, err = command(argv[0], hostile, *argv[1:])
    assert status in {0, 2}
    assert is_safe(out)
    assert is_safe(err)
    assert "forged" in out + err or argv[1:] == ["--policy", "budget=1 g"]


def test_tables_of_several_runs_are_safe_and_keep_their_rows(hostile, command):
    nameless = hostile.with_name(f"no{EVIL}.jsonl")  # a run that was killed at once has the name of its file
    nameless.write_bytes(hostile.read_bytes()[:10])
    _, out, err = command("summary", hostile, nameless)
    assert is_safe(out)
    assert is_safe(err)
    assert "forged" in out
    table = out.splitlines()[out.splitlines().index("") + 1 :]
    assert len(table) == 8  # a head, a rule, two runs, their sum, a blank and two notes
    for form in ("json", "csv"):
        status, out, err = command("summary", hostile, nameless, "--format", form)
        assert (status, is_safe(out), is_safe(err)) == (0, True, True)
        assert "forged" in out


@pytest.mark.parametrize(
    "argv",
    [
        ["summary", f"no{EVIL}"],
        ["whatif", f"no{EVIL}"],
        ["summary", "--mode", EVIL, "x"],
        ["replay", "x", "--policy", EVIL],
        ["replay", "x", "--epochs", EVIL],
        ["export", "x", "--format", EVIL],
        ["doctor", "--seconds", EVIL],
        [EVIL],
        ["summary", "x", f"--{EVIL}"],
    ],
    ids=repr,
)
def test_what_is_refused_is_named_without_harm(argv, capsys):
    try:
        status = main(argv)
    except SystemExit as end:
        status = end.code
    captured = capsys.readouterr()
    assert status == 2
    assert captured.out == ""
    assert is_safe(captured.err)


def test_a_message_of_an_error_is_one_line(command, monkeypatch):
    def refuses(_):
        raise LedgerError(EVIL)

    monkeypatch.setattr(_runs, "read_ledger", refuses)
    status, out, err = command("summary", "x")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert is_safe(err)


@pytest.mark.parametrize(
    "fault",
    [TypeError("'int' object is no str"), RecursionError("too deep"), OSError(5, "Input/output error"), MemoryError()],
)
def test_whatever_is_raised_ends_with_a_sentence(command, monkeypatch, fault):
    def fails(_):
        raise fault

    monkeypatch.setattr(_runs, "read_ledger", fails)
    status, out, err = command("summary", "x")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("green-callbacks: ")
    assert err.endswith(".\n")


def test_a_fault_of_ours_is_shown_where_python_is_asked_to_show_it(ledger):
    script = (
        "import sys\nfrom green_callbacks.cli import main, runs\n"
        "runs.read_ledger = lambda path: 1 / 0\nsys.exit(main(['replay', 'x']))"
    )
    quiet = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (quiet.returncode, "Traceback" in quiet.stderr) == (2, False)
    assert "ZeroDivisionError" in quiet.stderr
    shown = subprocess.run([sys.executable, "-X", "dev", "-c", script], capture_output=True, text=True, check=False)
    assert "Traceback" in shown.stderr


def in_shell(redirection, *argv):
    line = f'"$0" -m green_callbacks.cli "$@" {redirection}'
    return subprocess.run(["sh", "-c", line, sys.executable, *argv], capture_output=True, text=True, check=False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux")
@pytest.mark.parametrize("argv", [["summary"], ["--help"]])
def test_a_full_disk_behind_standard_output_is_a_sentence(ledger, argv):
    done = in_shell(">/dev/full", *argv, *([ledger("one")] if argv == ["summary"] else []))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "Standard output cannot be written" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="needs a shell of POSIX")
def test_without_standard_output_nothing_is_lost_in_silence(ledger):
    done = in_shell(">&-", "summary", ledger("one"))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "Standard output is closed" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="needs a shell of POSIX")
def test_without_standard_error_the_status_still_tells_and_output_stays_clean(ledger):
    done = in_shell("2>&-", "summary", "nowhere")
    assert (done.returncode, done.stdout) == (2, "")


def test_help_that_nobody_reads_is_no_error():
    read, write = os.pipe()
    os.close(read)
    argv = [sys.executable, "-m", "green_callbacks.cli", "--help"]
    done = subprocess.run(argv, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode in {0, 1}, done.stderr) == (True, b"")  # argparse itself passes over what it sees of it


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp437"])
def test_exports_into_a_pipe_are_utf_8_whatever_the_console_is(ledger, encoding):
    path = ledger("one")
    argv = [
        sys.executable,
        "-m",
        "green_callbacks.cli",
        "export",
        path,
        "--format",
        "codecarbon-csv",
        "--project",
        "東京",
    ]
    environ = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run(argv, capture_output=True, check=False, env=environ)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "東京" in done.stdout.decode("utf-8")


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_ends_it_without_a_traceback():
    script = (
        "import signal, sys\nfrom green_callbacks.cli import main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\nprint('on', flush=True)\n"
        "sys.exit(main(['doctor', '--seconds', '60']))"
    )
    argv = [sys.executable, "-c", script]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.endswith("green-callbacks: Interrupted.\n")


class TestOutputs:
    def test_a_pipe_that_nobody_reads_is_not_waited_for(self, ledger, command, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        status, _, err = command("export", ledger("one"), "--format", "methods", "--output", tmp_path / "pipe")
        assert (status, err.count("\n")) == (2, 1)

    @pytest.mark.parametrize("name", ["x" * 300, ".", "no/such/folder", "a\0b"])
    def test_a_file_that_cannot_be_is_refused(self, ledger, command, name):
        status, out, err = command("export", ledger("one"), "--format", "methods", "--output", name)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert "cannot be written" in err

    @pytest.mark.parametrize("option", ["--output", "--card"])
    def test_a_ledger_is_not_written_over_through_a_link(self, ledger, command, tmp_path, option):
        path = ledger("one")
        before = path.read_bytes()
        (tmp_path / "README.md").symlink_to(path)
        status, _, err = command("export", path, "--format", "model-card", option, tmp_path / "README.md")
        assert status == 2
        assert "is the ledger of a run" in err
        assert path.read_bytes() == before

    def test_nor_by_a_picture(self, ledger, command, tmp_path):
        path = ledger("one")
        before = path.read_bytes()
        (tmp_path / "x.png").symlink_to(path)
        assert command("whatif", path, "--plot", tmp_path / "x.png")[0] == 2
        assert path.read_bytes() == before


class TestPlot:
    def test_names_with_dollars_are_names_in_a_picture(self, hostile, command, monkeypatch, tmp_path):
        pytest.importorskip("matplotlib")
        read = _runs.read_ledger
        monkeypatch.setattr(_runs, "read_ledger", lambda path: replace(read(path), run_id="a $\\frac{ b$ _^ 東京"))
        assert command("whatif", hostile, "--plot", tmp_path / "x.svg")[0] == 0
        assert (tmp_path / "x.svg").stat().st_size > 1000

    def test_a_picture_of_no_known_kind_is_refused(self, ledger, command, tmp_path):
        pytest.importorskip("matplotlib")
        status, _, err = command("whatif", ledger("one"), "--plot", tmp_path / "x.nope")
        assert (status, err.count("\n")) == (2, 1)


class TestDoctor:
    def test_json_is_json_whatever_the_machine_is_called(self, command, monkeypatch, no_nvml):
        monkeypatch.setenv("GREEN_CALLBACKS_LOCATION", "caf\udce9\x1b")
        _, out, _ = command("doctor", "--json", "--seconds", "0.01")
        assert is_safe(out)
        json.loads(out, parse_constant=pytest.fail)["measures"]

    def test_its_text_is_safe(self, command, monkeypatch, no_nvml):
        monkeypatch.setenv("GREEN_CALLBACKS_PUE", "1.1\x1b[2J\rforged")
        monkeypatch.setenv("GREEN_CALLBACKS_X; rm -rf y", "1")
        _, out, _ = command("doctor", "--seconds", "0.01")
        assert is_safe(out)
        assert "$ unset GREEN_CALLBACKS_X;" not in out

    def test_a_command_to_paste_quotes_the_folder(self, tmp_path, monkeypatch):
        folder = tmp_path / "it's; $(x)"
        folder.mkdir()
        monkeypatch.setattr(os, "access", lambda *_: False)
        [finding] = [each for each in account.account({}, folder, tmp_path) if each.topic == "Ledger"]
        done = subprocess.run(
            ["sh", "-c", f"set -- {finding.command}; echo $3"], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == str(folder)

    @pytest.mark.skipif(sys.platform == "win32", reason="a folder in use cannot be removed there")
    def test_a_working_folder_that_was_removed_is_said_to_be(self, tmp_path, monkeypatch):
        (tmp_path / "gone").mkdir()
        monkeypatch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        [finding] = [each for each in account.account({}, Path(), tmp_path) if each.topic == "Ledger"]
        assert finding.state == "attention"
        assert "removed" in finding.text

    def test_it_goes_on_without_home_and_environment(self, tmp_path):
        argv = [sys.executable, "-m", "green_callbacks.cli", "doctor", "--seconds", "0.1"]
        environ = {"PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environ, cwd=tmp_path)
        assert (done.returncode in {0, 1}, done.stderr) == (True, "")
