from __future__ import annotations

import random
from collections import defaultdict
from itertools import combinations, permutations, product

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rosearch.space.cost import count_flops, count_parameters
from rosearch.space.genotype import Genotype
from rosearch.space.identity import canonical_form, working_nodes
from rosearch.space.node import SOURCE, Node

OPERATIONS = (
    Node.of("attention", heads=4, conv=False),
    Node.of("attention", heads=4, conv=True),
    Node.of("ffn", ratio=2.0, activation="gelu"),
    Node.of("max_pool", kernel=3),
    Node.of("identity"),
)
SOURCES = ((), (("characters", "cnn"),), (("token_dropout", 0.1), ("encoding", "typos"), ("characters", "ngrams")))


@st.composite
def genotypes(draw, most=9, operations=OPERATIONS):
    """Any wiring: repeated inputs, pass-through and merging identities, many sinks."""
    nodes = []
    for position in range(1, draw(st.integers(1, most)) + 1):
        inputs = draw(st.lists(st.integers(0, position - 1), min_size=1, max_size=3))
        merge = draw(st.sampled_from(["add", "gate", "concat"]))
        nodes.append(draw(st.sampled_from(operations)).with_(inputs=tuple(inputs), merge=merge))
    pooling = draw(st.sampled_from(["first", "mean"]))
    return Genotype(draw(st.sampled_from([64, 128])), 32, pooling, tuple(nodes), draw(st.sampled_from(SOURCES)))


def renumbered(genotype: Genotype, rng: random.Random) -> Genotype:
    """The same DAG in another random topological order; inputs that are added also change places."""
    order: list[int] = []
    waiting = list(range(1, len(genotype.nodes) + 1))
    while waiting:
        ready = [n for n in waiting if all(r == SOURCE or r in order for r in genotype.nodes[n - 1].inputs)]
        order.append(rng.choice(ready))
        waiting.remove(order[-1])
    position = {SOURCE: SOURCE} | {old: new for new, old in enumerate(order, start=1)}
    nodes = []
    for old in order:
        node = genotype.nodes[old - 1]
        inputs = [position[read] for read in node.inputs]
        if node.merge == "add":
            rng.shuffle(inputs)
        nodes.append(Node(node.op, tuple(rng.sample(node.settings, len(node.settings))), tuple(inputs), node.merge))
    return genotype.with_(nodes=tuple(nodes))


def shuffled_graph(genotype: Genotype, rng: random.Random) -> nx.DiGraph:
    """Its graph with random node names, and nodes and edges inserted in a random order."""
    names = {name: f"n{number}" for name, number in zip(genotype.graph, rng.sample(range(1000), len(genotype.graph)))}
    nodes = [(names[name], dict(data)) for name, data in genotype.graph.nodes(data=True)]
    edges = [(names[a], names[b], dict(data)) for a, b, data in genotype.graph.edges(data=True)]
    graph = nx.DiGraph(**genotype.graph.graph)
    graph.add_nodes_from(rng.sample(nodes, len(nodes)))
    graph.add_edges_from(rng.sample(edges, len(edges)))
    return graph


@given(genotypes(), st.randoms(use_true_random=False))
def test_a_genotype_keeps_its_id_when_its_nodes_are_renumbered(genotype, rng):
    assert renumbered(genotype, rng).id == genotype.id


@given(genotypes(), st.randoms(use_true_random=False))
def test_a_genotype_survives_the_way_through_a_graph_of_other_names_and_order(genotype, rng):
    again = Genotype.from_graph(shuffled_graph(genotype, rng))
    assert again.id == genotype.id
    assert again.canonical().to_dict() == genotype.canonical().to_dict()


@given(genotypes())
def test_a_genotype_survives_the_way_through_json(genotype):
    again = Genotype.from_json(genotype.to_json())
    assert again.to_dict() == genotype.to_dict()
    assert (again.id, again) == (genotype.id, genotype)


@given(genotypes(), st.randoms(use_true_random=False))
def test_the_canonical_genotype_is_one_and_the_same_for_all_of_an_id(genotype, rng):
    canonical = genotype.canonical()
    assert canonical.id == genotype.id
    assert canonical.canonical().to_json() == canonical.to_json()
    assert renumbered(genotype, rng).canonical().to_json() == canonical.to_json()


