"""A machine in a cloud can be asked which region it is in; no other machine asks anybody."""

import copy
import logging
import pickle
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.local_server import LocalServer, Question, drip, hang_up, in_turn, reply, serving, silence

from green_callbacks.carbon import CloudIntensity, PolledIntensity, lookup, resolve_intensity, resolve_pue
from green_callbacks.carbon._cloud_metadata import MetadataError, ask_region
from green_callbacks.carbon.cloud import detect_cloud

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
WORLD = lookup("WORLD")
FIRMWARE = {
    "aws": {"sys_vendor": "Amazon EC2"},
    "gcp": {"sys_vendor": "Google", "product_name": "Google Compute Engine"},
    "azure": {"sys_vendor": "Microsoft Corporation", "chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77"},
}
ANSWERS = {
    "aws": in_turn(reply(b"SECRET-TOKEN"), reply(b"eu-north-1")),
    "gcp": reply(b"projects/123456/zones/europe-north1-b\n", Metadata_Flavor="Google"),
    "azure": reply(b"swedencentral"),
}
REGIONS = {"aws": "eu-north-1", "gcp": "europe-north1", "azure": "swedencentral"}


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with serving() as server:
        yield server


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., Path]:
    """Return a maker of machines: folders with what the firmware says."""

    def make(cloud: str = "", **firmware: str) -> Path:
        folder = tmp_path / "dmi"
        folder.mkdir()
        for name, text in {**FIRMWARE.get(cloud, {}), **firmware}.items():
            (folder / name).write_text(f"{text}\n", encoding="utf-8")
        return folder

    return make


def address(server: LocalServer) -> tuple[str, int]:
    return "127.0.0.1", server.server_port


@pytest.mark.parametrize("cloud", FIRMWARE)
def test_the_firmware_names_the_cloud(cloud: str, machine):
    assert detect_cloud(machine(cloud)) == cloud


@pytest.mark.parametrize(
    "firmware",
    [
        {},
        {"sys_vendor": "Google", "product_name": "Eve"},  # a laptop
        {"sys_vendor": "Microsoft Corporation", "product_name": "Surface Pro"},
        {"sys_vendor": "QEMU"},
    ],
)
def test_other_machines_are_in_no_cloud(firmware: dict[str, str], machine):
    assert detect_cloud(machine(**firmware)) is None


def test_an_old_virtual_machine_of_amazons(machine):
    assert detect_cloud(machine(sys_vendor="Xen", bios_version="4.11.amazon")) == "aws"


def test_a_machine_without_readable_firmware_is_in_no_cloud(tmp_path: Path):
    (tmp_path / "sys_vendor").write_bytes(b"\xff\xfe")
    assert detect_cloud(tmp_path) is None
    assert detect_cloud(tmp_path / "missing") is None


@pytest.mark.parametrize("cloud", FIRMWARE)
def test_the_cloud_is_asked_for_the_region_and_nothing_else(cloud: str, machine, server: LocalServer, caplog):
    server.answer = {**ANSWERS, "aws": in_turn(reply(b"SECRET-TOKEN"), reply(b"eu-north-1"))}[cloud]
    place = CloudIntensity(WORLD, {}, machine(cloud), address=address(server))
    assert isinstance(place, PolledIntensity)
    assert (place.at(NOON).zone, place.at(NOON).flags) == ("WORLD", ("unconfirmed",))
    place.poll()
    place.poll()
    here, expected = place.at(NOON), lookup(f"{cloud}:{REGIONS[cloud]}")
    assert (here.zone, here.g_per_kwh, here.flags) == (expected.zone, expected.g_per_kwh, expected.flags)
    assert here.found_by == "cloud metadata"
    assert caplog.text == ""
    assert all("identity" not in path for path in server.paths)
    assert len(server.questions) == (2 if cloud == "aws" else 1)
    assert "SECRET" not in repr(vars(place))


def test_each_cloud_gets_the_headers_that_it_wants(server: LocalServer):
    server.answer = in_turn(reply(b"SECRET-TOKEN"), reply(b"eu-north-1"), *(ANSWERS[name] for name in ("gcp", "azure")))
    for cloud in FIRMWARE:
        ask_region(cloud, address(server))
    put, get, google, azure = server.questions
    assert (put.command, put.headers["X-aws-ec2-metadata-token-ttl-seconds"]) == ("PUT", "60")
    assert (get.command, get.headers["X-aws-ec2-metadata-token"]) == ("GET", "SECRET-TOKEN")
    assert google.headers["Metadata-Flavor"] == "Google"
    assert azure.headers["Metadata"] == "true"


