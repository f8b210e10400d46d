"""Answers to requests. Each is compressed once, and has a tag by which a browser recognizes an answer that it has."""

import gzip
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from tensorboard.backend import http_util
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request, Response

from green_callbacks.text.log import get_logger

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

logger = get_logger(__name__)

Answer = Callable[[Request], "Served"]
"""Answers one request."""

JSON: Final = "application/json"

_METHODS: Final = ("GET", "HEAD")
_FAST: Final = 1
"""Level of compression for answers that change often. By experiment, level 6 takes four times as long for 15 % less."""

TAG_DIGITS: Final = 32
"""Hexadecimal digits of a tag, enough that no two contents ever have the same tag."""


@dataclass(frozen=True, slots=True)
class Served:
    """An answer that is ready to be sent, as often as it is asked for.

    Attributes:
        packed: Content, compressed by gzip.
        mime: Type of the content.
        tag: The ``ETag``, which is the same for the same content.
        status: Status of HTTP. Defaults to 200.
    """

    packed: bytes
    mime: str
    tag: str
    status: int = HTTPStatus.OK

    @classmethod
    def of(cls, content: bytes, mime: str, status: int = HTTPStatus.OK) -> "Served":
        """Compress a content.

        Args:
            content: The content.
            mime: Its type.
            status: Status of HTTP. Defaults to 200.
        """
        tag = hashlib.sha256(content).hexdigest()[:TAG_DIGITS]
        return cls(gzip.compress(content, _FAST, mtime=0), mime, tag, status)

    @classmethod
    def json(cls, document: Mapping[str, Any], status: int = HTTPStatus.OK) -> "Served":
        """Compress a document as JSON.

        Args:
            document: Plain JSON types, with finite numbers only.
            status: Status of HTTP. Defaults to 200.

        Raises:
            ValueError: A number is not finite.
        """
        return cls.of(as_json(document).encode(), JSON, status)


def as_json(document: object) -> str:
    """Return a document as JSON, in ASCII and without spaces.

    Args:
        document: Plain JSON types, with finite numbers only.

    Raises:
        ValueError: A number is not finite.
    """
    return json.dumps(document, allow_nan=False, separators=(",", ":"))


def refused(sentence: str, status: int) -> Served:
    """Return the answer to a request that cannot be answered.

    Args:
        sentence: The reason, and a remedy.
        status: Status of HTTP.
    """
    return Served.json({"error": sentence}, status)


def application(answer: Answer) -> Any:  # noqa: ANN401  a function of WSGI, whose type werkzeug does not tell
    """Return an application that sends answers.

    A fault of this package becomes an answer with a sentence, and one line of the log.

    Args:
        answer: Answers one request of the method GET or HEAD.
    """

    @Request.application
    def serve(request: Request) -> Response:
        if request.method not in _METHODS:
            sentence = f"The method {request.method} is not allowed, because this tab changes nothing. Use GET."
            return _sent(request, refused(sentence, HTTPStatus.METHOD_NOT_ALLOWED), [("Allow", ", ".join(_METHODS))])
        try:
            served = answer(request)
        except Exception as fault:
            said = f"{type(fault).__name__}: {fault}"
            logger.error("The tab Carbon cannot answer %s (%s). Please report this.", request.path, said)  # noqa: TRY400
            logger.debug("The fault in full.", exc_info=fault)
            sentence = f"green_callbacks has a fault ({said}). Please report it with the log of TensorBoard."
            served = refused(sentence, HTTPStatus.INTERNAL_SERVER_ERROR)
        return _sent(request, served)

    return serve


class _Unchanged(Response):
    """Tells a browser that its copy is up to date."""

    def get_wsgi_headers(self, environ: "WSGIEnvironment") -> Headers:
        """Return the headers with the type, which werkzeug removes and without which TensorBoard logs a warning.

        Args:
            environ: The request.
        """
        headers = super().get_wsgi_headers(environ)
        headers["Content-Type"] = self.headers["Content-Type"]
        return headers


def _sent(request: Request, served: Served, headers: list[tuple[str, str]] | None = None) -> Response:
    tag = [("ETag", f'W/"{served.tag}"')] if served.status == HTTPStatus.OK else []
    if tag and request.if_none_match.contains_weak(served.tag):
        headers = [*tag, ("Cache-Control", "no-cache, must-revalidate"), ("X-Content-Type-Options", "nosniff")]
        return _Unchanged(status=HTTPStatus.NOT_MODIFIED, headers=headers, content_type=served.mime)
    response: Response = http_util.Respond(
        request,
        served.packed,
        served.mime,
        code=served.status,
        content_encoding="gzip",
        headers=[*tag, *(headers or [])],
    )
    return response
