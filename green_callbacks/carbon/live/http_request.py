"""A request to a web service, with limits of time and size."""

import json
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NoReturn

from green_callbacks._version import __version__
from green_callbacks.carbon.live.deadline import Lifeline, within

if TYPE_CHECKING:
    from ssl import SSLContext

    import httpx2

TIMEOUT_SECONDS: Final = 3.0
"""Longest wait for an answer, in s."""

_ATTEMPTS: Final = 3
"""Number of attempts within that time."""

_MAX_BYTES: Final = 1 << 20
"""Largest answer that is read, in bytes. A forecast of two days is far smaller."""

_OK: Final = 200
"""HTTP status of a good answer."""

_UNAUTHORIZED: Final = 401
"""HTTP status of a missing or wrong token."""

_FORBIDDEN: Final = 403
"""HTTP status of a token without the needed rights."""

_BUSY: Final = 429
"""HTTP status of too many requests."""

_PASSING: Final = frozenset({408, 425, 500, 502, 503, 504})
"""HTTP statuses of failures that may pass soon."""
_AGE: Final = re.compile(r"(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])", re.IGNORECASE)


class ServiceError(Exception):
    """A service failed to answer, or its answer is wrong.

    Attributes:
        reason: The failure and its remedy, in words that repeat nothing from the service or the user.
        is_passing: Whether another attempt may help at once.
        wait_seconds: Wait that the service asks for, in s. None if it asks for none.
    """

    def __init__(self, reason: str, *, is_passing: bool = False, wait_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_passing = is_passing
        self.wait_seconds = wait_seconds


@dataclass(frozen=True, slots=True)
class Request:
    """A request.

    Attributes:
        url: Address without parameters.
        parameters: Parameters of the query.
        headers: Headers. They may hold a secret and are never shown.
    """

    url: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    Attributes:
        payload: The JSON content.
        max_age_seconds: How long the answer holds according to the service, in s.
    """

    payload: object
    max_age_seconds: float = 0.0


def fetch(request: Request, timeout_seconds: float = TIMEOUT_SECONDS) -> Reply:
    """Ask a service, with more attempts if it fails for a moment.

    Args:
        request: The request.
        timeout_seconds: Longest wait for the answer in total, in s. It includes name look-up, connection and all
            attempts. Loading the client and the certificates comes before, and may take long on a busy machine.
            Defaults to 3.

    Returns:
        The answer.

    Raises:
        ServiceError: There is no answer, or it is no JSON or too large.
    """
    import tenacity

    trust = _trust()
    deadline = time.monotonic() + timeout_seconds
    attempts = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(_ATTEMPTS) | tenacity.stop_before_delay(timeout_seconds),
        wait=tenacity.wait_random_exponential(multiplier=0.2, max=1.0),
        retry=tenacity.retry_if_exception(lambda failure: isinstance(failure, ServiceError) and failure.is_passing),
        reraise=True,
    )
    reply: Reply = attempts(_once, request, trust, deadline)
    return reply


def _trust() -> "SSLContext":
    import httpx2

    try:
        context: SSLContext = httpx2.create_ssl_context()
    except OSError as failure:  # SSL_CERT_FILE or SSL_CERT_DIR
        msg = f"{type(failure).__name__} with the certificates, so check SSL_CERT_FILE"
        raise ServiceError(msg) from None
    return context


def _once(request: Request, trust: "SSLContext", deadline: float) -> Reply:
    try:
        result = within(deadline - time.monotonic(), partial(_ask, request, trust))
    except TimeoutError:
        msg = "it did not answer in time, so check the network"
        raise ServiceError(msg) from None
    if isinstance(result, ServiceError):
        raise result
    return result


def _ask(request: Request, trust: "SSLContext", lifeline: Lifeline) -> Reply | ServiceError:
    """Ask once. Errors are returned, because nothing on this thread could catch them."""
    import httpx2

    def connected(event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            lifeline.hold(info["return_value"].get_extra_info("socket"))

    headers = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",  # a compressed answer could be far larger than the bytes that were read
        "User-Agent": f"green-callbacks/{__version__}",
        **request.headers,
    }
    try:
        with (
            httpx2.Client(verify=trust, timeout=TIMEOUT_SECONDS, follow_redirects=False, headers=headers) as client,
            client.stream("GET", request.url, params=request.parameters, extensions={"trace": connected}) as response,
        ):
            return _reply(response)
    except ServiceError as failure:
        return failure
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, ValueError, ImportError) as failure:
        # A message could repeat the request and its secret. The name of an exception cannot.
        return ServiceError(f"{type(failure).__name__}, so check the network", is_passing=True)


def _reply(response: "httpx2.Response") -> Reply:
    if response.status_code != _OK:
        _refuse(response)
    try:
        payload = json.loads(_body(response))
    except (ValueError, RecursionError):
        msg = "its answer is not JSON, so check the network and any proxy"
        raise ServiceError(msg) from None
    age = _AGE.search(response.headers.get("Cache-Control", ""))
    return Reply(payload, float(age[1]) if age else 0.0)


def _body(response: "httpx2.Response") -> bytes:
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        msg = "its answer is compressed, which was not requested"
        raise ServiceError(msg)
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > _MAX_BYTES:
            msg = f"its answer is larger than {_MAX_BYTES >> 20} MiB"
            raise ServiceError(msg)
    return bytes(body)


def _refuse(response: "httpx2.Response") -> NoReturn:
    status = response.status_code
    wait_seconds = _retry_after(response.headers.get("Retry-After", ""))
    if status in {_UNAUTHORIZED, _FORBIDDEN}:
        reason = f"HTTP {status}, so check the token, and whether its plan covers the zone"
    elif status == _BUSY:
        reason = "HTTP 429, too many requests, so use one token per machine or a larger plan"
    elif response.is_redirect:
        reason = f"HTTP {status}, a redirect that is not followed, so check base_url"
    else:
        reason = f"HTTP {status}"
    raise ServiceError(reason, is_passing=status in _PASSING and wait_seconds is None, wait_seconds=wait_seconds)


def _retry_after(text: str) -> float | None:
    """Read a number of seconds or a date (RFC 9110, 10.2.3)."""
    with suppress(ValueError, OverflowError, TypeError):
        if text.isdecimal():
            return float(text)
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    return None
