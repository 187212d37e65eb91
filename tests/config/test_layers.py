from __future__ import annotations

import pytest

from ldl.config import BlockUse, Item, loads, to_yaml

from .toys import (
    NAME,
    REGISTRIES,
    Denoising,
    EncoderDecoder,
    Linear,
    Mirror,
    Mlp,
    Relu,
    Repeat,
    Residual,
    Root,
    Sigmoid,
    problem_lines,
    read,
)

DATA = "data: {source: digits}\n"


def network(text: str) -> object:
    return read(f"{DATA}network: {text}").network


def problem_messages(text: str) -> list[str]:
    return problem_lines(f"{DATA}network: {text}")


def items(*layers: object) -> tuple[Item, ...]:
    return tuple(layer if isinstance(layer, Item) else Item(layer) for layer in layers)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("relu", items(Relu())),
        ("{linear: 64}", items(Linear(64))),
        ("[{linear: 64}, relu, linear]", items(Linear(64), Relu(), Linear())),
        ("[{linear: {units: 3, bias: false}, as: h}]", (Item(Linear(3, False), "h"),)),
        (
            "[{relu: , as: a}, {relu: , from: a}, {relu: {}, from: [a, x]}, {same: a, as: b}]",
            (
                Item(Relu(), "a"),
                Item(Relu(), None, ("a",)),
                Item(Relu(), None, ("a", "x")),
                Item(None, "b", None, "a"),
            ),
        ),
        ("[{mlp: [3, 4]}]", items(Mlp([3, 4]))),
        ("[{mlp: {units: 3, activation: relu}}]", items(Mlp(3, Relu()))),
        ("[{residual: [relu, {linear: 3}]}]", items(Residual(items(Relu(), Linear(3))))),
        ("[{residual: relu}]", items(Residual(items(Relu())))),
        ("[]", ()),
        (
            "{encoder: [{linear: 3}], decoder: mirror}",
            EncoderDecoder(items(Linear(3)), Mirror()),
        ),
        (
            "{encoder: {mlp: 3}, decoder: {mirror: {output: relu}}}",
            EncoderDecoder(items(Mlp(3)), Mirror(Relu())),
        ),
        ("{encoder: relu, decoder: relu}", EncoderDecoder(items(Relu()), items(Relu()))),
        (
            "{encoder: relu, decoder: [{linear: 3}, sigmoid]}",
            EncoderDecoder(items(Relu()), items(Linear(3), Sigmoid())),
        ),
    ],
)
def test_networks(text: str, value: object) -> None:
    assert network(text) == value


def test_items_know_their_place() -> None:
    text = f"{DATA}network:\n  - relu\n  - repeat:\n      times: 2\n      layers: [{{linear: 3}}]\n"
    outer = read(text).network
    assert isinstance(outer, tuple)
    assert (outer[1].path, outer[1].mark.line, outer[1].mark.column) == (("network", 1), 4, 5)
    repeat = outer[1].layer
    assert isinstance(repeat, Repeat)
    inner = repeat.layers[0]
    assert inner.path == ("network", 1, "repeat", "layers", 0)
    assert (inner.mark.line, inner.mark.column, inner.mark.width) == (6, 17, 6)
    marks = loads(text, NAME, Root, REGISTRIES).marks
    assert marks[(*inner.path, "linear", "units")].column == 25


