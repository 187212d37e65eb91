"""Numbers as a page shows them."""

from __future__ import annotations

import math
from typing import Any, Final

THIN: Final = "\u202f"  # a narrow space that does not break
MINUS: Final = "\u2212"


def number(value: Any, digits: int = 4) -> str:
    """Four digits that count, a true minus, – for nothing; other values as text."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return str(value)
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    if math.isnan(value):
        return "not a number"
    if 10.0**digits <= abs(value) < 1e15:  # their fractions say nothing
        value = round(value)
    if float(value).is_integer() and abs(value) < 1e15:
        text = f"{int(value):,}".replace(",", THIN) if abs(value) >= 10_000 else str(int(value))
    else:
        text = f"{value:.{digits}g}"
    return _signed(text)


def mean_and_spread(mean: float | None, spread: float | None) -> str:
    """0.9641 ± 0.0063: the spread with two digits that count, the mean with as many places."""
    if mean is None or spread is None or spread == 0 or not math.isfinite(mean):
        return number(mean)
    places = max(0, 1 - math.floor(math.log10(spread)))
    if places > 8 or abs(mean) >= 1e7:
        return f"{number(mean)} ± {number(spread, 2)}"
    return f"{_signed(f'{mean:.{places}f}')}{THIN}±{THIN}{spread:.{places}f}"


def duration(seconds: float | None) -> str:
    """0.4 s, 12 s, 3 min 20 s or 2 h 5 min."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f}{THIN}s" if seconds < 9.95 else f"{seconds:.0f}{THIN}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{THIN}min {rest}{THIN}s"
    return f"{minutes // 60}{THIN}h {minutes % 60}{THIN}min"


def words(name: str) -> str:
    """A name of the files as words: train_loss, kl_divergence → train loss, KL divergence."""
    known = {"kl": "KL", "r2": "R²", "f1": "F₁", "mse": "MSE", "rmse": "RMSE", "mae": "MAE"}
    known |= {"nmi": "NMI", "ari": "ARI", "pca": "PCA", "tsne": "t-SNE", "svm": "SVM"}
    return " ".join(known.get(word, word) for word in name.replace("_", " ").split())


def _signed(text: str) -> str:
    return text.replace("-", MINUS) if text.startswith("-") or "e-" in text else text
