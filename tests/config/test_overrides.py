from __future__ import annotations

import pytest

from .toys import (
    GOOD,
    Adam,
    Csv,
    Dropout,
    EncoderDecoder,
    Gaussian,
    Item,
    Linear,
    LossTerm,
    Mlp,
    Mse,
    Relu,
    Residual,
    Root,
    Sgd,
    Split,
    Train,
    problem_lines,
    read,
)

BIG = """\
data: {source: {csv: {path: /a.csv}}, noise: {gaussian: 0.3}}
network:
  encoder:
    mlp: {units: [3], activation: relu}
  decoder: [{linear: 3, as: h}, {residual: [{linear: 5}]}, {same: h}]
loss: {mse: {}, weight: 2}
evaluate: [{classification: 3}]
extra: {a: [1, {b: 2}]}
"""


@pytest.mark.parametrize(
    ("text", "overrides", "key", "value"),
    [
        (GOOD, ["train.epochs=5"], "train", Train(5)),
        (GOOD, ["train={epochs: 5}", "train.batch_size = 2"], "train", Train(5, 2)),
        (GOOD, ["train.epochs=5", "train.epochs=6"], "train", Train(6)),
        (GOOD, ["seed=1e3"], "seed", 1000),
        (GOOD, ["name=no"], "name", "no"),
        (GOOD, ["name='a=b.c'"], "name", "a=b.c"),
        (GOOD, ["name=a=b"], "name", "a=b"),
        (GOOD, ["optimizer.sgd.learning_rate=1e-3"], "optimizer", Sgd(1e-3)),
        (GOOD, ["optimizer.sgd=0.5"], "optimizer", Sgd(0.5)),
        (GOOD, ["optimizer={adam: 0.5}"], "optimizer", Adam(0.5)),
        (GOOD, ["optimizer=adam", "optimizer.adam.betas.1=0.5"], "optimizer",
         Adam(betas=(0.9, 0.5))),
        (GOOD + "optimizer: {sgd: {momentum: 0.9}}", ["optimizer={sgd: 0.5}"], "optimizer",
         Sgd(0.5, 0.9)),
        (GOOD, ["loss.mse.reduction=sum"], "loss", LossTerm(Mse("sum"))),
        (GOOD, ["loss.weight=3", "loss.from=x"], "loss", LossTerm(Mse(), "x", 3.0)),
        (GOOD, ["loss=[mse]", "loss.0.weight=3"], "loss", [LossTerm(Mse(), weight=3)]),
        (GOOD, ["network.relu={}"], "network", (Item(Relu()),)),
        (GOOD, ["network=[{linear: 64}, relu]", "network.0.linear.units=32"], "network",
         (Item(Linear(32)), Item(Relu()))),
        (GOOD, ["network.0={linear: 3}"], "network", (Item(Linear(3)),)),
        (GOOD, ["network.0.as=x"], "network", (Item(Relu(), "x"),)),
        (GOOD, ["network={dropout: 0.1}", "network.dropout=0.2"], "network", (Item(Dropout(0.2)),)),
        (GOOD, ["data.split.train=0.5"], "data.split", Split(train=0.5)),
        (GOOD, ["data.noise={gaussian: 1}", "data.noise.gaussian.std=2"], "data.noise",
         Gaussian(2)),
        (BIG, ["data.noise="], "data.noise", None),
        (BIG, ["data.source.csv=/b.csv"], "data.source", Csv("/b.csv")),
        (BIG, ["data.labels.x.y=1"], None, None),
        (BIG, ["data.labels.x=1"], "data.labels", {"x": 1.0}),
        (BIG, ["evaluate.classification.top=2"], "evaluate.0.top", 2),
        (BIG, ["evaluate.0.classification.top=2"], "evaluate.0.top", 2),
        (BIG, ["loss.mse=sum"], "loss", LossTerm(Mse("sum"), weight=2)),
        (BIG, ["extra.a.1.b=5", "extra.c=x"], "extra", {"a": [1, {"b": 5}], "c": "x"}),
        (BIG, ["network.encoder.mlp.units=[64,32]"], "network.encoder",
         (Item(Mlp([64, 32], Relu())),)),
        (BIG, ["network.encoder.0.mlp.units=[64,32]"], "network.encoder",
         (Item(Mlp([64, 32], Relu())),)),
        (BIG, ["network.encoder={mlp: 7}"], "network.encoder", (Item(Mlp(7, Relu())),)),
        (BIG, ["network.encoder=relu"], "network.encoder", (Item(Relu()),)),
        (BIG, ["network.encoder.mlp.activation=sigmoid", "network.encoder.mlp.units=1"],
         "network.encoder", (Item(Mlp(1)),)),
        (BIG, ["network.decoder.1.residual.layers.0.linear=7"], "network.decoder.1",
         Item(Residual((Item(Linear(7)),)))),
        (BIG, ["network.decoder.2.same=k"], "network.decoder.2", Item(None, same="k")),
        (BIG, ["network=[relu]"], "network", (Item(Relu()),)),
    ],
)  # fmt: skip
def test_overrides(text: str, overrides: list[str], key: str | None, value: object) -> None:
    if key is None:
        assert problem_lines(text, *overrides)
        return
    actual: object = read(text, *overrides)
    for step in key.split("."):
        actual = actual[int(step)] if step.isdigit() else getattr(actual, step)  # type: ignore[index]
    assert actual == value


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("train.epochs", "1:1 a `=` is missing — an override is written `train.epochs=5`"),
        ("=5", "1:1 a key is missing before the `=` — an override is written `train.epochs=5`"),
        ("train..epochs=5", "1:7 an empty key — an override is written `train.epochs=5`"),
        ("train.=5", "1:7 an empty key — an override is written `train.epochs=5`"),
        ("trian.epochs=5", "1:1 unknown key `trian` in the configuration — did you mean `train`?"),
        ("train.epoch=5", "1:7 unknown key `epoch` in `train` — did you mean `epochs`?"),
        ("train.epochs=x", "1:14 expected a whole number, found the text 'x'"),
        ("train.epochs=-1", "1:14 must be at least 1, found the number -1"),
        ("train.epochs.x=1", "1:14 `train.epochs` is a whole number and has no parts"),
        ("train.epochs=[1", "1:14 this `[` is never closed"),
        ("train.epochs=*a", "1:14 an alias (`*a`) cannot be used — write the value out; what"
                            " several files share goes into one that they extend"),
        ("train.epochs=1\n---\n2", "2:1 a second document begins here — put it into a file of its"
                                   " own"),
        ("optimizer.adam.betas=1", "1:11 `optimizer` is `sgd`, not `adam`"
                                   " — to switch, write `optimizer={adam: …}`"),
        ("optimizer.momentum=1", "1:11 `optimizer` has no part `momentum`"
                                 " — did you mean `optimizer.sgd.momentum`?"),
        ("optimizer.sdg.momentum=1", "1:11 `optimizer` is an optimizer, `sgd`; it has no part"
                                     " `sdg` — did you mean `sgd`?"),
        ("optimizer.sgd.lr=1", "1:15 unknown key `lr` in `optimizer.sgd` — did you mean"
                               " `learning_rate`?"),
        ("optimizer.sgd.learning_rate.x=1", "1:29 `optimizer.sgd.learning_rate` is a number and"
                                            " has no parts"),
        ("network.encoder=1", "1:9 `network` is a layer, `relu`; it has no part `encoder`"),
        ("network.3=relu", "1:9 `network` is a list: its items are 0 to 0"),
        ("network.0.relu.x=3", "1:16 `relu` has no settings"),
        ("network.0.linear=3", "1:11 `network.0` is `relu`, not `linear`"
                               " — to switch, write `network.0={linear: …}`"),
        ("data.noise.gaussian.std=1", "1:12 no noise is chosen at `data.noise`"
                                      " — choose one: `data.noise={gaussian: …}`"),
        ("data.source.digits=3", "1:13 `digits` has no settings"),
        ("evaluate.0=x", "1:10 `evaluate` is an empty list"),
        ("network.0.9=1", "1:11 `network.0` is a layer, `relu`; it has no part `9`"),
        ("extra" + ".a" * 5000 + "=1", "1:105 a path has at most 50 parts"),
        ("extends=x.yaml", "1:1 unknown key `extends` in the configuration"),
    ],
)  # fmt: skip
def test_refused_overrides(override: str, problem: str) -> None:
    (actual,) = problem_lines(GOOD, override)
    actual = actual.partition(" valid here:")[0].removesuffix(" —")
    assert actual == f"command line:{problem}"


