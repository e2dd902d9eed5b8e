"""The word table that students of a task start with: the teacher's, or one whose synonyms were moved together.

>>> table = word_table(materials, experiment.distillation)  # None for `word_table: teacher`
>>> table.lend(load_encoder(materials.teacher))  # a model in memory; the teacher's folder stays as it is

It is made once and kept in `cache/word_tables/KEY`. Which words are synonyms is looked up here, `training.word_table`
moves them. Words that stay apart in an encoding (`encodings.apart`) and stop words are left where they are.
"""

from __future__ import annotations

import json
from collections.abc import Set as AbstractSet
from dataclasses import asdict, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from rosearch.config.distillation import DistillationConfig
from rosearch.encodings.apart import words_apart
from rosearch.encodings.tokenizer import SameSense
from rosearch.encodings.vocabulary import beginnings
from rosearch.errors import BadInput, Problem
from rosearch.files import content_key, made_once
from rosearch.materials.required_resources import lists_of_word_table
from rosearch.materials.task import TaskMaterials
from rosearch.models.places import folder_fingerprint
from rosearch.models.saved import load_tokenizer
from rosearch.progress import Progress, silent, step
from rosearch.resources.word_lists import stop_words
from rosearch.training.encoder import load_encoder
from rosearch.training.text_sources import WORD, single_pieces, words_of
from rosearch.training.word_table import MetricSettings, WordPairs, WordTable, move_words

_FORMAT = "1"  # part of every key: raise it when what is made changes
_ROWS, _FACTS = "rows.safetensors", "facts.json"


def word_table(materials: TaskMaterials, config: DistillationConfig, progress: Progress = silent) -> WordTable | None:
    """The moved rows of the teacher's word table, from the cache if they were made; None for `word_table: teacher`.

    Equal for all students of a teacher and a task, whatever they read by. Raises `MissingResource` without the word
    lists, and `BadInput` where the teacher's vocabulary holds no two synonyms.
    """
    if config.word_table == "teacher":
        return None
    lists, resources, settings = lists_of_word_table(config), materials.lists, MetricSettings()
    resources.require(lists, "distillation.word_table: metric")
    read = (*lists, *(["antonyms"] if resources.has("antonyms") else []))
    of = (folder_fingerprint(materials.teacher), materials.task.fingerprint)
    parts = (_FORMAT, *map(str, asdict(settings).values()), *of, resources.fingerprint(read))
    key = content_key(parts)

    def make(draft: Path) -> None:
        draft.mkdir()
        with step(progress, "synonyms"):
            pairs = _pairs(materials)
            table = load_encoder(materials.teacher).get_input_embeddings().weight
        made = move_words(table, pairs, settings, progress)
        save_file({"rows": made.rows, "vectors": made.vectors}, draft / _ROWS)
        facts = {"key": key, "lists": read, **made.facts}
        (draft / _FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")

    return made_once(materials.cache / "word_tables" / key, _read, make)


def with_word_table(materials: TaskMaterials, config: DistillationConfig, progress: Progress = silent) -> TaskMaterials:
    """The same materials, with the table made and its facts among the notes; nothing happens for `teacher`."""
    table = word_table(materials, config, progress)
    return materials if table is None else replace(materials, notes=(*materials.notes, table.summary()))


def _read(folder: Path) -> WordTable | None:
    try:
        found = load_file(folder / _ROWS)
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    # Copies: what safetensors gives is a view of the file, and ends the process where that is cut short.
    return WordTable(found["rows"].clone(), found["vectors"].clone(), facts)


def _pairs(materials: TaskMaterials) -> WordPairs:
    """Pairs of the teacher's rows, among words that are one piece. Raises `BadInput` where no two are synonyms."""
    resources, tokenizer = materials.lists, load_tokenizer(materials.teacher)
    neighbours, wordnet = resources.neighbours(), resources.wordnet()
    against = resources.antonyms() if resources.has("antonyms") else {}
    listed = {word: neighbours.of(word) for word in neighbours.words()}
    task = {word.word for row in materials.transfer.texts for text in row for word in words_of(text)}
    whole = beginnings(tokenizer) if getattr(tokenizer, "is_fast", False) else set()
    words = {*listed, *(other for others in listed.values() for other in others), *task, *whole}
    rows = single_pieces(tokenizer, sorted(word for word in words if WORD.fullmatch(word) and word == word.lower()))
    apart = words_apart(rows, wordnet.synsets, rows.keys()) | stop_words()
    free = {word: row for word, row in rows.items() if word not in apart}
    same_sense = SameSense(wordnet)
    synonyms = {
        _pair(row, free[other])
        for word, row in free.items()
        for other in (*listed.get(word, ()), *same_sense(word))
        if free.get(other, row) != row and other not in against.get(word, ())
    }
    opposites = {
        _pair(row, free[other]) for word, row in free.items() for other in against.get(word, ()) if other in free
    }
    if not synonyms:
        expected = "teacher, or metric with a teacher among whose pieces are words of the lists"
        raise BadInput(Problem("experiment", "distillation.word_table", expected, "metric, and no two synonyms"))
    of_task = sorted({row for word, row in free.items() if word in task})
    return WordPairs(_tensor(synonyms), _tensor(opposites - synonyms), torch.tensor(of_task, dtype=torch.long))


def _pair(one: int, two: int) -> tuple[int, int]:
    return min(one, two), max(one, two)


def _tensor(pairs: AbstractSet[tuple[int, int]]) -> Tensor:
    return torch.tensor(sorted(pairs), dtype=torch.long).reshape(-1, 2)
