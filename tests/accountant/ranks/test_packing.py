from math import isnan

from hypothesis import given
from hypothesis import strategies as st

from green_callbacks.accountant.ranks.packing import added, packed, sparse, unpacked

vectors = st.lists(st.one_of(st.just(0.0), st.floats(allow_nan=False, allow_infinity=False)), max_size=60)


@given(vectors)
def test_a_vector_reads_back_exactly(vector):
    assert unpacked(packed(vector)) == vector


@given(st.lists(st.tuples(vectors), min_size=1, max_size=5))
def test_texts_are_added_like_their_vectors(parts):
    size = max(len(vector) for (vector,) in parts)
    whole = [vector + [0.0] * (size - len(vector)) for (vector,) in parts]
    total = [0.0] * size
    for vector in whole:
        total = [one + other for one, other in zip(total, vector, strict=True)]
    assert added([sparse(vector) for vector in whole], size) == total


def test_what_one_rank_does_not_know_nobody_knows():
    total = added([sparse([float("nan"), 1.0]), sparse([1.0, 1.0])], 2)
    assert isnan(total[0])
    assert total[1] == 2.0


def test_an_answer_leaves_out_what_is_0():
    assert len(packed([0.0] * 20_000 + [1.5] * 10)) < 300