def test_a_list_names_its_items() -> None:
    assert problem_lines(BIG, "network.decoder.residual.layers=relu") == [
        "command line:1:17 `network.decoder` is a list: its items are 0 to 2"
        " — did you mean `network.decoder.1.residual`?"
    ]


def test_all_mistakes_of_all_overrides_and_the_file() -> None:
    actual = problem_lines(
        GOOD + "sede: 1", "train.epochs=x", "nonsense", "name=a", "optimizer.sgd=no"
    )
    assert [line.partition(" — ")[0] for line in actual] == [
        "3:1 unknown key `sede` in the configuration",
        "command line:1:14 expected a whole number, found the text 'x'",
        "command line:2:1 a `=` is missing",
        "command line:4:15 expected a number, found the text 'no'",
    ]


def test_an_override_mends_the_file() -> None:
    assert read(GOOD + "seed: x\ntrain: {epochs: -1}", "seed=1", "train.epochs=1").seed == 1


def test_overrides_are_read_though_the_file_cannot_be() -> None:
    assert [line.partition(" — ")[0] for line in problem_lines("a: [", "nonsense", "seed=[")] == [
        "1:5 the text ends in the middle of a value",
        "command line:1:1 a `=` is missing",
        "command line:2:7 the text ends in the middle of a value",
    ]


def test_a_part_of_the_wrong_shape_is_the_files_mistake() -> None:
    assert problem_lines(GOOD + "train: 5", "train.epochs=3") == [
        "3:8 expected a mapping of settings, found the number 5 — write `{epochs: …}`"
    ]


def test_an_override_fills_what_the_file_leaves_out() -> None:
    root = read("network: relu", "data={source: digits}")
    assert isinstance(root, Root)
    root = read("data: {source: digits}", "network.encoder=relu", "network.decoder=mirror")
    assert isinstance(root.network, EncoderDecoder)
