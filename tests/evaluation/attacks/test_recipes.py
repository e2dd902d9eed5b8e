import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from evaluation.attacks.letter_victim import LetterVictim
from evaluation.tiny_model import CPU, WORDS
from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

from rosearch.errors import BadInput, MissingResource
from rosearch.evaluation.attacks.recipes import RECIPES, Recipe, build, resolve
from rosearch.evaluation.attacks.result import AttackedRow
from rosearch.evaluation.attacks.stock import library, stand_ins
from rosearch.evaluation.attacks.stock import wrapper as wrappers
from rosearch.evaluation.attacks.stock.pool import RowJob, run_pool
from rosearch.evaluation.attacks.victim import Victim
from rosearch.resources.resources import Resources
from rosearch.resources.vectors import Vectors
from rosearch.resources.word_lists import Neighbours, stop_words

Texts = list[tuple[str, ...]]

SYNONYMS = {
    "film": ["film", "movie", "motion_picture", "picture"],
    "good": ["good", "full", "honest", "in_force"],
    "bad": ["bad", "big", "spoiled"],
    "dull": ["boring", "dull", "slow"],
    "plot": ["patch", "plot", "secret_plan"],
}
NEAREST = {
    "film": ["movie", "picture", "cinema", "a1", "a2", "a3", "a4", "a5"],
    "good": ["fine", "great", "decent", "bad"],
    "bad": ["poor", "awful"],
    "slow": ["sluggish", "late"],
    "bright": ["shiny", "vivid"],
    "dull": ["boring", "blunt"],
}
ANGLES = np.array([0.0, 0.1, 0.2, 0.3, 0.4])
VECTORS = Vectors(
    ("film", "movie", "cinema", "good", "bad"), np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)
)
VERBS = {"plot", "film", "movie"}
RUNNABLE = [name for name, recipe in RECIPES.items() if not recipe.asks]


class ToyWordNet:
    def synonyms(self, word: str) -> list[str]:
        return SYNONYMS.get(word.lower(), [])


class ToyTagger:
    def tag(self, words: Sequence[str]) -> list[tuple[str, str]]:
        return [
            (word, "VERB" if word.lower() in VERBS else "NOUN" if place % 2 else "ADJ")
            for place, word in enumerate(words)
        ]


class ToyEncoder:
    """Counts of letters: texts are the more alike the more letters they share."""

    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        rows = [[text.count(chr(letter)) for letter in range(ord("a"), ord("z") + 1)] for text in texts]
        return torch.tensor(rows, dtype=torch.float32)


class ToyResources(Resources):
    """Everything that recipes ask for, except the resources in `missing`."""

    def __init__(self, folder: Path, missing: Sequence[str] = ()) -> None:
        super().__init__(folder)
        self.missing = missing
        self.lm = folder

    def has(self, name: str) -> bool:
        return name not in self.missing and not (name == "wordnet" and {"wordnet-3.0", "oewn"} <= set(self.missing))

    def wordnet(self, edition: str = "wordnet") -> Any:
        return ToyWordNet()

    def neighbours(self) -> Neighbours:
        return Neighbours(NEAREST)

    def withheld_neighbours(self) -> Neighbours:
        return Neighbours(NEAREST)

    def tagger(self) -> Any:
        return ToyTagger()

    def sentence_encoder(self, device: str = "cpu") -> Any:
        return ToyEncoder()

    def masked_lm(self) -> Path:
        return self.lm

    def vectors(self) -> Vectors:
        return VECTORS

    def corpus_vectors(self) -> Vectors:
        return VECTORS

    def antonyms(self) -> dict[str, frozenset[str]]:
        return {"good": frozenset({"bad"}), "bad": frozenset({"good"})}


