"""Texts to attack: reviews of the generated task, and texts of a kind that no clean data set has."""

from __future__ import annotations

import random

from rosearch.data.grammar import derive

Rows = list[tuple[str, ...]]

NASTY = [
    "",
    " ",
    "film",
    "!?... -- ''",
    "It's the actor's well-made film, isn't it?",
    "'quoted' \"film\" `plot` (good) [bad] {dull}",
    "good good good good good",
    "The  plot   was\tgood \n and  slow",
    "and/or good/bad plot/story either/or",
    "In 1999 2,000 films cost $3.50 each, 10% of 7e6.",
    "good 😀 film 👍🏽 plot❤️",
    "电影 好看 film 中文电影很好",
    "café naïve Ångström ẞ straße Œuvre résumé",
    "İstanbul İ film good",
    "good <SPLIT> film",
    "the [UNK] plot [MASK] film [SEP] good [CLS]",
    "good <mask> film <unk>bad</s> plot",
    "very long " * 18 + "film",
    "see https://film.example.com/good?plot=bad&x=1 or mail good.plot@film.org",
    "snake_case_plot __good__ *bold* _slow_ @actor #film",
    "  leading and trailing film  ",
    "I I S P L T SPLIT good I",
    "a b c d e f g h",
    "film. Film? FILM! fIlM; film: movie, Movies, films",
    "non\u00a0breaking\u3000space\u200bfilm good\u2028plot\x1cbad\x85dull",
    "good-bad-ugly- -plot -- film's' ''plot''",
    "x" * 70 + " good " + "film" * 30,
    "ﬁlm ½ plot ² good \uff26\uff35\uff2c\uff2c bad",
    "e\u0301clair good\u0301 film \u0301",
    "don't can't won't shouldn't've y'all good",
    "good.bad.plot...film,plot,plot;good",
    "best bigger movies larger boxes mice went well moved",
]


def reviews(count: int, seed: int = 3) -> list[str]:
    """Reviews of the quickstart's task."""
    rng = random.Random(seed)
    return [derive(rng).text for _ in range(count)]


def single_rows(count: int, seed: int = 3) -> Rows:
    """All of `NASTY`, then reviews."""
    return [(text,) for text in (NASTY + reviews(max(0, count - len(NASTY)), seed))[:count]]


def pair_rows(count: int, seed: int = 4) -> Rows:
    """Reviews beside reviews, and beside everything in `NASTY` on either side."""
    rng = random.Random(seed)
    plain = reviews(count, seed)
    rows: Rows = []
    for number, text in enumerate(plain):
        nasty = rng.choice(NASTY)
        rows.append([(text, rng.choice(plain)), (nasty, text), (text, nasty)][number % 3])
    return rows
