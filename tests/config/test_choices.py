from __future__ import annotations

import pytest

from .toys import (
    GOOD,
    REGISTRIES,
    Adam,
    Classification,
    CrossEntropy,
    Csv,
    Denoising,
    LossTerm,
    Mse,
    Sgd,
    Step,
    problem_lines,
    read,
)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("sgd", Sgd()),
        ("sgd:", None),
        ("{sgd: }", Sgd()),
        ("{sgd: {}}", Sgd()),
        ("{sgd: 0.5}", Sgd(0.5)),
        ("{sgd: {momentum: 0.9, nesterov: true}}", Sgd(momentum=0.9, nesterov=True)),
        ("{adam: {step: [3]}}", None),
        ("{adam: {learning_rate: {step: [3, 4]}}}", Adam(Step([3, 4]))),
        ("{adam: {learning_rate: {step: {epochs: [3], factor: 1}}}}", Adam(Step([3], 1.0))),
        ("{adam: 1e-3}", Adam(1e-3)),
    ],
)
def test_the_three_ways_of_choosing(written: str, value: object) -> None:
    text = f"{GOOD}optimizer: {written}"
    if value is None:
        assert problem_lines(text)
    else:
        assert read(text).optimizer == value


KNOWN = "known: `adam`, `sgd`"


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("sdg", f"3:12 unknown optimizer `sdg` — did you mean `sgd`? {KNOWN}"),
        ("{sdg: 3}", f"3:13 unknown optimizer `sdg` — did you mean `sgd`? {KNOWN}"),
        ("qqqq", f"3:12 unknown optimizer `qqqq` — {KNOWN}"),
        ("3", f"3:12 expected an optimizer, found the number 3 — {KNOWN}"),
        ("[sgd]", f"3:12 expected an optimizer, found a list — {KNOWN}"),
        ("", f"3:11 expected an optimizer, found nothing — {KNOWN}"),
        ("{}", f"3:12 expected an optimizer, found an empty mapping — {KNOWN}"),
        ("{sgd: 1, adam: 2}", "3:21 two optimizers where one belongs: `sgd` and `adam` — keep one"),
        (
            "{sgd: 0.1, momentum: 0.9}",
            "3:23 `momentum` is a setting of `sgd`"
            " — write `sgd: {momentum: …}`, with the other settings in the same braces",
        ),
        (
            "{sgd: {lr: 1}}",
            "3:19 unknown key `lr` in `sgd` — did you mean `learning_rate`?"
            " valid here: `learning_rate`, `momentum`, `nesterov`",
        ),
        ("sgd:0.1", "3:12 unknown optimizer `sgd:0.1`"
                    " — a space is missing after the colon: `sgd: 0.1`"),
        ("{sgd: [1]}", "3:18 expected a number, found a list"),
        ("{adam: {betas: [0.9, 2]}}", "3:33 must be at least 0 and at most 1, found the number 2"),
    ],
)  # fmt: skip
def test_refusals(written: str, problem: str) -> None:
    assert problem_lines(f"{GOOD}optimizer: {written}") == [problem]


def test_an_entry_without_settings_takes_none() -> None:
    text = "data: {source: {digits: 3}}\nnetwork: [relu]"
    assert problem_lines(text) == ["1:25 `digits` has no settings"]
    text = "data: {source: {digits: {x: 3}}}\nnetwork: [relu]"
    assert problem_lines(text) == ["1:26 unknown key `x` in `digits` — it has no settings"]


def test_a_required_setting_is_missed() -> None:
    assert problem_lines("data: {source: csv}\nnetwork: [relu]") == ["1:16 `csv` needs `path`"]
    text = "data: {source: {csv: {target: x}}}\nnetwork: [relu]"
    assert problem_lines(text) == ["1:17 `csv` needs `path`"]


def test_a_default_of_none_may_be_written() -> None:
    assert read("data: {source: digits, noise: null}\nnetwork: relu").data.noise is None


def test_a_list_of_choices_or_one_alone() -> None:
    one = read(f"{GOOD}evaluate: classification").evaluate
    assert one == (Classification(),)
    assert read(f"{GOOD}evaluate: {{classification: 3}}").evaluate == (Classification(3),)
    both = read(f"{GOOD}evaluate:\n  - denoising\n  - classification: {{top: 2}}").evaluate
    assert both == (Denoising(), Classification(2))
    assert problem_lines(f"{GOOD}evaluate: [[denoising]]") == [
        "3:12 expected an evaluation, found a list — known: `classification`, `denoising`"
    ]
    assert problem_lines(f"{GOOD}evaluate: 3") == [
        "3:11 expected a list of evaluations, found the number 3 — put it in brackets: `[…]`"
    ]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("mse", LossTerm(Mse())),
        ("{mse: sum}", LossTerm(Mse("sum"))),
        ("{mse: , weight: 0.3}", LossTerm(Mse(), weight=0.3)),
        ("[mse]", [LossTerm(Mse())]),
        (
            "[{cross_entropy: {}, from: head, weight: 0.3}, {mse: {reduction: sum}}]",
            [LossTerm(CrossEntropy(), "head", 0.3), LossTerm(Mse("sum"))],
        ),
    ],
)
def test_keys_beside_a_choice(written: str, value: object) -> None:
    assert read(f"{GOOD}loss: {written}").loss == value


@pytest.mark.parametrize(
    ("written", "problems"),
    [
        (
            "{mse: {}, weigth: 3}",
            [
                "3:17 unknown key `weigth` beside `mse`"
                " — did you mean `weight`? valid here: `from`, `reduction`, `weight`"
            ],
        ),
        ("[{weight: 3}]", ["3:8 a loss is missing beside `weight`"]),
        ("{mse: {}, weight: x}", ["3:25 expected a number, found the text 'x'"]),
        (
            "{msee: {}, form: x}",
            [
                "3:8 unknown loss `msee` — did you mean `mse`? known: `cross_entropy`, `mse`",
                "3:18 unknown key `form` — did you mean `from`?",
            ],
        ),
        (
            "{mse: , cross_entropy: }",
            [
                "3:15 two losses where one belongs: `mse` and `cross_entropy`"
                " — write each loss as a list item of its own"
            ],
        ),
        (
            "{mse: median, from: 3}",
            [
                "3:13 expected `sum` or `mean`, found the text 'median' — did you mean `mean`?",
                "3:27 expected text or `null`, found the number 3"
                " — put it in quotes to make it text",
            ],
        ),
    ],
)
def test_refusals_beside_a_choice(written: str, problems: list[str]) -> None:
    assert problem_lines(f"{GOOD}loss: {written}") == problems


def test_main_values_that_are_text_or_lists() -> None:
    source = read("data: {source: {csv: a.csv}}\nnetwork: relu").data.source
    assert isinstance(source, Csv)
    assert source.path.endswith("a.csv")


def test_every_kind_of_the_toys_is_well_formed() -> None:
    assert all(cls.__doc__ for kind in REGISTRIES.values() for cls in kind.values())