@pytest.fixture(scope="session")
def masked_lm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random masked language model, as a folder."""
    folder = tmp_path_factory.mktemp("masked_lm")
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS[:-1], "movie", "picture", "##s", "well", "made", "-"]
    (folder / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        max_position_embeddings=512,
        initializer_range=0.5,
    )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        BertForMaskedLM(config).save_pretrained(folder)
    BertTokenizerFast.from_pretrained(folder).save_pretrained(folder)
    return folder


@pytest.fixture
def resources(masked_lm: Path) -> ToyResources:
    return ToyResources(masked_lm)


@pytest.fixture
def victim(model: Any, tokenizer: Any) -> Victim:
    return Victim(model, tokenizer, 48, CPU)


@pytest.fixture
def textattack(cache: Path) -> ModuleType:
    return library.load(cache)


def attacked(recipe: Recipe, victim: Victim, texts: Texts, resources: Resources, cache: Path) -> list[AttackedRow]:
    def small(model: Any) -> Any:
        attack = build(recipe, model, resources, cache)
        if hasattr(attack.search_method, "pop_size"):
            attack.search_method.pop_size, attack.search_method.max_iters = 4, 2
        return attack

    with torch.inference_mode():
        labels = victim([row[0] if len(row) == 1 else row for row in texts]).argmax(dim=1).tolist()
        jobs = [RowJob(row, label, seed) for seed, (row, label) in enumerate(zip(texts, labels, strict=True))]
        return run_pool(small, victim, jobs, lanes=4)


@pytest.mark.parametrize("name", RUNNABLE)
def test_every_recipe_that_needs_nothing_unobtainable_runs(
    name: str, victim: Victim, resources: ToyResources, sentences: Texts, pairs: Texts, cache: Path
) -> None:
    recipe = resolve(name, resources)
    rows = [row for texts in (sentences[:5], pairs[:2]) for row in attacked(recipe, victim, texts, resources, cache)]
    assert [row.complaint for row in rows] == [""] * 7
    if name != "checklist-lite":  # there is nothing in these texts to contract and no number
        assert any(row.changed for row in rows)
        assert any(row.queries > 1 for row in rows)


def test_a_registered_recipe_says_what_it_is() -> None:
    for name, recipe in RECIPES.items():
        assert recipe.name == name
        assert recipe.paper
        stock = "-" not in name or name == "input-reduction" or bool(recipe.asks) or name == "bert-attack"
        assert bool(recipe.differs) != stock, name


def test_a_recipe_says_where_its_candidates_come_from(resources: ToyResources) -> None:
    reads = {name: RECIPES[name].reads for name in RUNNABLE}
    assert reads["deepwordbug"] == ("edits of letters",)
    assert reads["pwws"] == reads["pwws-oewn"] == ("wordnet",)
    assert reads["synonym-swap"] == reads["textfooler-vectors-minilm"] == ("counter-fitted",)
    assert reads["textfooler-withheld"] == ("counter-fitted (withheld half)",)
    assert reads["textbugger-corpus"] == ("corpus vectors", "edits of letters")
    assert reads["bert-attack-minilm"] == ("masked LM",)
    assert reads["adaptive-words"] == ("wordnet", "counter-fitted", "corpus vectors", "masked LM")
    assert [name for name in RUNNABLE if not reads[name]] == ["checklist-lite", "input-reduction"]


def test_an_unknown_attack_names_the_known(resources: ToyResources) -> None:
    with pytest.raises(BadInput, match=r"expected one of deepwordbug, pruthi, .*, got 'deepwordbugs'"):
        resolve("deepwordbugs", resources)


def test_an_attack_that_cannot_be_had_names_its_variants(resources: ToyResources) -> None:
    with pytest.raises(MissingResource, match=r"textbugger needs the Universal.*textbugger-minilm, textbugger-lite"):
        resolve("textbugger", resources)


@pytest.mark.parametrize("name", ["pwws", "leap"])
def test_without_wordnet_3_the_name_means_the_variant_that_says_so(name: str, masked_lm: Path) -> None:
    assert resolve(name, ToyResources(masked_lm)).name == name
    variant = resolve(name, ToyResources(masked_lm, missing=["wordnet-3.0"]))
    assert variant.name == f"{name}-oewn"
    assert "Open English WordNet" in variant.differs
    with pytest.raises(MissingResource, match=f"attack {name} needs .*WordNet"):
        resolve(name, ToyResources(masked_lm, missing=["wordnet-3.0", "oewn"]))


def test_all_that_is_missing_is_named_before_anything_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(MissingResource, match=r"attack textfooler-minilm needs .*neighbours .*tagger .*") as raised:
        resolve("textfooler-minilm", ToyResources(tmp_path, missing=["neighbours", "tagger"]))
    assert "\n" not in str(raised.value)


STOCK_PARTS = {
    "textfooler-minilm": ("TextFoolerJin2019", {"WordEmbeddingDistance"}),
    "textfooler-vectors-minilm": ("TextFoolerJin2019", set()),
    "textbugger-minilm": ("TextBuggerLi2018", set()),
    "textbugger-lite": ("TextBuggerLi2018", {"UniversalSentenceEncoder"}),
    "textfooler-corpus": ("TextFoolerJin2019", {"WordEmbeddingDistance"}),
    "textbugger-corpus": ("TextBuggerLi2018", set()),
    "bae-minilm": ("BAEGarg2019", set()),
    "bert-attack-minilm": ("BERTAttackLi2020", set()),
    "a2t-minilm": ("A2TYoo2021", {"WordEmbeddingDistance"}),
    "genetic-lite": ("GeneticAlgorithmAlzantot2018", {"WordEmbeddingDistance", "GoogleLanguageModel"}),
}


@pytest.mark.parametrize("name", STOCK_PARTS)
def test_a_variant_has_the_settings_of_the_stock_recipe(
    name: str,
    victim: Victim,
    resources: ToyResources,
    cache: Path,
    textattack: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The stock recipe is built with its own classes, whose downloads are replaced by nothing."""
    recipe, left_out = STOCK_PARTS[name]
    with monkeypatch.context() as replaced:
        shared, semantics = textattack.shared, textattack.constraints.semantics
        embedding = shared.WordEmbedding(np.zeros((1, 1)), {"a": 0}, {0: "a"}, np.zeros((1, 1)))
        replaced.setattr(shared.WordEmbedding, "counterfitted_GLOVE_embedding", lambda: embedding)
        sbert = sys.modules[semantics.sentence_encoders.SBERT.__module__]
        assert sbert.sentence_transformers.SentenceTransformer  # loaded when it is first asked for, under the same name
        replaced.setattr(sbert.sentence_transformers, "SentenceTransformer", lambda name: torch.nn.Linear(1, 1))
        masked = sys.modules[textattack.transformations.WordSwapMaskedLM.__module__]
        replaced.setattr(masked.AutoModelForMaskedLM, "from_pretrained", lambda name, **_: torch.nn.Linear(1, 1))
        replaced.setattr(masked.AutoTokenizer, "from_pretrained", lambda name, **_: None)
        language_model = textattack.constraints.grammaticality.language_models.Google1BillionWordsLanguageModel
        replaced.setattr(language_model, "__init__", lambda self, **_: None)
        module = sys.modules[getattr(textattack.attack_recipes, recipe).__module__]
        if hasattr(module, "WordSwapHomoglyphSwap"):
            made = stand_ins.homoglyph_swap(textattack, resources, victim)
            replaced.setattr(module, "WordSwapHomoglyphSwap", made)
        with library.quietly():
            stock = getattr(textattack.attack_recipes, recipe).build(victim)
    ours = build(RECIPES[name], victim, resources, cache)

    assert settings(ours.transformation) == settings(stock.transformation)
    assert settings(ours.search_method) == settings(stock.search_method)
    assert settings(ours.goal_function) == settings(stock.goal_function)
    for part in ("constraints", "pre_transformation_constraints"):
        kept = [one for one in getattr(stock, part) if type(one).__name__ not in left_out]
        assert list(map(settings, getattr(ours, part))) == list(map(settings, kept))


