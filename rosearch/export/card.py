"""The model card of an exported student: what it is, how to use it, what was measured, and its limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files
from string import Template

from rosearch.export.card_facts import CardFacts, card_header, making
from rosearch.export.markdown import Row, as_code, as_text, table
from rosearch.measurements import SOFT_LABELS, Efficiency, Estimate, Measurements, Quality, Robustness
from rosearch.space.genotype import Genotype

_FOUND = "its architecture was found by evolution and its weights by distillation (rosearch, run {run})"
_NEEDS = (
    "It needs torch and transformers, not rosearch. `trust_remote_code=True` runs the Python files of this folder "
    "({code}): read them first."
)
_ENCODED = (
    " The tokenizer replaces words by codes before it cuts them, and only its code knows how: other readers of this "
    "folder raise an error. Without transformers, `load_tokenizer(folder)` of `tokenization_rosearch.py` reads it."
)
_NEEDS_NO_CODE = "It needs torch and transformers, not rosearch, and no code beside it."
_FRAME = (
    "Node 0 is the embedded text; each operation is pre-norm with a residual; the mean of the nodes that nobody reads "
    "is normed and pooled."
)
_ATTACK = """TextAttack does not run the code of a folder by itself. Save this as `textattack_model.py`:

```python
{snippet}
```

Then `textattack attack --model-from-file textattack_model.py --recipe deepwordbug` and a data set attack it."""
_STOCK_ATTACK = "`textattack attack --model-from-huggingface FOLDER` attacks it, with the path of this folder."
_ANSWERS = {
    "classification": ("logits = model(**inputs).logits", "label = model.config.id2label[int(logits[0].argmax())]"),
    "regression": ("logits = model(**inputs).logits", "score = logits[0, 0].item()"),
    "encoder": ("states = model(**inputs).last_hidden_state  # (texts, tokens, width)",),
}


def render_card(facts: CardFacts, folder: str, code: Iterable[str], picture: str = "") -> str:
    """The README.md of the export `folder`: Markdown with the hub's YAML header.

    `code` names its Python files, `picture` the file beside it that shows its architecture, if there is one.
    """
    template = Template(files("rosearch.export").joinpath("model_card.md").read_text(encoding="utf-8"))
    measurements, code = facts.measurements, tuple(code)
    return template.substitute(
        metadata=card_header(facts),
        name=as_text(facts.name),
        teacher=as_code(facts.teacher),
        purpose="any task" if facts.problem == "encoder" else f"the task {as_code(facts.task)}",
        origin=facts.origin or _FOUND.format(run=as_code(facts.run)),
        date=facts.date,
        rows=_rows(facts),
        snippet=usage_snippet(facts, folder, trusted=bool(code)),
        needs="\n\n".join(filter(None, (_needs(code), _attack(facts, folder, trusted=bool(code))))),
        measured=table(
            ("measure", "value"),
            [*_quality(measurements.quality), *_taught(facts), *_attacked(measurements), *_meaning(measurements)],
        ),
        cost=table(
            ("cost", "value", f"against {'BERT-base' if facts.called == SOFT_LABELS else 'the teacher'}"),
            _efficiency(measurements.efficiency),
        ),
        making=table(("made by", "value"), making(facts)),
        architecture=facts.architecture if facts.genotype is None else _graph(facts.genotype, picture),
        limits="\n".join(f"- {limit}" for limit in _limits(facts)),
    )


def _attack(facts: CardFacts, folder: str, *, trusted: bool) -> str:
    """The way in which stock TextAttack takes the folder; "" for what it cannot attack."""
    if facts.problem != "classification":
        return ""
    if not trusted:
        return _STOCK_ATTACK
    lines = (
        "from textattack.models.wrappers import HuggingFaceModelWrapper",
        "from transformers import AutoModelForSequenceClassification, AutoTokenizer",
        "",
        f"folder = {folder!r}  # the path of this folder",
        "tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=True)",
        "found = AutoModelForSequenceClassification.from_pretrained(folder, trust_remote_code=True)",
        "model = HuggingFaceModelWrapper(found.eval(), tokenizer)",
    )
    return _ATTACK.format(snippet="\n".join(lines))


def _needs(code: Sequence[str]) -> str:
    if not code:
        return _NEEDS_NO_CODE
    encoded = any(name.startswith("tokenization_") for name in code)
    return _NEEDS.format(code=", ".join(map(as_code, code))) + (_ENCODED if encoded else "")


def _rows(facts: CardFacts) -> str:
    count = facts.measurements.quality.n
    return (
        f"{count} held-out blocks of the corpus"
        if facts.problem == "encoder"
        else f"{count} rows of the {facts.split} split"
    )


def _graph(genotype: Genotype, picture: str) -> str:
    frame = f"Width {genotype.width}, embedding rank {genotype.rank}, pooling: {as_text(genotype.pooling)}. {_FRAME}"
    shown = f"![The graph of its operations]({picture})\n\n" if picture else ""
    return f"{shown}{frame}\n\n{table(('node', 'operation', 'settings', 'reads', 'merge'), _nodes(genotype))}"


def usage_snippet(facts: CardFacts, folder: str, *, trusted: bool) -> str:
    """Python code that loads the folder and labels a text; it runs beside the folder. `trusted`: with its own code."""
    texts = '["a first text"], ["a second text"]' if facts.texts == 2 else '["a text"]'
    trust = ", trust_remote_code=True" if trusted else ""
    auto = "AutoModel" if facts.problem == "encoder" else "AutoModelForSequenceClassification"
    return "\n".join(
        (
            f"from transformers import {auto}, AutoTokenizer",
            "",
            f"folder = {folder!r}  # the path of this folder",
            f"tokenizer = AutoTokenizer.from_pretrained(folder{trust})",
            f"model = {auto}.from_pretrained(folder{trust})",
            "model.eval()",
            f'inputs = tokenizer({texts}, truncation=True, padding=True, return_tensors="pt")',
            *_ANSWERS[facts.problem],
        )
    )


def _quality(quality: Quality) -> list[Row]:
    if quality.metric == "fidelity":
        return [("fidelity to the teacher's inner states, 1 / (1 + loss)", f"{quality.value:.3f}")]
    name = f"{quality.metric.replace('_', ' ')} (the task's metric)"
    if quality.accuracy is None:
        rows: list[Row] = [(name, f"{quality.value:.3f}")]
    elif quality.metric == "accuracy":
        rows = [(name, _share(quality.accuracy))]
    else:
        rows = [(name, f"{quality.value:.3f}"), ("accuracy", _share(quality.accuracy))]
    others = {
        "macro F1": quality.macro_f1,
        "Matthews correlation": quality.matthews,
        "Pearson": quality.pearson,
        "Spearman": quality.spearman,
        "largest share of one class in the predictions": quality.largest_class_share,
    }
    rows += [(name, f"{value:.3f}") for name, value in others.items() if value is not None]
    return [*rows, ("expected calibration error", str(quality.calibration))] if quality.calibration else rows


def _taught(facts: CardFacts) -> list[Row]:
    """The teacher's quality on the same rows, if it is known."""
    if facts.teacher_quality is None:
        return []
    name, value = _quality(facts.teacher_quality)[0]
    return [(f"of the {facts.called}, {name}", value)]


