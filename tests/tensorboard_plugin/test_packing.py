"""A text is compressed in pieces, and only changed pieces are compressed again."""

import gzip

from hypothesis import given
from hypothesis import strategies as st

from green_callbacks.tensorboard_plugin import packing
from green_callbacks.tensorboard_plugin.packing import Packer

PIECES = st.lists(st.text(st.characters(max_codepoint=127), max_size=40), max_size=60)


@given(states=st.lists(PIECES, min_size=1, max_size=4))
def test_every_state_is_one_stream_of_gzip(states):
    packer = Packer()
    for pieces in states:
        packed, tag = packer.pack(pieces)
        assert gzip.decompress(packed) == "".join(pieces).encode()
        assert Packer().pack(pieces) == (packed, tag)


def test_equal_pieces_all_stay():
    pieces = ["same"] * 100
    assert gzip.decompress(Packer().pack(pieces)[0]) == b"same" * 100


def test_a_piece_that_moves_changes_few_chunks(monkeypatch):
    pieces = [f'{{"key":"{number:016x}","g":{number}}},' for number in range(1000)]
    packer = Packer()
    _, tag = packer.pack(pieces)
    made, real = [], packing._chunk
    monkeypatch.setattr(packing, "_chunk", lambda each: made.append(each) or real(each))
    moved = [pieces[700], *pieces[:700], *pieces[701:]]
    after, other = packer.pack(moved)
    assert other != tag
    assert len(made) <= 4
    assert gzip.decompress(after).decode() == "".join(moved)
    assert packer.pack(moved) == (after, other)
