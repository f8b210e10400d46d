import json

import pytest

from green_callbacks.ledger.data_file import DataTotals, data_file_of, read_data_totals, write_data_file

TOTALS = DataTotals(
    run_id="my-run",
    samples=4,
    visits=40,
    known_visits=20,
    dataset_size=5,
    known_by="By its loss.",
    known_at_once=2,
    forgotten=1,
    never_learned=0,
    probably_mislabeled=0,
    copies=1,
    conflicting=0,
    training_joules=(100.0, 90.0, 110.0),
    known_joules=(50.0, 45.0, 55.0),
    notes=("Something is missing.",),
    histogram={"edges": (0.0, 1.0), "all": (4.0,)},
)


def test_totals_come_back_as_they_were_written(tmp_path):
    path = data_file_of(tmp_path / "logs" / "my-run.jsonl")
    write_data_file(path, TOTALS, {"forgotten": range(25_000), "never_learned": [], "duplicates": [(1, 2)]})

    assert read_data_totals(path) == TOTALS
    assert [each.name for each in path.parent.iterdir()] == ["my-run.data.json"]
    whole = json.loads(path.read_text(encoding="utf-8"))
    assert whole["indices"] == {"forgotten": list(range(25_000)), "never_learned": [], "duplicates": [[1, 2]]}


def test_what_is_not_known_is_left_out(tmp_path):
    path = tmp_path / "run.data.json"
    few = DataTotals("run", samples=1, visits=1, known_visits=0)
    write_data_file(path, few, {})
    assert set(json.loads(path.read_text())["totals"]) == {"run_id", "samples", "visits", "known_visits"}
    assert read_data_totals(path) == few


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "nonsense",
        "[]\n",
        '{"format":"another","totals":{}}',
        '{"format":"green_callbacks data report","totals":[]}',
        '{"format":"green_callbacks data report","totals":{"visits":-1}}',
        '{"format":"green_callbacks data report","totals":{"visits":1e999}}',
        '{"format":"green_callbacks data report","totals":{"known_joules":[1,2]}}',
        '{"format":"green_callbacks data report","totals":{"histogram":{"all":["x"]}}}',
        '{"format":"green_callbacks data report","totals":{"notes":"text"}},\n"indices":{}}',
    ],
)
def test_a_damaged_file_is_no_report(text, tmp_path):
    path = tmp_path / "run.data.json"
    path.write_text(text)
    assert read_data_totals(path) is None
    assert read_data_totals(tmp_path) is None, "a folder is none either"


def test_a_file_of_another_program_may_be_one_line(tmp_path):
    path = tmp_path / "run.data.json"
    path.write_text('{"format":"green_callbacks data report","version":2,"totals":{"visits":3,"new":1},"indices":{}}')
    assert read_data_totals(path).visits == 3


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "run.data.json"
    write_data_file(path, TOTALS, {})
    with pytest.raises(ZeroDivisionError):
        write_data_file(path, TOTALS._replace(visits=9), {"forgotten": (1 // (3 - each) for each in range(5))})
    assert read_data_totals(path) == TOTALS
    assert len(list(tmp_path.iterdir())) == 1
