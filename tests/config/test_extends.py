from __future__ import annotations

import os
from pathlib import Path

import pytest

from ldl.config import Loaded, load, read, render
from ldl.errors import ConfigError

from .toys import GOOD, REGISTRIES, Adam, Item, Linear, LossTerm, Mlp, Mse, Relu, Root, Sgd, Split

Files = dict[str, str]


def write(folder: Path, files: Files) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())


def loaded(folder: Path, files: Files, *overrides: str) -> Loaded[Root]:
    write(folder, files)
    return load(folder / next(iter(files)), Root, REGISTRIES, overrides)


def problem_messages(folder: Path, files: Files, *overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, files, *overrides)
    lines = [
        f"{p.file}:{p.line}:{p.column} {p.message}" + (f" — {p.hint}" if p.hint else "")
        for p in caught.value.problems
    ]
    return [line.replace(f"{folder}{os.sep}", "") for line in lines]


def test_the_text_is_kept_byte_for_byte(tmp_path: Path) -> None:
    text = "\ufeff# note\r\ndata: {source: digits}\r\nnetwork: [relu] # é\r\n"
    assert loaded(tmp_path, {"a.yaml": text}).text == text


def test_a_missing_file_and_its_neighbours(tmp_path: Path) -> None:
    write(tmp_path, {"denoise.yaml": GOOD, "configs/gaussians.yaml": GOOD})

    def report(name: str) -> str:
        with pytest.raises(ConfigError) as caught:
            load(tmp_path / name, Root, REGISTRIES)
        return render(caught.value).replace(f"{tmp_path}{os.sep}", "")

    assert report("denoize.yaml") == (
        "denoize.yaml: there is no such file\n  did you mean denoise.yaml?"
    )
    assert report("denoise").endswith("did you mean denoise.yaml?")
    assert report("gaussian.yaml").endswith("did you mean configs/gaussians.yaml?")
    assert report("zzz.yaml") == "zzz.yaml: there is no such file"
    assert report("no/denoise.yaml").endswith(
        f"there is no folder {tmp_path}/no".replace(f"{tmp_path}{os.sep}", "")
    )
    assert report("configs") == "configs: this is a folder, not a file"


def test_near_names_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"configs/denoise.yaml": GOOD})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load("denoise.yaml", Root, REGISTRIES)
    assert caught.value.problems[0].hint == "did you mean configs/denoise.yaml?"


def test_files_that_are_no_text(tmp_path: Path) -> None:
    bad = tmp_path / "a.yaml"
    for data, message in [
        (b"name: x\ny: caf\xe9\n", "a.yaml:2:7 byte 0xe9 is not UTF-8 — save the file as UTF-8"),
        (b"\xff\xfea\x00", "a.yaml:1:1 byte 0xff is not UTF-8 — save the file as UTF-8"),
        (b"a: 1\n" * 300_000, "a.yaml:0:0 larger than 1000 kB: this is no configuration"),
    ]:
        bad.write_bytes(data)
        with pytest.raises(ConfigError) as caught:
            load(bad, Root, REGISTRIES)
        (p,) = caught.value.problems
        text = f"{p.file}:{p.line}:{p.column} {p.message}" + (f" — {p.hint}" if p.hint else "")
        assert text.replace(f"{tmp_path}{os.sep}", "") == message


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ConfigError, match="not a regular file"):
        load(tmp_path / "pipe.yaml", Root, REGISTRIES)
    with pytest.raises(ConfigError, match="cannot be read"):
        load("x" * 5000, Root, REGISTRIES)
    with pytest.raises(ConfigError, match="cannot be read"):
        load("a\0b", Root, REGISTRIES)


def test_extends_changes_parts(tmp_path: Path) -> None:
    files = {
        "top.yaml": "extends: sub/base.yaml\ndata: {split: {train: 0.5}}\noptimizer: {sgd: 0.5}\n",
        "sub/base.yaml": "data: {source: {csv: a.csv}, split: {test: 0.1}}\nnetwork: [relu]\n"
        "optimizer: {sgd: {momentum: 0.9}}\nseed: 3\n",
    }
    actual = loaded(tmp_path, files)
    assert actual.value.data.split == Split(0.5, 0.1)
    assert actual.value.data.source.path == str(tmp_path / "sub" / "a.csv")
    assert actual.value.optimizer == Sgd(0.5, 0.9)
    assert actual.value.seed == 3
    assert actual.mark(("seed",)).file == str(tmp_path / "sub" / "base.yaml")
    assert actual.mark(("data", "split", "train")).file == str(tmp_path / "top.yaml")
    assert list(actual.sources) == [str(tmp_path / name) for name in files]


@pytest.mark.parametrize(
    ("base", "over", "value"),
    [
        ("optimizer: {sgd: {momentum: 0.9}}", "optimizer: sgd", Sgd(momentum=0.9)),
        ("optimizer: {sgd: 0.3}", "optimizer: {sgd: {momentum: 0.9}}", Sgd(0.3, 0.9)),
        ("optimizer: {sgd: {momentum: 0.9}}", "optimizer: {adam: 0.5}", Adam(0.5)),
        ("optimizer: {sgd: 0.3}", "optimizer: adam", Adam()),
        ("network: [relu, relu]", "network: [{linear: 3}]", (Item(Linear(3)),)),
        ("network: {mlp: {units: 3, activation: relu}}", "network: {mlp: 4}",
         (Item(Mlp(4, Relu())),)),
        ("network: {linear: {bias: false}, as: x}", "network: {linear: 4, from: y}",
         (Item(Linear(4, False), "x", ("y",)),)),
        ("loss: {mse: sum, weight: 2}", "loss: {mse: , weight: 3}", LossTerm(Mse("sum"), weight=3)),
        ("loss: {mse: sum, weight: 2}", "loss: [mse]", [LossTerm(Mse())]),
        ("extra: {a: {b: 1, c: [1, 2]}}", "extra: {a: {c: [3]}, d: 1}",
         {"a": {"b": 1, "c": [3]}, "d": 1}),
        ("evaluate: {classification: 3}", "evaluate: classification", None),
    ],
)  # fmt: skip
def test_how_things_merge(tmp_path: Path, base: str, over: str, value: object) -> None:
    files = {"a.yaml": f"extends: b.yaml\n{over}\n", "b.yaml": "extends: c.yaml\n" + base,
             "c.yaml": GOOD}  # fmt: skip
    actual = loaded(tmp_path, files).value
    key = over.partition(":")[0]
    if key != "evaluate":
        assert getattr(actual, key) == value
    else:
        assert actual.evaluate[0].top == 3


