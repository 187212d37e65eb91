"""Networks that no memory holds are refused while they are built."""

from __future__ import annotations

import pytest

from ldl.compile import compile_checks, expander
from ldl.errors import ConfigError

from .helpers import classes, compiled, config, info, problems_of, values, warnings_of


def test_too_many_values_in_a_step() -> None:
    """Said at the layer that has most, before anything is allocated."""
    text = "network: [{upsample: 2000}, {conv2d: 4}, {maxpool2d: 2000}, flatten, linear]"
    ((path, message),) = problems_of(text, info(classes(3), (8, 8, 1)))
    assert path == "network.1" and "values" in message


def test_batch_norm_on_batches_of_one() -> None:
    """Allowed, and hardly meant."""
    text = "network: [{linear: 4}, batch_norm, linear]\ntrain: {batch_size: 1}"
    assert warnings_of(text) == [
        ("network.1", "batch_norm needs batches of more than one sample"),
    ]


@pytest.mark.parametrize(
    ("schedule", "path"),
    [
        ("cyclic: 0.001", "schedule.cyclic.max_lr"),
        ("plateau: {min_lr: 1}", "schedule.plateau.min_lr"),
        ("cosine: {eta_min: 1}", "schedule.cosine.eta_min"),
        ("warmup: {then: {cosine: {eta_min: 1}}}", "schedule.warmup.then.cosine.eta_min"),
    ],
)
def test_a_schedule_on_the_wrong_side_of_the_learning_rate(schedule: str, path: str) -> None:
    """A top below the rate, or a bottom above it, at the setting that says it."""
    text = f"network: [linear]\noptimizer: {{sgd: 0.1}}\nschedule: {{{schedule}}}"
    ((actual_path, message),) = problems_of(text)
    assert actual_path == path and "0.1" in message


def test_watching_a_validation_part_that_is_not_there() -> None:
    """Allowed, with a warning at the setting."""
    text = "network: [linear]\ntrain: {early_stopping: {patience: 2}}\nschedule: plateau\n"
    assert warnings_of(text) == []
    problems = warnings_of("data: {source: iris, split: {validation: 0}}\n" + text)
    assert [path for path, _ in problems] == ["train.early_stopping", "schedule"]


def test_a_warm_up_that_never_ends() -> None:
    """Allowed, for trials with few epochs, with a warning."""
    text = "network: [linear]\nschedule: {warmup: {epochs: 5}}\ntrain: {epochs: 5}"
    assert warnings_of(text) == [
        ("schedule.warmup.epochs", "the warm-up never ends: the training has 5 epochs")
    ]


@pytest.mark.parametrize(
    ("ineffective", "effective", "path", "message"),
    [
        ("epochs: 4, average: swa", "epochs: 8, average: swa", "average", "one epoch only"),
        ("epochs: 1, average: {swa: 0}", "epochs: 2, average: {swa: 0}", "average", "one epoch"),
        ("decay: all", "decay: all, l2: 0.1", "decay", "no effect"),
        (
            "batch_size: 60, accumulation_steps: 3",
            "batch_size: 30, accumulation_steps: 3",
            "accumulation_steps",
            "only 2 batches",
        ),
        (
            "batch_size: full, accumulation_steps: 2",
            "accumulation_steps: 2",
            "accumulation_steps",
            "only 1 batch,",
        ),
    ],
)
def test_settings_without_an_effect(
    ineffective: str, effective: str, path: str, message: str
) -> None:
    """Allowed, with a warning at the setting."""
    text = "network: [linear]\ntrain: {%s}"
    assert warnings_of(text % effective) == []
    ((where, warning),) = warnings_of(text % ineffective)
    assert where == f"train.{path}" and message in warning


@pytest.mark.parametrize(
    "many", ["cross_entropy: {class_weights: [1, 2]}", "nll: {class_weights: [1]}"]
)
def test_class_weights_that_do_not_fit_the_classes(many: str) -> None:
    """Said at the setting."""
    name = many.split(":")[0]
    ((path, message),) = problems_of(f"network: [linear, log_softmax]\nloss: {{{many}}}")
    assert path == f"loss.{name}.class_weights" and "for 3 classes" in message


def test_one_kind_of_clipping_at_a_time() -> None:
    for clipping in ("clip_norm: 1", "clip_value: 1"):
        compiled(f"network: [linear]\ntrain: {{{clipping}}}")
    with pytest.raises(ConfigError, match="does not go with clip_norm"):
        config("network: [linear]\ntrain: {clip_norm: 1, clip_value: 1}")


def test_the_largest_network_that_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of layers, of weights, and of values in a step."""
    text = "network: [{mlp: {units: [4, 5]}}, {repeat: {times: 2, layers: [{linear: 3}]}}]"
    for limit in (5, 4):  # two of the mlp, the repeat itself, two layers of it
        monkeypatch.setattr(expander, "MAX_LAYERS", limit)
        if limit == 5:
            graph = compiled(text).graph
        else:
            ((path, message),) = problems_of(text)
            assert path.startswith("network.1") and "has over" in message
    monkeypatch.undo()
    weights = 7 * 4 + 5 * 5 + 6 * 3 + 4 * 3
    monkeypatch.setattr(compile_checks, "MAX_WEIGHTS", weights)
    assert compiled(text).graph.weights
    monkeypatch.setattr(compile_checks, "MAX_WEIGHTS", weights - 1)
    assert problems_of(text) == [("network", f"{weights} weights; {weights - 1} are the most")]
    origins = {node.name: ("network", i) for i, node in enumerate(graph.nodes)}
    values = 10 * (2 * 4 + 2 * 5 + 3 + 3)
    monkeypatch.setattr(compile_checks, "MAX_VALUES", values)
    assert compile_checks.size_problems(graph, 10, origins) == []
    monkeypatch.setattr(compile_checks, "MAX_VALUES", values - 1)
    (((_, number), message),) = compile_checks.size_problems(graph, 10, origins)
    assert number == 2 and message.startswith(f"a step of 10 samples has {values} values; ")


@pytest.mark.parametrize(
    "schedule", ["cyclic: 0.1", "plateau: {min_lr: 0.1}", "cosine: {eta_min: 0.1}"]
)
def test_a_limit_of_a_schedule_may_be_the_learning_rate(schedule: str) -> None:
    compiled(f"network: [linear]\noptimizer: {{sgd: 0.1}}\nschedule: {{{schedule}}}")


@pytest.mark.parametrize(
    ("count", "names"), [(5, "v0, v1, v2, v3, v4"), (6, "v0, v1, v2, v3, v4, …")]
)
def test_up_to_five_targets_are_named(count: int, names: str) -> None:
    ((_, message),) = problems_of("network: [linear]\nloss: hinge", info(values(count)))
    assert message.startswith(f"hinge learns classes, but the target, {names}, is values: ")


def test_class_weights_that_fit() -> None:
    compiled("network: [linear]\nloss: {cross_entropy: {class_weights: [1, 2, 3]}}")
