"""The registry of data sources, by their names in a configuration."""

from __future__ import annotations

from ldl.data.sources.cifar10 import Cifar10
from ldl.data.sources.csv_file import Csv
from ldl.data.sources.digit_pairs import DigitPairs
from ldl.data.sources.digit_sets import Mnist, Usps
from ldl.data.sources.embedded import BreastCancer, Diabetes, Digits, Iris, Linnerud, Wine
from ldl.data.sources.generated import Bands, Circles, Disc, Gaussians, Moons, NoisyLine
from ldl.data.sources.image_folder import Images
from ldl.data.sources.npz_file import Npz

SOURCES: dict[str, type] = {
    "digits": Digits,
    "iris": Iris,
    "wine": Wine,
    "breast_cancer": BreastCancer,
    "diabetes": Diabetes,
    "linnerud": Linnerud,
    "gaussians": Gaussians,
    "circles": Circles,
    "moons": Moons,
    "bands": Bands,
    "disc": Disc,
    "line": NoisyLine,
    "csv": Csv,
    "npz": Npz,
    "images": Images,
    "mnist": Mnist,
    "usps": Usps,
    "cifar10": Cifar10,
    "digit_pairs": DigitPairs,
}
