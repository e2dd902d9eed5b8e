"""The quickstart's task: short film reviews derived from a grammar, which also decides their sentiment.

::

    review      -> [opener ,] opinion . [aside .]
    opinion     -> clause                                  polarity of the clause
                 | clause and clause                       both of one polarity
                 | clause , but clause                     polarity of the last
                 | although clause , clause                polarity of the main clause
                 | clause , although clause                polarity of the main clause
                 | despite the ADJECTIVE NOUN , clause     polarity of the clause
                 | somebody said that clause , but clause  polarity of the writer's own clause
    clause      -> the NOUN was [INTENSIFIER] ADJECTIVE    polarity of the word
                 | I VERB the NOUN                         polarity of the word
                 | either of them negated                  the opposite
    aside       -> something of no sentiment
                 | the THING was ADJECTIVE                 about no film: polarity of nothing

Openers and asides are distractors; intensifiers never change a polarity. Words alone therefore tell little: a
reader must know what is negated and which clause counts.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rosearch.config.task import TaskConfig
from rosearch.data.tasks import Split
from rosearch.errors import BadInput, Problem
from rosearch.randomness import generator

NEGATIVE, POSITIVE = -1, 1
NAMES = {NEGATIVE: "negative", POSITIVE: "positive"}
MIN_WORDS, MAX_WORDS = 8, 20


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split(", "))


ADJECTIVES = {
    POSITIVE: _listed(
        "brilliant, charming, moving, gripping, clever, delightful, superb, touching, funny, fresh, "
        "memorable, elegant, thrilling, convincing, lovely, engaging, witty, excellent, wonderful, "
        "beautiful, rewarding"
    ),
    NEGATIVE: _listed(
        "dull, clumsy, tedious, awful, predictable, silly, bland, lifeless, boring, shallow, weak, messy, "
        "hollow, annoying, terrible, dreadful, forgettable, pointless, stale, lazy, ugly"
    ),
}
VERBS = {  # past tense and infinitive
    POSITIVE: (("enjoyed", "enjoy"), ("loved", "love"), ("liked", "like"), ("admired", "admire")),
    NEGATIVE: (("disliked", "dislike"), ("hated", "hate"), ("loathed", "loathe"), ("resented", "resent")),
}
NOUNS = _listed(
    "plot, story, script, dialogue, ending, opening, cast, acting, direction, soundtrack, pacing, "
    "photography, humour, editing, romance, mystery, atmosphere, finale, villain, lead actor, second half, "
    "first act, final scene, main character, side plot, whole film"
)
INTENSIFIERS = _listed("very, really, truly, utterly, quite, rather, thoroughly, absolutely")
NEGATIONS = _listed("not, not, never, hardly, by no means, not at all, far from, anything but")
NEGATED_VERBS = _listed("did not {infinitive}, did not really {infinitive}, never {past}")
SPEAKERS = _listed("my brother, my sister, a friend, one critic, the reviewer, my neighbour, everyone at work")
REPORTS = _listed("said that, told me that, insisted that, claimed that")
OPENERS = _listed(
    "honestly, in my view, as far as I can tell, all things considered, in the end, on a second viewing, "
    "to my mind, looking back, for what it is worth, having read the book"
)
ASIDES = _listed(
    "we saw it on a rainy Sunday, it runs for two hours, it was shot in Spain, it is set in the fifties, "
    "the hall was half full, we took the late train home, the tickets were on sale, it is based on a novel"
)
THINGS = _listed("popcorn, weather, parking, queue, coffee, trailer before it, bus ride")


@dataclass(frozen=True)
class Clause:
    """One judgement: the polarity of its word, the opposite where it is negated."""

    words: str
    word_polarity: int
    negated: bool = False

    @property
    def polarity(self) -> int:
        """+1 or -1."""
        return -self.word_polarity if self.negated else self.word_polarity


@dataclass(frozen=True)
class Review:
    """A derivation: the production of the opinion, the clause that counts, and the others."""

    production: str
    text: str
    main: Clause
    others: tuple[Clause, ...]

    @property
    def polarity(self) -> int:
        """+1 or -1: the polarity of the clause that counts."""
        return self.main.polarity


def derive(rng: random.Random) -> Review:
    """One random derivation of 8 to 20 words."""
    names, weights = list(PRODUCTIONS), [weight for _, weight in PRODUCTIONS.values()]
    while True:
        name = rng.choices(names, weights)[0]
        main = _clause(rng, rng.choice((NEGATIVE, POSITIVE)))
        opinion, others = PRODUCTIONS[name][0](rng, main)
        opener = f"{rng.choice(OPENERS)}, " if rng.random() < 0.25 else ""
        sentences = [opener + opinion, *_aside(rng)]
        text = " ".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in sentences)
        if MIN_WORDS <= len(text.split()) <= MAX_WORDS:
            return Review(name, text, main, others)


def generate_splits(config: TaskConfig, seed: int) -> dict[str, Split]:
    """Train, validation and test in the sizes of `config.generated`: balanced, no text in two of them.

    Raises `BadInput` where the task is no classification of one text into negative and positive.
    """
    assert config.generated is not None
    where = f"task {config.name}"
    problems = []
    if len(config.text) != 1:
        problems.append(Problem(where, "task.text", "one column for a generated task", str(config.text)))
    if sorted(config.labels) != sorted(NAMES.values()):
        expected = "negative and positive for a generated task"
        problems.append(Problem(where, "task.labels", expected, str(config.labels)))
    if problems:
        raise BadInput(problems)
    rng = generator(seed, "grammar")
    seen: set[str] = set()
    sizes = config.generated
    rows = {"train": sizes.train, "validation": sizes.validation, "test": sizes.test}
    return {name: _split(rng, count, config.labels, seen) for name, count in rows.items()}


def _split(rng: random.Random, rows: int, labels: list[str], seen: set[str]) -> Split:
    wanted = {NEGATIVE: rows // 2, POSITIVE: rows - rows // 2}
    reviews: list[Review] = []
    while len(reviews) < rows:
        review = derive(rng)
        if wanted[review.polarity] and review.text not in seen:
            wanted[review.polarity] -= 1
            seen.add(review.text)
            reviews.append(review)
    rng.shuffle(reviews)  # the last reviews are all of the class that was filled last
    classes = [labels.index(NAMES[review.polarity]) for review in reviews]
    return Split(tuple((review.text,) for review in reviews), np.array(classes, dtype=np.int64))


def _clause(rng: random.Random, polarity: int, first_person: bool = True) -> Clause:
    """A clause of the given polarity; it is negated or not by chance."""
    negated = rng.random() < 0.25
    word = -polarity if negated else polarity
    noun = rng.choice(NOUNS)
    if first_person and rng.random() < 0.25:
        past, infinitive = rng.choice(VERBS[word])
        verb = rng.choice(NEGATED_VERBS).format(past=past, infinitive=infinitive) if negated else past
        return Clause(f"I {verb} the {noun}", word, negated)
    before = ""
    if negated:
        before = f"{rng.choice(NEGATIONS)} "
    elif rng.random() < 0.4:
        before = f"{rng.choice(INTENSIFIERS)} "
    return Clause(f"the {noun} was {before}{rng.choice(ADJECTIVES[word])}", word, negated)


def _aside(rng: random.Random) -> list[str]:
    chance = rng.random()
    if chance < 0.1:
        return [f"the {rng.choice(THINGS)} was {rng.choice(ADJECTIVES[rng.choice((NEGATIVE, POSITIVE))])}"]
    return [rng.choice(ASIDES)] if chance < 0.4 else []


_Opinion = tuple[str, tuple[Clause, ...]]


def _plain(rng: random.Random, main: Clause) -> _Opinion:
    return main.words, ()


def _agreement(rng: random.Random, main: Clause) -> _Opinion:
    other = _clause(rng, main.polarity)
    return f"{main.words} and {other.words}", (other,)


def _contrast(rng: random.Random, main: Clause) -> _Opinion:
    other = _clause(rng, -main.polarity)
    return f"{other.words}, {rng.choice(('but', 'yet'))} {main.words}", (other,)


def _concession_first(rng: random.Random, main: Clause) -> _Opinion:
    other = _clause(rng, -main.polarity)
    return f"{rng.choice(('although', 'even though', 'while'))} {other.words}, {main.words}", (other,)


def _concession_last(rng: random.Random, main: Clause) -> _Opinion:
    other = _clause(rng, -main.polarity)
    return f"{main.words}, {rng.choice(('although', 'even though', 'even if'))} {other.words}", (other,)


def _despite(rng: random.Random, main: Clause) -> _Opinion:
    words = f"despite the {rng.choice(ADJECTIVES[-main.polarity])} {rng.choice(NOUNS)}"
    return f"{words}, {main.words}", (Clause(words, -main.polarity),)


def _hearsay(rng: random.Random, main: Clause) -> _Opinion:
    other = _clause(rng, -main.polarity, first_person=False)
    words = f"{rng.choice(SPEAKERS)} {rng.choice(REPORTS)} {other.words}"
    return f"{words}, but {main.words}", (other,)


# What each production makes of its main clause, and its weight. Most of the weight has no counter-claim, so
# that a weak student learns something and only a good one learns the rest.
PRODUCTIONS: dict[str, tuple[Callable[[random.Random, Clause], _Opinion], int]] = {
    "plain": (_plain, 40),
    "agreement": (_agreement, 20),
    "contrast": (_contrast, 14),
    "concession_first": (_concession_first, 8),
    "concession_last": (_concession_last, 5),
    "despite": (_despite, 7),
    "hearsay": (_hearsay, 6),
}
