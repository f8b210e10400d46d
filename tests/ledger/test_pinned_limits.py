"""The limits of a ledger. Files that earlier versions wrote must stay readable, so a limit may rise but never fall."""

import json

import pytest
from support.scripted_run import record

from green_callbacks.ledger import closing_of, limits
from green_callbacks.ledger.closing_line import decode_closing, encode_closing, read_closing
from green_callbacks.records import History

SAID = {
    "run_id": "run-1", "rows": 3, "epochs": 2, "seconds": 1.0, "joules": 2.0, "facility_kwh": 3.0, "kg": 4.0,
    "low_kg": 3.0, "high_kg": 5.0, "measured_share": 0.5, "samples": 1, "effort": [None] * 4, "tokens": 2,
    "flops": 3.0, "steps": 4,
    "devices": {"gpu:0": 2.0}, "zone": "DE", "monitor": "val_acc", "mode": "max", "front": [[1.0, 0.5, 0]],
    "curve": [[1.0, None, None]],
}  # fmt: skip


def test_no_limit_has_fallen():
    assert (limits.MAX_LINE_BYTES, limits.MAX_LINES) == (2**20, 20_000_000)
    assert limits.MAX_PASSED_BYTES == 64 * 2**20
    assert (limits.MAX_METRICS, limits.MAX_DEVICES, limits.MAX_ENTRIES) == (10_000, 8_192, 256)
    assert (limits.MAX_DROPS, limits.MAX_NOTICES, limits.MAX_REWOUND_ROWS) == (1_000, 100, 30_000_000)
    assert (limits.MAX_END_BYTES, limits.MAX_POINTS) == (4_000, 100)


@pytest.mark.parametrize(
    ("field", "taken", "refused"),
    [
        ("run_id", ["run-2"], ["", "a/b", "..", None, "x" * 301]),
        ("rows", [0, 20_000_000], [-1, 20_000_001, None]),
        ("epochs", [0, 20_000_000], [-1, 20_000_001, None]),
        ("seconds", [0.0, 1e11], [-1.0, 1.1e11, None]),
        ("joules", [None, 0.0, 1e21], [-1.0, 1.1e21]),
        ("facility_kwh", [0.0, 1e21], [-1.0, 1.1e21, None]),
        ("kg", [0.0, 1e21], [-1.0, 1.1e21, None]),
        ("low_kg", [None, 1e21], [-1.0, 1.1e21]),
        ("high_kg", [None, 1e21], [-1.0, 1.1e21]),
        ("measured_share", [None, 0.0, 1.0], [-0.1, 1.1]),
        ("samples", [None, 2**53], [-1, 2**53 + 1, 1.5]),
        (
            "effort",
            [None, [None] * 4, [[1.0, 2.0, 1.5, 2.5], None, None, [1e300] * 4]],
            [[None] * 3, [None] * 5, [[1.0] * 3, None, None, None], [[1e301] * 4] * 4, ["1"] * 4, {}],
        ),
        ("tokens", [None, 2**53], [-1, 2**53 + 1, 1.5]),
        ("flops", [None, 1e47], [-1.0, 1e48]),
        ("steps", [None, 2**53], [-1, 2**53 + 1, 1.5]),
        ("devices", [{}, {"gpu:0": None}, {"x" * 300: 1e21}], [{"x" * 301: 1.0}, {"gpu:0": -1.0}, []]),
        ("zone", [None, "x" * 300], ["x" * 301, 1]),
        ("monitor", [None, "x" * 300], ["x" * 301, 1]),
        ("mode", ["min", "max"], [None, "least"]),
        ("front", [[], [[0.0, None, None]] * 100, [[1e21, -1e308, 2**53]]], [[[0.0, None, None]] * 101, [[0.0, None]]]),
        ("curve", [[], [[0.0, 1e308, 0]] * 100], [[[0.0, None, None]] * 101, [[0.0, None, None, 0]], [[-1.0, 1.0, 0]]]),
    ],
)
def test_a_closing_line_is_believed_within_its_bounds(field, taken, refused):
    for value in taken:
        assert decode_closing(SAID | {field: value}, None) is not None
    for value in refused:
        with pytest.raises(ValueError, match="expected, not"):
            decode_closing(SAID | {field: value}, None)


def test_a_closing_line_without_a_field_is_refused():
    for field in ("run_id", "rows", "epochs", "seconds", "facility_kwh", "kg", "devices", "mode", "front", "curve"):
        with pytest.raises(ValueError, match="expected, not None"):
            decode_closing({name: value for name, value in SAID.items() if name != field}, None)


def test_totals_come_back_from_a_closing_line_as_they_were():
    history = History([record(None), record(0, metrics={"val_acc": 0.5}, samples=3), record(1, samples=4)])
    closing = closing_of("run-1", history, monitor="val_acc", mode="max")
    back = decode_closing(json.loads(json.dumps(encode_closing(closing, 100))), "Enough.")
    for name in ("rows", "epochs", "energy_joules", "facility_kwh", "emissions_kg", "samples", "devices", "mode"):
        assert getattr(back, name) == getattr(closing, name)
    assert back.stop_reason == "Enough."


@pytest.mark.parametrize("more", [0, 1])
def test_a_closing_line_has_a_greatest_length(tmp_path, more):
    path = tmp_path / "run.jsonl"
    head = b'{"type":"run","schema":2,"run_id":"run-1"}\n'
    end = {"type": "end", "offset": len(head), "stop_reason": None, "closing": SAID, "more": ""}
    end["more"] = "x" * (3_999 + more - len(json.dumps(end)))
    path.write_bytes(head + json.dumps(end).encode() + b"\n")
    assert (read_closing(path) is None) == bool(more)
