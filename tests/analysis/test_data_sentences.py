from green_callbacks.analysis.data_sentences import data_sentences
from green_callbacks.ledger.data_file import DataTotals

BARE = DataTotals("run", samples=1000, visits=10_000, known_visits=6_000)


def test_nothing_known_is_nothing_said():
    assert data_sentences(BARE) == ()


def test_each_part_has_a_sentence():
    full = BARE._replace(
        known_by="By its loss.",
        known_at_once=800,
        forgotten=50,
        never_learned=3,
        probably_mislabeled=20,
        copies=7,
        conflicting=1,
        training_joules=(3.6e6, 3.5e6, 3.7e6),
        known_joules=(1.8e6, 1.75e6, 1.85e6),
    )
    assert data_sentences(full) == (
        "60 % of the visits went to samples that were known already, 500 Wh (486 Wh to 514 Wh) of 1.00 kWh.",
        (
            "Of 1,000 samples, 800 were known at once and never forgotten, 50 were forgotten at least once, "
            "3 were never learned."
        ),
        "20 samples are probably mislabeled (2 %).",
        "7 samples are exact copies of others. 1 group of equal samples has different labels.",
    )


def test_few_visits_and_clean_data_are_said():
    early = BARE._replace(known_by="By its loss.")
    assert data_sentences(early) == (
        "60 % of the visits went to samples that were known already.",
        "It is too early to say which samples are mislabeled, before most have five visits.",
    )
    clean = early._replace(probably_mislabeled=0, copies=0)
    assert data_sentences(clean)[1:] == ("No samples stand out as mislabeled.", "No two samples are equal.")
    assert data_sentences(DataTotals("run", samples=0, visits=0, known_visits=0, forgotten=0)) == ()
    single = DataTotals("run", samples=1, visits=2, known_visits=0, forgotten=1)
    assert data_sentences(single) == ("Of 1 sample, 1 was forgotten at least once.",)
    one = early._replace(probably_mislabeled=1, copies=1, conflicting=0)
    assert data_sentences(one)[1:] == (
        "1 sample is probably mislabeled (0.1 %).",
        "1 sample is an exact copy of another.",
    )
