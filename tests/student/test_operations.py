from __future__ import annotations

import pytest
import torch
from student.small_students import OPERATION_CASES, WIDTH, case_name, padded_batch, single, small_student
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from rosearch.space import rules
from rosearch.space.cost import count_flops, count_parameters, merge_parameters, operation_parameters
from rosearch.space.genotype import Genotype
from rosearch.space.node import Node, Setting
from rosearch.student.operations import ACTIVATIONS, MERGES, OPERATIONS, build_operation

LENGTHS, TOKENS = (9, 1, 5), 12
Case = tuple[str, dict[str, Setting]]

every_operation = pytest.mark.parametrize("case", OPERATION_CASES, ids=case_name)


def keep_mask() -> Tensor:
    return torch.arange(TOKENS) < torch.tensor(LENGTHS).unsqueeze(1)


def tokens(seed: int = 1) -> Tensor:
    return torch.randn(len(LENGTHS), TOKENS, WIDTH, generator=torch.Generator().manual_seed(seed))


def operation(case: Case, dropout: float = 0.1) -> nn.Module:
    """The operation with random weights everywhere, norms and biases included."""
    module = build_operation(*case, WIDTH, dropout, 1e-5)
    generator = torch.Generator().manual_seed(3)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3, generator=generator)
    return module.eval()


def test_torch_and_the_rules_know_the_same_operations_merges_and_activations() -> None:
    assert {*OPERATIONS, "identity"} == set(rules.OPERATIONS)
    assert set(MERGES) == set(rules.MERGES)
    assert set(ACTIVATIONS) == set(rules.ACTIVATIONS)
    assert {op for op, _ in OPERATION_CASES} == set(rules.OPERATIONS)


@every_operation
def test_an_operation_keeps_the_shape_and_is_deterministic_in_evaluation(case: Case) -> None:
    module, x = operation(case), tokens()
    for keep in (None, keep_mask()):
        y = module(x, keep)
        assert y.shape == x.shape
        assert y.isfinite().all()
        assert torch.equal(y, module(x, keep))


@every_operation
def test_an_operation_does_not_see_pads(case: Case) -> None:
    module, x, keep = operation(case), tokens(), keep_mask()
    garbage = torch.where(keep.unsqueeze(-1), x, 1e3 * tokens(2))
    y = module(garbage, keep)
    assert y.isfinite().all()
    for row, length in enumerate(LENGTHS):
        alone = module(x[row : row + 1, :length], None)
        torch.testing.assert_close(y[row, :length], alone[0], rtol=1e-4, atol=1e-4)


@every_operation
def test_the_gradient_reaches_every_parameter_and_no_pad(case: Case) -> None:
    module, x, keep = operation(case), tokens().requires_grad_(), keep_mask()
    (module(x, keep) * tokens(3))[keep].sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
        assert parameter.grad.isfinite().all(), name
    assert x.grad is not None
    assert torch.equal(x.grad[~keep], torch.zeros_like(x.grad[~keep]))
    assert (x.grad[keep].abs().sum(-1) > 0).all()


@every_operation
def test_an_operation_has_the_parameters_that_the_cost_model_counts(case: Case) -> None:
    counted = operation_parameters(case[0], tuple(sorted(case[1].items())), WIDTH)
    assert sum(parameter.numel() for parameter in operation(case).parameters()) == counted


@every_operation
def test_an_operation_has_the_flops_that_the_cost_model_counts(case: Case) -> None:
    assert measured_flops(single(*case)) == count_flops(single(*case), TOKENS)


@every_operation
def test_training_in_bfloat16_is_finite_and_near_float32(case: Case) -> None:
    module, keep = operation(case, dropout=0.0), keep_mask()
    gradients = []
    for low in (False, True):
        x = tokens().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            y = module(x, keep)
        (y.float() * tokens(3))[keep].sum().backward()
        assert x.grad is not None
        gradients.append((y.detach().float()[keep], x.grad[keep]))
    for exact, low_precision in zip(*gradients):
        assert low_precision.isfinite().all()
        assert (exact - low_precision).norm() < 0.03 * exact.norm()


@every_operation
def test_a_row_of_pads_alone_is_finite_and_so_is_its_gradient(case: Case) -> None:
    module, keep = operation(case), keep_mask()
    keep[1] = False
    for low in (False, True):
        x = tokens().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            y = module(x, keep)
        y.float().sum().backward()
        assert y.isfinite().all()
        assert x.grad is not None and x.grad.isfinite().all()


@pytest.mark.parametrize("case", [c for c in OPERATION_CASES if c[0] != "identity"], ids=case_name)
def test_an_operation_adds_to_its_input_and_drops_out_in_training_only(case: Case) -> None:
    module, x, keep = operation(case, dropout=0.5), tokens(), keep_mask()
    added = module(x, keep) - x
    dropped = module.train()(x, keep) - x
    assert (dropped[keep] == 0).float().mean().item() == pytest.approx(0.5, abs=0.2)
    kept = (dropped != 0) & keep.unsqueeze(-1)
    torch.testing.assert_close(dropped[kept], 2 * added[kept], rtol=1e-3, atol=1e-4)


def test_identity_is_its_input_without_parameters() -> None:
    x = tokens()
    assert build_operation("identity", {}, WIDTH, 0.5, 1e-5).train()(x, keep_mask()) is x