LISTS = "take the inner brackets away, or name what holds the list: `repeat`, `residual`"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("3", ["2:10 expected a list of layers or a mapping of settings, found the number 3"]),
        ("", ["2:9 expected a list of layers or a mapping of settings, found nothing"]),
        ("[relu, [relu]]", [f"2:17 a list inside a list of layers — {LISTS}"]),
        ("[relu, , relu]", ["2:17 a value is missing before this `,`"]),
        ("[relu, ~]", ["2:17 a layer is missing here"]),
        ("[64]", ["2:11 expected a layer, found the number 64"]),
        ("[{}]", ["2:11 expected a layer, found an empty mapping — known: `dropout`, `linear`,"
                  " `mlp`, `relu`, `repeat`, `residual`, `sigmoid`"]),
        ("[{as: x}]", ["2:11 a layer is missing beside `as`"]),
        ("[{relu: , linear: 3}]", ["2:20 two layers where one belongs: `relu` and `linear`"
                                   " — write each layer as a list item of its own"]),
        ("[{linear: 3, bias: no}]", ["2:23 `bias` is a setting of `linear` — write"
                                     " `linear: {bias: …}`, with the other settings in the same"
                                     " braces"]),
        ("[{linear: 3, as: 3}]", ["2:27 expected a name, found the number 3 — a name begins with a"
                                  " letter and holds letters, digits, `_` and `-`"]),
        ("[{linear: 3, as: a.b}]", ["2:27 `a.b` cannot be a name — a name begins with a"
                                    " letter and holds letters, digits, `_` and `-`"]),
        ("[{linear: 3, from: []}]", ["2:29 `from` needs at least one name"]),
        ("[{same: a, relu: }]", ["2:21 `same` applies a layer again, so `relu` cannot stand beside"
                                 " it — keep one of the two"]),
        ("[{residual: {linear: 3}}]", ["2:22 these are no settings of `residual`"
                                       " — write `residual: [{…}]` or `residual: {layers: …}`"]),
        ("[{mlp: x}]", ["2:17 expected a whole number or a list of whole numbers,"
                        " found the text 'x'"]),
        ("[{repeat: {times: 0, layers: [{repeat: {times: 1, layers: [{lineer: 3}]}}]}}]",
         ["2:28 must be at least 1, found the number 0",
          "2:70 unknown layer `lineer` — did you mean `linear`? known: `dropout`, `linear`,"
          " `mlp`, `relu`, `repeat`, `residual`, `sigmoid`"]),
        ("{encodr: [relu], decoder: miror}",
         ["2:11 unknown key `encodr` in `network` — did you mean `encoder`?"
          " valid here: `decoder`, `encoder`",
          "2:36 unknown decoder `miror` — did you mean `mirror`?"]),
        ("{encoder: [relu]}", ["2:1 `network` needs `decoder`"]),
        ("{encoder: [relu], decoder: 3}",
         ["2:37 expected a decoder or a list of layers, found the number 3"]),
        ("{encoder: [relu], decoder: [mirror]}",
         ["2:38 unknown layer `mirror` — known: `dropout`, `linear`, `mlp`, `relu`, `repeat`,"
          " `residual`, `sigmoid`"]),
        ("{linear: 3, relu: }", ["2:22 two layers where one belongs: `linear` and `relu`"
                                 " — write each layer as a list item of its own"]),
        ("transformer", ["2:10 unknown layer `transformer` — known: `dropout`, `linear`, `mlp`,"
                         " `relu`, `repeat`, `residual`, `sigmoid`"]),
    ],
)  # fmt: skip
def test_refusals(text: str, problems: list[str]) -> None:
    assert problem_messages(text) == problems


def test_depth_counts_what_shorthands_leave_out() -> None:
    deep = "[{residual: " * 11 + "[{mlp: 3}]" + "}]" * 11
    value = read(f"{DATA}network: {deep}")
    assert read(to_yaml(value, REGISTRIES)) == value
    deeper = "[{residual: " * 14 + "relu" + "}]" * 14
    assert [line.split(" ", 1)[1] for line in problem_messages(deeper)] == [
        "nested more than 40 deep when written out"
    ]


def test_blocks() -> None:
    text = "blocks: {b: [relu, {linear: 3}], c: b}\nnetwork: [b, {b: , as: x}, {b: {}}, relu, c]"
    root = read(DATA + text)
    assert root.blocks == {"b": items(Relu(), Linear(3)), "c": items(BlockUse("b"))}
    assert root.network == items(
        BlockUse("b"), Item(BlockUse("b"), "x"), BlockUse("b"), Relu(), BlockUse("c")
    )


@pytest.mark.parametrize(
    ("blocks", "problems"),
    [
        ("{a: [b], b: [c], c: [a]}", ["2:30 the block `a` contains itself: a → b → c → a"]),
        ("{a: [{residual: a}]}", ["2:25 the block `a` contains itself: a → a"]),
        ("{a: [a], b: [b, b]}", ["2:14 the block `a` contains itself: a → a",
                                 "2:22 the block `b` contains itself: b → b"]),
        ("{relu: linear}", ["2:10 a block cannot be called `relu`: a layer or key has that name"
                            " — choose another name"]),
        ("{as: linear}", ["2:10 a block cannot be called `as`: a layer or key has that name"
                          " — choose another name"]),
        ("{a b: linear}", ["2:10 `a b` cannot be a name — a name begins with a letter and holds"
                           " letters, digits, `_` and `-`"]),
        ("{a: relu, b: {a: 3}}", ["2:26 the block `a` has no settings"]),
        ("{enc: relu, b: end}", ["2:24 unknown layer `end` — did you mean `enc`? known: `b`,"
                                 " `dropout`, `enc`, `linear`, `mlp`, `relu`, `repeat`,"
                                 " `residual`, `sigmoid`"]),
        ("[relu]", ["2:9 expected a mapping, found a list"]),
    ],
)  # fmt: skip
def test_refused_blocks(blocks: str, problems: list[str]) -> None:
    actual = problem_lines(f"{DATA}blocks: {blocks}\nnetwork: relu")
    assert [line for line in actual if not line.startswith("3:")] == problems


def test_a_long_chain_of_blocks_is_no_circle() -> None:
    chain = ", ".join(f"b{i}: b{i + 1}" for i in range(3000))
    assert read(f"{DATA}blocks: {{{chain}, b3000: relu}}\nnetwork: b0")
    actual = problem_lines(f"{DATA}blocks: {{{chain}, b3000: b0}}\nnetwork: b0")
    assert len(actual) == 1


def test_layers_in_other_places() -> None:
    text = f"{DATA}network: relu\nevaluate: {{denoising: {{classifier: [{{linear: 5}}]}}}}"
    assert read(text).evaluate == (Denoising(items(Linear(5))),)
