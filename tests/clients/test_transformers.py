"""An exported student in a process of plain transformers: asked, trained on, saved, loaded and saved again."""

from __future__ import annotations

from pathlib import Path

import pytest
from clients.students import MEANT, TEXTS, TYPOS, Kind, asked, exported, tokenizer

pytestmark = pytest.mark.clients

USE = """
import json, pickle
import datasets, torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding, Trainer
from transformers import TrainingArguments, pipeline
torch.set_num_threads(1)
folder, texts = json.loads(sys.argv[1])
trust = {"trust_remote_code": True}

def answers(folder):
    ask = pipeline("text-classification", model=folder, device="cpu", top_k=None, **trust)
    return [{one["label"]: round(one["score"], 5) for one in found} for found in ask(texts, truncation=True)]

def read(rows):
    return tokenizer(rows["text"], truncation=True)

tokenizer = AutoTokenizer.from_pretrained(folder, **trust)
model = AutoModelForSequenceClassification.from_pretrained(folder, **trust)
ids = tokenizer(texts, truncation=True)["input_ids"]
told = {"ids": ids, "pickled": pickle.loads(pickle.dumps(tokenizer))(texts, truncation=True)["input_ids"] == ids}
rows = datasets.Dataset.from_dict({"text": texts * 4, "label": [0, 1] * (2 * len(texts))})
mapped = rows.map(read, batched=True, batch_size=2, num_proc=2, remove_columns=["text"])
told["mapped"] = mapped["input_ids"][: len(texts)] == ids
told["first"] = answers(folder)
settings = TrainingArguments(
    "trained", max_steps=4, per_device_train_batch_size=2, learning_rate=1e-2, report_to=[], use_cpu=True,
    save_strategy="no", disable_tqdm=True,
)
before = {name: one.clone() for name, one in model.state_dict().items()}
collate = DataCollatorWithPadding(tokenizer)
told["loss"] = Trainer(model=model, args=settings, train_dataset=mapped, data_collator=collate).train().training_loss
told["changed"] = sum(not torch.equal(before[name], one) for name, one in model.state_dict().items())
for name in ("again", "third"):
    model.save_pretrained(name)
    tokenizer.save_pretrained(name)
    told[name] = answers(name)
    model = AutoModelForSequenceClassification.from_pretrained(name, **trust)
    tokenizer = AutoTokenizer.from_pretrained(name, **trust)
told["same bytes"] = open("again/model.safetensors", "rb").read() == open("third/model.safetensors", "rb").read()
told["read again"] = tokenizer(texts, truncation=True)["input_ids"] == ids
try:
    AutoTokenizer.from_pretrained("third", trust_remote_code=False)
    told["untrusted"] = "read"
except Exception as error:
    told["untrusted"] = str(error)
print()
print(json.dumps(told))
"""


@pytest.mark.parametrize("kind", ["texts", "encoded"])
def test_it_is_asked_fine_tuned_saved_loaded_and_saved_again(kind: Kind, tmp_path: Path) -> None:
    texts, meant = (TYPOS, MEANT) if kind == "encoded" else (TEXTS, TEXTS)
    told = asked(USE, str(exported(tmp_path, kind)), texts, cwd=tmp_path)
    assert told["ids"] == tokenizer("texts")(meant, truncation=True, max_length=24)["input_ids"]
    assert told["pickled"] and told["mapped"] and told["read again"]
    assert all(abs(sum(one.values()) - 1) < 1e-4 and {*one} == {"negative", "positive"} for one in told["first"])
    assert told["loss"] > 0 and told["changed"] > 10
    assert told["again"] == told["third"] != told["first"] and told["same bytes"]
    assert ("trust_remote_code=True" in told["untrusted"]) == (kind == "encoded")
