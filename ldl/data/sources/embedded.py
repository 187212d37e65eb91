"""The data sets within scikit-learn, read from its files.

Importing `sklearn.datasets` takes 0.5 to 0.8 s, most of what a short run takes; finding the package
and reading its file directly takes 15 ms. A test compares the values with scikit-learn's loaders.
"""

from __future__ import annotations

import gzip
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from ldl.arrays import Array
from ldl.data.dataset import DatasetInfo, ProgressCallback, RawDataset, Target
from ldl.errors import DataError

DIGIT_NAMES = tuple("0123456789")
IRIS_COLUMNS = tuple(
    f"{organ} {size} (cm)" for organ in ("sepal", "petal") for size in ("length", "width")
)
WINE_COLUMNS = (
    "alcohol", "malic_acid", "ash", "alcalinity_of_ash", "magnesium", "total_phenols", "flavanoids",
    "nonflavanoid_phenols", "proanthocyanins", "color_intensity", "hue",
    "od280/od315_of_diluted_wines", "proline",
)  # fmt: skip
NUCLEUS_MEASUREMENTS = (
    "radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity",
    "concave points", "symmetry", "fractal dimension",
)  # fmt: skip
TUMOUR_COLUMNS = (
    *(f"mean {name}" for name in NUCLEUS_MEASUREMENTS),
    *(f"{name} error" for name in NUCLEUS_MEASUREMENTS),
    *(f"worst {name}" for name in NUCLEUS_MEASUREMENTS),
)
PATIENT_COLUMNS = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")


def embedded_file(name: str) -> Path:
    """The path of scikit-learn's file `name`, found without an import. Raises DataError."""
    spec = importlib.util.find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise DataError("scikit-learn, which holds this data set, is not installed")
    path = Path(spec.origin).parent / "datasets" / "data" / name
    if not path.is_file():
        raise DataError(f"{path}: this file of scikit-learn is missing; install scikit-learn again")
    return path


def _read_table(name: str, delimiter: str | None, skip: int = 0) -> Array:
    path = embedded_file(name)
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
        return np.loadtxt(text.splitlines(), delimiter=delimiter, skiprows=skip, ndmin=2)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); install scikit-learn again") from error


@dataclass(frozen=True)
class _EmbeddedSet:
    """A data set whose description is a constant."""

    info: ClassVar[DatasetInfo]

    def describe(self) -> DatasetInfo:
        """The constants of the set; reads no file."""
        return self.info


@dataclass(frozen=True)
class _ClassTable(_EmbeddedSet):
    """A file of numbers whose last column is the class."""

    file: ClassVar[str]
    header: ClassVar[int] = 1  # lines before the first sample

    def read(self, seed: int, progress: ProgressCallback | None = None) -> RawDataset:
        """The rows in the file's order."""
        table = _read_table(self.file, ",", self.header)
        return RawDataset(self.info, {"x": table[:, :-1].copy()}, table[:, -1].astype(np.int64))


@dataclass(frozen=True)
class Digits(_ClassTable):
    """1797 handwritten digits, 8×8 pixels from 0 to 16, ten classes (UCI optdigits, test set)."""

    file = "digits.csv.gz"
    header = 0
    info = DatasetInfo({"x": (64,)}, Target("classes", DIGIT_NAMES), (8, 8, 1), 1797)


@dataclass(frozen=True)
class Iris(_ClassTable):
    """150 irises, 4 lengths and widths in cm, three species (Fisher 1936)."""

    file = "iris.csv"
    info = DatasetInfo(
        {"x": (4,)},
        Target("classes", ("setosa", "versicolor", "virginica")),
        samples=150,
        features=IRIS_COLUMNS,
    )


@dataclass(frozen=True)
class Wine(_ClassTable):
    """178 wines, 13 chemical measurements, three growers (UCI wine)."""

    file = "wine_data.csv"
    info = DatasetInfo(
        {"x": (13,)},
        Target("classes", ("class_0", "class_1", "class_2")),
        samples=178,
        features=WINE_COLUMNS,
    )


@dataclass(frozen=True)
class BreastCancer(_ClassTable):
    """569 tumours, 30 measurements of cell nuclei, malignant or benign (UCI wdbc)."""

    file = "breast_cancer.csv"
    info = DatasetInfo(
        {"x": (30,)},
        Target("classes", ("malignant", "benign")),
        samples=569,
        features=TUMOUR_COLUMNS,
    )


@dataclass(frozen=True)
class Diabetes(_EmbeddedSet):
    """442 patients, 10 measurements in their own units, disease progression after a year.

    Efron et al. 2004. The raw columns, not the ones that scikit-learn centres and scales by default
    with statistics of all samples, test samples included.
    """

    info = DatasetInfo(
        {"x": (10,)}, Target("values", ("progression",)), samples=442, features=PATIENT_COLUMNS
    )

    def read(self, seed: int, progress: ProgressCallback | None = None) -> RawDataset:
        """The rows in the file's order."""
        x = _read_table("diabetes_data_raw.csv.gz", None)
        return RawDataset(self.info, {"x": x}, _read_table("diabetes_target.csv.gz", None))


@dataclass(frozen=True)
class Linnerud(_EmbeddedSet):
    """20 men: chins, situps and jumps → weight (lb), waist (in) and pulse (Tenenhaus 1998)."""

    info = DatasetInfo(
        {"x": (3,)},
        Target("values", ("Weight", "Waist", "Pulse")),
        samples=20,
        features=("Chins", "Situps", "Jumps"),
    )

    def read(self, seed: int, progress: ProgressCallback | None = None) -> RawDataset:
        """The rows in the files' order."""
        x = _read_table("linnerud_exercise.csv", None, skip=1)
        return RawDataset(
            self.info, {"x": x}, _read_table("linnerud_physiological.csv", None, skip=1)
        )
