"""The text of a first experiment: keys, values to begin with, and what each is for. `first_experiment` fills it in."""

from __future__ import annotations

_HEAD = """\
# $bare: a search for small students of your model, on your data. Written by rosearch init; yours to change.
# Every key: rosearch explain KEY. Is all well, and how long may it take: rosearch check FILE.

name: $name                     # of the run folders: runs/$bare-0001
seed: 1                         # equal seeds give equal results

# What may be searched. `starter` holds small graphs (1 to 5 M parameters) and two ways to read words, one of which
# forgives typos. `rosearch spaces` lists others: robust_input is the large one, for a GPU.
search_space: starter

task:
  name: $task
"""

_DATA = """\
  files:                        # CSV, TSV, JSON lines or Parquet; paths from this file
$files
  text: $columns                # two columns for pairs of texts
  label: $label
$dropped"""

_CLASSES = """\
  # The classes: $labels_why.
  labels: $labels
"""

_TASK = """\
  # Tokens of a text; longer ones are cut.
  # $length_why.
  max_length: $max_length
  # A guess: $metric_why.
  metric: $metric

teacher: $teacher

distillation:
  method: kd                    # `rosearch explain distillation.method` has the others
  epochs: $epochs                     # passes of each candidate over the training rows
  batch_size: 32
  learning_rate: 1.0e-3
$rare"""

_ATTACKS = """\

evaluation:
  robustness:
    # Candidates are attacked on validation rows, finalists on test rows and with an attack that the search never saw.
    search: {attacks: [deepwordbug], rows: 50}
    # More rows make intervals narrower. Long texts and a large teacher are slow: pruthi asks thousands of times a row.
    report: {attacks: [deepwordbug, pruthi], rows: $attacked}

fitness:                        # what wins: shares of one score
  weights: {robustness: 0.5, accuracy: 0.3, efficiency: 0.2}
  min_quality: 0.8              # a student below this part of the teacher's quality never wins
"""

_SCORES = """\

fitness:                        # what wins: shares of one score; scores are not attacked
  weights: {robustness: 0.0, accuracy: 0.7, efficiency: 0.3}
  min_quality: 0.8              # a student below this part of the teacher's quality never wins
"""

DROPPED = """\
  on_bad_rows: drop             # $dropped without a text or a label
"""

RARE = """\
  # $skew. This makes rare classes count as much as the others:
  # class_weights: balanced
"""

_SEARCH = """\

evolution:
  candidates: 12                # students that are trained in all; hundreds for a search that counts
  population: 6                 # of a generation
  elite: 2

baselines: [static, adabert]    # a mean of word vectors, and a published architecture under the same training

finalists: {count: 1, epochs: $longer}  # the best, trained longer and measured on test rows

execution:
  device: auto                  # the GPU where there is one
  workers: 2                    # candidates at a time
"""

TEMPLATE = _HEAD + _DATA + _CLASSES + _TASK + _ATTACKS + _SEARCH
REGRESSION = _HEAD + "  problem: regression           # the label is a score\n" + _DATA + _TASK + _SCORES + _SEARCH