def settings(part: Any) -> dict[str, Any]:
    """Numbers, words and lists of a part, and those of parts in it."""
    inner = [settings(one) for one in getattr(part, "transformations", [])]
    plain = {
        name: value
        for name, value in vars(part).items()
        if isinstance(value, (int, float, str, set, dict)) and name != "masked_lm_name" and not name.startswith("_")
    }
    metric = getattr(vars(part).get("sim_metric"), "__qualname__", type(vars(part).get("sim_metric")).__name__)
    return plain | {"inner": inner, "metric": metric}


def test_synonyms_are_sorted_and_filtered_as_in_the_stock_swap(
    textattack: ModuleType, resources: ToyResources, monkeypatch: pytest.MonkeyPatch
) -> None:
    swap = stand_ins.oewn_swap(textattack, resources, None)()

    class Synset:
        def __init__(self, word: str) -> None:
            self.word = word

        def lemma_names(self, lang: str) -> list[str]:
            return SYNONYMS.get(self.word, [])

    stock = textattack.transformations.WordSwapWordNet
    monkeypatch.setattr(
        sys.modules[stock.__module__], "wordnet", type("Reader", (), {"synsets": lambda word, lang: [Synset(word)]})
    )
    reference = stock.__new__(stock)
    reference.language = "eng"
    for word in (*SYNONYMS, "unknown"):
        made = swap._get_replacement_words(word)
        assert made == sorted(reference._get_replacement_words(word))
    assert swap._get_replacement_words("film") == ["movie", "picture"]


