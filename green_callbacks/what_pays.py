"""What pays, what does not, and how to find out for your own training.

Many methods promise the same quality for less energy. This page tests some of them against the plainest alternative,
which is a shorter training. Every figure is our own. The script below trains everything again and prints the tables::

    python tests/benchmarks/bench_what_pays.py

# In short

1. **Plan fewer epochs, and let the learning rate fall to 0 by their end.** Then try a higher learning rate.
2. **Use half of the batches of an epoch** where epochs are long. It is another way to train for fewer epochs.
3. **Let a rule end the run** when quality no longer pays for the energy, and land the learning rate first.
4. **Correct the labels** before you train on hard samples.
5. **Compare each trick with a shorter training** at the same energy, at more than one learning rate.

# The experiment

All methods but the full plan spend half of its energy. A sample that is trained on costs 1 J. Methods that choose by
loss use the losses from training itself, so choosing is free. Each method's learning rate falls by a cosine to 0 at its
own end. Accuracy is measured on held-out samples, without cost. Figures are means of the runs ± their standard
deviation. Differences are means of pairs with the same seed ± the standard error.

- *digits* has 1,400 images and a small dense network. With wrong labels, 20 % of the training labels are planted wrong.
- *mnist1d* has 4,000 signals and a small network of convolutions.
- The full plan has 40 epochs. The optimizer is SGD with momentum. The low rate is 0.02 in digits and 0.015 in mnist1d.
- There are 10 seeds. There are 5 with AdamW, in mnist1d at 8 times the low rate, and in the table of best rates.
- Digits are also trained at 4, 8 and 16 times the low rate, and mnist1d at 8 times. AdamW has a rate of 0.001.

The methods are these.

- *Fewer epochs* trains for 20 epochs on all samples, once at the same rate and once at 1.5 times the rate.
- *Half the batches* trains on a new random half in each of 40 epochs.
- *Static half* trains on one random half in all epochs.
- *InfoBatch* leaves out half of the samples below the mean loss, and doubles the weight of the others below it.
- *InfoBatch, mean weight 1* divides these weights by their mean.
- *Hard half* trains on the half with the highest loss so far. It begins and ends with all samples, as InfoBatch does.
- *Hard half for good* chooses the hardest half once, after a tenth of the energy.

| accuracy in %, low rate          | digits     | digits, 20 % wrong labels | mnist1d    |
|----------------------------------|------------|---------------------------|------------|
| full plan                        | 97.0 ± 1.0 | 95.5 ± 1.0                | 86.2 ± 1.2 |
| fewer epochs                     | 95.4 ± 0.7 | 94.4 ± 1.0                | 68.9 ± 3.7 |
| fewer epochs, 1.5 times the rate | 96.3 ± 0.9 | 95.2 ± 1.1                | 80.9 ± 1.9 |
| half the batches                 | 95.4 ± 0.7 | 94.3 ± 1.0                | 68.4 ± 3.5 |
| static half                      | 95.0 ± 1.1 | 93.0 ± 1.2                | 66.4 ± 2.8 |
| InfoBatch                        | 96.3 ± 0.8 | 95.1 ± 1.1                | 77.9 ± 2.8 |
| InfoBatch, mean weight 1         | 95.4 ± 0.8 | 94.4 ± 1.0                | 68.6 ± 3.6 |
| hard half                        | 96.7 ± 1.0 | 95.0 ± 1.0                | 74.8 ± 4.1 |
| hard half for good               | 95.3 ± 1.4 | 70.2 ± 8.1                | 61.5 ± 3.1 |

| accuracy in %, 8 times           | digits     | digits, 20 % wrong labels | mnist1d    |
|----------------------------------|------------|---------------------------|------------|
| full plan                        | 97.8 ± 0.8 | 94.0 ± 1.6                | 94.5 ± 0.4 |
| fewer epochs                     | 97.6 ± 0.8 | 96.5 ± 1.0                | 94.1 ± 0.8 |
| fewer epochs, 1.5 times the rate | 97.9 ± 0.6 | 96.0 ± 1.0                | 91.9 ± 0.8 |
| half the batches                 | 97.7 ± 0.7 | 96.3 ± 0.8                | not run    |
| static half                      | 96.5 ± 0.7 | 90.5 ± 2.3                | not run    |
| InfoBatch                        | 98.0 ± 0.7 | 95.4 ± 1.4                | 91.3 ± 1.1 |
| InfoBatch, mean weight 1         | 97.7 ± 0.8 | 96.2 ± 1.4                | 93.3 ± 1.3 |
| hard half                        | 97.9 ± 0.7 | 94.1 ± 1.3                | 94.2 ± 1.4 |
| hard half for good               | 97.9 ± 0.8 | 72.4 ± 3.5                | not run    |

# Fewer epochs at a higher rate

At a low rate, half of the energy costs quality. In mnist1d the accuracy falls from 86.2 to 68.9 %. The same 20 epochs
at 1.5 times the rate reach 80.9 %, and at 8 times the rate they reach more than the whole plan did at the low rate. At
the best rates, the second half of the energy buys less than half a point, and with wrong labels it costs a point.

So tune the learning rate for the number of epochs that you plan. With Lightning, write ``Trainer(max_epochs=20)``, and
give the schedule 20 epochs as well. A schedule of 40 epochs that is cut after 20 ends at a learning rate that is still
high, which costs quality.

# Half of the batches

A new random half in each epoch reaches what fewer epochs reach, within half a point in every set. It needs no package.
Write ``Trainer(limit_train_batches=0.5)`` with a ``DataLoader`` that shuffles, or ``fit(steps_per_epoch=…)`` in Keras.
It helps where an epoch is long, because validation keeps its rhythm. One fixed half for all epochs is worse in every
set, since the model never sees the other half.

# The gain of InfoBatch is a learning rate

InfoBatch leaves samples out, and so an epoch costs less. It also doubles the weights of many others. In these runs the
mean weight is 1.3 to 1.7, so a step is about as long as at 1.5 times the learning rate. The table separates these two
effects.

| points above fewer epochs           | 1.5 times the rate | InfoBatch  | mean weight 1 | InfoBatch above 1.5 times |
|-------------------------------------|--------------------|------------|---------------|---------------------------|
| digits, low rate                    | +0.9 ± 0.1         | +0.9 ± 0.1 | +0.0 ± 0.1    | +0.0 ± 0.1                |
| digits, 8 times                     | +0.3 ± 0.2         | +0.4 ± 0.1 | +0.0 ± 0.1    | +0.1 ± 0.1                |
| digits, 20 % wrong labels, low rate | +0.8 ± 0.2         | +0.7 ± 0.2 | +0.0 ± 0.1    | -0.1 ± 0.1                |
| digits, 20 % wrong labels, 8 times  | -0.6 ± 0.2         | -1.1 ± 0.2 | -0.4 ± 0.3    | -0.5 ± 0.4                |
| mnist1d, low rate                   | +12.0 ± 0.7        | +9.0 ± 0.6 | -0.3 ± 0.5    | -3.0 ± 0.4                |
| mnist1d, 8 times                    | -2.2 ± 0.5         | -2.8 ± 0.5 | -0.9 ± 0.4    | -0.6 ± 0.5                |
| mnist1d, AdamW, low rate            | +8.8 ± 0.6         | +0.3 ± 0.4 | -0.4 ± 0.4    | -8.5 ± 0.4                |

At the low rate, InfoBatch gains 9.0 points in mnist1d. Fewer epochs at 1.5 times the rate gain 12.0 points. With
weights whose mean is 1, nothing is left of the gain. AdamW takes no notice of the scale of a loss, and there InfoBatch
gains nothing, while the higher rate still does. At 8 times the low rate, the steps of mnist1d are long enough. Both
longer steps and InfoBatch then lose.

``green-callbacks compare`` says the same from the ledgers of these runs in mnist1d.

- infobatch needs 24 % less energy than fewer-epochs to reach val_acc 0.6 (95 %: 19 to 30 %; 10 pairs of runs).
- infobatch needs 12 % more energy than fewer-epochs-1.5-times-the-rate to reach val_acc 0.6 (95 %: 5.6 to 18 %; 10
  pairs of runs).
- fewer-epochs-1.5-times-the-rate beats infobatch at the same energy, by 0.0289 of val_acc (95 %: 0.0183 to 0.0394; 10
  pairs with the same seed). This reference pays more than infobatch.
- fewer-epochs-1.5-times-the-rate beats fewer-epochs at the same energy, by 0.119 of val_acc (95 %: 0.103 to 0.135; 10
  pairs with the same seed). This reference pays more than fewer-epochs.
- infobatch beats fewer-epochs at the same energy, by 0.0902 of val_acc (95 %: 0.0756 to 0.105; 10 pairs with the same
  seed).

# Hard samples and wrong labels

| accuracy in %, each at its best rate | digits                | digits, 20 % wrong labels | mnist1d              |
|--------------------------------------|-----------------------|---------------------------|----------------------|
| full plan                            | 98.2 ± 0.4 (16 times) | 95.6 ± 1.2 (4 times)      | 94.5 ± 0.4 (8 times) |
| fewer epochs                         | 98.0 ± 0.6 (16 times) | 96.6 ± 1.3 (8 times)      | 94.1 ± 0.8 (8 times) |
| InfoBatch                            | 97.9 ± 0.7 (8 times)  | 95.9 ± 1.6 (4 times)      | 91.3 ± 1.1 (8 times) |
| hard half                            | 97.9 ± 0.6 (16 times) | 95.6 ± 2.3 (4 times)      | 94.2 ± 1.4 (8 times) |
| hard half, above fewer epochs        | -0.1 ± 0.1            | -1.1 ± 0.5                | +0.1 ± 0.6           |

At the low rate, the hard half gains too, probably because hard samples have long gradients. At each method's best rate
it gains nothing here. Larger and cleaner sets may differ, so audit it on yours. With 20 % wrong labels it loses 1.1
points, because many of the hard samples are the mislabeled samples. The hardest half that is chosen once and for good
fails there, at 70.2 % against 94.4 % by fewer epochs.

Long training learns wrong labels as well. At 8 times the low rate, the full plan reaches 94.0 %, and half of its energy
reaches 96.5 %. Look for wrong labels first. `green_callbacks.lightning.DataReport` names samples that are probably
mislabeled, from losses that training computes anyway.

# Rules that end a run

All figures above need a plan that is made in advance. `green_callbacks.policies.MarginalGain` ends a run whose gain no
longer pays for its energy, and lands the learning rate first if you ask it to. `green_callbacks.policies.CarbonBudget`
ends it when a budget is spent. ``green-callbacks replay`` shows what a rule would have saved in runs that you have.

# Audit a trick yourself

1. Train the trick and the usual way, with at least five seeds each, and with the label ``seed``.
2. Train the usual way for fewer epochs, so that it spends as much as the trick. Do it at two or three learning rates.
3. Compare at the same energy, and name the runs of the second step as the reference.

The command for the third step is this::

    green-callbacks compare runs/trick --against runs/usual --reference runs/fewer --at-equal-energy

A trick that does not beat its reference has not been shown to save anything. ``--reach val_acc=0.9`` compares the
energy to reach a quality, and ``--gate "+5 %"`` is for CI. Both say how sure the difference is, and which facts make it
unfair.

# Limits of this experiment

- The sets and the networks are small, and there is no augmentation. Larger data may change the order of the methods.
- The energy is the number of samples that were trained on. The overhead of choosing and of loading is not in it.
- The best rate was chosen on the held-out samples, for all methods alike. In mnist1d it is one of two rates. In clean
  digits it may be above the highest of the four rates.
- Validation is free here. In real runs it costs energy, and more epochs validate more often.
- InfoBatch and the other methods are written anew in the benchmark, from their descriptions. The package contains none
  of them.
"""
