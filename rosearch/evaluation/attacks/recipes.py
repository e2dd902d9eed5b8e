"""The attacks that can be named: TextAttack's own recipes, with local files in place of downloads.

TextAttack's `build` makes each of them. Parts that need a download are swapped for stand-ins with the same arguments,
so thresholds, metrics and window sizes stay the stock ones. A recipe with the same results keeps the stock name; a
variant has a name of its own, and `differs` tells how it differs. The file has more than 300 lines because one table
and the few builders that it names stand together: all attacks can be read side by side.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from rosearch.errors import BadInput, MissingResource, Problem, nearest, one_line
from rosearch.evaluation.attacks.stock import adaptive, library, stand_ins
from rosearch.evaluation.attacks.stock.stand_ins import Part
from rosearch.resources.functions import find_function, is_function
from rosearch.resources.resources import Resources

Build = Callable[[ModuleType, Resources, Any], Any]
Maker = Callable[[ModuleType, Resources, Any], Part]  # of a part that stands in for one of TextAttack's

# The origin of the words of each resource: what has one origin is one list. The neighbour lists were made from the
# counter-fitted vectors; the second WordNet is an edition of the first.
ORIGINS = {
    "wordnet-3.0": "wordnet",
    "oewn": "wordnet",
    "wordnet": "wordnet",
    "neighbours": "counter-fitted",
    "vectors": "counter-fitted",
    "withheld_neighbours": "counter-fitted (withheld half)",
    "corpus_vectors": "corpus vectors",
    "masked_lm": "masked LM",
}
EDITS = "edits of letters"


@dataclass(frozen=True)
class Recipe:
    """A named attack.

    `needs` are names of `Resources`. `build(textattack, resources, victim)` gives a `textattack.Attack`; call it
    through `build` of this module. `differs` tells the difference from a stock recipe, "" for the stock recipe itself.
    `asks` names a part that cannot be supplied, "" where the recipe runs. `note` warns of a wrong reading of its
    results. `digest` is that of the source of a user's own attack, "" for the others. `edits` says that it changes the
    letters of words, `adapts` that it knows the student's encoding. `against` names plain attacks that it must not be
    weaker than.
    """

    name: str
    paper: str
    needs: tuple[str, ...]
    build: Build
    differs: str = ""
    asks: str = ""
    note: str = ""
    digest: str = ""
    edits: bool = False
    adapts: bool = False
    against: tuple[str, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """The sources of its candidates: lists of words by their origin, a masked LM, edits of letters."""
        listed = dict.fromkeys(ORIGINS[need] for need in self.needs if need in ORIGINS)
        return (*listed, *([EDITS] if self.edits else []))

    @property
    def identity(self) -> str:
        """Its name; that of a user's own attack with the digest of its source."""
        return f"{self.name}@{self.digest}" if self.digest else self.name


def resolve(name: str, resources: Resources) -> Recipe:
    """The recipe that `name` means with these resources. Without WordNet 3.0, `pwws` and `leap` mean their variants.

    `module:function` is an attack of the user's own. Raises `BadInput` for an unknown name, and `MissingResource` where
    something is not there.
    """
    if is_function(name):
        return _own(name)
    if problems := unknown_attacks([("attack", "name", name)]):
        raise BadInput(problems)
    recipe = RECIPES[name]
    if recipe.asks:
        variants = [other.name for other in RECIPES.values() if not other.asks and other.name.startswith(f"{name}-")]
        instead = f"; there is {', '.join(variants)} instead" if variants else ""
        raise MissingResource(f"attack {name} needs {recipe.asks}, which cannot be supplied{instead}")
    if "wordnet-3.0" in recipe.needs and not resources.has("wordnet-3.0"):
        if not resources.has("oewn"):
            resources.require(["wordnet", *recipe.needs[1:]], f"attack {name}")
        recipe = RECIPES[f"{name}-oewn"]
    resources.require(recipe.needs, f"attack {name}")
    return recipe


def _own(name: str) -> Recipe:
    """The recipe of a user's function, which is called as TextAttack's `build` is: with a wrapper of the model."""
    own = find_function(name, "attack")

    def made(textattack: ModuleType, resources: Resources, victim: Any) -> Any:
        function = own.load()
        try:
            attack = function(victim)
        except Exception as error:  # of code that is not ours
            expected = "a function that makes an attack of a wrapper of the model"
            raise own.wrong(expected, one_line(error, named=True)) from error
        if not isinstance(attack, textattack.Attack):
            raise own.wrong("a textattack.Attack from the function", type(attack).__name__)
        return attack

    return Recipe(name, "", (), made, f"a function of yours, source {own.digest}", digest=own.digest)


