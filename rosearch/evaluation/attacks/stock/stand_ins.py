"""Stand-ins for TextAttack's parts that would download something, over local resources.

A stand-in takes the arguments of its part, with the same defaults, so that a stock recipe can be built with it
unchanged. All are made by functions of the same three arguments: TextAttack's package (only `library` imports it), the
resources, and the victim.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rosearch.resources.resources import Resources
    from rosearch.resources.vectors import Vectors
    from rosearch.resources.word_lists import Neighbours

Part = Callable[..., Any]

_MOST_NEAREST = 50  # words: no stock recipe asks for more


def omitted(textattack: ModuleType, resources: Resources, victim: Any) -> Part:
    """A part that a variant leaves out; `composite` and `constrained_attack` skip it."""
    return lambda *_, **__: None


def composite(textattack: ModuleType, resources: Resources, victim: Any) -> Part:
    """`CompositeTransformation` without the omitted transformations."""
    stock = textattack.transformations.CompositeTransformation
    return lambda transformations: stock([part for part in transformations if part is not None])


def constrained_attack(textattack: ModuleType, resources: Resources, victim: Any) -> Part:
    """`Attack` without the omitted constraints."""

    def made(goal_function: Any, constraints: list[Any], *others: Any) -> Any:
        present = [constraint for constraint in constraints if constraint is not None]
        return textattack.Attack(goal_function, present, *others)

    return made


def princeton_swap(textattack: ModuleType, resources: Resources, victim: Any) -> Part:
    """`WordSwapWordNet` over WordNet 3.0."""
    return _wordnet_swap(textattack, resources, "wordnet-3.0")


def oewn_swap(textattack: ModuleType, resources: Resources, victim: Any) -> Part:
    """`WordSwapWordNet` over the Open English WordNet."""
    return _wordnet_swap(textattack, resources, "oewn")


def _wordnet_swap(textattack: ModuleType, resources: Resources, edition: str) -> Part:
    wordnet = resources.wordnet(edition)
    is_one_word = textattack.shared.utils.is_one_word

    class WordNetSwap(textattack.transformations.WordSwapWordNet):  # type: ignore[misc,name-defined]
        """Candidates are sorted: the stock order is that of a set of strings."""

        def __init__(self, language: str = "eng") -> None:  # the stock one downloads
            self.language = language

        def _get_replacement_words(self, word: str) -> list[str]:
            synonyms = wordnet.synonyms(word)
            return [other for other in synonyms if other != word and "_" not in other and is_one_word(other)]

    return WordNetSwap


def neighbour_swap(textattack: ModuleType, resources: Resources, victim: Any) -> Part:
    """`WordSwapEmbedding` with the nearest words of `Resources.neighbours`."""
    return _listed_swap(textattack, resources.neighbours())


def withheld_swap(textattack: ModuleType, resources: Resources, victim: Any) -> Part:
    """`WordSwapEmbedding` with the half of these words that no defence reads which withholds them."""
    return _listed_swap(textattack, resources.withheld_neighbours())


def _listed_swap(textattack: ModuleType, neighbours: Neighbours) -> Part:
    """`WordSwapEmbedding` with the nearest words of lists."""

    class NeighbourLists(textattack.shared.AbstractWordEmbedding):  # type: ignore[misc,name-defined]
        """A word is its own index. There are no vectors and no distances."""

        def __getitem__(self, index: str) -> None:
            return None

        def get_mse_dist(self, a: str, b: str) -> float:
            raise NotImplementedError("neighbour lists hold no distances")

        get_cos_sim = get_mse_dist

        def word2index(self, word: str) -> str:
            return word

        def index2word(self, index: str) -> str:
            return index

        def nearest_neighbours(self, index: str, topn: int) -> list[str]:
            return neighbours.of(index, topn)

    return _with_embedding(textattack.transformations.WordSwapEmbedding, NeighbourLists())


def vector_swap(textattack: ModuleType, resources: Resources, victim: Any) -> Part:
    """`WordSwapEmbedding` over `Resources.vectors`."""
    return _with_embedding(textattack.transformations.WordSwapEmbedding, _embedding(textattack, resources.vectors()))


def vector_distance(textattack: ModuleType, resources: Resources, victim: Any) -> Part:
    """`WordEmbeddingDistance` over `Resources.vectors`."""
    stock = textattack.constraints.semantics.WordEmbeddingDistance
    return _with_embedding(stock, _embedding(textattack, resources.vectors()))


def corpus_swap(textattack: ModuleType, resources: Resources, victim: Any) -> Part:
    """`WordSwapEmbedding` over `Resources.corpus_vectors`, without the opposites of a word."""
    opposites = resources.antonyms()

    class WithoutOpposites(textattack.transformations.WordSwapEmbedding):  # type: ignore[misc,name-defined]
        def _get_replacement_words(self, word: str) -> list[str]:
            excluded = opposites.get(word.lower(), frozenset())
            return [other for other in super()._get_replacement_words(word) if other.lower() not in excluded]

    return _with_embedding(WithoutOpposites, _embedding(textattack, resources.corpus_vectors()))


def nearest_words(vectors: Vectors, most: int) -> Callable[[str], list[str]]:
    """A function from a word to its `most` nearest words, nearest first; none for a word without a vector."""
    places = {word: place for place, word in enumerate(vectors.words)}
    nearest = _Nearest(vectors.matrix)
    return lambda word: [vectors.words[n] for n in nearest[places[word]][1 : most + 1]] if word in places else []


_EMBEDDED: list[tuple[Vectors, Any]] = []  # the last one, which lanes share with its memory


def _embedding(textattack: ModuleType, vectors: Vectors) -> Any:
    if not (_EMBEDDED and _EMBEDDED[0][0] is vectors):
        _EMBEDDED[:] = [(vectors, _embedded(textattack, vectors))]
    return _EMBEDDED[0][1]


def _embedded(textattack: ModuleType, vectors: Vectors) -> Any:
    places = {word: place for place, word in enumerate(vectors.words)}
    words = dict(enumerate(vectors.words))
    return textattack.shared.WordEmbedding(vectors.matrix, places, words, _Nearest(vectors.matrix))


class _Nearest:
    """The matrix of nearest words that TextAttack downloads beside the vectors; each row is made on demand.

    Without it TextAttack 0.3.11 raises. Rows are ordered by Euclidean distance, a word itself first.
    """

    def __init__(self, matrix: Any) -> None:
        import torch  # late: names of attacks are read without it

        self._matrix = torch.from_numpy(matrix)
        self._rows: dict[int, list[int]] = {}

    def __getitem__(self, index: int) -> list[int]:
        if index not in self._rows:
            distances = (self._matrix - self._matrix[index]).norm(dim=1)
            distances[index] = -1.0
            most = min(_MOST_NEAREST + 1, len(distances))
            self._rows[index] = distances.topk(most, largest=False, sorted=True).indices.tolist()
        return self._rows[index]


def _with_embedding(stock: Part, embedding: Any) -> Part:
    return lambda *arguments, **options: stock(*arguments, embedding=embedding, **options)


def homoglyph_swap(textattack: ModuleType, resources: Resources, victim: Any) -> Part:
    """`WordSwapHomoglyphSwap` without the file that the wheel of TextAttack 0.3.11 lacks.

    Only BadCharacters reads that file. The table for swaps of words is in the class.
    """

    class HomoglyphSwap(textattack.transformations.WordSwapHomoglyphSwap):  # type: ignore[misc,name-defined]
        def __init__(self, *arguments: Any, **options: Any) -> None:
            try:
                super().__init__(*arguments, **options)
            except FileNotFoundError:
                if not self.homos or self.homos_intentional:
                    raise

    return HomoglyphSwap


def masked_lm_swap(textattack: ModuleType, resources: Resources, victim: Any) -> Part:
    """`WordSwapMaskedLM` with the model of `Resources.masked_lm`; all attacks share it."""
    model, tokenizer = masked_lm(resources)
    stock = textattack.transformations.WordSwapMaskedLM
    return lambda **options: stock(masked_language_model=model, tokenizer=tokenizer, **options)


def masked_lm(resources: Resources) -> tuple[Any, Any]:
    """The model of `Resources.masked_lm` and its tokenizer."""
    return _masked_lm(resources.masked_lm())


@lru_cache(maxsize=1)
def _masked_lm(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForMaskedLM

    from rosearch.models.saved import load_model, load_tokenizer

    return load_model(AutoModelForMaskedLM, folder), load_tokenizer(folder)


def part_of_speech(textattack: ModuleType, resources: Resources, victim: Any) -> Part:
    """`PartOfSpeech` with NLTK's tagger from `Resources.tagger`: equal tags without a data package of NLTK."""
    tagger = resources.tagger()

    class LocalPartOfSpeech(textattack.constraints.grammaticality.PartOfSpeech):  # type: ignore[misc,name-defined]
        def _get_pos(self, before_ctx: list[str], word: str, after_ctx: list[str]) -> str:
            words = [*before_ctx, word, *after_ctx]
            return str(tagger.tag(words)[words.index(word)][1])  # the first of equal words, as in the stock part

    return LocalPartOfSpeech


