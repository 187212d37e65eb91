"""Random configurations of the toy language, as the to_builtins data that a person could write."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

WORDS = st.text(max_size=12).filter(lambda t: "\0" not in t and t.encode("utf-8", "replace"))
TEXT = st.one_of(
    WORDS,
    st.sampled_from(
        ["no", "yes", "Null", "~", "1e-3", "017", "12:30", "a: b", "# x", "-", "- a", "=", "<<",
         "'", '"', "\\", "a#b", "a\nb", " a ", "\t", "é", "\ufeff", "\u2028", "\x85", "\x7f", "0x1",
         ".inf", "2001-12-14", "!a", "&a", "*a", "@a", "`a", "%a", "[", "{a}", "a,b", "?", "|", "y",
         "true", "On", "1_000", "+1", "a ", "😀", "a  b", "x:", "1.", "_", "-1", "/a b/c"],
    ),
)  # fmt: skip
REAL = st.floats(allow_nan=False, allow_infinity=False)
SHARE = st.floats(0, 1)
POSITIVE = st.floats(0, exclude_min=True, allow_infinity=False)
NAME = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
KEY = TEXT.filter(bool)


def some(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(required, optional=optional)


def entry(name: str, settings: st.SearchStrategy[Any], *bare: Any) -> st.SearchStrategy[Any]:
    """A choice written with its settings, or in one of the shorter ways."""
    return st.one_of(settings.map(lambda s: {name: s}), *bare)


MSE = entry("mse", some({}, {"reduction": st.sampled_from(["sum", "mean"])}), st.just("mse"))
STEP = entry("step", some({"epochs": st.lists(st.integers(1, 9))}, {"factor": REAL}))
SGD = entry("sgd", some({}, {"learning_rate": POSITIVE}), st.just("sgd"))
ADAM = entry(
    "adam",
    some({}, {"learning_rate": POSITIVE | STEP, "betas": st.tuples(SHARE, SHARE).map(list)}),
    POSITIVE.map(lambda x: {"adam": x}),
)
ACTIVATION = st.sampled_from(["relu", "sigmoid", {"relu": {}}])


def beside(layer: Any, keys: dict[str, Any]) -> Any:
    return {**({layer: None} if isinstance(layer, str) else layer), **keys}


def layers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    choice = st.one_of(
        ACTIVATION,
        st.just("b"),
        entry("linear", some({}, {"units": st.integers(1, 10**9), "bias": st.booleans()})),
        entry("mlp", some({"units": st.lists(st.integers())}, {"activation": ACTIVATION})),
        entry("residual", some({"layers": inner}, {}), st.just({"residual": ["relu"]})),
        entry("repeat", some({"times": st.integers(1, 5), "layers": inner}, {})),
    )
    keys = some({}, {"as": NAME, "from": KEY | st.lists(KEY, min_size=1, max_size=3)})
    item = choice | st.builds(beside, choice, keys) | st.builds(lambda n: {"same": n}, KEY)
    return item | st.lists(item, max_size=3)


LAYERS = st.recursive(ACTIVATION, layers, max_leaves=5)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | REAL | st.just(float("inf")) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEY, inner, max_size=3),
    max_leaves=6,
)
DECODER = st.one_of(st.just("mirror"), ACTIVATION.map(lambda a: {"mirror": {"output": a}}), LAYERS)
SOURCE = st.just("digits") | entry("csv", some({"path": TEXT.filter(str.strip)}, {"target": TEXT}))
DATA = some(
    {"source": SOURCE},
    {
        "noise": st.none() | POSITIVE.map(lambda x: {"gaussian": x}),
        "split": some({}, {"train": SHARE | st.integers(1, 99), "stratify": st.booleans()}),
        "labels": st.dictionaries(KEY, REAL, max_size=3),
    },
)
TERM = MSE | st.builds(beside, MSE, some({}, {"from": TEXT, "weight": REAL}))
CONFIGS = some(
    {
        "data": DATA,
        "network": LAYERS | some({"encoder": LAYERS, "decoder": DECODER}, {}),
        "blocks": some({"b": st.just("relu")}, {}),
    },
    {
        "name": TEXT,
        "seed": st.integers(),
        "loss": TERM | st.lists(TERM, max_size=3),
        "optimizer": SGD | ADAM,
        "train": some({}, {"epochs": st.integers(1, 9), "patience": st.none() | st.integers(0, 9)}),
        "evaluate": st.lists(st.sampled_from(["classification", "denoising"]), max_size=2),
        "extra": ANYTHING,
    },
)
