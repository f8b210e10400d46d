import gc
import math
import struct
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.disk import largest_file
from support.tensorboard_events import fields, read_events, records

from green_callbacks.sinks.tensorboard.event_file import EventFile, crc32c, framed

INT64 = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(width=32)


def open_files() -> set[Path]:
    return set(Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize(
    ("data", "checksum"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),  # this and the following: RFC 3720, section B.4
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_the_checksum_is_that_of_iscsi(data: bytes, checksum: int):
    assert crc32c(data) == checksum


@given(st.binary(min_size=1, max_size=200), st.data())
def test_a_flipped_bit_changes_the_checksum(data: bytes, draw: st.DataObject):
    bit = draw.draw(st.integers(0, 8 * len(data) - 1))
    flipped = bytearray(data)
    flipped[bit // 8] ^= 1 << bit % 8

    assert crc32c(bytes(flipped)) != crc32c(data)


def test_a_record_is_what_tensorflow_writes():
    by_tensorflow = "0900000000000000 37f97139 313233343536373839 e5b08ac7"  # TFRecordWriter of TensorFlow 2

    assert framed(b"123456789") == bytes.fromhex(by_tensorflow)


@given(st.lists(st.binary(max_size=300)))
def test_payloads_come_out_of_their_frames(payloads: list[bytes]):
    assert records(b"".join(map(framed, payloads))) == payloads


def test_a_file_begins_with_the_version_of_the_format(tmp_path: Path):
    before = time.time()
    EventFile(tmp_path).close()

    (file,) = tmp_path.iterdir()
    (first,) = map(fields, records(file.read_bytes()))
    assert first[3] == [b"brain.Event:2"]
    assert before <= struct.unpack("<d", first[1][0])[0] <= time.time()


@given(values=st.dictionaries(st.text(), FLOATS, max_size=40), step=INT64, wall_seconds=st.floats(0, 1e10))
def test_scalars_come_back(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, float], step: int, wall_seconds: float
):
    folder = tmp_path_factory.mktemp("run")
    file = EventFile(folder)
    file.scalars(values, step, wall_seconds)
    file.close()

    read = read_events(folder).scalars
    assert read.keys() == values.keys()
    for tag, value in values.items():
        assert read[tag] == [(step, pytest.approx(value, abs=0, rel=0, nan_ok=True), wall_seconds)]


@pytest.mark.parametrize("value", [1e39, -1e39, 3.40282356779733662e38])
def test_a_value_too_large_for_32_bits_is_infinite(tmp_path: Path, value: float):
    file = EventFile(tmp_path)
    file.scalars({"a": value}, 0, 0.0)
    file.close()

    assert read_events(tmp_path).points("a") == [(0, math.copysign(math.inf, value))]


@given(page=st.text())
def test_a_page_comes_back(tmp_path_factory: pytest.TempPathFactory, page: str):
    folder = tmp_path_factory.mktemp("run")
    file = EventFile(folder)
    file.text("page", page, 0.0)
    file.close()

    assert read_events(folder).strings == {"page/text_summary": [page.encode()]}


def test_a_path_that_is_no_unicode_costs_one_letter(tmp_path: Path):
    file = EventFile(tmp_path)
    file.text("page", b"/data/\xff.jsonl".decode(errors="surrogateescape"), 0.0)
    file.close()

    assert read_events(tmp_path).strings["page/text_summary"] == [b"/data/?.jsonl"]


def test_a_layout_comes_back(tmp_path: Path):
    charts = {"Power": ["Multiline", ["watts$", ".+_watts$"]], "Änderung": ["Multiline", ["gain"]]}
    file = EventFile(tmp_path)
    file.layout({"Emissions": charts}, 0.0)
    file.close()

    assert read_events(tmp_path).layouts == [{"Power": ["watts$", ".+_watts$"], "Änderung": ["gain"]}]


def test_what_is_flushed_can_be_read_while_the_file_is_open(tmp_path: Path):
    file = EventFile(tmp_path)
    for step in range(3):
        file.scalars({"a": 1.0}, step, 0.0)
        file.flush()
        assert read_events(tmp_path).points("a")[-1] == (step, 1.0)
    file.close()


def test_files_sort_in_the_order_in_which_they_were_made(tmp_path: Path):
    for step in range(20):
        file = EventFile(tmp_path)
        file.scalars({"a": 1.0}, step, 0.0)
        file.close()

    assert len(list(tmp_path.iterdir())) == 20
    assert [step for step, _ in read_events(tmp_path).points("a")] == list(range(20))


def test_a_file_that_is_there_is_never_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_000_000_001)
    EventFile(tmp_path).close()

    with pytest.raises(FileExistsError):
        EventFile(tmp_path)

    assert read_events(tmp_path).versions == ["brain.Event:2"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path):
    (tmp_path / "taken").touch()

    with pytest.raises(FileExistsError):
        EventFile(tmp_path / "taken")


def test_a_full_disk_at_the_start_leaves_nothing_open(tmp_path: Path):
    before = open_files()

    with largest_file(0), pytest.raises(OSError, match="too large"):
        EventFile(tmp_path)

    gc.collect()
    assert open_files() == before


def test_a_disk_that_was_full_for_a_while_costs_nothing(tmp_path: Path):
    file = EventFile(tmp_path)
    file.scalars({"a": 1.0}, 0, 0.0)
    with largest_file(60), pytest.raises(OSError, match="too large"):
        file.flush()
    file.scalars({"a": 2.0}, 1, 0.0)
    file.close()

    assert read_events(tmp_path).points("a") == [(0, 1.0), (1, 2.0)]
