"""The protocol buffers of TensorBoard's event files, encoded by hand.

A message is the sequence of its fields. A field is a key, which holds its number and encoding, and a value
(https://protobuf.dev/programming-guides/encoding). Messages, field numbers and types come from TensorBoard's
``compat/proto/{event,summary,tensor,tensor_shape,types}.proto``, which it has from TensorFlow, and from its
``plugins/custom_scalar/layout.proto``.

| message                        | fields                                                                   |
|--------------------------------|--------------------------------------------------------------------------|
| ``Event``                      | wall_time 1 (double), step 2, file_version 3, summary 5, session_log 7   |
| ``SessionLog``                 | status 1 (enum ``SessionStatus``)                                        |
| ``Summary``                    | value 1, repeated                                                        |
| ``Summary.Value``              | tag 1, simple_value 2 (float) or tensor 8, metadata 9                    |
| ``SummaryMetadata``            | plugin_data 1, data_class 4 (enum ``DataClass``)                         |
| ``SummaryMetadata.PluginData`` | plugin_name 1; content 2 of both our plugins is that of version 0: empty |
| ``TensorProto``                | dtype 1 (enum ``DataType``), tensor_shape 2, string_val 8                |
| ``TensorShapeProto``           | dim 2, repeated: a scalar has none                                       |
| ``Layout``                     | version 1, which is 0 and so left out; category 2, repeated              |
| ``Category``                   | title 1, chart 2, repeated                                               |
| ``Chart``                      | title 1, multiline 2 or margin 3                                         |
| ``MultilineChartContent``      | tag 1, repeated: regular expressions                                     |
| ``MarginChartContent``         | series 1, repeated                                                       |
| ``MarginChartContent.Series``  | value 1, lower 2, upper 3: tags                                          |
"""

import math
import struct
from collections.abc import Mapping
from typing import Final

from green_callbacks.sinks.tensorboard.chart_layout import Layout

_FILE_VERSION: Final = "brain.Event:2"
"""Content of the first event of every file. Readers refuse to order events without it."""

_LAYOUT_TAG: Final = "custom_scalars__config__"
"""``CONFIG_SUMMARY_TAG`` of the custom scalars plugin."""

_TEXT_SUFFIX: Final = "/text_summary"
"""End of the tag of a text, as written by torch's ``SummaryWriter``."""

_DT_STRING: Final = 7
"""``DataType.DT_STRING`` of ``types.proto``."""

_DATA_CLASS_TENSOR: Final = 2
"""``DataClass.DATA_CLASS_TENSOR`` of ``summary.proto``."""

_SESSION_START: Final = 1
"""``SessionStatus.START`` of ``event.proto``."""

_VARINT: Final = 0
"""Wire type of integers of variable length."""

_FIXED_64: Final = 1
"""Wire type of a ``double``."""

_LENGTH_DELIMITED: Final = 2
"""Wire type of texts, bytes and messages."""

_FIXED_32: Final = 5
"""Wire type of a ``float``."""

_64_BITS: Final = 0xFFFF_FFFF_FFFF_FFFF
"""Mask of 64 bits."""


def version_event(wall_seconds: float) -> bytes:
    """Encode the first event of a file.

    Args:
        wall_seconds: Time in s since 1970.

    Returns:
        A serialized ``Event``.
    """
    return _event(wall_seconds, _text(3, _FILE_VERSION))


def scalars_event(values: Mapping[str, float], step: int, wall_seconds: float) -> bytes:
    """Encode one point of the curve of every tag.

    Args:
        values: Values by tag. TensorBoard keeps 32 bits of each. Values too large for that become infinite.
        step: Position of the points on the axis.
        wall_seconds: Time in s since 1970.

    Returns:
        A serialized ``Event``.
    """
    points = (_delimited(1, _text(1, tag) + _float(2, value)) for tag, value in values.items())
    return _event(wall_seconds, _integer(2, step) + _delimited(5, b"".join(points)))


def restart_event(step: int, wall_seconds: float) -> bytes:
    """Encode that a run repeats itself from a step on. TensorBoard drops its points from that step on.

    Args:
        step: First repeated step.
        wall_seconds: Time in s since 1970.

    Returns:
        A serialized ``Event``.
    """
    return _event(wall_seconds, _integer(2, step) + _delimited(7, _integer(1, _SESSION_START)))


def text_event(tag: str, markdown: str, wall_seconds: float) -> bytes:
    """Encode a page of text.

    Args:
        tag: Name of the page.
        markdown: Content of the page.
        wall_seconds: Time in s since 1970.

    Returns:
        A serialized ``Event``.
    """
    return _string_event(tag + _TEXT_SUFFIX, "text", _utf8(markdown), wall_seconds)


def layout_event(charts: Layout, wall_seconds: float) -> bytes:
    """Encode a layout of the custom scalars.

    Args:
        charts: Charts by category and title.
        wall_seconds: Time in s since 1970.

    Returns:
        A serialized ``Event``.
    """
    categories = (
        _delimited(2, _text(1, title) + b"".join(_chart(name, content) for name, content in within.items()))
        for title, within in charts.items()
    )
    return _string_event(_LAYOUT_TAG, "custom_scalars", b"".join(categories), wall_seconds)


def _chart(title: str, content: list[str | list[str]]) -> bytes:
    kind, tags = content
    if kind == "Margin":
        series = b"".join(_text(number, tag) for number, tag in enumerate(tags, start=1))
        return _delimited(2, _text(1, title) + _delimited(3, _delimited(1, series)))
    return _delimited(2, _text(1, title) + _delimited(2, b"".join(_text(1, tag) for tag in tags)))


def _string_event(tag: str, plugin: str, content: bytes, wall_seconds: float) -> bytes:
    """Encode an event with a text for a plugin, as a tensor without dimensions."""
    metadata = _delimited(1, _text(1, plugin)) + _integer(4, _DATA_CLASS_TENSOR)
    tensor = _integer(1, _DT_STRING) + _delimited(2, b"") + _delimited(8, content)
    value = _text(1, tag) + _delimited(8, tensor) + _delimited(9, metadata)
    return _event(wall_seconds, _delimited(5, _delimited(1, value)))


def _event(wall_seconds: float, content: bytes) -> bytes:
    return _key(1, _FIXED_64) + struct.pack("<d", wall_seconds) + content


def _text(number: int, text: str) -> bytes:
    return _delimited(number, _utf8(text))


def _utf8(text: str) -> bytes:
    # A path that is not in UTF-8 holds lone surrogates. They become question marks, so that the page is still written.
    return text.encode(errors="replace")


def _delimited(number: int, content: bytes) -> bytes:
    return _key(number, _LENGTH_DELIMITED) + _varint(len(content)) + content


def _integer(number: int, value: int) -> bytes:
    return _key(number, _VARINT) + _varint(value)


def _float(number: int, value: float) -> bytes:
    try:
        encoded = struct.pack("<f", value)
    except OverflowError:  # finite in 64 bits only
        encoded = struct.pack("<f", math.copysign(math.inf, value))
    return _key(number, _FIXED_32) + encoded


def _key(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _varint(value: int) -> bytes:
    """Encode an int64 with 7 bits in each byte, the lowest bits first. A negative number is its two's complement."""
    rest = value & _64_BITS
    encoded = bytearray()
    while rest > 0x7F:  # noqa: PLR2004  # the largest of 7 bits
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)
