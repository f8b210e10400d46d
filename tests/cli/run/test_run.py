"""Any command as one record, in processes of their own."""

import os
import signal
import sys
from pathlib import Path

import pytest

from green_callbacks.cli import main
from green_callbacks.cli.run.command import split

PYTHON = sys.executable


@pytest.mark.parametrize(
    ("argv", "ours", "command"),
    [
        (["run"], ["run"], []),
        (["run", "--"], ["run", "--"], []),
        (["run", "--", "a", "--", "b"], ["run"], ["a", "--", "b"]),
        (["run", "a", "-q", "--", "b"], ["run"], ["a", "-q", "--", "b"]),
        (
            ["run", "-q", "--pue=2", "--label", "a=b", "a", "--help"],
            ["run", "-q", "--pue=2", "--label", "a=b"],
            ["a", "--help"],
        ),
        (["run", "-qq", "--", "a"], ["run", "-qq"], ["a"]),
        (["run", "--label"], ["run", "--label"], []),
        (["summary", "run", "--", "x"], ["summary", "run", "--", "x"], []),
        ([], [], []),
    ],
)
def test_our_arguments_end_where_the_command_begins(argv, ours, command):
    assert split(argv) == (ours if ours != ["run", "--"] else ["run"], command)


def test_a_command_is_one_record_with_a_summary(run, ledgers):
    status, out, err = run("--label", "team=vision", "--", PYTHON, "-c", "print(sum(range(10**6)))")
    assert (status, out) == (0, "499999500000\n")
    first, *others = err.splitlines()
    assert first.startswith(f"green-callbacks: {Path(PYTHON).name} ended with status 0 after ")
    assert [line.split()[0] for line in others if not line.startswith(" ")] == [
        "Energy",
        "Emissions",
        "Intensity",
        "Ledger",
    ]
    (contents,) = ledgers().values()
    (record,) = contents.history
    assert (record.epoch, record.pue, record.intensity.g_per_kwh, contents.is_closed) == (None, 1.2, 400.0, True)
    assert record.energy_joules > 0
    assert contents.labels == {"command": Path(PYTHON).name, "team": "vision"}
    assert contents.head.parent is None


def test_quiet_writes_nothing_of_ours(run):
    assert run("--quiet", "sh", "-c", "echo out; echo err >&2; exit 3") == (3, "out\n", "err\n")


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("exit 77", 77),
        ("kill -TERM $$", -signal.SIGTERM),
        ("kill -KILL $$", -signal.SIGKILL),
        ("kill -INT $$", -signal.SIGINT),
        ("kill -PIPE $$", -signal.SIGPIPE),
    ],
)
def test_it_ends_as_the_command_does(run, script, status):
    assert run("-q", "--", "sh", "-c", script)[0] == status


@pytest.mark.parametrize(
    ("command", "status", "why"),
    [
        ("no-such-command", 127, "it is in no folder of PATH"),
        ("./no-such-file", 127, "there is no such file"),
        ("/", 126, "it is not an executable file"),
        ("", 127, "it is in no folder of PATH"),
    ],
)
def test_what_cannot_be_run_is_said_as_a_shell_would(command, status, why, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--", command]) == status
    assert why in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_program_is_not_executable(run, tmp_path):
    (tmp_path / "broken").write_bytes(b"\x7fELF")
    (tmp_path / "broken").chmod(0o755)
    (tmp_path / "script").write_text('echo "run by sh: $1"; exit 4\n')
    (tmp_path / "script").chmod(0o755)
    assert run("-q", "./broken")[0] in {2, 126, 127}  # as sh says
    assert run("-q", "./script", "x")[:2] == (4, "run by sh: x\n")


def test_no_command_is_said_with_the_remedy(command):
    status, out, err = command("run", "--pue", "1.1", "--")
    assert (status, out) == (2, "")
    assert "No command is given" in err


def test_streams_and_inherited_files_are_those_of_the_command(run, tmp_path):
    with (tmp_path / "third").open("w") as third:
        script = f"import os, sys; os.write(1, os.read(0, 9)); os.write({third.fileno()}, b'more')"
        done = run("-q", PYTHON, "-c", script, given="in", pass_fds=[third.fileno()])
    assert done == (0, "in", "")
    assert (tmp_path / "third").read_text() == "more"


def test_a_ledger_that_cannot_be_written_is_said_and_the_command_runs(run, tmp_path):
    (tmp_path / "green-callbacks").write_text("in the way")
    status, out, err = run("echo", "hello")
    assert (status, out) == (0, "hello\n")
    assert err.startswith("green-callbacks: The ledger ")
    assert "Ledger  " not in err


def test_a_wrong_option_is_refused_before_the_command_runs(run, tmp_path):
    status, out, err = run("--pue", "7", "touch", "began")
    assert (status, out) == (2, "")
    assert "from 1 to 3" in err
    assert not (tmp_path / "began").exists()


def test_a_wrong_environment_keeps_no_command_from_running(run):
    status, out, err = run("echo", "hello", variables={"GREEN_CALLBACKS_DISABLE": "perhaps"})
    assert (status, out) == (0, "hello\n")
    assert "The command is not measured" in err


def test_switched_off_it_only_runs_the_command(run, tmp_path):
    status, out, err = run("printenv", "GREEN_CALLBACKS_PARENT", variables={"GREEN_CALLBACKS_DISABLE": "1"})
    assert (status, out) == (1, "")
    assert "not known, because nothing was measured" in err
    assert list(tmp_path.iterdir()) == []


def test_processes_that_outlive_the_command_are_said(run, ledgers):
    status, _, err = run("-q", "sh", "-c", "setsid sleep 20 >/dev/null 2>&1 </dev/null & echo $!")
    assert status == 0
    assert "A process of the command goes on (sleep " in err
    (contents,) = ledgers().values()
    assert "goes on" in contents.notices["left"]
    os.kill(int(contents.notices["left"].split("(sleep ")[1].split(")")[0]), signal.SIGKILL)


def test_a_name_that_is_no_text_is_shown_and_kept(run, ledgers, tmp_path):
    program = os.fsencode(tmp_path) + b"/odd\xff"
    Path(os.fsdecode(program)).symlink_to("/bin/true")
    status, _, err = run(os.fsdecode(program))
    assert status == 0
    assert "odd\\udcff ended with status 0" in err
    (contents,) = ledgers().values()
    assert contents.is_closed


def test_two_commands_with_one_ledger_are_one_run(run, ledgers):
    for _ in range(2):
        assert run("-q", "--ledger", "green-callbacks/both.jsonl", "true")[0] == 0
    (contents,) = ledgers().values()
    assert len(contents.history) == 2


def test_a_budget_of_the_environment_is_said_to_end_no_command(run, ledgers):
    status, out, err = run("-q", "echo", "hello", variables={"GREEN_CALLBACKS_BUDGET": "0.001 mg"})
    assert (status, out) == (0, "hello\n")
    assert err.startswith("green-callbacks: The budget of 0.001 mg from GREEN_CALLBACKS_BUDGET cannot end a command")
    (contents,) = ledgers().values()
    assert "cannot end a command" in contents.notices["budget"]
    assert run("-q", "true", variables={"GREEN_CALLBACKS_BUDGET": "none"})[2] == ""
