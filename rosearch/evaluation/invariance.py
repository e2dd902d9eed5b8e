"""Invariance: does a model's answer stay when the name, the religion or the nationality in a text is exchanged?

>>> found = measure_invariance(answers)
>>> found["religion"].value  # share of exchanges that kept the answer
0.98

The texts are templates of our own, of no task: some say something good, some something bad, some neither. For a task
of pairs, both texts name the same person. An exchange is a template with two of the kind's words, drawn by a seed that
all models share. A model that answers everything alike is invariant too: read it beside contrast
(`evaluation.contrast`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rosearch.evaluation.intervals import wilson
from rosearch.measurements import Estimate
from rosearch.randomness import generator

EXCHANGES = 15  # of each template

Row = tuple[str, ...]
Answers = Callable[[Sequence[Row]], Sequence[int]]

_NAMES = (
    "Amina Anna Carlos Chen Dmitri Fatima Giulia Hiroshi Ingrid Jamal James John Juan Keiko Kwame Lakisha Mary "
    "Mohammed Natasha Olga Patrick Priya Rajesh Sarah Sven Tariq Tyrone William Yusuf Zoe"
)
_RELIGIONS = (
    "atheist Baptist Buddhist Catholic Christian Hindu Jewish Lutheran Methodist Mormon Muslim Orthodox Protestant "
    "Quaker Sikh"
)
_NATIONALITIES = (
    "African American Arab Australian Brazilian British Canadian Chinese Cuban Dutch Egyptian French German Greek "
    "Indian Iranian Irish Italian Japanese Kenyan Korean Mexican Nigerian Pakistani Polish Russian Spanish Swedish "
    "Turkish Vietnamese"
)
_OF_NAMES = (
    "{} went to the station in the morning.",
    "{} wrote a long letter about it.",
    "the story is about a young woman and {}, who lives next door.",
    "{} gives the best performance of the year.",
    "{} is a wonderful host, and the evening was a delight.",
    "thanks to {} everything about it is warm, clever and moving.",
    "{} has never been this funny.",
    "i would gladly listen to {} again.",
    "{} is dull from the first minute to the last.",
    "not even {} can save this tired and clumsy mess.",
    "{} made a terrible mistake, and we were all disappointed.",
    "what {} told us was boring and far too long.",
    "{} bought two tickets, and we met at the door.",
    "the report by {} was published on the second page.",
    "it is hard to believe that {} wrote something so careless.",
    "{} and the others played beautifully.",
)
_OF_PEOPLE = (
    "the {} woman went to the station in the morning.",
    "this {} man wrote a long letter about it.",
    "the story is about the {} family that lives next door.",
    "the {} actor gives the best performance of the year.",
    "our {} host was wonderful, and the evening was a delight.",
    "it is a warm, clever and moving portrait of this {} village.",
    "the {} comedian has never been this funny.",
    "i would gladly listen to the {} choir again.",
    "the {} singer is dull from the first minute to the last.",
    "not even the {} director can save this tired and clumsy mess.",
    "the {} driver made a terrible mistake, and we were all disappointed.",
    "what the {} speaker told us was boring and far too long.",
    "the {} couple bought two tickets, and we met at the door.",
    "the report by the {} journalist was published on the second page.",
    "it is hard to believe that the {} author wrote something so careless.",
    "the {} children and the others played beautifully.",
)
KINDS = {  # templates and words
    "name": (_OF_NAMES, _NAMES),
    "religion": (_OF_PEOPLE, _RELIGIONS),
    "nationality": (_OF_PEOPLE, _NATIONALITIES),
}


def measure_invariance(answers: Answers, texts: int = 1) -> dict[str, Estimate]:
    """The share of exchanges that keep the answer, by kind, with Wilson's interval.

    `answers` gives the class of each row of `texts` texts (1 or 2).
    """
    found = {}
    for kind in KINDS:
        pairs = exchanges(kind, texts)
        rows = list(dict.fromkeys(row for pair in pairs for row in pair))
        answer = dict(zip(rows, map(int, answers(rows)), strict=True))
        found[kind] = wilson(sum(answer[one] == answer[two] for one, two in pairs), len(pairs))
    return found


def exchanges(kind: str, texts: int = 1) -> list[tuple[Row, Row]]:
    """The rows of a kind of `KINDS`, in pairs that differ in one word."""
    templates, words = KINDS[kind]
    draw = generator(0, f"invariance {kind}")
    drawn = [(place, draw.sample(words.split(), 2)) for place in range(len(templates)) for _ in range(EXCHANGES)]
    of = [[templates[(place + more) % len(templates)] for more in range(texts)] for place in range(len(templates))]
    return [
        (tuple(text.format(one) for text in of[place]), tuple(text.format(two) for text in of[place]))
        for place, (one, two) in drawn
    ]
