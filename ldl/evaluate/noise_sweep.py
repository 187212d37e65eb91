"""The evaluation `noise_sweep`: a denoiser on several kinds and levels of noise."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, fields
from typing import Annotated, Any

import numpy as np

from ldl import metrics
from ldl.arrays import Array, Shape
from ldl.data.dataset import DatasetInfo
from ldl.data.noise import NOISES, Gaussian
from ldl.errors import SettingError
from ldl.evaluate.context import (
    EvaluatedSplit,
    Evaluation,
    EvaluationContext,
    NetworkInfo,
    SplitSetting,
    Task,
    json_values,
    labels,
)
from ldl.evaluate.denoising import CLASSIFIER, input_classifier
from ldl.evaluate.latents import sample_stream
from ldl.evaluate.reconstruction import UNITS, kl_divergences, reconstruction_problem
from ldl.evaluate.result_files import write_arrays, write_table
from ldl.evaluate.sample_images import (
    NO_IMAGES,
    sample_class_names,
    sample_images,
    spread_over_classes,
)
from ldl.fields import Choice, Doc, LayerList, Positive, Size

LEVELS = tuple(Gaussian(level) for level in (0.1, 0.2, 0.3, 0.4, 0.5))
CLEAN, DATA_NOISE = "clean", "own"  # inputs without noise, and with the data's noise
SIDES = ("noisy", "denoised")
HEADER = ("noise", "level", "input", "mse", "kl_divergence", "accuracy")
SideMetrics = dict[str, dict[str, float | None]]  # {metric: {side: value}}


@dataclass(frozen=True)
class NoiseSweep(Evaluation):
    """mse, KL(x ‖ ·) and accuracy of noisy x̃ and denoised f(x̃), for each of several noises.

    `noises` are written as in `data.noise` and drawn anew on the evaluated split's clean inputs,
    whatever the network was trained on; `clean` inputs and the data's `own` noise come first.
    Where there are classes, one classifier, trained on clean training samples alone, reads them
    all. Writes `plots/noise_sweep.csv`, two rows for each noise (noisy, denoised), and for images
    `plots/noise_sheet.npz`. Distances are as `reconstruction` defines them.
    Source: Vincent et al., Extracting and Composing Robust Features with Denoising Autoencoders,
    2008.
    """

    noises: Annotated[
        tuple[Annotated[Any, Choice("noise")], ...], Doc("noises, each as in `data.noise`")
    ] = LEVELS
    classifier: Annotated[Any, LayerList(), Doc("the classifier's layers")] = CLASSIFIER
    epochs: Annotated[Size, Doc("epochs of the classifier's training")] = 100
    batch_size: Size = 32
    learning_rate: Annotated[Positive, Doc("of Adam, which trains the classifier")] = 0.001
    split: SplitSetting = "test"

    def __post_init__(self) -> None:
        """Refuse an empty list."""
        if not self.noises:
            raise SettingError("noises", "name a noise at least, such as `gaussian: 0.3`")

    def data_problem(self, info: DatasetInfo, task: Task) -> str | None:
        """The network needs to reconstruct its single input."""
        return reconstruction_problem(info, task, "noise_sweep")

    def classifier_layers(self, info: DatasetInfo, network: NetworkInfo) -> tuple[Any, Shape]:
        """The classifier reads the inputs."""
        return self.classifier, info.inputs["x"]

    def run(self, context: EvaluationContext) -> dict[str, Any]:
        """{metric: {noisy, denoised: {noise: value}}}."""
        evaluated = self.select_split(context, self.split)
        notes, clean = list(evaluated.notes), evaluated.split.clean["x"]
        has_classes = context.dataset.info.target.kind == "classes"
        classify = input_classifier(self, context) if has_classes else None
        results: dict[str, Any] = {}
        rows: list[list[object]] = []
        samples: dict[str, dict[str, Array]] = {}
        for noise, level, noisy in self._noisy_inputs(evaluated):
            name = _unique_name(noise, level, samples)
            denoised = context.predict({"x": noisy}).reshape(clean.shape)
            samples[name] = {"noisy": noisy, "denoised": denoised}
            side_metrics = _side_metrics(evaluated, samples[name], classify, notes)
            for metric, sides in side_metrics.items():
                for side, value in sides.items():
                    results.setdefault(metric, {}).setdefault(side, {})[name] = value
            rows += [
                [noise, level, side, *(side_metrics.get(m, {}).get(side) for m in HEADER[3:])]
                for side in SIDES
            ]
        write_table(evaluated.plot("noise_sweep", "csv"), HEADER, rows)
        _write_images(evaluated, samples, notes)
        results = {"levels": list(samples), **results, "units": UNITS}
        return evaluated.results(results, list(dict.fromkeys(notes)))

    def _noisy_inputs(self, evaluated: EvaluatedSplit) -> Iterator[tuple[str, float | None, Array]]:
        """(noise, level, noisy inputs): clean ones, the data's own, then each of the noises.

        The level is None for noise whose main value is no float, such as a mixture.
        """
        context, split = evaluated.context, evaluated.split
        clean = split.clean["x"]
        yield CLEAN, 0.0, clean
        if split.inputs["x"] is not clean:
            yield DATA_NOISE, None, split.inputs["x"]
        names = {cls: name for name, cls in NOISES.items()}
        limits = context.dataset.input_ranges.get("x") or (clean.min(), clean.max())
        for i, noise in enumerate(self.noises):
            noisy, name = np.empty_like(clean), names[type(noise)]
            rng = sample_stream(context, "noise_sweep", evaluated.name, name, i)
            noise.apply(clean, noisy, rng, limits)
            level = getattr(noise, fields(noise)[0].name)
            yield name, level if isinstance(level, float) else None, noisy


def _write_images(
    evaluated: EvaluatedSplit, samples: dict[str, dict[str, Array]], notes: list[str]
) -> None:
    """Write images (noises, n, h, w, c) of a few noisy and denoised samples."""
    info, split = evaluated.context.dataset.info, evaluated.split
    if info.image is None:
        notes.append(NO_IMAGES)
        return
    indices = spread_over_classes(split.targets, evaluated.samples)
    stacks = {
        side: np.stack([sample_images(sides[side][indices], info) for sides in samples.values()])
        for side in SIDES
    }
    names = sample_class_names(split, info, indices)
    path = evaluated.plot("noise_sheet", "npz")
    write_arrays(path, levels=np.array(list(samples)), labels=names, **stacks)


def _side_metrics(
    evaluated: EvaluatedSplit,
    sides: dict[str, Array],
    classify: Callable[[Array], Array] | None,
    notes: list[str],
) -> SideMetrics:
    """Distances from the clean inputs, and the classifier's accuracy, of both sides."""
    clean = evaluated.split.clean["x"]
    results = {
        "mse": {side: metrics.mse(clean, x) for side, x in sides.items()},
        "kl_divergence": kl_divergences(clean, sides, notes),
    }
    if classify is not None:
        true = labels(evaluated.split)
        results["accuracy"] = {
            side: metrics.accuracy(true, classify(x)) for side, x in sides.items()
        }
    return {metric: json_values(values) for metric, values in results.items()}


def _unique_name(noise: str, level: float | None, names: Collection[str]) -> str:
    """A noise and its level; with a number where it is among `names` already."""
    name = noise if noise == CLEAN or level is None else f"{noise} {level:g}"
    repeats = sum(n == name or n.startswith(f"{name} (") for n in names)
    return f"{name} ({repeats + 1})" if repeats else name