def test_neighbours_take_the_case_of_the_word(textattack: ModuleType, resources: ToyResources) -> None:
    swap = stand_ins.neighbour_swap(textattack, resources, None)(max_candidates=2)
    assert swap._get_replacement_words("Film") == ["Movie", "Picture"]
    assert swap._get_replacement_words("GOOD") == ["FINE", "GREAT"]
    assert swap._get_replacement_words("unknown") == []


def test_vectors_give_the_nearest_words_and_their_distances(textattack: ModuleType, resources: ToyResources) -> None:
    swap = stand_ins.vector_swap(textattack, resources, None)(max_candidates=2)
    assert swap._get_replacement_words("film") == ["movie", "cinema"]
    assert sorted(swap._get_replacement_words("cinema")) == ["good", "movie"]
    distance = stand_ins.vector_distance(textattack, resources, None)(min_cos_sim=0.5)
    assert distance.get_cos_sim(0, 1) == pytest.approx(np.cos(0.1))
    assert swap.embedding is distance.embedding


def test_vectors_of_plain_text_never_give_the_opposite_of_a_word(
    textattack: ModuleType, resources: ToyResources
) -> None:
    swap = stand_ins.corpus_swap(textattack, resources, None)(max_candidates=2)
    assert swap._get_replacement_words("film") == ["movie", "cinema"]
    assert swap._get_replacement_words("Good") == ["Cinema"]
    assert swap._get_replacement_words("bad") == ["cinema"]


