"""The question after its region that a machine in a cloud can ask the cloud."""

import re
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from green_callbacks.carbon.live.deadline import Lifeline, within

if TYPE_CHECKING:
    from http.client import HTTPConnection

ADDRESS: Final = ("169.254.169.254", 80)
"""Where every cloud's metadata service listens: an address of the link, so no name is looked up and no proxy used."""

TIMEOUT_SECONDS: Final = 1.0
_MAX_BYTES: Final = 4096
_OK: Final = 200
_REGION: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class MetadataError(Exception):
    """A metadata service that does not answer, or not as it should; the message says which in a few words."""


def ask_region(cloud: str, address: tuple[str, int] = ADDRESS, timeout_seconds: float = TIMEOUT_SECONDS) -> str:
    """Ask the metadata service for the region, and for nothing else.

    Args:
        cloud: ``aws`` (version 2 of its service, which needs a session token), ``gcp`` or ``azure``.
        address: Host and port of the service.
        timeout_seconds: How long to wait for the answer in all, in s.

    Returns:
        The region as the cloud spells it, e.g. ``eu-north-1``.

    Raises:
        MetadataError: There is no answer in time, or none that could be a region.
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
        msg = "its metadata service answers with what is no region"
        raise MetadataError(msg)
    return region


def _ask(cloud: str, address: tuple[str, int], timeout_seconds: float, lifeline: Lifeline) -> str | None:
    """Ask for the region; what goes wrong is no answer, as there is nobody on this thread to catch it."""
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
    is_whole = response.isclosed() and not response.length  # neither cut short nor more than was read
    return body.decode("ascii") if response.status == _OK and is_whole else None
