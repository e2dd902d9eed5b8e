#!/usr/bin/env bash
# huggingface_hub 0.36.2 and 1.33.0: results of two data sets come out under one name, where they differ by the name alone.
#
# Expected: EvalResult(dataset_name=...) stays with its value, so that a card says which rows gave which accuracy.
# Seen: ModelCardData groups results by task, dataset_type, dataset_config, dataset_split and dataset_revision. The name is no part of
#   that, and the group has the name of its first result: an accuracy on misspelt rows is written as one on the plain rows, and is read
#   back so. Another dataset_config keeps both apart.
# Why it matters: a card of a model that was measured twice (plain and perturbed, two domains of one set) tells a wrong figure, and no line warns.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/card.py" <<'PYTHON'
import huggingface_hub
from huggingface_hub import EvalResult, ModelCard, ModelCardData

print("huggingface_hub", huggingface_hub.__version__)


def told(**other):
    shared = {"task_type": "text-classification", "dataset_type": "films", "metric_type": "accuracy"}
    results = [
        EvalResult(dataset_name="films", metric_value=0.9, **shared),
        EvalResult(dataset_name="films, misspelt", metric_value=0.4, **shared | other),
    ]
    card = ModelCard(f"---\n{ModelCardData(model_name='student', eval_results=results).to_yaml()}\n---\n")
    return {(one.dataset_name, one.metric_value) for one in card.data.eval_results}


print("by name alone:", *sorted(told()))
print("by a configuration:", *sorted(told(dataset_config="misspelt")))
PYTHON
for version in 0.36.2 1.33.0; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "huggingface_hub==$version" 2>/dev/null
    "$folder/$version/bin/python" "$folder/card.py"
done >"$folder/now.txt"
cat >"$folder/seen.txt" <<'SEEN'
huggingface_hub 0.36.2
by name alone: ('films', 0.4) ('films', 0.9)
by a configuration: ('films', 0.9) ('films, misspelt', 0.4)
huggingface_hub 1.33.0
by name alone: ('films', 0.4) ('films', 0.9)
by a configuration: ('films', 0.9) ('films, misspelt', 0.4)
SEEN
cat "$folder/now.txt"
diff "$folder/seen.txt" "$folder/now.txt"
