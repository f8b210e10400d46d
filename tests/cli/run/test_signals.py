"""Signals and terminals of a measured command."""

import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest

PYTHON = sys.executable
COUNTING = """
import os, signal, sys, time
counts = {}
def count(number, frame):
    counts[number] = counts.get(number, 0) + 1
for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"):
    if signal.getsignal(getattr(signal, name)) != signal.SIG_IGN:
        signal.signal(getattr(signal, name), count)
print("ready", os.getpid(), flush=True)
end = time.monotonic() + 30
while not counts and time.monotonic() < end:
    time.sleep(0.01)
time.sleep(0.2)
print(sorted(counts.items()), flush=True)
sys.exit(9)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"])
def test_a_signal_to_us_reaches_the_command_once_and_its_handling_counts(spawn, ledgers, name):
    number = getattr(signal, name)
    process = spawn("-q", PYTHON, "-c", COUNTING)
    assert process.stdout.readline().startswith("ready")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (9, f"[({int(number)}, 1)]\n", "")
    (contents,) = ledgers().values()
    assert contents.is_closed


@pytest.mark.parametrize("is_first_to_us", [False, True])
def test_a_signal_to_the_whole_group_reaches_the_command_once(spawn, is_first_to_us):
    script = COUNTING.replace("time.sleep(0.2)", "time.sleep(1)")
    process = spawn("-q", PYTHON, "-c", script, start_new_session=True)
    process.stdout.readline()
    if is_first_to_us:  # as timeout does
        process.send_signal(signal.SIGTERM)
    os.killpg(process.pid, signal.SIGTERM)
    time.sleep(0.4)
    process.send_signal(signal.SIGUSR1)
    expected = [(int(signal.SIGUSR1), 1), (int(signal.SIGTERM), 1)]
    assert process.communicate(timeout=60)[:2] == (f"{expected}\n", "")


def test_a_signal_that_is_ignored_stays_ignored(spawn):
    process = spawn("-q", PYTHON, "-c", COUNTING, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=60)[0] == f"[({int(signal.SIGTERM)}, 1)]\n"


def test_the_command_outlives_us_and_our_ledger_tells_that_we_were_killed(spawn, ledgers):
    process = spawn("-q", PYTHON, "-c", COUNTING)
    pid = int(process.stdout.readline().split()[1])
    process.kill()
    process.wait()
    os.kill(pid, signal.SIGTERM)
    assert process.stdout.read() == f"[({int(signal.SIGTERM)}, 1)]\n"
    (contents,) = ledgers().values()
    assert not contents.is_closed


def test_a_signal_that_the_command_sends_to_its_group_is_not_sent_back(run):
    script = COUNTING.replace('print("ready"', 'os.killpg(0, signal.SIGTERM); print("ready"')
    status, out, _ = run("-q", PYTHON, "-c", script, start_new_session=True)
    assert (status, out.splitlines()[1]) == (9, f"[({int(signal.SIGTERM)}, 1)]")


def test_the_signal_mask_of_the_command_is_as_it_was(run):
    script = (
        "import signal; print(list(signal.pthread_sigmask(signal.SIG_BLOCK, ())), signal.getsignal(signal.SIGTERM))"
    )
    assert run("-q", PYTHON, "-c", script)[1] == "[] 0\n"


TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """A command in a session and a terminal of its own."""

    def __init__(self, command, environ, folder):
        self.file, inner = pty.openpty()
        begin = [sys.executable, "-c", TAKE_TERMINAL, *command]
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), inner)
        self.process = subprocess.Popen(begin, cwd=folder, env=environ, start_new_session=True, **streams)
        os.close(inner)
        self.text = ""

    def read_until(self, part):
        while part not in self.text:
            assert select.select([self.file], [], [], 20.0)[0], self.text
            self.text += os.read(self.file, 1000).decode()

    def write(self, keys):
        os.write(self.file, keys)

    def wait(self):
        return self.process.wait(timeout=60)


@pytest.fixture
def session(environ, tmp_path):
    opened = []

    def begin(*command):
        opened.append(Terminal(command, environ, tmp_path))
        return opened[-1]

    yield begin
    for each in opened:
        os.close(each.file)  # which hangs up on all that is left
        each.process.wait(timeout=60)


@pytest.fixture
def terminal(session):
    return lambda *argv: session(PYTHON, "-m", "green_callbacks.cli", "run", "--intensity", "400", "-q", "--", *argv)


def test_a_terminal_stays_a_terminal(terminal):
    shell = terminal(PYTHON, "-c", "import os; print([os.isatty(each) for each in range(3)])")
    shell.read_until("[True, True, True]")
    assert shell.wait() == 0


def test_control_c_reaches_the_command_once(terminal):
    shell = terminal(PYTHON, "-c", COUNTING)
    shell.read_until("ready")
    shell.write(b"\x03")
    shell.read_until("[(2, 1)]")
    assert shell.wait() == 9


def test_a_command_that_control_c_ends_ends_us_by_the_signal(terminal):
    shell = terminal("sh", "-c", "echo ready; exec sleep 20")
    shell.read_until("ready")
    shell.write(b"\x03")
    assert shell.wait() == -signal.SIGINT


def test_control_z_stops_both_and_both_go_on(session):
    # A session's leader cannot be stopped from its terminal, so the command is a job of it.
    script = f"""
import os, signal, sys
pid = os.fork()
if pid == 0:
    os.setpgid(0, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.tcsetpgrp(0, os.getpgrp())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv({PYTHON!r}, [{PYTHON!r}, "-m", "green_callbacks.cli", "run", "-q", "--", {PYTHON!r}, "-c",
        "import sys, time; print('ready', flush=True); time.sleep(1); print('done', flush=True); sys.exit(6)"])
status = os.waitpid(pid, os.WUNTRACED)[1]
print("stopped", os.WIFSTOPPED(status), flush=True)
os.killpg(pid, signal.SIGCONT)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
os.tcsetpgrp(0, pid)
status = os.waitpid(pid, 0)[1]
os.tcsetpgrp(0, os.getpgrp())
print("status", os.waitstatus_to_exitcode(status), flush=True)
"""
    shell = session(PYTHON, "-c", script)
    shell.read_until("ready")
    shell.write(b"\x1a")
    shell.read_until("stopped True")
    shell.read_until("done")
    shell.read_until("status 6")
    assert shell.wait() == 0
