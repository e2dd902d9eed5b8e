#!/usr/bin/env bash
# transformers 5.23.0: a folder without any file of a tokenizer gives a tokenizer, and it reads every word as unknown.
#
# Expected: `AutoTokenizer.from_pretrained(FOLDER)` raises where FOLDER holds a BERT's config.json and nothing of a tokenizer,
#   as 4.57.6 does: a copy of a model that lost its vocabulary cannot be used.
# Seen: 5.23.0 returns a BertTokenizer whose vocabulary is its five special tokens. Every word is [UNK], and no error or
#   warning is given. The model then answers all texts of one length alike.
# Why it matters: a half-copied folder passes every check that only asks whether loading works. Look for the files, or at the
#   number of words, before the tokenizer is used.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/model"
echo '{"model_type": "bert", "vocab_size": 30522}' >"$folder/model/config.json"
cat >"$folder/ask.py" <<'PYTHON'
import sys
import warnings

from transformers import AutoTokenizer

with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    try:
        tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
    except Exception as error:
        print("raises", type(error).__name__)
    else:
        ids = tokenizer("a fine film")["input_ids"]
        print(type(tokenizer).__name__, len(tokenizer), tokenizer.convert_ids_to_tokens(ids), len(warned), "warnings")
PYTHON
check() {
    python3 -m venv "$folder/$1"
    "$folder/$1/bin/pip" install --quiet --disable-pip-version-check "transformers==$1" "protobuf==6.33.1" 2>/dev/null
    result=$(HF_HUB_OFFLINE=1 "$folder/$1/bin/python" "$folder/ask.py" "$folder/model" 2>/dev/null)
    echo "transformers $1: $result"
    test "$result" = "$2"
}
check 4.57.6 "raises TypeError"
check 5.23.0 "BertTokenizer 5 ['[CLS]', '[UNK]', '[UNK]', '[UNK]', '[SEP]'] 0 warnings"
