"""The student as a Hugging Face model: embeddings, the graph of operations, pooling, classifier.

B is the batch, T the tokens, W the width, R the rank of the embeddings.
This file travels with every exported student: it imports only the files beside it that travel too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling, SequenceClassifierOutput

from .configuration_rosearch import StudentConfig
from .leading_tokens import ALL, is_recorded, leading, needed_tokens, reach_of
from .lexicon import LEXICONS, SpelledEmbedding, TokenDropout
from .local_operations import LightConvolution, real_tokens
from .operations import MERGES, Gate, Mean, build_operation
from .poolings import POOLINGS, FirstPooling


class Embeddings(nn.Module):
    """Word, position and token-type embeddings of rank R, summed, projected to W, normed.

    `word` gives a token's lexical vector, from a table or from its characters (see `lexicon`).
    """

    def __init__(self, config: StudentConfig) -> None:
        super().__init__()
        width, rank = config.genotype["width"], config.genotype["rank"]
        characters = config.source["characters"]
        if characters not in LEXICONS:
            raise ValueError(f"unknown characters {characters!r}: known are {', '.join(LEXICONS)}")
        self.word = LEXICONS[characters](config.vocab_size, rank)
        self.token_dropout = TokenDropout(config.source["token_dropout"])
        self.position = nn.Embedding(config.max_position_embeddings, rank)
        self.token_type = nn.Embedding(config.type_vocab_size, rank)
        self.project = nn.Linear(rank, width)
        self.norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, words: Tensor, token_type_ids: Tensor | None, position_ids: Tensor | None) -> Tensor:
        """Lexical vectors (B, T, R) -> (B, T, W). Positions default to 0, 1, ..., token types to 0.

        Raises `ValueError` for more tokens than the student has positions.
        """
        tokens, positions = words.shape[1], self.position.num_embeddings
        if position_ids is None and tokens > positions:
            raise ValueError(f"an input of {tokens} tokens is too long: the student has {positions} positions")
        # A slice of the table in place of a look-up: its gradient is a sum, not a scatter.
        position = self.position.weight[:tokens] if position_ids is None else self.position(position_ids)
        kind = self.token_type.weight[0] if token_type_ids is None else self.token_type(token_type_ids)
        y: Tensor = self.dropout(self.norm(self.project(self.token_dropout(words) + position + kind)))
        return y


class GraphNode(nn.Module):
    """One node of the genotype: a merge of its inputs, then its operation."""

    def __init__(self, node: Mapping[str, Any], config: StudentConfig) -> None:
        super().__init__()
        width, merge = config.genotype["width"], node.get("merge", "add")
        if merge not in MERGES:
            raise ValueError(f"unknown merge {merge!r}: known are {', '.join(MERGES)}")
        self.reads: tuple[int, ...] = tuple(node["inputs"])
        self.merge = MERGES[merge](width, len(self.reads)) if len(self.reads) > 1 else None
        settings = node.get("settings", {})
        self.operation = build_operation(node["op"], settings, width, config.dropout, config.layer_norm_eps)
        self.reach = reach_of(self.operation)

    def forward(self, states: Sequence[Tensor], keep: Tensor | None, gives: int = ALL) -> Tensor:
        """The outputs of all earlier nodes, each (B, T, W) -> (B, T, W), or its first `gives` tokens alone.

        Of a state, no more leading tokens are read than that takes, and no more need be there.
        """
        inputs, few = [states[read] for read in self.reads], gives < ALL
        if few and self.reach < ALL:
            inputs = [leading(x, gives + self.reach) for x in inputs]
            keep = None if keep is None else leading(keep, gives + self.reach)
        x = inputs[0] if self.merge is None else self.merge(inputs)
        # Attention computes the first tokens alone. Others lack adjacent tokens at the right edge, which is cut off.
        y: Tensor = self.operation(x, keep, gives) if few and self.reach == ALL else self.operation(x, keep)
        return y[:, :gives] if few else y


class StudentPreTrainedModel(PreTrainedModel):  # type: ignore[misc]
    """The base of both models: configuration, initial weights, access to the word table."""

    config_class = StudentConfig
    base_model_prefix = "student"
    _supports_sdpa = True

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        # Fan-in scaling in place of transformers' fixed 0.02: widths and kernels differ from node to node, and a
        # depthwise kernel of 0.02 would all but mute its branch. The classifier starts small, so that the first loss is
        # that of a guess; at full scale the first hundred steps would be spent on undoing it.
        if isinstance(module, nn.Linear | nn.Conv1d):
            fan_in = module.weight[0].numel()
            is_classifier = module is getattr(self, "classifier", None)
            nn.init.normal_(module.weight, std=self.config.initializer_range if is_classifier else fan_in**-0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
            if isinstance(module, SpelledEmbedding):  # its parts are initialised by now: innermost modules come first
                nn.init.zeros_(module.out.weight)
        elif isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, Gate):
            nn.init.zeros_(module.weight)
        elif isinstance(module, LightConvolution):
            nn.init.normal_(module.taps, std=module.taps.shape[-1] ** -0.5)

    def resize_token_embeddings(self, new_num_tokens: int | None = None, *arguments: Any, **settings: Any) -> nn.Module:
        """As in transformers. Raises `ValueError` for a student that reads characters: new words have none."""
        if self.config.source["characters"] == "none":
            resized: nn.Module = super().resize_token_embeddings(new_num_tokens, *arguments, **settings)
            return resized
        if new_num_tokens not in (None, self.config.vocab_size):
            raise ValueError(
                "a student that reads characters keeps its vocabulary: build another for another tokenizer"
            )
        words: nn.Module = self.get_input_embeddings()
        return words


class StudentModel(StudentPreTrainedModel):
    """The student without a classifier. Raises `ValueError` if its genotype cannot be built."""

    def __init__(self, config: StudentConfig) -> None:
        super().__init__(config)
        genotype = config.genotype
        if genotype["pooling"] not in POOLINGS:
            raise ValueError(f"unknown pooling {genotype['pooling']!r}: known are {', '.join(POOLINGS)}")
        self.embeddings = Embeddings(config)
        self.nodes = nn.ModuleList([GraphNode(node, config) for node in genotype["nodes"]])
        read = {source for node in genotype["nodes"] for source in node["inputs"]}
        self.sinks = [position for position in range(1, len(self.nodes) + 1) if position not in read]
        self.merge = Mean(genotype["width"], len(self.sinks))
        self.norm = nn.LayerNorm(genotype["width"], eps=config.layer_norm_eps)
        self.pooling = POOLINGS[genotype["pooling"]](genotype["width"])
        nodes: list[Any] = list(self.nodes)
        reads, reaches = [node.reads for node in nodes], [node.reach for node in nodes]
        self.needed = needed_tokens(reads, reaches, self.sinks)  # by its first token
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """The module from ids (B, T) to lexical vectors (B, T, R). Its `weight` is the table of words or of n-grams."""
        return self.embeddings.word

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replaces the module that `get_input_embeddings` gives."""
        self.embeddings.word = value

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        pooled_only: bool | None = None,
    ) -> BaseModelOutputWithPooling | tuple[Any, ...]:
        """Tokens to features.

        Args:
            input_ids: (B, T) integers; either these or `inputs_embeds`.
            attention_mask: (B, T), 0 at padding; without it nothing is padding (as in BERT).
            token_type_ids: (B, T); default 0.
            position_ids: (B, T) or (1, T); default 0, 1, ...
            inputs_embeds: (B, T, R), in place of the lexical vectors of `input_ids`.
            output_hidden_states: also give the outputs of source, nodes and final norm, each (B, T, W).
            return_dict: an output object (default) or a tuple.
            pooled_only: who asks reads `pooler_output` alone. A student that pools the first token then computes of its
                last nodes what that depends on, and `last_hidden_state` is (B, 1, W). Training computes all.

        Raises `ValueError` if both or neither of the inputs are given, or the input is too long.
        """
        return_dict = self.config.return_dict if return_dict is None else return_dict
        if output_hidden_states is None:
            output_hidden_states = self.config.output_hidden_states
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("exactly one of input_ids and inputs_embeds is needed")
        if input_ids is not None:
            self.warn_if_padding_and_no_attention_mask(input_ids, attention_mask)
            inputs_embeds = self.embeddings.word(input_ids)
        keep = real_tokens(attention_mask)
        only = pooled_only and not (self.training or output_hidden_states) and isinstance(self.pooling, FirstPooling)
        needed = self.needed if only else [ALL] * len(self.needed)

        states = [self.embeddings(inputs_embeds, token_type_ids, position_ids)]
        if only and keep is None and is_recorded():  # `leading` may add tokens, which are none
            keep = torch.ones(states[0].shape[:2], dtype=torch.bool, device=states[0].device)
        for node, gives in zip(self.nodes, needed[1:]):
            states.append(node(states, keep, gives))
        ends = [states[sink][:, :1] if only else states[sink] for sink in self.sinks]
        last = self.norm(self.merge(ends))
        pooled = self.pooling(last, keep)
        hidden_states = (*states, last) if output_hidden_states else None
        if not return_dict:
            return (last, pooled) if hidden_states is None else (last, pooled, hidden_states)
        return BaseModelOutputWithPooling(last_hidden_state=last, pooler_output=pooled, hidden_states=hidden_states)