def _attacked(measurements: Measurements) -> list[Row]:
    """One attack in full; several attacks: the worst case in full, and the accuracy under each alone."""
    worst, attacks = measurements.robustness, measurements.attacks
    if worst is None:
        return []
    if len(attacks) < 2:
        return _robustness(worst, worst.attack) + _single_swaps(measurements)
    alone = [(f"accuracy under {attack.attack} alone", _share(attack.under_attack)) for attack in attacks]
    return [*_robustness(worst, f"the worst of {_names(attacks)}"), *alone, *_single_swaps(measurements)]


def _meaning(measurements: Measurements) -> list[Row]:
    """The figures of what it tells apart. A model that tells no words apart survives every attack."""
    figures = {} if measurements.meaning is None else measurements.meaning.figures
    return [
        (f"meaning: {name}", _share(value) if isinstance(value, Estimate) else f"{100 * value:.1f} %")
        for name, value in figures.items()
    ]


def _names(attacks: Sequence[Robustness]) -> str:
    return ", ".join(attack.attack for attack in attacks)


def _single_swaps(measurements: Measurements) -> list[Row]:
    return [
        (f"accuracy under every single swap of {swaps.attack}", _share(swaps.worst))
        for swaps in measurements.single_swaps
    ]


def _robustness(robustness: Robustness, attack: str) -> list[Row]:
    rows: list[Row] = [
        (f"accuracy before {attack}", _share(robustness.clean)),
        (f"accuracy under {attack}", _share(robustness.under_attack)),
        (f"attack success rate of {attack}", _share(robustness.success_rate)),
        ("queries per attacked row", _mean(robustness.queries, "{:.1f}")),
        ("share of words changed where it broke", _mean(robustness.perturbed_words, "{:.3f}")),
        (
            "share of words to break it (0 wrong from the start, 1 survived)",
            _mean(robustness.words_to_break, "{:.1%}"),
        ),
    ]
    if robustness.similarity is not None and robustness.similarity.n:
        rows.append(("similarity to the original of what broke it", _mean(robustness.similarity, "{:.3f}")))
    return rows