@given(genotypes())
def test_the_canonical_genotype_costs_what_the_genotype_costs_and_is_no_larger(genotype):
    canonical = genotype.canonical()
    assert len(canonical.nodes) <= len(genotype.nodes)
    assert working_nodes(canonical.nodes, canonical.sinks) == working_nodes(genotype.nodes, genotype.sinks)
    assert count_parameters(canonical) == count_parameters(genotype)
    assert count_flops(canonical, 16) == count_flops(genotype, 16)


def computed(genotype: Genotype, slopes: list[float]) -> float:
    """A toy student of scalars: node i computes tanh(slopes[i] x) of its merged inputs, identities x."""
    values = [1.0]
    for node, slope in zip(genotype.nodes, slopes, strict=True):
        inputs = [values[read] for read in node.inputs]
        shares = [port + 1.0 for port in range(len(inputs))] if node.merge != "add" else [1.0] * len(inputs)
        merged = float(np.dot(inputs, shares) / sum(shares))
        values.append(merged if node.op == "identity" else float(np.tanh(slope * merged)))
    return float(np.mean([values[sink] for sink in genotype.sinks]))


@given(genotypes())
def test_the_canonical_genotype_computes_the_same_function(genotype):
    slopes = [0.5 + 0.37 * position for position in range(len(genotype.nodes))]
    canonical = genotype.canonical()
    kept = [slopes[position - 1] for position in canonical_form(genotype.nodes, genotype.sinks).kept]
    kept += [0.0] * (len(canonical.nodes) - len(kept))  # identities that carry a node to the output
    assert computed(canonical, kept) == pytest.approx(computed(genotype, slopes))


def smallest_code(genotype: Genotype) -> tuple:
    """The oracle: the smallest of the codes under all renamings of the nodes."""
    codes = []
    for names in permutations(range(1, len(genotype.nodes) + 1)):
        rename = (SOURCE, *names)
        code = []
        for position, node in enumerate(genotype.nodes, start=1):
            inputs = [rename[read] for read in node.inputs]
            merge = node.merge if len(inputs) > 1 else ""
            code.append((rename[position], node.op, merge, tuple(sorted(inputs) if merge == "add" else inputs)))
        codes.append(tuple(sorted(code)))
    return min(codes)


def assert_ids_agree(oracle_of_id: list[tuple[str, object]]) -> int:
    """Equal ids exactly where the oracle is equal; returns the number of classes."""
    oracles, ids = defaultdict(set), defaultdict(set)
    for name, oracle in oracle_of_id:
        oracles[name].add(oracle)
        ids[oracle].add(name)
    assert max(map(len, oracles.values())) == 1, "genotypes that are not isomorphic share an id"
    assert max(map(len, ids.values())) == 1, "isomorphic genotypes have different ids"
    return len(ids)


def subsets(position: int) -> list[tuple[int, ...]]:
    reads = range(position)
    return [inputs for count in range(1, position + 1) for inputs in combinations(reads, count)]


@pytest.mark.parametrize(("nodes", "seen"), [(1, 2), (2, 12), (3, 168), (4, 5040)])
def test_ids_agree_with_brute_force_on_all_dags_of_two_operations(nodes, seen):
    pairs = []
    for wiring in product(*(subsets(position) for position in range(1, nodes + 1))):
        for ops in product(("glu", "ffn"), repeat=nodes):
            genotype = Genotype(64, 32, "mean", tuple(Node(op, (), reads) for op, reads in zip(ops, wiring)))
            pairs.append((genotype.id, smallest_code(genotype)))
    assert len(pairs) == seen
    assert 1 < assert_ids_agree(pairs) <= seen


def test_ids_agree_with_brute_force_on_all_dags_of_five_nodes():
    wirings = list(product(*(subsets(position) for position in range(1, 6))))
    assert len(wirings) == 9765
    ids = [Genotype(64, 32, "mean", tuple(Node("glu", (), reads) for reads in wiring)).id for wiring in wirings]
    edges = np.zeros((len(wirings), 6, 6), dtype=np.int64)
    for row, wiring in enumerate(wirings):
        for position, reads in enumerate(wiring, start=1):
            edges[row, position, list(reads)] = 1
    place = 1 << np.arange(36, dtype=np.int64).reshape(6, 6)
    codes = []
    for names in permutations(range(1, 6)):
        rename = (SOURCE, *names)
        codes.append((edges[:, rename][:, :, rename] * place).sum(axis=(1, 2)))
    assert assert_ids_agree(list(zip(ids, np.min(codes, axis=0).tolist()))) > 500