class StudentForSequenceClassification(StudentPreTrainedModel):
    """A student that classifies texts or pairs of texts, or predicts numbers."""

    def __init__(self, config: StudentConfig) -> None:
        super().__init__(config)
        self.num_labels = config.num_labels
        self.student = StudentModel(config)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(config.genotype["width"], config.num_labels)
        self.post_init()

    # The arguments of `StudentModel.forward` are listed again: transformers and peers inspect this signature.
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> SequenceClassifierOutput | tuple[Any, ...]:
        """Tokens to logits (B, labels), and with `labels` the loss of the configuration's `problem_type`.

        The other arguments are those of `StudentModel.forward`; loss and outputs are those of transformers' BERT.
        """
        return_dict = self.config.return_dict if return_dict is None else return_dict
        outputs = self.student(
            input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
            output_hidden_states=output_hidden_states,
            return_dict=True,
            pooled_only=True,
        )
        logits = self.classifier(self.dropout(outputs.pooler_output))
        loss = None if labels is None else self._loss(logits, labels)
        if not return_dict:
            return tuple(value for value in (loss, logits, outputs.hidden_states) if value is not None)
        return SequenceClassifierOutput(loss=loss, logits=logits, hidden_states=outputs.hidden_states)

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        if self.config.problem_type is None:
            if self.num_labels == 1:
                self.config.problem_type = "regression"
            elif labels.dtype in (torch.long, torch.int):
                self.config.problem_type = "single_label_classification"
            else:
                self.config.problem_type = "multi_label_classification"
        match self.config.problem_type:
            case "regression" if self.num_labels == 1:
                return F.mse_loss(logits.squeeze(), labels.squeeze())
            case "regression":
                return F.mse_loss(logits, labels)
            case "single_label_classification":
                return F.cross_entropy(logits.view(-1, self.num_labels), labels.view(-1))
            case _:
                return F.binary_cross_entropy_with_logits(logits, labels)
