"""An attack prepared for any number of models: a recipe, its rows, and its plan, if it has one.

Rows of a plan go to the engine. Rows that it cannot follow exactly, and recipes without a plan, go to the pool of
unmodified TextAttack attacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rosearch.evaluation.attacks.engine.lockstep import run_engine
from rosearch.evaluation.attacks.engine.plan import Plan, compile_plan, plan_key
from rosearch.evaluation.attacks.engine.tokens import Tokens, pieces_of, tokens_of
from rosearch.evaluation.attacks.engine.walk import Walk
from rosearch.evaluation.attacks.recipes import Recipe, build, resolve
from rosearch.evaluation.attacks.result import NO_LIMITS, AttackedRow, Limits, OnRow, ignored
from rosearch.evaluation.attacks.stock import library
from rosearch.evaluation.attacks.stock.forms import Form, form_of
from rosearch.evaluation.attacks.stock.pool import RowJob, run_pool
from rosearch.evaluation.attacks.victim import Victim, expected
from rosearch.progress import Progress, silent, step
from rosearch.randomness import derive_seed
from rosearch.resources.resources import Resources


@dataclass(frozen=True)
class PreparedAttack:
    """A recipe on fixed rows with a fixed seed. Equal keys mean that the same candidates would be tried."""

    recipe: Recipe
    texts: tuple[tuple[str, ...], ...]
    seed: int
    key: str
    plan: Plan | None  # None: the recipe runs in the pool
    form: Form | None
    resources: Resources
    cache: Path

    def run(
        self,
        victim: Victim,
        labels: Sequence[int],
        places: Sequence[int] | None = None,
        limits: Limits = NO_LIMITS,
        progress: Progress = silent,
        finished: OnRow = ignored,
    ) -> list[AttackedRow]:
        """The outcomes of the rows at `places` (default: all), in that order.

        `labels` are those of all rows; `finished` is told the place and the outcome of each row as it ends. Call it
        inside `evaluation.quality.inference`. An error of the attack is its row's outcome; an error of the model goes
        through.
        """
        places = range(len(self.texts)) if places is None else places
        if self.recipe.adapts:
            victim = expected(victim, self.texts)
        walked = [place for place in places if self.plan is not None and not self.plan.rows[place].odd]
        left = sorted(set(places) - set(walked))
        done = {}
        if walked and self.plan is not None and self.form is not None:
            rows = [self.plan.rows[place] for place in walked]
            tokens = tokens_of(victim)
            learn_plan(tokens, self.plan)
            walked_labels = [int(labels[place]) for place in walked]
            results = run_engine(
                rows,
                self.form,
                tokens,
                victim,
                walked_labels,
                limits,
                progress=progress,
                finished=lambda number, row: finished(walked[number], row),
            )
            done = dict(zip(walked, results, strict=True))
        if left:
            jobs = [RowJob(self.texts[place], int(labels[place]), self._row_seed(place)) for place in left]
            pooled = run_pool(
                lambda model: build(self.recipe, model, self.resources, self.cache),
                victim,
                jobs,
                limits,
                progress=lambda stage, count, total: progress(stage, len(walked) + count, len(places)),
                finished=lambda number, row: finished(left[number], row),
            )
            done |= dict(zip(left, pooled, strict=True))
        return [done[place] for place in places]

    def _row_seed(self, place: int) -> int:
        return derive_seed(self.seed, "\x1e".join(("attacked row", self.recipe.name, *self.texts[place])))


def prepare_attack(
    name: str,
    texts: Sequence[tuple[str, ...]],
    seed: int,
    victim: Victim,
    resources: Resources,
    cache: Path,
    progress: Progress = silent,
) -> PreparedAttack:
    """The attack that `name` stands for, on these rows; its plan is compiled unless a cache has it.

    TextAttack looks at nothing of `victim` but the class of its model. Raises `BadInput` for an unknown name,
    `MissingResource` where a resource is not there.
    """
    recipe = resolve(name, resources)
    rows = tuple(tuple(row) for row in texts)
    fingerprint = attack_fingerprint(recipe, resources) + _read_by(recipe, victim)
    key = plan_key(recipe.name, rows, seed, fingerprint)
    prepared = _PREPARED.get(key)
    if prepared is None:
        with step(progress, "loading TextAttack"):
            textattack = library.load(cache)
        attack = build(recipe, victim, resources, cache)
        form, plan = form_of(attack), None
        if form is not None:
            plan = compile_plan(
                textattack,
                attack,
                form,
                recipe.name,
                rows,
                seed,
                fingerprint=fingerprint,
                cache=cache,
                progress=lambda stage, done, total: progress(f"{stage} {recipe.name}", done, total),
            )
        prepared = PreparedAttack(recipe, rows, seed, key, plan, form, resources, cache)
        while len(_PREPARED) >= _KEPT:
            _PREPARED.pop(next(iter(_PREPARED)))
        _PREPARED[key] = prepared
    return prepared


_PREPARED: dict[str, PreparedAttack] = {}
_KEPT = 8  # attacks: a worker runs the same suite for one candidate after another


def attack_fingerprint(recipe: Recipe, resources: Resources) -> str:
    """The files behind a recipe and the versions of its code: with its name, they decide its candidates."""
    files = resources.fingerprint(recipe.needs) if recipe.needs else ""
    return f"{files}\x1f{recipe.differs}\x1ftextattack {version('textattack')}\x1fnltk {version('nltk')}"


def _read_by(recipe: Recipe, victim: Victim) -> str:
    """The encoding of a student's tokenizer, where an attack adapts to it; "" for others, whose plans all share."""
    encoding = getattr(victim.tokenizer, "encoding_fingerprint", "no encoding")
    return f"\x1fread by {encoding}" if recipe.adapts else ""


def learn_plan(tokens: Tokens, plan: Plan) -> None:
    """Tokenise the pieces of the plan's first swaps in one call, and check on all rows that this is exact."""
    if plan.key in tokens.plans:
        return
    tokens.plans.add(plan.key)
    rows = [row for row in plan.rows if not row.odd]
    if tokens.exact:
        texts = (text for row in rows for columns in (row.texts, *row.left_out) for text in columns)
        tokens.learn(piece for text in texts for piece in pieces_of(text))
    walks = [Walk(row, tokens) for row in rows]
    if tokens.exact:
        tokens.learn(piece for walk in walks for piece in walk.pieces_of_swaps())
        tokens.agree([walk.row.texts for walk in walks])
    for walk in walks if tokens.exact else ():
        swapped = [(word, words[0]) for word, words in enumerate(walk.row.candidates) if words]
        for word, candidate in reversed(swapped):  # from the end, where no swap moves the words to come
            walk.take(word, candidate)
    tokens.agree([walk.columns for walk in walks])
