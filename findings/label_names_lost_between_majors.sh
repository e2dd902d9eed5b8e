#!/usr/bin/env bash
# transformers 4.57.6 and 5.23.0: names of classes that a configuration states are dropped without a word, each in its way.
#
# Expected: `id2label` and `label2id` say the same in two directions, so a configuration that holds one of them knows the
#   names; and where `num_labels` contradicts the names, either an error or the same answer in both majors.
# Seen: `label2id` alone is replaced by LABEL_0, LABEL_1 in both majors. Two names and `num_labels: 3`: 4.57.6 keeps two
#   named outputs and forgets the number, 5.23.0 keeps three outputs and forgets the names. Names for 0 and 2 alone are taken
#   by both, with two outputs of which the second has no name: a KeyError when it is asked for, in the middle of the work.
# Why it matters: who compares class names of two models, to find out whether their outputs stand in one order, compares
#   made-up names, or none.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/ask.py" <<'PYTHON'
from transformers import BertConfig

alone = BertConfig.from_dict({"label2id": {"negative": 0, "positive": 1}})
print("label2id alone:", list(alone.id2label.values()), list(alone.label2id))
three = BertConfig.from_dict({"id2label": {0: "negative", 1: "positive"}, "num_labels": 3})
print("two names, num_labels 3:", three.num_labels, list(three.id2label.values()))
gap = BertConfig.from_dict({"id2label": {0: "negative", 2: "positive"}})
print("names of 0 and 2:", gap.num_labels, sorted(gap.id2label))
PYTHON
seen() {
    python3 -m venv "$folder/$1"
    "$folder/$1/bin/pip" install --quiet --disable-pip-version-check "transformers==$1" 2>/dev/null
    HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error "$folder/$1/bin/python" "$folder/ask.py" 2>/dev/null
}
check() {
    result=$(seen "$1")
    printf 'transformers %s\n%s\n' "$1" "$result"
    test "$result" = "$2"
}
check 4.57.6 "label2id alone: ['LABEL_0', 'LABEL_1'] ['LABEL_0', 'LABEL_1']
two names, num_labels 3: 2 ['negative', 'positive']
names of 0 and 2: 2 [0, 2]"
check 5.23.0 "label2id alone: ['LABEL_0', 'LABEL_1'] ['LABEL_0', 'LABEL_1']
two names, num_labels 3: 3 ['LABEL_0', 'LABEL_1', 'LABEL_2']
names of 0 and 2: 2 [0, 2]"
