"""A user's first files: tickets as CSV, and the folder of a BERT that knows its classes."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import torch
from small_run import WORDS, write_teacher
from transformers import AutoTokenizer, BertForSequenceClassification

QUEUES = ("billing", "returns", "shipping")
FLAGS = ("--train-file", "tickets.csv", "--text", "message", "--label", "queue", "--teacher", "./my-bert")


def write_own_data(folder: Path, rows: int = 160) -> Path:
    """`tickets.csv` (id, message, queue) and `my-bert` in a folder; the first words of a message tell its queue."""
    rng = random.Random(4)
    with (folder / "tickets.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "message", "queue"])
        for number in range(rows):
            place = rng.randrange(len(QUEUES))
            told = [("good", "bad", "slow")[place]] * 2 + rng.choices(WORDS[:14], k=rng.randint(3, 8))
            writer.writerow([number, f"{' '.join(told)}, please", QUEUES[place]])
    write_teacher(folder / "my-bert", list(QUEUES))
    return folder


def fine_tune(folder: Path, steps: int = 80) -> None:
    """Teaches `my-bert` the tickets, as its owner has done."""
    with (folder / "tickets.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    model = BertForSequenceClassification.from_pretrained(folder / "my-bert")
    tokenizer = AutoTokenizer.from_pretrained(folder / "my-bert")
    batch = tokenizer([row["message"] for row in rows], padding=True, return_tensors="pt")
    labels = torch.tensor([QUEUES.index(row["queue"]) for row in rows])
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(steps):
        model(**batch, labels=labels).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    model.save_pretrained(folder / "my-bert")
