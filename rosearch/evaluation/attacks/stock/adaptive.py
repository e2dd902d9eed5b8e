"""Attacks that know the defence: what a student reads alike is no candidate, and what it reads apart is tried often.

An attack that was made for plain students spends its tries on swaps that an encoding of words undoes, and so flatters
it (Tramer et al. 2020, arXiv 2002.08347: evaluate with an attack that adapts). These two ask the student's own
tokenizer how it reads a word, and keep one candidate of each reading that is not the original's. They have no
constraint on meaning; the `strict` forms have three. Both search as TextFooler does, word after word.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

from rosearch.evaluation.attacks.stock import stand_ins

if TYPE_CHECKING:
    from rosearch.resources.resources import Resources

TRIES = 60  # candidates of a word: 15 times the four of DeepWordBug, seven times the eight of the synonym swap
_NEAREST, _PROPOSED = 50, 50  # words by vectors of plain text, and of the masked LM
_PAIRS = 600  # pairs of edits that are drawn until there are TRIES candidates
_SHARE = 0.3  # strict: most words that may change (TextDefender, arXiv 2108.12777)
_ALIKE = 0.840845057  # strict: angular similarity of the texts, TextFooler's bound
_AT_ONCE = 32  # texts with a mask that the masked LM reads together
_LETTERS = string.ascii_lowercase

Reading = Callable[[str], str]


def reading_of(tokenizer: Any) -> Reading:
    """A function from a word to what the student reads in its place: the word itself where no encoding is."""
    encoding = getattr(tokenizer, "encoding", None)
    text = getattr(encoding, "text", None)
    return str.lower if text is None else text


def edits(word: str, read: Reading, tries: int) -> list[str]:
    """Up to `tries` misspellings of a word, one for each reading that is not its own; equal words get equal ones.

    One edit is a swap of adjacent letters, another letter, a letter less or more (DeepWordBug's four), or a space.
    Where those that change the reading are few, as an encoding undoes them, pairs of edits follow.
    """
    draw = random.Random(word)
    single = [*_single(word)]
    draw.shuffle(single)
    found: dict[str, str] = {}
    own = read(word)

    def take(made: str) -> None:
        if made.strip() and made != word and (seen := read(made)) != own:
            found.setdefault(seen, made)

    for made in single:
        if len(found) < tries:
            take(made)
    for _ in range(_PAIRS if single else 0):
        if len(found) >= tries:
            break
        twice = [*_single(draw.choice(single))]
        take(draw.choice(twice) if twice else word)
    return list(found.values())


def _single(word: str) -> Iterator[str]:
    for place in range(len(word) + 1):
        before, after = word[:place], word[place:]
        if after:
            yield before + after[1:]
        if len(after) > 1 and after[0] != after[1]:
            yield before + after[1] + after[0] + after[2:]
        if before and after:
            yield f"{before} {after}"
        for letter in _LETTERS:
            yield before + letter + after
            if after and after[0] != letter:
                yield before + letter + after[1:]


def adaptive_characters(textattack: ModuleType, resources: Resources, victim: Any) -> Any:
    """The attack on spelling."""
    return _attack(textattack, victim, _edit_swap(textattack, victim), [])


def strict_characters(textattack: ModuleType, resources: Resources, victim: Any) -> Any:
    """The attack on spelling within bounds on the share of words and on the similarity of the texts."""
    return _attack(textattack, victim, _edit_swap(textattack, victim), _bounds(textattack, resources, victim))


def adaptive_words(textattack: ModuleType, resources: Resources, victim: Any) -> Any:
    """The attack by words of all lists and of the masked LM."""
    return _attack(textattack, victim, _word_swap(textattack, resources, victim), [])


def strict_words(textattack: ModuleType, resources: Resources, victim: Any) -> Any:
    """The attack by words that keep the part of speech, within the bounds of `strict_characters`."""
    tag = stand_ins.part_of_speech(textattack, resources, victim)(allow_verb_noun_swap=True)
    bounds = _bounds(textattack, resources, victim)
    return _attack(textattack, victim, _word_swap(textattack, resources, victim), [tag, *bounds])


def _attack(textattack: ModuleType, victim: Any, transformation: Any, constraints: list[Any]) -> Any:
    before = textattack.constraints.pre_transformation.RepeatModification()
    goal = textattack.goal_functions.UntargetedClassification(victim)
    search = textattack.search_methods.GreedyWordSwapWIR(wir_method="delete")
    return textattack.Attack(goal, [before, *constraints], transformation, search)


def _bounds(textattack: ModuleType, resources: Resources, victim: Any) -> list[Any]:
    alike = stand_ins.universal_sentence_encoder(textattack, resources, victim)
    return [
        textattack.constraints.overlap.MaxWordsPerturbed(max_percent=_SHARE),
        alike(threshold=_ALIKE, metric="angular", compare_against_original=True, window_size=None),
    ]


def _edit_swap(textattack: ModuleType, victim: Any) -> Any:
    read = reading_of(victim.tokenizer)

    class EditsThatAreSeen(textattack.transformations.WordSwap):  # type: ignore[misc,name-defined]
        """A function of the word, so that the engine compiles it."""

        def _get_replacement_words(self, word: str) -> list[str]:
            return edits(word, read, TRIES)

    return EditsThatAreSeen()


def _word_swap(textattack: ModuleType, resources: Resources, victim: Any) -> Any:
    read, listed, proposed = reading_of(victim.tokenizer), _listed(resources), _proposals(resources)

    class WordsThatAreSeen(textattack.transformations.WordSwap):  # type: ignore[misc,name-defined]
        """All words of all lists, and those that a masked LM proposes in the original text: no function of the word."""

        def _get_transformations(self, current_text: Any, indices_to_modify: Any) -> list[Any]:
            made = []
            for index in indices_to_modify:
                word = current_text.words[index]
                others = (*listed(word.lower()), *proposed(_original(current_text), index))
                made += [current_text.replace_word_at_index(index, other) for other in _apart(word, others, read)]
            return made

    return WordsThatAreSeen()


def _apart(word: str, others: Sequence[str], read: Reading) -> list[str]:
    """The first of the other words for each reading that is not the word's own."""
    own, found = read(word), dict[str, str]()
    for other in others:
        shown = other.capitalize() if word[:1].isupper() else other
        if (seen := read(shown)) != own:
            found.setdefault(seen, shown)
    return list(found.values())


def _original(text: Any) -> Any:
    """The text that an attack began with; swaps keep the number of words, so that its indices are the same."""
    while (before := text.attack_attrs.get("previous_attacked_text")) is not None:
        text = before
    return text


def _listed(resources: Resources) -> Callable[[str], tuple[str, ...]]:
    """The words that any list has for a word: neighbours, WordNet, vectors of plain text, counter-fitted vectors."""
    sources: list[Callable[[str], Sequence[str]]] = []
    if resources.has("neighbours"):
        sources.append(resources.neighbours().of)
    sources += [resources.wordnet(name).synonyms for name in ("wordnet-3.0", "oewn") if resources.has(name)]
    sources += [
        stand_ins.nearest_words(getattr(resources, name)(), _NEAREST)
        for name in ("corpus_vectors", "vectors")
        if resources.has(name)
    ]

    @lru_cache(maxsize=2**14)
    def listed(word: str) -> tuple[str, ...]:
        found = (other for source in sources for other in source(word))
        return tuple(dict.fromkeys(other for other in found if other.isalpha()))

    return listed


def _proposals(resources: Resources) -> Callable[[Any, int], tuple[str, ...]]:
    """The words that the masked LM has for each place of a text, behind its mask."""
    import torch  # late: names of attacks are read without it

    model, tokenizer = stand_ins.masked_lm(resources)
    vocabulary = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    words = torch.tensor([number for number, piece in enumerate(vocabulary) if piece.isalpha()])
    most = min(_PROPOSED, len(words))

    def best(masked: list[str]) -> list[tuple[str, ...]]:
        inputs = tokenizer(masked, truncation=True, padding=True, return_tensors="pt").to(model.device)
        behind = inputs["input_ids"] == tokenizer.mask_token_id
        with torch.inference_mode():
            logits = model(**inputs).logits.float().cpu()
        found: list[tuple[str, ...]] = []
        for row, places in enumerate(behind.cpu()):
            place = places.nonzero().flatten()
            if not len(place):  # beyond what the model reads
                found.append(())
                continue
            nearest = words[logits[row, place[0]][words].topk(most).indices].tolist()
            found.append(tuple(vocabulary[number] for number in nearest))
        return found

    @lru_cache(maxsize=2**10)
    def of_text(text: Any) -> list[tuple[str, ...]]:
        masked = [text.replace_word_at_index(index, tokenizer.mask_token).text for index in range(len(text.words))]
        return [words for start in range(0, len(masked), _AT_ONCE) for words in best(masked[start : start + _AT_ONCE])]

    return lambda text, index: of_text(text)[index]
