"""A real HTTP server on this machine that answers, or misbehaves, as a test tells it to."""

import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Asked(NamedTuple):
    """What came: method, path with its query, headers."""

    command: str
    path: str
    headers: Message


class Question(BaseHTTPRequestHandler):
    """One request; the server's present answer writes to it."""

    server: "LocalServer"
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        self.server.questions.append(Asked(self.command, self.path, self.headers))
        with suppress(OSError):  # the other side may have left
            self.server.answer(self)

    do_GET = do_PUT = answer  # noqa: N815  the names that the library looks for

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


Answer = Callable[[Question], None]


class LocalServer(ThreadingHTTPServer):
    """The server; ``questions`` holds what was asked, in order."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Question)
        self.questions: list[Asked] = []
        self.answer: Answer = reply(b"")
        self.closing = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """Bear those who leave in the middle of a sentence."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def paths(self) -> list[str]:
        return [question.path for question in self.questions]


@contextmanager
def serving() -> Iterator[LocalServer]:
    with LocalServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()


def reply(body: bytes, status: int = 200, **headers: str) -> Answer:
    def answer(question: Question) -> None:
        question.send_response(status)
        for name, value in ({"Content_Length": str(len(body))} | headers).items():
            question.send_header(name.replace("_", "-"), value)
        question.end_headers()
        question.wfile.write(body)
        question.close_connection = "Content_Length" in headers

    return answer


def reply_json(payload: object, status: int = 200, **headers: str) -> Answer:
    return reply(json.dumps(payload).encode(), status, Content_Type="application/json", **headers)


def in_turn(*answers: Answer) -> Answer:
    """Give each answer once, and the last one from then on."""
    left = list(answers)

    def answer(question: Question) -> None:
        present = left.pop(0) if len(left) > 1 else left[0]
        present(question)

    return answer


def silence(question: Question) -> None:
    question.server.closing.wait(30)
    question.close_connection = True


def drip(first: bytes) -> Answer:
    """Send a beginning, and then a byte now and then for as long as anyone listens."""

    def answer(question: Question) -> None:
        question.wfile.write(first)
        while not question.server.closing.wait(0.02):
            question.wfile.write(b"X")
        question.close_connection = True

    return answer


def hang_up(question: Question) -> None:
    question.connection.shutdown(socket.SHUT_RDWR)
    question.close_connection = True