def test_several_bases_apply_left_to_right(tmp_path: Path) -> None:
    files = {
        "a.yaml": "extends: [b.yaml, c.yaml]\nname: a\n",
        "b.yaml": GOOD + "seed: 1\nname: b\ntrain: {epochs: 1, batch_size: 1}\n",
        "c.yaml": "extends: d.yaml\nseed: 2\ntrain: {epochs: 2}\n",
        "d.yaml": "seed: 5\n",
    }
    actual = loaded(tmp_path, files).value
    assert (actual.name, actual.seed) == ("a", 2)
    assert (actual.train.epochs, actual.train.batch_size) == (2, 1)


def test_blocks_merge_by_name(tmp_path: Path) -> None:
    files = {
        "a.yaml": "extends: b.yaml\nblocks: {x: [relu]}\n",
        "b.yaml": "data: {source: digits}\nblocks: {x: sigmoid, y: x}\nnetwork: y\n",
    }
    assert set(loaded(tmp_path, files).value.blocks) == {"x", "y"}


@pytest.mark.parametrize(
    ("files", "problems"),
    [
        ({"a.yaml": "extends: bas.yaml", "base.yaml": ""},
         ["a.yaml:1:10 cannot extend bas.yaml: there is no such file — did you mean base.yaml?"]),
        ({"a.yaml": "extends: a.yaml"},
         ["a.yaml:1:10 `extends` goes in a circle: a.yaml → a.yaml"]),
        ({"a.yaml": "extends: b.yaml", "b.yaml": "x: 1\nextends: sub/../a.yaml", "sub/c": ""},
         ["b.yaml:1:1 unknown key `x` in the configuration",
          "b.yaml:2:10 `extends` goes in a circle: a.yaml → b.yaml → a.yaml"]),
        ({"a.yaml": "extends: [b.yaml, 3]\nseed: x",
          "b.yaml": "seed: 1\nseed: 2\ntrain: {epoch: 2}"},
         ["a.yaml:1:19 expected the name of a file, found the number 3",
          "a.yaml:2:7 expected a whole number, found the text 'x'",
          "b.yaml:2:1 key `seed` stands twice: on line 2 and before on line 1"
          " — keep one of the two",
          "b.yaml:3:9 unknown key `epoch` in `train` — did you mean `epochs`?"]),
        ({"a.yaml": GOOD + "extends: b.yaml", "b.yaml": "a: [\n"},
         ["b.yaml:2:1 the text ends in the middle of a value"]),
        ({"a.yaml": GOOD + "extends: b.yaml", "b.yaml": ""},
         ["b.yaml:1:1 the file is empty — `ldl init` writes one to start with"]),
        ({"a.yaml": GOOD + "extends:"},
         ["a.yaml:3:9 expected the name of a file, found nothing"]),
        ({"a.yaml": GOOD + "extends: sub", "sub/b.yaml": ""},
         ["a.yaml:3:10 cannot extend sub: this is a folder, not a file"]),
        ({"a.yaml": "extends: b.yaml\nnetwork: {x: 1}", "b.yaml": GOOD},
         ["a.yaml:2:11 unknown layer `x`"]),
    ],
)  # fmt: skip
def test_refused_extends(
    tmp_path: Path, files: Files, problems: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, files)
    with pytest.raises(ConfigError) as caught:
        load("a.yaml", Root, REGISTRIES)
    lines = [
        f"{p.file}:{p.line}:{p.column} {p.message}" + (f" — {p.hint}" if p.hint else "")
        for p in caught.value.problems
    ]
    cut = [line.partition(" valid here:")[0].partition(" — known:")[0] for line in lines]
    assert [line.removesuffix(" —") for line in cut] == problems


def test_a_long_chain_and_a_wide_diamond(tmp_path: Path) -> None:
    chain = {f"{i}.yaml": f"extends: {i + 1}.yaml\n" for i in range(40)}
    assert "more than 20 files extend one another" in problem_messages(tmp_path, chain)[0]
    wide = {f"{i}.yaml": f"extends: [{i + 1}.yaml, {i + 1}.yaml]\n" for i in range(18)}
    assert loaded(tmp_path, {**wide, "18.yaml": GOOD}).value.name == "run"


def test_reading_without_a_schema(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "extends: b.yaml\nx: {y: 1}\n", "b.yaml": "x: {z: 2, y: 0}\n"})
    document = read(tmp_path / "a.yaml")
    assert isinstance(document.tree.value, dict)
    x = document.tree.value["x"].value
    assert isinstance(x, dict)
    assert {key: item.value for key, item in x.items()} == {"z": 2, "y": 1}
    assert document.text == "extends: b.yaml\nx: {y: 1}\n"
    with pytest.raises(ConfigError):
        read(tmp_path / "c.yaml")
