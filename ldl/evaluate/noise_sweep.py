"""A denoiser on other noise than it was trained on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from ldl import metrics
from ldl.arrays import Array, Shape
from ldl.data.noise import NOISES, Gaussian
from ldl.errors import SettingError
from ldl.evaluate.codes import generator
from ldl.evaluate.context import Context, Judged, PartName, Task, judge, labels, number
from ldl.evaluate.denoising import CLASSIFIER, reader
from ldl.evaluate.files import write_arrays, write_table
from ldl.evaluate.network import NetworkInfo
from ldl.evaluate.pictures import NO_PICTURES, class_names, images, spread
from ldl.evaluate.reconstruction import UNITS, kl_or_note, reconstructs
from ldl.fields import Choice, LayerList, Positive, Size

if TYPE_CHECKING:
    from ldl.data.dataset import DatasetInfo

Noise = Any  # an entry of NOISES
LEVELS = tuple(Gaussian(level) for level in (0.1, 0.2, 0.3, 0.4, 0.5))
CLEAN, OWN = "clean", "own"  # inputs without noise, and with that of the data
HEADER = ("noise", "level", "input", "mse", "kl_divergence", "accuracy")


@dataclass(frozen=True)
class NoiseSweep:
    """mse, KL(x ‖ ·) and accuracy of noisy x̃ and denoised f(x̃), for each of several noises.

    `noises` are written as in `data.noise` and drawn anew on the judged part's clean inputs,
    whatever the network was trained on; `clean` inputs and the data's `own` noise come first. One
    classifier, trained on clean training samples alone, reads them all where there are classes.
    Leaves `plots/noise_sweep.csv`, a row for either input of each noise, and for images
    `plots/noise_sheet.npz`. Distances are as `reconstruction` defines them.
    Source: Vincent et al., Extracting and Composing Robust Features with Denoising Autoencoders,
    2008.
    """

    noises: tuple[Annotated[Any, Choice("noise")], ...] = LEVELS
    classifier: Annotated[Any, LayerList()] = CLASSIFIER
    epochs: Size = 100
    batch_size: Size = 32
    learning_rate: Positive = 0.001
    part: PartName = "test"

    def __post_init__(self) -> None:
        """Refuse an empty list."""
        if not self.noises:
            raise SettingError("noises", "name a noise at least, such as `gaussian: 0.3`")

    def problem(self, info: DatasetInfo, task: Task) -> str | None:
        """Needs a network that gives its one input back."""
        return reconstructs(info, task, "noise_sweep")

    def read(self, info: DatasetInfo, network: NetworkInfo) -> Shape:
        """The classifier reads the inputs."""
        return info.inputs["x"]

    def run(self, context: Context) -> dict[str, Any]:
        """The figures of noisy and of denoised samples, by noise."""
        judged = judge(self, context, self.part)
        notes, clean = list(judged.notes), judged.part.clean["x"]
        known = context.dataset.info.target.kind == "classes"
        classify = reader(self, context) if known else None
        figures: dict[str, dict[str, dict[str, float | None]]] = {}
        rows: list[list[object]] = []
        shown: dict[str, dict[str, Array]] = {}
        for noise, level, noisy in self._inputs(context, judged):
            name = _called(noise, level, shown)
            denoised = context.predict({"x": noisy}).reshape(clean.shape)
            shown[name] = {"noisy": noisy, "denoised": denoised}
            found = _figures(judged, clean, shown[name], classify, notes)
            for figure, sides in found.items():
                for side, value in sides.items():
                    figures.setdefault(figure, {}).setdefault(side, {})[name] = value
            rows += _rows(noise, level, found)
        write_table(judged.plot("noise_sweep", "csv"), HEADER, rows)
        self._write(context, judged, shown, notes)
        head = {"part": judged.name, "samples": judged.samples, "levels": list(shown)}
        return {**head, **figures, "units": UNITS, "notes": list(dict.fromkeys(notes))}

    def _inputs(
        self, context: Context, judged: Judged
    ) -> Iterator[tuple[str, float | None, Array]]:
        """(noise, level, noisy inputs): clean ones, the data's own, then each of the noises.

        What has no number for a main value, such as a mixture, has no level.
        """
        part = judged.part
        clean = part.clean["x"]
        yield CLEAN, 0.0, clean
        if part.inputs["x"] is not clean:
            yield OWN, None, part.inputs["x"]
        names = {kind: name for name, kind in NOISES.items()}
        limits = context.dataset.input_ranges.get("x") or (clean.min(), clean.max())
        for i, noise in enumerate(self.noises):
            noisy, name = np.empty_like(clean), names[type(noise)]
            rng = generator(context, "noise_sweep", judged.name, name, i)
            noise.apply(clean, noisy, rng, *limits)
            level = getattr(noise, fields(noise)[0].name)
            yield name, level if isinstance(level, float) else None, noisy

    def _write(
        self,
        context: Context,
        judged: Judged,
        shown: dict[str, dict[str, Array]],
        notes: list[str],
    ) -> None:
        """A sheet: noisy and denoised pictures of every level."""
        info, part = context.dataset.info, judged.part
        if info.image is None:
            notes.append(NO_PICTURES)
            return
        chosen = spread(part.targets, judged.samples)
        stacks = {
            side: np.stack([images(both[side][chosen], info) for both in shown.values()])
            for side in ("noisy", "denoised")
        }
        tags = class_names(part, info, chosen)
        file = judged.plot("noise_sheet", "npz")
        write_arrays(file, levels=np.array(list(shown)), labels=tags, **stacks)


def _figures(
    judged: Judged,
    clean: Array,
    both: dict[str, Array],
    classify: Callable[[Array], Array] | None,
    notes: list[str],
) -> dict[str, dict[str, float | None]]:
    figures = {
        "mse": {side: number(metrics.mse(clean, x)) for side, x in both.items()},
        "kl_divergence": kl_or_note(clean, both, notes),
    }
    if classify is not None:
        true = labels(judged.part)
        figures["accuracy"] = {
            side: number(metrics.accuracy(true, classify(x))) for side, x in both.items()
        }
    return figures


def _rows(
    noise: str, level: float | None, found: dict[str, dict[str, float | None]]
) -> list[list[object]]:
    """A row for noisy, one for denoised."""
    rows = [
        [noise, level, side, *(found.get(figure, {}).get(side) for figure in HEADER[3:])]
        for side in ("noisy", "denoised")
    ]
    return [["" if cell is None else cell for cell in row] for row in rows]


def _called(noise: str, level: float | None, taken: Collection[str]) -> str:
    """A noise and its level; a number follows where the same is there twice."""
    plain = noise == CLEAN or level is None
    name = noise if plain else f"{noise} {level:g}"
    twice = sum(each == name or each.startswith(f"{name} (") for each in taken)
    return f"{name} ({twice + 1})" if twice else name
