#!/usr/bin/env bash
# @huggingface/transformers (transformers.js) 4.3.2 beside tokenizers 0.22.2: a text that is cut loses its closing special token.
#
# Expected: one tokenizer.json gives the same ids in both. Python makes room for what the template adds: of 8 tokens, [CLS], six words
#   and [SEP].
# Seen: JavaScript adds the special tokens first and cuts afterwards: [CLS] and seven words, no [SEP]. Shorter texts agree. Nothing warns.
# Why it matters: a classifier in a browser answers a long text otherwise than in Python, and an agreement that was measured on short texts
#   does not show it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "tokenizers==0.22.2" 2>/dev/null
(cd "$folder" && npm install --silent --no-audit --no-fund --ignore-scripts "@huggingface/transformers@4.3.2" >/dev/null 2>&1)
cat >"$folder/made.py" <<'PYTHON'
import json
from pathlib import Path

import tokenizers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghijklmnop"]
made = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="[UNK]"))
made.pre_tokenizer = pre_tokenizers.Whitespace()
made.post_processor = processors.TemplateProcessing(
    single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
)
made.add_special_tokens(words[:4])
place = Path("made")
place.mkdir()
made.save(str(place / "tokenizer.json"))
(place / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 8}))
made.enable_truncation(8)
print("tokenizers", tokenizers.__version__)
for text in ("a b c", "a b c d e f g h i j"):
    print("python:", *made.encode(text).tokens)
PYTHON
cat >"$folder/made.mjs" <<'JAVASCRIPT'
import { AutoTokenizer, env } from '@huggingface/transformers';
env.allowRemoteModels = false;
env.localModelPath = '.';
const made = await AutoTokenizer.from_pretrained('made', { local_files_only: true });
console.log('transformers.js', env.version);
for (const text of ['a b c', 'a b c d e f g h i j']) {
  const { input_ids } = made(text, { truncation: true, max_length: 8, return_tensor: false });
  console.log('javascript:', ...input_ids.map((id) => made.decode([id])));
}
JAVASCRIPT
cat >"$folder/seen.txt" <<'SEEN'
tokenizers 0.22.2
python: [CLS] a b c [SEP]
python: [CLS] a b c d e f [SEP]
transformers.js 4.3.2
javascript: [CLS] a b c [SEP]
javascript: [CLS] a b c d e f g
SEEN
cd "$folder"
{ venv/bin/python made.py && node made.mjs; } 2>/dev/null | tee now.txt
diff seen.txt now.txt && echo "as described"
