import pytest

from green_callbacks.records import Landing
from green_callbacks.records.landing import decode_landing, encode_landing

LANDING = Landing(first_step=90, steps=10, epoch=2, last_epoch=3, reason="why", begun_step=70)


def test_a_landing_comes_back():
    assert decode_landing(encode_landing(LANDING)) == LANDING


def test_a_landing_of_an_earlier_version_replaces_none():
    fields = encode_landing(LANDING)
    del fields["begun_step"]
    read = decode_landing(fields)
    assert (read.begun_step, read.begun) == (None, 90)
    assert LANDING.begun == 70


@pytest.mark.parametrize("value", [-1, "7", 2**60, 1.5])
def test_an_impossible_beginning_is_refused(value):
    with pytest.raises(ValueError, match="The landing is damaged, because the step at which it began"):
        decode_landing({**encode_landing(LANDING), "begun_step": value})