def test_ids_agree_with_brute_force_where_merges_and_ports_differ():
    def inputs(position):
        return [reads for count in (1, 2) for reads in permutations(range(position), count)]

    pairs = []
    for wiring in product(*(inputs(position) for position in (1, 2, 3))):
        for kinds in product((("glu", "add"), ("glu", "concat"), ("ffn", "add")), repeat=3):
            genotype = Genotype(64, 32, "mean", tuple(Node(op, (), r, m) for (op, m), r in zip(kinds, wiring)))
            pairs.append((genotype.id, smallest_code(genotype)))
    assert len(pairs) == 4 * 9 * 27
    assert assert_ids_agree(pairs) > 100


@settings(max_examples=60)
@given(genotypes(most=5, operations=(Node("glu"), Node("ffn"))), genotypes(most=5, operations=(Node("glu"),)))
def test_ids_of_two_drawn_genotypes_agree_with_networkx(a, b):
    def plain(genotype):
        nodes = tuple(node.with_(inputs=tuple(dict.fromkeys(node.inputs)), merge="add") for node in genotype.nodes)
        return Genotype(64, 32, "mean", nodes)

    def same(left, right):
        return left["op"] == right["op"]

    a, b = plain(a), plain(b)
    assert (a.id == b.id) == nx.is_isomorphic(a.graph, b.graph, node_match=same)


def rings(*lengths: int) -> Genotype:
    """Per ring of length n: n nodes that read the source, and n that each read two adjacent ones of them."""
    tops = tuple(Node("glu") for _ in range(sum(lengths)))
    bottoms, start = [], 1
    for length in lengths:
        bottoms += [Node("ffn", (), (start + i, start + (i + 1) % length)) for i in range(length)]
        start += length
    return Genotype(64, 32, "mean", (*tops, *bottoms))


@pytest.mark.parametrize(("one", "two"), [((4,), (2, 2)), ((6,), (3, 3)), ((5,), (3, 2)), ((7,), (4, 3))])
def test_graphs_that_weisfeiler_lehman_confuses_get_different_ids(one, two):
    a, b = rings(*one), rings(*two)

    def colours(genotype):
        return nx.weisfeiler_lehman_graph_hash(genotype.graph.to_undirected(), node_attr="op", iterations=20)

    assert colours(a) == colours(b)
    assert a.id != b.id
    assert renumbered(a, random.Random(1)).id == a.id
    assert renumbered(b, random.Random(1)).id == b.id


def test_symmetric_graphs_need_no_factorial_search(monkeypatch):
    # Counted, not timed: the leaves of the search over orders. Six chains of two have 720 automorphisms.
    from rosearch.space import identity

    leaves = []
    compare = identity._Ordering._compare
    monkeypatch.setattr(identity._Ordering, "_compare", lambda *args: (leaves.append(1), compare(*args))[1])
    chains = tuple(Node("glu") for _ in range(6)) + tuple(Node("glu", (), (read,)) for read in range(1, 7))
    for nodes in (chains, tuple(Node("glu") for _ in range(12)), rings(6).nodes, rings(3, 3).nodes):
        leaves.clear()
        graph = Genotype(64, 32, "mean", nodes)
        canonical_form(graph.nodes, graph.sinks)
        assert 1 <= len(leaves) <= 20


ATTENTION, FFN = OPERATIONS[1], OPERATIONS[2]


def of(*nodes: Node) -> Genotype:
    return Genotype(64, 32, "mean", nodes)


def test_an_identity_that_passes_on_one_input_changes_nothing():
    plain = of(ATTENTION, FFN.with_(inputs=(1,)))
    through = of(Node("identity"), ATTENTION.with_(inputs=(1,)), Node("identity", (), (2,)), FFN.with_(inputs=(3,)))
    assert through.id == plain.id
    assert through.canonical().to_dict() == plain.canonical().to_dict()


def test_an_identity_that_carries_a_node_to_the_output_is_kept():
    chain = of(ATTENTION, FFN.with_(inputs=(1,)))
    skip = of(ATTENTION, FFN.with_(inputs=(1,)), Node("identity", (), (1,)))
    twice = of(ATTENTION, FFN.with_(inputs=(1,)), Node("identity", (), (1,)), Node("identity", (), (1,)))
    from_source = of(ATTENTION, FFN.with_(inputs=(1,)), Node("identity"))
    assert len({chain.id, skip.id, twice.id, from_source.id}) == 4
    assert [node.op for node in skip.canonical().nodes] == ["attention", "ffn", "identity"]
    assert [node.op for node in twice.canonical().nodes] == ["attention", "ffn", "identity", "identity"]


