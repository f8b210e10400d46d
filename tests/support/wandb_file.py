"""Reads the file that W&B writes offline, with W&B's own messages."""

import json
import struct
import time
from dataclasses import dataclass, field
from typing import Any

from wandb.proto import wandb_internal_pb2

_HEADER = 7
_BLOCK = 32768
_WHOLE, _LAST = 1, 4


@dataclass
class WandbFile:
    """What a run has told W&B: rows of its history, and the latest summary and config."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    axes: dict[str, str] = field(default_factory=dict)
    artifacts: list[str] = field(default_factory=list)

    def curve(self, key, over="green/epoch"):
        """The points of a curve."""
        return [(row[over], row[key]) for row in self.rows if key in row]


def read_wandb_file(path, patience_seconds=10.0) -> WandbFile:
    """Read a ``.wandb`` file, once it is whole. W&B's own process writes it out after ``finish()`` has returned."""
    deadline = time.monotonic() + patience_seconds
    while "exit" not in (kinds := [each.WhichOneof("record_type") for each in _records(path.read_bytes())]):
        assert time.monotonic() < deadline, kinds
        time.sleep(0.01)
    read = WandbFile()
    for record in _records(path.read_bytes()):
        kind = record.WhichOneof("record_type")
        if kind == "history":
            read.rows.append(_values(record.history.item))
        elif kind == "summary":
            read.summary |= _values(record.summary.update)
        elif kind == "config":
            read.config |= _values(record.config.update)
        elif kind == "metric":
            read.axes[record.metric.name or record.metric.glob_name] = record.metric.step_metric
        elif kind == "request" and record.request.HasField("log_artifact"):
            read.artifacts.append(record.request.log_artifact.artifact.name)
        elif kind == "artifact":
            read.artifacts.append(record.artifact.name)
    return read


def _values(items):
    return {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in items}


def _records(data):
    """Records of LevelDB's log format, whose blocks a record may cross."""
    at, part = _HEADER, b""
    while at + _HEADER <= len(data):
        if _BLOCK - at % _BLOCK < _HEADER:
            at += _BLOCK - at % _BLOCK
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        part += data[at + _HEADER : at + _HEADER + length]
        at += _HEADER + length
        if kind in (_WHOLE, _LAST):
            record, part = wandb_internal_pb2.Record.FromString(part), b""
            yield record
