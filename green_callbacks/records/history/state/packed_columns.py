"""Columns of numbers as compact text, for a checkpoint. The text contains nothing but numbers."""

import sys
import zlib
from array import array
from base64 import b64decode, b64encode
from binascii import Error as NotBase64Error
from typing import Final

from green_callbacks.records.history.columns import Numbers

_LEVEL: Final = 1
"""Level of compression. Higher levels take five times as long and save 3 %. By experiment."""

_MOST_BYTES: Final = 2**28
"""Largest size of all columns of a state, in bytes. A checkpoint must not fill the memory. By convention."""


class DamagedError(ValueError):
    """A state that this package cannot have written. The message names the fault, as the middle of a sentence."""


def pack(column: Numbers) -> str:
    """Return numbers as text.

    Bytes of equal rank lie together. The leading bytes are alike, so they compress well.

    Args:
        column: An array.
    """
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    raw, size = column.tobytes(), column.itemsize
    ranked = b"".join(raw[rank::size] for rank in range(size))
    return b64encode(zlib.compress(ranked, _LEVEL)).decode("ascii")


class Unpacker:
    """Reads the results of :func:`pack`, up to the largest size of a state."""

    def __init__(self) -> None:
        self._left_bytes = _MOST_BYTES

    def numbers(self, packed: object, code: str, most: int, what: str) -> Numbers:
        """Return the numbers.

        Args:
            packed: The text.
            code: Type code of the numbers.
            most: Largest possible number of numbers.
            what: Name of the numbers, for the message.

        Raises:
            DamagedError: The text is damaged, or has too many numbers.
        """
        column = array(code)
        raw = self._bytes(packed, most * column.itemsize, what)
        count, rest = divmod(len(raw), column.itemsize)
        if rest:
            msg = f"{what} end within a number"
            raise DamagedError(msg)
        ordered = bytearray(len(raw))
        for rank in range(column.itemsize):
            ordered[rank :: column.itemsize] = raw[rank * count : (rank + 1) * count]
        column.frombytes(ordered)
        if sys.byteorder == "big":
            column.byteswap()
        return column

    def exactly(self, packed: object, code: str, count: int, what: str) -> Numbers:
        """Return an exact number of numbers, like :meth:`numbers`."""
        column = self.numbers(packed, code, count, what)
        if len(column) != count:
            msg = f"there are {len(column)} {what} for {count} rows"
            raise DamagedError(msg)
        return column

    def _bytes(self, packed: object, most: int, what: str) -> bytes:
        if not isinstance(packed, str):
            msg = f"{what} are no text"
            raise DamagedError(msg)
        most = min(most, self._left_bytes)
        try:
            unpacker = zlib.decompressobj()
            raw = unpacker.decompress(b64decode(packed, validate=True), most + 1)
        except (NotBase64Error, ValueError, zlib.error) as reason:
            msg = f"{what} cannot be unpacked"
            raise DamagedError(msg) from reason
        if len(raw) > most or not unpacker.eof or unpacker.unused_data:
            msg = f"{what} are more, or fewer, than there can be"
            raise DamagedError(msg)
        self._left_bytes -= len(raw)
        return raw