def test_no_proxy_is_used(server: LocalServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server.answer = ANSWERS["azure"]
    assert ask_region("azure", address(server)) == "swedencentral"


FAULTS = {
    "silence": silence,
    "hang up": hang_up,
    "forbidden": reply(b"no", 403),
    "redirect": reply(b"", 302, Location="http://127.0.0.1:9/"),
    "page": reply(b"<html>Welcome to the hotel</html>"),
    "empty": reply(b""),
    "huge": reply(b"a" * 100_000),
    "truncated": reply(b"eu", Content_Length="100"),
    "other bytes": reply(b"\xff\xfe"),
    "slow header": drip(b"HTTP/1.1 200 OK\r\nServer: "),
    "slow body": drip(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n"),
}


@pytest.mark.parametrize("cloud", FIRMWARE)
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_whatever_the_service_does_there_is_an_end_and_one_kind_of_failure(
    cloud: str, fault: Callable[[Question], None], server: LocalServer
):
    server.answer = fault
    with pytest.raises(MetadataError):
        ask_region(cloud, address(server), timeout_seconds=0.2)


@given(st.binary(max_size=100))
def test_whatever_bytes_come(body: bytes):
    with serving() as server:
        server.answer = reply(body)
        for cloud in FIRMWARE:
            try:
                region = ask_region(cloud, address(server))
            except MetadataError:
                continue
            assert region.encode() in body


def test_three_failures_are_enough_and_one_warning(machine, server: LocalServer, caplog: pytest.LogCaptureFixture):
    server.answer = reply(b"no", 403)
    place = CloudIntensity(lookup("FR"), {}, machine("azure"), address=address(server))
    for _ in range(5):
        place.poll()
    assert len(server.questions) == 3
    assert len(caplog.records) == 1
    assert "may be out of reach" in caplog.text
    assert "France" in caplog.text
    assert (place.at(NOON).zone, place.at(NOON).flags) == ("FR", ("unconfirmed",))


def test_a_later_answer_counts(machine, server: LocalServer, caplog: pytest.LogCaptureFixture):
    server.answer = in_turn(hang_up, ANSWERS["azure"])
    place = CloudIntensity(WORLD, {}, machine("azure"), address=address(server))
    place.poll()
    place.poll()
    assert place.at(NOON).zone == "azure:swedencentral"
    assert caplog.text == ""


def test_a_region_that_the_tables_do_not_hold(machine, server: LocalServer, caplog: pytest.LogCaptureFixture):
    server.answer = reply(b"atlantis1")
    place = CloudIntensity(WORLD, {}, machine("azure"), address=address(server))
    place.poll()
    place.poll()
    assert len(server.questions) == len(caplog.records) == 1
    assert "azure:atlantis1" in caplog.text
    assert place.at(NOON).zone == "WORLD"


@pytest.mark.parametrize("cloud", ["", "aws"])
def test_nobody_is_asked_outside_a_cloud_or_against_the_users_will(
    cloud: str, machine, server: LocalServer, caplog: pytest.LogCaptureFixture
):
    place = CloudIntensity(WORLD, {"AWS_EC2_METADATA_DISABLED": "true"}, machine(cloud), address=address(server))
    place.poll()
    assert server.questions == []
    assert len(caplog.records) == 1
    assert 'location="aws:eu-north-1"' in caplog.text
    assert place.at(NOON).flags == ("unconfirmed",)


def test_it_survives_pickling_and_copying(machine):
    place = CloudIntensity(WORLD, {}, machine("aws"))
    assert pickle.loads(pickle.dumps(place)).at(NOON) == copy.deepcopy(place).at(NOON) == place.at(NOON)
    assert repr(place) == "CloudIntensity('WORLD')"


def test_the_location_cloud(machine, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    dmi = machine("aws")
    for location, environ in ((" Cloud", {}), (None, {"GREEN_CALLBACKS_LOCATION": "cloud"})):
        place = resolve_intensity(location, None, {"TZ": "Europe/Oslo", **environ}, etc=tmp_path, dmi=dmi)
        assert isinstance(place, CloudIntensity)
        assert (place.at(NOON).zone, place.at(NOON).flags) == ("NO", ("guessed", "unconfirmed"))
    assert caplog.text == ""


def test_without_it_nobody_is_asked(machine, tmp_path: Path):
    place = resolve_intensity(environ={}, etc=tmp_path, dmi=machine("aws"))
    assert not isinstance(place, PolledIntensity)


@pytest.mark.parametrize(
    ("cloud", "variable", "region"),
    [
        ("aws", "AWS_REGION", "eu-north-1"),
        ("aws", "AWS_DEFAULT_REGION", "eu-north-1"),
        ("gcp", "CLOUD_ML_REGION", "europe-north1"),
        ("azure", "REGION_NAME", "Sweden Central"),
    ],
)
def test_the_environment_of_a_machine_in_a_cloud_is_a_guess(
    cloud: str, variable: str, region: str, machine, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    environ = {variable: region, "TZ": "Europe/Berlin"}
    here = resolve_intensity(environ=environ, etc=tmp_path, dmi=machine(cloud)).at(NOON)
    assert here.zone == lookup(f"{cloud}:{region}").zone
    assert here.found_by == "cloud hint"
    assert here.flags[-1] == "guessed"
    assert here.high_g_per_kwh == WORLD.high_g_per_kwh
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert variable in caplog.text


@pytest.mark.parametrize(
    ("cloud", "region"), [("", "eu-north-1"), ("gcp", "eu-north-1"), ("aws", ""), ("aws", "atlantis")]
)
def test_a_clients_setting_elsewhere_is_no_hint(cloud: str, region: str, machine, tmp_path: Path):
    environ = {"AWS_REGION": region, "TZ": "Europe/Berlin"}
    here = resolve_intensity(environ=environ, etc=tmp_path, dmi=machine(cloud)).at(NOON)
    assert (here.zone, here.found_by) == ("DE", "time zone")


@pytest.mark.parametrize(("cloud", "pue"), [("aws", 1.15), ("gcp", 1.10), ("azure", 1.17)])
@pytest.mark.parametrize("location", [None, "cloud", "SE"])
def test_a_machine_in_a_cloud_has_its_providers_pue(cloud: str, pue: float, location: str | None, machine):
    assert resolve_pue(None, location, {"SLURM_JOB_ID": "7"}, dmi=machine(cloud)).value == pue