def test_homoglyphs_are_those_of_the_stock_swap(
    textattack: ModuleType, resources: ToyResources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock = textattack.transformations.WordSwapHomoglyphSwap
    module = sys.modules[stock.__module__]
    table = tmp_path / "package" / "shared" / "intentional_homoglyphs.txt"
    table.parent.mkdir(parents=True)
    table.write_text("0021 ; 01C3 #* ( ! ~ \u01c3 ) EXCLAMATION MARK\n", encoding="utf-8")
    made = stand_ins.homoglyph_swap(textattack, resources, None)()
    monkeypatch.setattr(module, "__file__", str(tmp_path / "package" / "a" / "b" / "swap.py"))
    for word in (*WORDS, "0123456789", "ÄÖ"):
        assert made._get_replacement_words(word) == stock()._get_replacement_words(word)
    assert made.deterministic


def test_tags_are_compared_as_in_the_stock_constraint(
    textattack: ModuleType, resources: ToyResources, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nltk

    stock_class = textattack.constraints.grammaticality.PartOfSpeech
    monkeypatch.setattr(nltk, "pos_tag", lambda words, tagset, lang: ToyTagger().tag(words))
    rng = random.Random(2)
    verdicts = set()
    for allow in (True, False):
        stock = stock_class(allow_verb_noun_swap=allow)
        ours = stand_ins.part_of_speech(textattack, resources, None)(allow_verb_noun_swap=allow)
        for _ in range(60):
            before = textattack.shared.AttackedText(" ".join(rng.choices([*WORDS, "movie"], k=9)))
            after = before.replace_word_at_index(rng.randrange(9), rng.choice(["movie", "film", "scene", "bright"]))
            verdict = ours._check_constraint(after, before)
            assert verdict == stock._check_constraint(after, before)
            verdicts.add(verdict)
    assert verdicts == {True, False}


@pytest.mark.parametrize("options", [{}, {"metric": "cosine", "window_size": 3}, {"threshold": 0.99}])
def test_similarities_are_those_of_the_stock_constraint_with_another_encoder(
    options: dict[str, Any], textattack: ModuleType, resources: ToyResources
) -> None:
    stock = textattack.constraints.semantics.sentence_encoders.UniversalSentenceEncoder(**options)
    stock.encode = ToyEncoder().encode
    ours = stand_ins.universal_sentence_encoder(textattack, resources, None)(**options)
    before = textattack.shared.AttackedText("a very good film of a slow plot")
    texts = [before.replace_word_at_index(place, word) for place in (2, 3, 6) for word in ("movie", "bright", "sloww")]
    assert ours._score_list(before, texts).tolist() == stock._score_list(before, texts).tolist()
    kept = [text.text for text in ours._check_constraint_many(texts, before)]
    assert kept == [text.text for text in stock._check_constraint_many(texts, before)]
    assert ours(_with_transformation(texts[0]), before) == (texts[0].text in kept)


def _with_transformation(text: Any) -> Any:
    text.attack_attrs["last_transformation"] = None
    return text


@pytest.mark.filterwarnings("ignore:Using a non-full backward hook:FutureWarning")
@pytest.mark.parametrize("texts", ["sentences", "pairs"])
def test_gradients_and_tokens_are_those_of_textattacks_wrapper_without_dropout(
    texts: str,
    request: pytest.FixtureRequest,
    victim: Victim,
    textattack: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrapper = textattack.models.wrappers.HuggingFaceModelWrapper(victim.model, victim.tokenizer)
    monkeypatch.setattr(victim.model, "train", lambda mode=True: victim.model)  # it would turn dropout on
    for row in request.getfixturevalue(texts):
        text = row[0] if len(row) == 1 else row
        reference = wrapper.get_grad(text)
        with torch.inference_mode():
            made = wrappers.input_gradient(victim, text)
        length = len(made["gradient"])
        assert made["ids"].tolist()[0] == reference["ids"].tolist()[0][:length]
        # The wrapper pads: its sums are taken in another order.
        np.testing.assert_allclose(made["gradient"], reference["gradient"][:length], rtol=1e-5, atol=1e-6)
        for strip in (True, False):
            assert wrappers.tokens(victim, text, strip) == wrapper.tokenize([text], strip_prefix=strip)[0]
    victim.model.zero_grad()
    with torch.inference_mode():
        wrappers.input_gradient(victim, "a good film")
    assert all(weight.grad is None for weight in victim.model.parameters())


def test_a_model_without_embeddings_is_refused_by_the_attack_that_reads_gradients(
    resources: ToyResources, cache: Path
) -> None:
    with pytest.raises(BadInput, match="expected one with get_input_embeddings"):
        build(RECIPES["a2t-minilm"], LetterVictim(), resources, cache)


def test_input_reduction_breaks_nothing_and_counts_the_words_that_went(
    victim: Victim, resources: ToyResources, sentences: Texts, cache: Path
) -> None:
    recipe = RECIPES["input-reduction"]
    assert "accuracy under attack means nothing" in recipe.note
    rows = attacked(recipe, victim, sentences, resources, cache)
    assert {row.outcome for row in rows} == {"survived"}
    for row, (text,) in zip(rows, sentences, strict=True):
        assert row.changed == len(text.split()) - len(row.texts[0].split())
        assert len(row.swaps) == row.changed
    assert any(row.changed for row in rows)


def test_names_and_places_are_left_alone_by_the_light_checklist(
    victim: Victim, resources: ToyResources, cache: Path
) -> None:
    texts: Texts = [("Anna isn't in Paris with 12 films",), ("it is a very good film of 300 scenes",)]
    rows = attacked(RECIPES["checklist-lite"], victim, texts, resources, cache)
    assert [row.complaint for row in rows] == ["", ""]
    assert all("Anna" in text and "Paris" in text for text in rows[0].texts)


def test_the_masked_language_model_is_loaded_once(resources: ToyResources, victim: Victim, cache: Path) -> None:
    one, other = (build(RECIPES["bae-minilm"], victim, resources, cache) for _ in range(2))
    assert one.transformation._language_model is other.transformation._language_model
    assert not one.transformation._language_model.training


HASHED = """
import sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
import evaluation.attacks.test_recipes as t
print(t.told(Path(sys.argv[1])))
"""


def told(folder: Path) -> str:
    """What some attacks make of two texts, and with how many queries."""
    texts = [("A good film of a bad and dull plot .",), ("This film is good and the plot bad , film by film .",)]
    names = ("pwws", "leap", "synonym-swap", "textbugger-lite")
    found = [attacked(RECIPES[name], LetterVictim(), texts, ToyResources(Path("nowhere")), folder) for name in names]
    return repr([[(row.texts, row.queries) for row in rows] for rows in found])


def test_results_do_not_hang_on_the_seed_of_hashes(tmp_path: Path) -> None:
    """That of this process is another one."""
    command = [sys.executable, "-c", HASHED, str(tmp_path), str(Path(__file__).parents[2])]
    done = subprocess.run(command, env=_environment("1"), capture_output=True, text=True, check=False, timeout=240)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == told(tmp_path)
    assert "film" in done.stdout


def _environment(hash_seed: str) -> dict[str, str]:
    import os

    return dict(os.environ) | {"PYTHONHASHSEED": hash_seed}


@pytest.fixture
def stock_stopwords(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """NLTK's own reader over the same list, as TextAttack finds it without us."""
    library.load(cache)
    import logging

    import nltk

    folder = tmp_path / "corpora" / "stopwords"
    folder.mkdir(parents=True)
    (folder / "english").write_text("\n".join(sorted(stop_words())), encoding="utf-8")
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    nltk.corpus.stopwords._unload()
    logger = logging.getLogger("textattack.shared.utils.install")
    monkeypatch.setattr(logger, "level", logger.level)  # a silent Attacker leaves it talkative
    yield
    nltk.corpus.stopwords._unload()


@pytest.mark.usefixtures("stock_stopwords")
@pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")
@pytest.mark.parametrize(("name", "recipe"), [("deepwordbug", "DeepWordBugGao2018"), ("pruthi", "Pruthi2019")])
@pytest.mark.parametrize("kind", ["sentences", "pairs"])
def test_results_equal_those_of_the_stock_attacker_with_the_stock_wrapper(
    kind: str,
    name: str,
    recipe: str,
    request: pytest.FixtureRequest,
    victim: Victim,
    cache: Path,
    model: Any,
    tokenizer: Any,
    textattack: ModuleType,
    capfd: pytest.CaptureFixture[str],
) -> None:
    texts: Texts = request.getfixturevalue(kind)
    texts = texts if name == "deepwordbug" else texts[:4]
    columns = {"sentences": ["text"], "pairs": ["premise", "hypothesis"]}[kind]
    with torch.inference_mode():
        right = victim([row[0] if len(row) == 1 else row for row in texts]).argmax(dim=1).tolist()
    labels = [1 - label if row % 4 == 3 else label for row, label in enumerate(right)]
    rows = [(row[0] if len(row) == 1 else row, label) for row, label in zip(texts, labels, strict=True)]
    stock = getattr(textattack.attack_recipes, recipe).build(
        textattack.models.wrappers.HuggingFaceModelWrapper(model, tokenizer)
    )
    arguments = textattack.AttackArgs(num_examples=len(rows), disable_stdout=True, silent=True)
    with torch.random.fork_rng():
        expected = textattack.Attacker(stock, _seeded(textattack)(rows, columns), arguments).attack_dataset()
    capfd.readouterr()

    kinds = {"Skipped": "misclassified", "Failed": "survived", "Successful": "broken"}
    jobs = [RowJob(row, label, seed) for seed, (row, label) in enumerate(zip(texts, labels, strict=True))]
    make: Callable[[Any], Any] = lambda attacked: build(RECIPES[name], attacked, Resources(), cache)  # noqa: E731
    with torch.inference_mode():
        ours = run_pool(make, victim, jobs)
    for result, reference in zip(ours, expected, strict=True):
        assert result.outcome == kinds[type(reference).__name__.removesuffix("AttackResult")]
        assert "\n".join(result.texts) == reference.perturbed_result.attacked_text.text
        assert result.queries == reference.num_queries
        assert result.score == pytest.approx(float(reference.perturbed_result.score), abs=1e-5)
    assert {"misclassified", "broken"} <= {row.outcome for row in ours}


def _seeded(textattack: ModuleType) -> Any:
    class Seeded(textattack.datasets.Dataset):
        """Seeds the generators when a row is fetched, which is right before it is attacked."""

        def __getitem__(self, row: int) -> Any:
            item = super().__getitem__(row)
            random.seed(row)
            np.random.seed(row)
            return item

    return Seeded


OWN = """
from textattack.attack_recipes import DeepWordBugGao2018


def build(model):
    return DeepWordBugGao2018.build(model)


def no_attack(model):
    return 3


def fails(model):
    raise RuntimeError("of the user's own")
"""


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A module with attacks in the current folder."""
    (tmp_path / "own_attacks_of_a_test.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "own_attacks_of_a_test.py"
    sys.modules.pop("own_attacks_of_a_test", None)


def test_a_users_own_function_gives_the_attack_that_it_builds(own_module: Path, cache: Path, tmp_path: Path) -> None:
    name, texts = "own_attacks_of_a_test:build", [("a good film",), ("the plot was dull",)]
    own = resolve(name, Resources(tmp_path))
    assert own.name == name and own.digest and own.identity == f"{name}@{own.digest}" and own.digest in own.differs
    ours, stock = (
        run_pool(
            lambda model, recipe=recipe: build(recipe, model, Resources(tmp_path), cache),  # type: ignore[misc]
            LetterVictim(),
            [RowJob(text, 0, 5) for text in texts],
        )
        for recipe in (own, RECIPES["deepwordbug"])
    )
    assert ours == stock and len(ours) == 2


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("no_attack", "expected a textattack.Attack from the function, got int"),
        ("fails", "got RuntimeError: of the user's own"),
    ],
)
def test_a_users_own_function_that_gives_no_attack_is_one_line(
    function: str, expected: str, own_module: Path, cache: Path, tmp_path: Path
) -> None:
    recipe = resolve(f"own_attacks_of_a_test:{function}", Resources(tmp_path))
    with pytest.raises(BadInput) as told:
        build(recipe, LetterVictim(), Resources(tmp_path), cache)
    (problem,) = told.value.problems
    assert expected in str(problem)
