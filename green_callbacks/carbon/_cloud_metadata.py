"""A machine's question to its cloud about its own region."""

import re
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from green_callbacks.carbon.live.deadline import Lifeline, within

if TYPE_CHECKING:
    from http.client import HTTPConnection

ADDRESS: Final = ("169.254.169.254", 80)
"""Host and port of every cloud's metadata service. The address is link-local, so no name and no proxy is needed."""

TIMEOUT_SECONDS: Final = 1.0
"""Longest wait for the answer, in s."""

_MAX_BYTES: Final = 4096
"""Largest answer that is read, in bytes. A region's name is far shorter."""

_OK: Final = 200
"""HTTP status of a good answer."""

_REGION: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class MetadataError(Exception):
    """The metadata service does not answer, or its answer is wrong. The message says which."""


def ask_region(cloud: str, address: tuple[str, int] = ADDRESS, timeout_seconds: float = TIMEOUT_SECONDS) -> str:
    """Ask the metadata service for the region, and for nothing else.

    Args:
        cloud: ``aws`` (version 2 of its service, which needs a session token), ``gcp`` or ``azure``.
        address: Host and port of the service. Defaults to the address that all clouds use.
        timeout_seconds: Longest wait for the answer, in s. Defaults to 1.

    Returns:
        The region as the cloud spells it, such as ``eu-north-1``.

    Raises:
        MetadataError: There is no answer in time, or the answer cannot be a region.
    """
    try:
        answer = within(timeout_seconds, partial(_ask, cloud, address, timeout_seconds))
    except TimeoutError:
        answer = None
    if answer is None:
        msg = "its metadata service does not answer (in a container, it may be out of reach)"
        raise MetadataError(msg)
    # Google's answer is projects/…/zones/us-central1-a.
    region = answer.strip().rpartition("/")[2].rpartition("-")[0] if cloud == "gcp" else answer.strip()
    if not _REGION.fullmatch(region):
        msg = "the answer of its metadata service is no region"
        raise MetadataError(msg)
    return region


def _ask(cloud: str, address: tuple[str, int], timeout_seconds: float, lifeline: Lifeline) -> str | None:
    """Ask for the region. Errors return None, because nothing on this thread could catch them."""
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection(*address, timeout=timeout_seconds)
    try:
        connection.connect()
        lifeline.hold(connection.sock)
        if cloud == "aws":
            lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
            token = _answer(connection, "PUT", "/latest/api/token", lifetime)
            return token and _answer(
                connection, "GET", "/latest/meta-data/placement/region", {"X-aws-ec2-metadata-token": token}
            )
        if cloud == "gcp":
            return _answer(connection, "GET", "/computeMetadata/v1/instance/zone", {"Metadata-Flavor": "Google"})
        path = "/metadata/instance/compute/location?api-version=2021-02-01&format=text"
        return _answer(connection, "GET", path, {"Metadata": "true"})
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()


def _answer(connection: "HTTPConnection", method: str, path: str, headers: Mapping[str, str]) -> str | None:
    connection.request(method, path, headers=dict(headers))
    response = connection.getresponse()
    body = response.read(_MAX_BYTES)
    is_whole = response.isclosed() and not response.length  # neither cut short nor too long
    return body.decode("ascii") if response.status == _OK and is_whole else None
