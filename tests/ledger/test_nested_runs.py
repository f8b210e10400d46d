"""A sum counts the energy of a run inside another run once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_callbacks.ledger import Head, Lines, NestedRun, counted, counted_in, read_ledger
from green_callbacks.ledger.project_totals import closings_of

A, B = "gpu:GPU-a", "gpu:GPU-b"


def run(name, *sessions, host="h", **more):
    return NestedRun(name, sessions or ((),), host, **more)


@pytest.mark.parametrize(
    ("runs", "counts"),
    [
        ([], []),
        ([run("a"), run("b")], [True, True]),
        ([run("a"), run("b", ("a",))], [True, False]),
        ([run("b", ("a",))], [True]),  # the run around it is not among them
        ([run("a"), run("b", ("a",), host="other")], [True, True]),  # as after srun
        ([run("a"), run("c", ("b", "a"))], [True, False]),  # the run between them is not among them
        ([run("c", ("b", "a")), run("b", ("a",)), run("a")], [False, False, True]),
        ([run("a", ("a",))], [True]),
        ([run("a", ("b",)), run("b", ("a",))], [True, True]),  # forged
        ([run("a", ("b",)), run("b", ("c",)), run("c", ("a",))], [True, True, True]),
        ([run("a"), run("b", ("a",), ("z",))], [True, True]),  # one of its processes ran elsewhere
        ([run("a"), run("b", ("a",), ())], [True, True]),
        ([run("a"), run("z"), run("b", ("a",), ("z",))], [True, True, False]),
        ([run("a", devices=[A, "cpu:0"]), run("b", ("a",), devices=[A])], [True, False]),
        ([run("a", devices=[A]), run("b", ("a",), devices=[A, B])], [True, True]),  # a GPU that it did not see
        ([run("a", devices=["cpu:model"]), run("b", ("a",), devices=["cpu:package-0"])], [True, False]),
        ([run("a", devices=[A]), run("b", ("a",))], [True, False]),
        ([run("", ()), run("b", ("",))], [True, True]),
        ([run("a", seconds=10.0), run("b", ("a",), seconds=10.5)], [True, False]),
        ([run("a", seconds=10.0), run("b", ("a",), seconds=12.0)], [True, True]),  # it went on after the command
        ([run("a", seconds=10.0), run("z", seconds=9.0), run("b", ("a",), ("z",), seconds=19.5)], [True, True, False]),
        ([run("a", seconds=10.0), run("z", seconds=9.0), run("b", ("a",), ("z",), seconds=29.5)], [True, True, True]),
        ([run("a", seconds=10.0, is_closed=False), run("b", ("a",), seconds=60.0)], [True, False]),
    ],
)
def test_a_run_inside_another_is_counted_there(runs, counts):
    assert counted(runs) == counts


@pytest.mark.parametrize(
    ("is_closed", "outer", "inner", "counts"),
    [
        (True, 3.0, (1.0, 1.0), [True, False, False]),
        (True, 1.0, (1.0, 1.0), [True, False, False]),
        (False, 3.0, (1.0, 1.0), [True, False, False]),
        (False, 1.5, (1.0, 1.0), [False, True, True]),  # it was killed, and they went on
    ],
)
def test_the_runs_inside_an_unfinished_run_count_if_they_hold_more(is_closed, outer, inner, counts):
    inside = [run(f"b{at}", ("a",), facility_kwh=kwh) for at, kwh in enumerate(inner)]
    assert counted([run("a", facility_kwh=outer, is_closed=is_closed), *inside]) == counts


def test_an_unfinished_run_inside_a_closed_run_stays_inside_it():
    runs = [
        run("a", facility_kwh=9.0),
        run("b", ("a",), facility_kwh=1.0, is_closed=False),
        run("c", ("b", "a"), facility_kwh=2.0),
    ]
    assert counted_in(runs) == [(), (2, 0), (0,)]


def test_nested_unfinished_runs_leave_the_innermost():
    runs = [
        run("a", facility_kwh=1.0, is_closed=False),
        run("b", ("a",), facility_kwh=2.0, is_closed=False),
        run("c", ("b", "a"), facility_kwh=3.0),
    ]
    assert counted(runs) == [False, False, True]


names = st.sampled_from("abcdef")
sessions = st.lists(st.lists(names, max_size=3).map(tuple), min_size=1, max_size=2).map(tuple)
forests = st.dictionaries(names, st.tuples(sessions, st.integers(0, 9), st.booleans()), max_size=6).map(
    lambda found: [
        NestedRun(name, inside, "h", None, float(kwh), is_closed) for name, (inside, kwh, is_closed) in found.items()
    ]
)


@given(forests)
def test_whatever_ledgers_say_something_is_counted_and_the_order_does_not_matter(runs):
    counts = counted(runs)
    assert any(counts) == bool(runs)
    turned = dict(zip([each.run_id for each in reversed(runs)], counted(runs[::-1]), strict=True))
    assert [turned[each.run_id] for each in runs] == counts
    for found, at in zip(counted_in(runs), range(len(runs)), strict=True):
        assert at not in found


@given(st.lists(st.integers(0, 10), min_size=1, max_size=8))
def test_of_a_tree_of_closed_runs_the_roots_are_the_sum(parents):
    runs = []
    for at, parent in enumerate(parents):
        above = runs[parent] if at and parent < at else None
        inside = () if above is None else (above.run_id, *above.sessions[0])
        runs.append(run(str(at), inside, facility_kwh=1.0))
    assert counted(runs) == [each.sessions == ((),) for each in runs]


def test_a_deep_nest_is_no_recursion():
    runs = [run("0"), *(run(str(at), (str(at - 1),)) for at in range(1, 3000))]
    assert sum(counted(runs)) == 1


def test_a_head_keeps_the_runs_around_it(tmp_path):
    head = Head(run_id="c", version="1", parent="b", ancestors=("a",), earlier=(("z",), ()))
    (tmp_path / "c.jsonl").write_bytes(Lines().head(head))
    read = read_ledger(tmp_path / "c.jsonl").head
    assert (read.parent, read.ancestors, read.earlier) == ("b", ("a",), (("z",), ()))
    assert read.sessions == (("z",), (), ("b", "a"))


@pytest.mark.parametrize("said", ['"../x"', "1", '["a"]', '""'])
def test_a_head_whose_parent_names_no_run_is_damaged(tmp_path, said, caplog):
    line = Lines().head(Head(run_id="c", version="1", parent="b")).replace(b'"parent":"b"', f'"parent":{said}'.encode())
    (tmp_path / "c.jsonl").write_bytes(line)
    assert read_ledger(tmp_path / "c.jsonl").head.parent is None
    assert "1 line of " in caplog.text


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_project_counts_a_run_inside_another_once(tmp_path, monkeypatch, is_closed):
    from support.runs import scripted, train

    paths = [tmp_path / f"{name}.jsonl" for name in ("outer", "inner")]
    clock = None
    for path in paths:
        accountant, clock = scripted(clock, ledger=path)
        accountant.start()
        train(accountant, clock, range(2))
        monkeypatch.setenv("GREEN_CALLBACKS_PARENT", accountant.run_id)
        accountant.close()
    if not is_closed:
        paths[1].write_bytes(b"".join(paths[1].read_bytes().splitlines(keepends=True)[:-1]))
    (both,) = closings_of(paths).closings
    assert both.run_id == read_ledger(paths[0]).run_id
    (alone,) = closings_of(paths[1:]).closings
    assert alone.run_id == read_ledger(paths[1]).run_id