def universal_sentence_encoder(textattack: ModuleType, resources: Resources, victim: Any) -> Part:
    """`UniversalSentenceEncoder` with `Resources.sentence_encoder`."""
    stock: Any = _sentence_encoder(textattack, resources, victim)

    def made(threshold: float = 0.8, large: bool = False, metric: str = "angular", **options: Any) -> Any:
        return stock(threshold=threshold, metric=metric, **options)

    return made


def sbert(textattack: ModuleType, resources: Resources, victim: Any) -> Part:
    """`SBERT` with `Resources.sentence_encoder`."""
    stock: Any = _sentence_encoder(textattack, resources, victim)

    def made(threshold: float = 0.7, metric: str = "cosine", model_name: str = "", **options: Any) -> Any:
        return stock(threshold=threshold, metric=metric, **options)

    return made


def _sentence_encoder(textattack: ModuleType, resources: Resources, victim: Any) -> Part:
    encoder = resources.sentence_encoder(str(getattr(victim, "device", "cpu")))

    class LocalSentenceEncoder(textattack.constraints.semantics.sentence_encoders.SentenceEncoder):  # type: ignore[misc,name-defined]
        model = encoder  # TextAttack calls `model.encode` to compare one text

        def encode(self, sentences: list[str]) -> Any:
            return encoder.encode(sentences)

    return LocalSentenceEncoder