def _efficiency(efficiency: Efficiency) -> list[Row]:
    rows: list[Row] = [
        ("parameters", f"{efficiency.parameters:,}", f"{efficiency.compression:.1f}x fewer"),
        (
            "parameters without embeddings",
            f"{efficiency.encoder_parameters:,}",
            f"{efficiency.encoder_compression:.1f}x fewer",
        ),
        (
            f"FLOPs, one text of {efficiency.tokens} tokens",
            f"{efficiency.flops:,}",
            f"{efficiency.flops_compression:.1f}x fewer",
        ),
        ("weights on disk", f"{efficiency.size_mb:.1f} MB", ""),
    ]
    device = ", ".join(filter(None, (efficiency.timed_on, efficiency.machine)))
    where = f"{efficiency.tokens} tokens, {device}, threads: {efficiency.threads}"
    for latency in efficiency.latency:
        value = f"{latency.median_ms:.1f} ms ({latency.low_ms:.1f} to {latency.high_ms:.1f})"
        rows.append((f"median latency (quartiles), batch {latency.batch_size}, {where}", value, ""))
    return rows


def _nodes(genotype: Genotype) -> list[Row]:
    """One row per node; node 0 only if it does more than look words up."""
    source = [(0, "source", _told(genotype.source), "", "")] if genotype.source else []
    return [
        *source,
        *(
            (
                position,
                node.op,
                _told(node.settings),
                ", ".join(map(str, node.inputs)),
                node.merge if len(node.inputs) > 1 else "",
            )
            for position, node in enumerate(genotype.nodes, start=1)
        ),
    ]


def _told(settings: Iterable[tuple[str, object]]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings)


def _limits(facts: CardFacts) -> list[str]:
    robustness, attacks = facts.measurements.robustness, facts.measurements.attacks
    collapse = facts.measurements.quality.collapse
    limits = [as_text(f"Collapsed: it {collapse}.")] if collapse else []
    limits += [as_text(f"{note[:1].upper()}{note[1:]}.") for note in facts.notes]
    if facts.candidates:
        limits.append(
            f"Chosen as the best of {facts.candidates} candidates by the very measurements above, which are "
            "therefore too good on average. A fair figure needs rows that the search never saw."
        )
    if facts.problem == "encoder":
        limits.append("It has no head: what it is worth for a task, and how robust it then is, was not measured.")
    elif robustness is None:
        limits.append("No attack was run: nothing is known of its robustness.")
    else:
        several = len(attacks) > 1
        told = as_text(_names(attacks) if several else robustness.attack)
        named = f"{len(attacks)} attacks, {told}" if several else f"one attack, {told}"
        limits.append(
            f"Robustness was measured with {named}, on {robustness.n} rows: mind the "
            "interval. Other attacks, and attackers who know the weights, may break it more easily."
        )
        limits += [
            as_text(f"{attack.attack} is no stock recipe: {attack.differs}") for attack in attacks if attack.differs
        ]
        limits += [as_text(f"Of {alone.attack}: {note}.") for alone in attacks or (robustness,) for note in alone.notes]
    if facts.problem == "classification":
        labels = ", ".join(map(as_code, facts.labels))
        limits.append(f"It knows the labels {labels} and gives one of them to any text, also to one that fits none.")
    limits += [
        f"Texts are cut after {facts.max_length} tokens. It was trained on the texts of {as_code(facts.task)} only; "
        "other domains, genres and languages were not measured.",
        f"Errors and biases of its {facts.called} and of the data of {as_code(facts.task)} are learnt with the rest.",
        f"The licences of {facts.called} and data apply to these weights; check them before you pass the model on.",
    ]
    return limits


def _share(estimate: Estimate) -> str:
    value, low, high = (100 * number for number in (estimate.value, estimate.low, estimate.high))
    return f"{value:.1f} % [{low:.1f}, {high:.1f}; n = {estimate.n}]"


def _mean(estimate: Estimate, pattern: str) -> str:
    value, low, high = (pattern.format(number) for number in (estimate.value, estimate.low, estimate.high))
    return f"{value} [{low}, {high}; n = {estimate.n}]"