def unknown_attacks(named: Iterable[tuple[str, str, str]]) -> list[Problem]:
    """A problem for each name that is no attack. Each comes with the place that names it: where and key."""
    known = f"one of {', '.join(recipe.name for recipe in RECIPES.values() if not recipe.asks)}, or module:function"
    return [
        Problem(where, key, known, repr(name), nearest(name, RECIPES))
        for where, key, name in named
        if name not in RECIPES and not is_function(name)
    ]


def build(recipe: Recipe, victim: Any, resources: Resources, cache: Path) -> Any:
    """The `textattack.Attack` of a recipe around a victim; quiet, offline.

    TextAttack looks at the class of `victim.model` and calls the victim with texts. Its files go below `cache`. Raises
    `MissingResource`, and `BadInput` where a resource cannot be read or the model does not fit the recipe.
    """
    textattack = library.load(cache)
    with library.quietly():
        return recipe.build(textattack, resources, victim)


def _stock(name: str, **parts: Maker) -> Build:
    """A builder of TextAttack's recipe class `name`, with `parts` in place of names that its module has imported."""

    def made(textattack: ModuleType, resources: Resources, victim: Any) -> Any:
        recipe = getattr(textattack.attack_recipes, name)
        module = sys.modules[recipe.__module__]
        replacements = {part: make(textattack, resources, victim) for part, make in parts.items()}
        with ExitStack() as stack:
            for part, replacement in replacements.items():
                stack.enter_context(library.replaced(module, part, replacement))
            return recipe.build(victim)

    return made


def _synonym_swap(words: Maker) -> Build:
    """TextFooler's search without its constraints on meaning, with the swap that `words` makes."""

    def made(textattack: ModuleType, resources: Resources, victim: Any) -> Any:
        before = textattack.constraints.pre_transformation
        return textattack.Attack(
            textattack.goal_functions.UntargetedClassification(victim),
            [before.RepeatModification(), before.StopwordModification()],
            words(textattack, resources, victim)(max_candidates=8),
            textattack.search_methods.GreedyWordSwapWIR(wir_method="delete"),
        )

    return made


def _textfooler(words: Maker, distance: Maker = stand_ins.omitted) -> Build:
    """TextFooler with the swap and the bound on the distance of two words that are made, and all-MiniLM-L6-v2."""
    # An omitted constraint must be taken out of the attack's list of them.
    omitted = {"Attack": stand_ins.constrained_attack} if distance is stand_ins.omitted else {}
    return _stock(
        "TextFoolerJin2019",
        WordSwapEmbedding=words,
        WordEmbeddingDistance=distance,
        PartOfSpeech=stand_ins.part_of_speech,
        UniversalSentenceEncoder=stand_ins.universal_sentence_encoder,
        **omitted,
    )


def _textbugger(words: Maker) -> Build:
    """TextBugger with the swap that is made, and all-MiniLM-L6-v2."""
    return _stock(
        "TextBuggerLi2018",
        WordSwapHomoglyphSwap=stand_ins.homoglyph_swap,
        WordSwapEmbedding=words,
        UniversalSentenceEncoder=stand_ins.universal_sentence_encoder,
    )


def _a2t(textattack: ModuleType, resources: Resources, victim: Any) -> Any:
    if not hasattr(victim.model, "get_input_embeddings"):
        got = type(victim.model).__name__
        raise BadInput(Problem("attack a2t-minilm", "model", "one with get_input_embeddings()", got))
    made = _stock(
        "A2TYoo2021",
        WordSwapEmbedding=stand_ins.neighbour_swap,
        WordEmbeddingDistance=stand_ins.omitted,
        PartOfSpeech=stand_ins.part_of_speech,
        SBERT=stand_ins.sbert,
        Attack=stand_ins.constrained_attack,
    )
    return made(textattack, resources, victim)


_USE = "the Universal Sentence Encoder (TensorFlow Hub)"
_MINILM = "all-MiniLM-L6-v2 in place of the Universal Sentence Encoder"
_CORPUS = "vectors of plain text, less antonyms, in place of the counter-fitted ones"
_LISTS = "neighbour lists (up to 8 words) in place of the counter-fitted vectors"