def test_an_identity_that_merges_is_kept():
    merged = of(ATTENTION, Node("identity", (), (0, 1)))
    assert merged.id != of(ATTENTION).id
    assert working_nodes(merged.nodes, merged.sinks) == 2


def test_a_mean_of_equal_inputs_is_that_input_but_a_concatenation_is_not():
    once = of(ATTENTION, FFN.with_(inputs=(1,)))
    assert of(ATTENTION, FFN.with_(inputs=(1, 1))).id == once.id
    assert of(ATTENTION, FFN.with_(inputs=(1, 1), merge="concat")).id != once.id
    assert of(ATTENTION, FFN.with_(inputs=(0, 1, 1))).id != of(ATTENTION, FFN.with_(inputs=(0, 1))).id


def test_identities_alone_are_one_identity():
    nothing = of(Node("identity"), Node("identity", (), (1,)), Node("identity"))
    assert nothing.id == of(Node("identity")).id
    assert nothing.canonical().to_dict() == of(Node("identity")).to_dict()
    assert working_nodes(nothing.nodes, nothing.sinks) == 0


def test_ports_tell_inputs_apart_where_they_are_not_added():
    def merging(merge, *reads):
        return of(ATTENTION, FFN, Node.of("glu", reads, merge))

    assert merging("add", 1, 2).id == merging("add", 2, 1).id
    assert merging("concat", 1, 2).id != merging("concat", 2, 1).id
    assert merging("gate", 1, 2).id != merging("gate", 2, 1).id


@pytest.mark.parametrize(
    "other",
    [
        Genotype(128, 32, "mean", (ATTENTION,)),
        Genotype(64, 64, "mean", (ATTENTION,)),
        Genotype(64, 32, "first", (ATTENTION,)),
        Genotype(64, 32, "mean", (Node.of("attention", heads=2, conv=True),)),
        Genotype(64, 32, "mean", (Node.of("attention", heads=4, conv=False),)),
        Genotype(64, 32, "mean", (FFN,)),
        Genotype(64, 32, "mean", (ATTENTION,), (("encoding", "typos"),)),
        Genotype(64, 32, "mean", (ATTENTION,), (("characters", "cnn"),)),
        Genotype(64, 32, "mean", (ATTENTION,), (("token_dropout", 0.1),)),
    ],
    ids=["width", "rank", "pooling", "heads", "conv", "operation", "encoding", "characters", "token_dropout"],
)
def test_every_attribute_counts_in_the_id(other):
    assert other.id != of(ATTENTION).id


def test_a_merge_of_one_input_and_the_spelling_of_a_number_do_not_count():
    assert of(ATTENTION.with_(merge="concat")).id == of(ATTENTION).id
    whole = of(Node.of("ffn", ratio=2, activation="gelu"))
    assert whole.id == of(FFN).id
    assert of(Node("ffn", tuple(reversed(FFN.settings)))).id == of(FFN).id


def test_ids_do_not_change_between_versions():
    # Runs on disk are keyed by them.
    genotype = of(ATTENTION, FFN.with_(inputs=(0, 1), merge="gate"), Node("identity", (), (1,)))
    assert genotype.id == "bd363577d406969d"
    assert genotype.with_(source=(("characters", "cnn"), ("token_dropout", 0.1))).id == "56fa39b063410505"


def test_values_of_the_source_are_told_apart_and_defaults_and_order_are_not():
    plain = of(ATTENTION)
    settings = [
        ("encoding", "typos"), ("encoding", "task_typos"), ("encoding", "synonyms"), ("encoding", "typos+synonyms"),
        ("characters", "cnn"), ("characters", "ngrams"), ("token_dropout", 0.1), ("token_dropout", 0.2),
    ]  # fmt: skip
    assert len({plain.id, *(plain.with_(source=(setting,)).id for setting in settings)}) == 9
    spelled_out = (("token_dropout", 0.0), ("characters", "none"), ("encoding", "wordpiece"))
    assert plain.with_(source=spelled_out).id == plain.id
    both = plain.with_(source=(("token_dropout", 0.1), ("characters", "cnn")))
    assert plain.with_(source=(("characters", "cnn"), ("token_dropout", 0.1))).id == both.id
