"""Trainers of other packages, which are subclasses of Hugging Face's, and the model card."""

import pytest
from frameworks.transformers import tiny
from frameworks.transformers.scripted import epochs_of, messages, monitor_of, rows_of, trainer_of
from huggingface_hub import ModelCard
from transformers import Seq2SeqTrainer, Seq2SeqTrainingArguments, Trainer
from trl import SFTConfig, SFTTrainer

from green_callbacks.sources import ScriptedSource
from green_callbacks.transformers import EmissionsCard, EmissionsMonitor

pytestmark = [pytest.mark.filterwarnings("ignore")]
ARGUMENTS = {
    "num_train_epochs": 2,
    "per_device_train_batch_size": 4,
    "report_to": "none",
    "use_cpu": True,
    "disable_tqdm": True,
    "bf16": False,
    "eval_strategy": "epoch",
    "logging_strategy": "epoch",
}


def real_monitor() -> EmissionsMonitor:
    return EmissionsMonitor(sources=[ScriptedSource(300.0)], location="FR", pue=1.2, sinks=[])


class SftWithCard(EmissionsCard, SFTTrainer):
    """Trains a language model, and states its emissions."""


def test_a_trainer_of_trl_is_accounted_and_its_card_states_it(tmp_path):
    monitor = real_monitor()
    trainer = SftWithCard(
        tiny.model(),
        SFTConfig(str(tmp_path), **{**ARGUMENTS, "activation_checkpointing": False}, max_length=16),
        train_dataset=tiny.sentences(16),
        eval_dataset=tiny.sentences(4),
        processing_class=tiny.tokenizer(),
        callbacks=[monitor],
    )

    trainer.train()
    trainer.create_model_card()

    records = epochs_of(monitor)
    assert [(record.epoch, record.step, record.complete) for record in records] == [(0, 4, True), (1, 8, True)]
    assert {"eval_loss", "eval_mean_token_accuracy", "loss"} <= set(records[0].metrics)
    assert not [key for key in records[0].metrics if key.endswith("num_tokens")]
    card = ModelCard.load(tmp_path / "README.md").data
    assert card.co2_eq_emissions["emissions"] == pytest.approx(monitor.accountant.close().emissions_kg * 1000, rel=1e-3)
    assert card.co2_eq_emissions["geographical_location"] == "France (FR)"
    assert "trl" in card.tags


def test_a_trainer_for_sequences_is_accounted(tmp_path):
    monitor = real_monitor()
    words = tiny.tokenizer()
    told = words("the cat sat")["input_ids"]
    data = [{"input_ids": told, "labels": told}] * 8
    trainer = Seq2SeqTrainer(
        tiny.model(),
        Seq2SeqTrainingArguments(str(tmp_path), **ARGUMENTS, save_strategy="no"),
        train_dataset=data,
        eval_dataset=data,
        processing_class=words,
        callbacks=[monitor],
    )

    trainer.train()

    assert rows_of(monitor) == [(0, 2, True, True), (1, 4, True, True)]
    assert all("eval_loss" in record.metrics for record in epochs_of(monitor))


class _Writer(Trainer):
    """Writes no card."""

    def create_model_card(self) -> None:
        """Do nothing."""


class _Carded(EmissionsCard, _Writer):
    """States its emissions in no card."""


def test_a_card_without_emissions_is_said(training, caplog):
    trainer = trainer_of(training)
    trainer.__class__ = _Carded

    trainer.create_model_card()
    trainer.add_callback(monitor_of(training))
    trainer.create_model_card()

    said = [message for message in messages(caplog) if "The model card has no emissions" in message]
    assert "has no EmissionsMonitor" in said[0]
    assert "Nothing was measured" in said[1]