_WITHHELD = "the half of the neighbour lists that distillation.withhold keeps from encodings and training"
_SEEN = "it shares nothing with the defence only where the student was distilled with distillation.withhold: true"

_STRICT = "30 % of the words and an angular similarity of 0.84 by all-MiniLM-L6-v2"
_OF_EDITS = ("deepwordbug", "pruthi")
_OF_WORDS = (
    *("pwws", "pwws-oewn", "synonym-swap", "textfooler-minilm", "textfooler-vectors-minilm", "textfooler-corpus"),
    *("bae-minilm", "bert-attack-minilm", "genetic-lite"),
)

RECIPES: dict[str, Recipe] = {
    "deepwordbug": Recipe(
        "deepwordbug", "Gao et al. 2018, arXiv 1801.04354", (), _stock("DeepWordBugGao2018"), edits=True
    ),
    "pruthi": Recipe("pruthi", "Pruthi et al. 2019, arXiv 1905.11268", (), _stock("Pruthi2019"), edits=True),
    "pwws": Recipe(
        "pwws",
        "Ren et al. 2019, ACL P19-1103",
        ("wordnet-3.0",),
        _stock("PWWSRen2019", WordSwapWordNet=stand_ins.princeton_swap),
    ),
    "pwws-oewn": Recipe(
        "pwws-oewn",
        "Ren et al. 2019, ACL P19-1103",
        ("oewn",),
        _stock("PWWSRen2019", WordSwapWordNet=stand_ins.oewn_swap),
        differs="PWWS with the Open English WordNet in place of WordNet 3.0",
    ),
    "synonym-swap": Recipe(
        "synonym-swap",
        "search of Jin et al. 2020, arXiv 1907.11932; words of Jia et al. 2019, arXiv 1909.00986",
        ("neighbours",),
        _synonym_swap(stand_ins.neighbour_swap),
        differs=f"TextFooler with {_LISTS}, NLTK's stop words, both texts of a pair attacked, and no constraint on "
        "word distance, part of speech or sentence similarity",
    ),
    "textfooler": Recipe(
        "textfooler",
        "Jin et al. 2020, arXiv 1907.11932",
        ("vectors", "tagger"),
        _stock(
            "TextFoolerJin2019",
            WordSwapEmbedding=stand_ins.vector_swap,
            WordEmbeddingDistance=stand_ins.vector_distance,
            PartOfSpeech=stand_ins.part_of_speech,
        ),
        asks=_USE,
    ),
    "textfooler-vectors-minilm": Recipe(
        "textfooler-vectors-minilm",
        "Jin et al. 2020, arXiv 1907.11932",
        ("vectors", "tagger", "sentence_encoder"),
        _textfooler(stand_ins.vector_swap, stand_ins.vector_distance),
        differs=f"TextFooler with {_MINILM}",
    ),
    "textfooler-minilm": Recipe(
        "textfooler-minilm",
        "Jin et al. 2020, arXiv 1907.11932",
        ("neighbours", "tagger", "sentence_encoder"),
        _textfooler(stand_ins.neighbour_swap),
        differs=f"TextFooler with {_LISTS}, hence no constraint on word distance, and {_MINILM}",
    ),
    "textbugger": Recipe(
        "textbugger",
        "Li et al. 2019, arXiv 1812.05271",
        ("vectors",),
        _stock(
            "TextBuggerLi2018",
            WordSwapHomoglyphSwap=stand_ins.homoglyph_swap,
            WordSwapEmbedding=stand_ins.vector_swap,
        ),
        asks=_USE,
        edits=True,
    ),
    "textbugger-minilm": Recipe(
        "textbugger-minilm",
        "Li et al. 2019, arXiv 1812.05271",
        ("neighbours", "sentence_encoder"),
        _textbugger(stand_ins.neighbour_swap),
        differs=f"TextBugger with neighbour lists in place of the counter-fitted vectors and {_MINILM}",
        edits=True,
    ),
    "textbugger-lite": Recipe(
        "textbugger-lite",
        "Li et al. 2019, arXiv 1812.05271",
        ("neighbours",),
        _stock(
            "TextBuggerLi2018",
            WordSwapHomoglyphSwap=stand_ins.homoglyph_swap,
            WordSwapEmbedding=stand_ins.neighbour_swap,
            UniversalSentenceEncoder=stand_ins.omitted,
            Attack=stand_ins.constrained_attack,
        ),
        differs="TextBugger with neighbour lists in place of the counter-fitted vectors and no constraint on "
        "sentence similarity",
        edits=True,
    ),
    "textfooler-corpus": Recipe(
        "textfooler-corpus",
        "Jin et al. 2020, arXiv 1907.11932",
        ("corpus_vectors", "antonyms", "tagger", "sentence_encoder"),
        _textfooler(stand_ins.corpus_swap),  # with a bound a third of the rows of a plain student withstood it
        differs=f"TextFooler with {_CORPUS}, no constraint on word distance, and {_MINILM}",
    ),
    "textbugger-corpus": Recipe(
        "textbugger-corpus",
        "Li et al. 2019, arXiv 1812.05271",
        ("corpus_vectors", "antonyms", "sentence_encoder"),
        _textbugger(stand_ins.corpus_swap),
        differs=f"TextBugger with {_CORPUS} and {_MINILM}",
        edits=True,
    ),
    "synonym-swap-withheld": Recipe(
        "synonym-swap-withheld",
        "search of Jin et al. 2020, arXiv 1907.11932; words of Jia et al. 2019, arXiv 1909.00986",
        ("withheld_neighbours",),
        _synonym_swap(stand_ins.withheld_swap),
        differs=f"synonym-swap with {_WITHHELD}",
        note=_SEEN,
    ),
    "textfooler-withheld": Recipe(
        "textfooler-withheld",
        "Jin et al. 2020, arXiv 1907.11932",
        ("withheld_neighbours", "tagger", "sentence_encoder"),
        _textfooler(stand_ins.withheld_swap),
        differs=f"textfooler-minilm with {_WITHHELD}",
        note=_SEEN,
    ),
    "textbugger-withheld": Recipe(
        "textbugger-withheld",
        "Li et al. 2019, arXiv 1812.05271",
        ("withheld_neighbours", "sentence_encoder"),
        _textbugger(stand_ins.withheld_swap),
        differs=f"textbugger-minilm with {_WITHHELD}",
        note=_SEEN,
        edits=True,
    ),
    "bae": Recipe(
        "bae",
        "Garg and Ramakrishnan 2020, arXiv 2004.01970",
        ("masked_lm", "tagger"),
        _stock("BAEGarg2019", WordSwapMaskedLM=stand_ins.masked_lm_swap, PartOfSpeech=stand_ins.part_of_speech),
        asks=_USE,
    ),
    "bae-minilm": Recipe(
        "bae-minilm",
        "Garg and Ramakrishnan 2020, arXiv 2004.01970",
        ("masked_lm", "tagger", "sentence_encoder"),
        _stock(
            "BAEGarg2019",
            WordSwapMaskedLM=stand_ins.masked_lm_swap,
            PartOfSpeech=stand_ins.part_of_speech,
            UniversalSentenceEncoder=stand_ins.universal_sentence_encoder,
        ),
        differs=f"BAE-R with {_MINILM} and the masked language model of the resource folder",
    ),
    "bert-attack": Recipe(
        "bert-attack",
        "Li et al. 2020, arXiv 2004.09984",
        ("masked_lm",),
        _stock("BERTAttackLi2020", WordSwapMaskedLM=stand_ins.masked_lm_swap),
        asks=_USE,
    ),
    "bert-attack-minilm": Recipe(
        "bert-attack-minilm",
        "Li et al. 2020, arXiv 2004.09984",
        ("masked_lm", "sentence_encoder"),
        _stock(
            "BERTAttackLi2020",
            WordSwapMaskedLM=stand_ins.masked_lm_swap,
            UniversalSentenceEncoder=stand_ins.universal_sentence_encoder,
        ),
        differs=f"BERT-Attack with {_MINILM} and the masked language model of the resource folder",
    ),
    "a2t": Recipe(
        "a2t",
        "Yoo and Qi 2021, arXiv 2109.00544",
        ("vectors", "tagger"),
        _stock("A2TYoo2021", PartOfSpeech=stand_ins.part_of_speech),
        asks="the sentence encoder stsb-distilbert-base",
    ),
    "a2t-minilm": Recipe(
        "a2t-minilm",
        "Yoo and Qi 2021, arXiv 2109.00544",
        ("neighbours", "tagger", "sentence_encoder"),
        _a2t,
        differs=f"A2T with {_LISTS}, hence no constraint on word distance, all-MiniLM-L6-v2 in place of "
        "stsb-distilbert-base, and gradients taken without dropout",
    ),
    "checklist": Recipe(
        "checklist",
        "Ribeiro et al. 2020, arXiv 2005.04118",
        (),
        _stock("CheckList2020"),
        asks="flair's tagger of named entities",
    ),
    "checklist-lite": Recipe(
        "checklist-lite",
        "Ribeiro et al. 2020, arXiv 2005.04118",
        (),
        _stock(
            "CheckList2020",
            WordSwapChangeName=stand_ins.omitted,
            WordSwapChangeLocation=stand_ins.omitted,
            CompositeTransformation=stand_ins.composite,
        ),
        differs="CheckList without the swaps of names and locations: contractions and numbers only",
    ),
    "input-reduction": Recipe(
        "input-reduction",
        "Feng et al. 2018, arXiv 1804.07781",
        (),
        _stock("InputReductionFeng2018"),
        note="it deletes words while the prediction stays, so no row breaks: accuracy under attack means nothing, "
        "`changed` is how many words could go",
    ),
    "genetic": Recipe(
        "genetic",
        "Alzantot et al. 2018, arXiv 1804.07998",
        ("vectors",),
        _stock("GeneticAlgorithmAlzantot2018"),
        asks="the language model of Google's billion words",
    ),
    "genetic-lite": Recipe(
        "genetic-lite",
        "Alzantot et al. 2018, arXiv 1804.07998",
        ("neighbours",),
        _stock(
            "GeneticAlgorithmAlzantot2018",
            WordSwapEmbedding=stand_ins.neighbour_swap,
            WordEmbeddingDistance=stand_ins.omitted,
            Google1BillionWordsLanguageModel=stand_ins.omitted,
            Attack=stand_ins.constrained_attack,
        ),
        differs=f"Alzantot's genetic attack with {_LISTS}, hence no constraint on word distance, and no language model",
    ),
    "leap": Recipe(
        "leap",
        "Xiao et al. 2023, arXiv 2308.11284",
        ("wordnet-3.0",),
        _stock("LEAP2023", WordSwapWordNet=stand_ins.princeton_swap),
    ),
    "leap-oewn": Recipe(
        "leap-oewn",
        "Xiao et al. 2023, arXiv 2308.11284",
        ("oewn",),
        _stock("LEAP2023", WordSwapWordNet=stand_ins.oewn_swap),
        differs="LEAP with the Open English WordNet in place of WordNet 3.0",
    ),
    "adaptive-characters": Recipe(
        "adaptive-characters",
        "edits of Gao et al. 2018, arXiv 1801.04354; adapted as in Tramer et al. 2020, arXiv 2002.08347",
        (),
        adaptive.adaptive_characters,
        differs="up to 60 edits of each word, and pairs of edits, each read by the student as another word, "
        "and no constraint",
        edits=True,
        against=_OF_EDITS,
        adapts=True,
    ),
    "adaptive-characters-strict": Recipe(
        "adaptive-characters-strict",
        "edits of Gao et al. 2018, arXiv 1801.04354; adapted as in Tramer et al. 2020, arXiv 2002.08347",
        ("sentence_encoder",),
        adaptive.strict_characters,
        differs=f"adaptive-characters within {_STRICT}",
        edits=True,
        adapts=True,
    ),
    "adaptive-words": Recipe(
        "adaptive-words",
        "search of Jin et al. 2020, arXiv 1907.11932; adapted as in Tramer et al. 2020, arXiv 2002.08347",
        ("wordnet", "neighbours", "corpus_vectors", "masked_lm"),
        adaptive.adaptive_words,
        differs="words of all lists and of the masked language model together, of which each is read by the student as "
        "another word; no constraint",
        against=_OF_WORDS,
        adapts=True,
    ),
    "adaptive-words-strict": Recipe(
        "adaptive-words-strict",
        "search of Jin et al. 2020, arXiv 1907.11932; adapted as in Tramer et al. 2020, arXiv 2002.08347",
        ("wordnet", "neighbours", "corpus_vectors", "masked_lm", "tagger", "sentence_encoder"),
        adaptive.strict_words,
        differs=f"adaptive-words of the same part of speech, within {_STRICT}",
        adapts=True,
    ),
}
