"""The trainer's own checkpoints on the front of quality and emissions."""

from pathlib import Path

from frameworks.transformers.scripted import messages, monitor_of, trainer_of

from green_callbacks import MarginalGain, read_ledger


def names(monitor):
    return [Path(path).name for path in monitor.accountant.checkpoints["val_acc"].rows]


def test_the_front_names_the_checkpoints_of_the_trainer(training):
    training.epochs, training.scores = 4, [0.1, 0.3, 0.2, 0.4]
    monitor = monitor_of(training, policies=[MarginalGain("val_acc")])

    trainer_of(training, monitor).train()

    assert names(monitor) == ["checkpoint-4", "checkpoint-8", "checkpoint-16"]
    run = monitor.accountant.close()
    assert set(read_ledger(run.ledger).checkpoints) == {"val_acc"}


def test_deleted_checkpoints_are_forgotten(training):
    training.epochs, training.scores = 4, [0.1, 0.3, 0.2, 0.4]
    monitor = monitor_of(training, policies=[MarginalGain("val_acc")])

    trainer_of(training, monitor, save_total_limit=2).train()

    assert names(monitor) == ["checkpoint-16"]


def test_the_metric_of_the_best_model_stands_for_the_quality(training):
    monitor = monitor_of(training)
    trainer = trainer_of(training, monitor, metric_for_best_model="loss")
    trainer.evaluate = lambda **options: type(trainer).__mro__[1].evaluate(trainer, **options)

    trainer.train()

    assert monitor.accountant.watched.name == "eval_loss"
    assert list(monitor.accountant.checkpoints) == ["eval_loss"]


def test_a_metric_of_the_best_model_that_never_comes_is_said_of_the_front(training, caplog):
    training.epochs = 4

    trainer_of(training, monitor_of(training), metric_for_best_model="loss", eval_delay=9).train()

    (message,) = messages(caplog)
    assert message.startswith("The front of the trainer's checkpoints watches the metric 'eval_loss'")