def test_attention_is_that_of_torch() -> None:
    module = operation(("attention", {"heads": 4, "conv": False})).operation
    reference = nn.MultiheadAttention(WIDTH, 4, batch_first=True)
    reference.in_proj_weight, reference.in_proj_bias = module.project.weight, module.project.bias
    reference.out_proj.weight, reference.out_proj.bias = module.out.weight, module.out.bias
    x, keep = tokens(), keep_mask()
    expected, _ = reference(x, x, x, key_padding_mask=~keep)
    torch.testing.assert_close(module(x, keep)[keep], expected[keep], rtol=1e-4, atol=1e-5)


def test_the_convolved_attention_mixes_adjacent_queries_keys_and_values() -> None:
    module = operation(("attention", {"heads": 4, "conv": True})).operation
    plain = operation(("attention", {"heads": 4, "conv": False})).operation
    plain.load_state_dict({k: v for k, v in module.state_dict().items() if not k.startswith("mix")})
    with torch.no_grad():
        module.mix.weight.zero_()
        module.mix.weight[:, 0, 1] = 1.0  # passes each token on as it is
        module.mix.bias.zero_()
    x, keep = tokens(), keep_mask()
    torch.testing.assert_close(module(x, keep)[keep], plain(x, keep)[keep], rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        module.mix.weight[:, 0, 0] = 1.0
    assert not torch.allclose(module(x, keep)[keep], plain(x, keep)[keep], atol=1e-2)


def test_lightweight_convolution_averages_with_softmaxed_taps_shared_by_an_eighth_of_the_features() -> None:
    module = operation(("light_conv", {"kernel": 5})).operation
    x, keep = tokens(), keep_mask()
    gated = nn.functional.glu(module.up(x), -1)
    taps = module.taps.softmax(-1)
    mixed = torch.zeros_like(gated)
    for row, length in enumerate(LENGTHS):
        for token in range(length):
            for tap in range(5):
                if 0 <= (read := token + tap - 2) < length:
                    share = taps[:, tap].repeat_interleave(WIDTH // 8)
                    mixed[row, token] += share * gated[row, read]
    torch.testing.assert_close(module(x, keep)[keep], module.out(mixed)[keep], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("op", ["max_pool", "avg_pool"])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_pool_takes_the_real_tokens_within_its_reach(op: str, kernel: int) -> None:
    module = operation((op, {"kernel": kernel})).operation
    x, keep = tokens(), keep_mask()
    y = module(x, keep)
    for row, length in enumerate(LENGTHS):
        for token in range(length):
            reached = x[row, max(0, token - kernel // 2) : min(length, token + kernel // 2 + 1)]
            expected = reached.amax(0) if op == "max_pool" else reached.mean(0)
            torch.testing.assert_close(y[row, token], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("inputs", [2, 3])
@pytest.mark.parametrize("merge", MERGES)
def test_a_merge_has_the_cost_that_the_cost_model_counts(merge: str, inputs: int) -> None:
    module = MERGES[merge](WIDTH, inputs)
    counted = merge_parameters(merge, inputs, WIDTH)
    assert sum(parameter.numel() for parameter in module.parameters()) == counted
    genotype = Genotype(WIDTH, 16, "mean", (Node.of("identity", (0,) * inputs, merge),))
    assert measured_flops(genotype) == count_flops(genotype, TOKENS)
    assert module([tokens(seed) for seed in range(inputs)]).shape == tokens().shape


def test_add_and_a_fresh_gate_are_the_mean_and_a_trained_gate_weighs_each_feature() -> None:
    inputs = [tokens(seed) for seed in range(3)]
    mean = torch.stack(inputs).mean(0)
    torch.testing.assert_close(MERGES["add"](WIDTH, 3)(inputs), mean)
    gate = MERGES["gate"](WIDTH, 3)
    nn.init.zeros_(gate.weight)
    torch.testing.assert_close(gate(inputs), mean)
    with torch.no_grad():
        gate.weight[1, 4] = 50.0
    torch.testing.assert_close(gate(inputs)[..., 4], inputs[1][..., 4])
    torch.testing.assert_close(gate(inputs)[..., 5], mean[..., 5])


def test_concat_projects_its_inputs_in_the_order_of_their_ports() -> None:
    concat, (a, b) = MERGES["concat"](WIDTH, 2), (tokens(1), tokens(2))
    torch.testing.assert_close(concat([a, b]), concat.project(torch.cat([a, b], -1)))
    assert not torch.allclose(concat([a, b]), concat([b, a]))


@pytest.mark.parametrize(
    ("op", "settings", "message"),
    [
        ("self_attention", {}, "unknown operation 'self_attention'.*attention.*identity"),
        ("attention", {"heads": 5}, "heads must divide the width 32, got 5"),
        ("ffn", {"ratio": 2.0}, "ffn cannot be built.*activation"),
        ("ffn", {"ratio": 2.0, "activation": "tanh"}, "activation must be one of gelu.*'tanh'"),
        ("conv", {"kernel": 4}, "kernel must be odd.*got 4"),
        ("glu", {"kernel": 3}, "glu cannot be built.*kernel"),
    ],
)
def test_what_cannot_be_built_is_told_in_words(op: str, settings: dict[str, Setting], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_operation(op, settings, WIDTH, 0.1, 1e-5)


def measured_flops(genotype: Genotype) -> int:
    """FLOPs of one sentence through the whole student, counted by torch."""
    student = small_student(genotype)
    batch = {name: row[:1, :TOKENS] for name, row in padded_batch((TOKENS,), TOKENS).items()}
    # Torch counts the products of unfused attention only.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        student(**batch)
    assert count_parameters(genotype, vocabulary=60, positions=24).total == sum(
        parameter.numel() for parameter in student.parameters()
    )
    return int(counter.get_total_flops())
