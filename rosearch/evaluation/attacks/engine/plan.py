"""A frozen plan of an attack: all computations of TextAttack that do not depend on the student, done once.

A plan covers swaps of single words whose candidates depend on the word alone and that never touch a word twice. It
holds the words, those that may change in TextAttack's order, the texts with one word left out, and each word's
candidates after all constraints that compare with the original. Only the path (the swaps that are taken) depends on
the student. TextAttack's own code compiles the plan; `lockstep` walks it for any number of students.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rosearch.errors import machine_fault
from rosearch.evaluation.attacks.stock.forms import Form, frozen_constraints
from rosearch.evaluation.attacks.stock.library import generators_at, remembered_words
from rosearch.evaluation.attacks.stock.rows import attacked_text, columns_of
from rosearch.files import content, content_key, made_once
from rosearch.progress import Progress, silent
from rosearch.randomness import derive_seed

_FORMAT = "3"  # part of every key: raise it when what is compiled changes


@dataclass(frozen=True)
class PlanRow:
    """One row. Word indices count over both texts of a pair, which TextAttack joins by a line break."""

    texts: tuple[str, ...]
    words: tuple[str, ...]
    starts: tuple[int, ...]  # of each word, as an offset in the joined text
    order: tuple[int, ...]  # the words that may change, as TextAttack lists them (a set's order)
    left_out: tuple[tuple[str, ...], ...]  # the row without each word of `order`, or with "[UNK]" in its place
    candidates: tuple[tuple[str, ...], ...]  # of each word, sorted as TextAttack sorts the texts they make
    unsorted: tuple[int, ...]  # words whose candidates can change their order through other swaps
    parts: dict[str, tuple[str, ...]]  # words of the candidates that TextAttack does not split into themselves
    firsts: tuple[tuple[int, int], ...] = ()  # `single` only: (word, candidate) of all first steps, in order
    odd: str = ""  # the reason why the engine leaves this row to TextAttack itself


@dataclass(frozen=True)
class Plan:
    """The rows of one recipe and seed. `key` is 32 hex digits of everything that they were compiled from."""

    key: str
    recipe: str
    seed: int
    rows: tuple[PlanRow, ...]


def compile_plan(
    textattack: Any,
    attack: Any,
    form: Form,
    recipe: str,
    texts: Sequence[tuple[str, ...]],
    seed: int,
    *,
    fingerprint: str,
    cache: Path,
    progress: Progress = silent,
) -> Plan:
    """The plan of rows of one or two texts, from `cache/plans/KEY.json` if it was compiled before.

    `attack` is an attack of the module `textattack`, `form` its form by `form_of`, `fingerprint` identifies the
    resources behind it. Random numbers for a row depend on the seed, the recipe and the row alone. Other processes may
    compile the same plan, and a process may be killed half-way.
    """
    key = plan_key(recipe, texts, seed, fingerprint)

    def make(draft: Path) -> None:
        compiled = []
        with remembered_words():
            for done, row in enumerate(texts, start=1):
                with generators_at(derive_seed(seed, "\x1e".join(("plan", recipe, *row)))):
                    compiled.append(asdict(_compile_row(textattack, attack, form, row)))
                progress("compile", done, len(texts))
        draft.write_text(json.dumps(compiled), encoding="utf-8")

    rows = made_once(cache / "plans" / f"{key}.json", lambda path: _read(path, texts), make)
    return Plan(key, recipe, seed, rows)


def plan_key(recipe: str, texts: Sequence[tuple[str, ...]], seed: int, fingerprint: str) -> str:
    """32 hex digits of everything but the model that an attack on these rows depends on."""
    content = json.dumps([_FORMAT, recipe, seed, fingerprint, [list(row) for row in texts]])
    return content_key([content])


_ROWS: TypeAdapter[tuple[PlanRow, ...]] = TypeAdapter(tuple[PlanRow, ...])


def _read(path: Path, texts: Sequence[tuple[str, ...]]) -> tuple[PlanRow, ...] | None:
    """The rows that were compiled before; None where the file is absent or damaged."""
    try:
        rows = _ROWS.validate_json(content(path))
    except (OSError, ValidationError):
        return None
    return rows if [row.texts for row in rows] == [tuple(row) for row in texts] else None


_CHINESE = re.compile("[\u4e00-\u9fff]")  # characters for which words_from_text asks jieba


class _Odd(Exception):  # noqa: N818 (no error: a row that is left to TextAttack)
    pass


def _compile_row(textattack: Any, attack: Any, form: Form, texts: tuple[str, ...]) -> PlanRow:
    try:
        with frozen_constraints(attack, form):
            return _Compiler(textattack, attack, form, texts).row()
    except _Odd as odd:
        reason = str(odd)
    except Exception as error:  # TextAttack raises it again when the row is attacked; it is recorded there
        if machine_fault(error):
            raise
        reason = f"{type(error).__name__}: {error}"
    return PlanRow(texts, (), (), (), (), (), (), {}, odd=reason or "unknown")


class _Compiler:
    """Compiles one row, and checks each assumption of the engine on TextAttack's own text of each swap."""

    def __init__(self, textattack: Any, attack: Any, form: Form, texts: tuple[str, ...]) -> None:
        self.attack = attack
        self.form = form
        self.texts = texts
        self.words_of = textattack.shared.utils.words_from_text
        self.original = attacked_text(textattack, texts)
        self.joined: str = self.original.text
        self.words: list[str] = list(self.original.words)
        self.starts = list(_starts(self.words, self.joined))
        self.parts: dict[str, tuple[str, ...]] = {}

    def row(self) -> PlanRow:
        if self.joined != "\n".join(self.texts):
            raise _Odd("TextAttack reads another text")
        if _CHINESE.search(self.joined):
            raise _Odd("TextAttack splits Chinese by what stands around it")
        if len(self.joined.lower()) != len(self.joined):
            raise _Odd("a character has another length in lower case")
        _, order = self.attack.get_indices_to_order(self.original)
        order = [int(index) for index in order]
        candidates, firsts = self._candidates(order)
        single = self.form.search == "single"
        return PlanRow(
            self.texts,
            tuple(self.words),
            tuple(self.starts),
            tuple(order),
            () if single else tuple(self._left_out(index) for index in order),
            tuple(candidates),
            tuple(index for index, words in enumerate(candidates) if self._unsorted(index, words)),
            self.parts,
            tuple(firsts) if single else (),
        )

    def _left_out(self, index: int) -> tuple[str, ...]:
        if self.form.search == "delete":
            return columns_of(self.original.delete_word_at_index(index))
        return columns_of(self.original.replace_word_at_index(index, self.attack.search_method.unk_token))

    def _candidates(self, order: list[int]) -> tuple[list[tuple[str, ...]], list[tuple[int, int]]]:
        candidates: list[tuple[str, ...]] = [()] * len(self.words)
        firsts: list[tuple[str, int, int]] = []
        for index in sorted(order):
            made = self.attack.get_transformations(
                self.original, original_text=self.original, indices_to_modify=[index]
            )
            candidates[index] = tuple(self._checked(index, text) for text in made)
            firsts += [(text.text, index, place) for place, text in enumerate(made)]
        firsts.sort(key=lambda first: first[0])
        return candidates, [(index, place) for _, index, place in firsts]

    def _checked(self, index: int, swapped: Any) -> str:
        """The candidate that made this text; the text must differ from the original at its word only."""
        start, word = self.starts[index], self.words[index]
        after = self.joined[start + len(word) :]
        text: str = swapped.text
        candidate = text[start : len(text) - len(after)]
        if text != self.joined[:start] + candidate + after or candidate == word:
            raise _Odd(f"a swap of {word!r} changes more than the word")
        if any(character.isspace() and character != " " for character in candidate) or candidate != candidate.strip():
            raise _Odd(f"the candidate {candidate!r} has white space other than a space between words")
        if _CHINESE.search(candidate):
            raise _Odd(f"the candidate {candidate!r} makes TextAttack split words by what stands around them")
        parts = tuple(self.words_of(candidate))
        if not parts:
            raise _Odd(f"the candidate {candidate!r} is no word")
        words = [*self.words[:index], *parts, *self.words[index + 1 :]]
        if swapped.words != words:
            raise _Odd(f"the candidate {candidate!r} changes how other words are split")
        if swapped.attack_attrs["modified_indices"] != set(range(index, index + len(parts))):
            raise _Odd(f"TextAttack takes other words than {candidate!r} for changed")
        if parts == (word,) and self.form.search == "single":
            raise _Odd(f"{candidate!r} counts as no change, so a second swap would follow")
        if len(parts) != 1 and (self.form.by_index or self.form.search == "single"):
            raise _Odd(f"constraints would compare other words once {candidate!r} has moved them")
        if parts != (candidate,):
            self.parts[candidate] = parts
        return candidate

    def _unsorted(self, index: int, candidates: Sequence[str]) -> bool:
        """True where the order of these candidates depends on the rest of the text.

        TextAttack sorts whole texts: where one candidate begins another, the following text may decide. The character
        after a word is part of no word, so it never changes.
        """
        end = self.starts[index] + len(self.words[index])
        following = self.joined[end : end + 1]
        ordered = sorted(candidates)
        for candidate in ordered if following else ():
            place = bisect_left(ordered, candidate + following)
            if place < len(ordered) and ordered[place].startswith(candidate + following):
                return True
        return False


def _starts(words: Sequence[str], joined: str) -> Iterator[int]:
    """The start of each word, found as TextAttack finds it: at the next place where its letters occur."""
    at = 0
    for word in words:
        start = joined.find(word, at)
        if start < 0:
            raise _Odd(f"the word {word!r} does not stand in the text as it is split")
        yield start
        at = start + len(word)
