"""Numbers, durations and names as a page shows them."""

from __future__ import annotations

import math
from typing import Any, Final

NARROW_SPACE: Final = "\u202f"  # does not break
MINUS: Final = "\u2212"
ACRONYMS: Final = {
    "kl": "KL", "r2": "R²", "f1": "F₁", "mse": "MSE", "rmse": "RMSE", "mae": "MAE", "nmi": "NMI",
    "ari": "ARI", "pca": "PCA", "tsne": "t-SNE", "svm": "SVM",
}  # fmt: skip
RESULT_NAMES: Final = {
    "matrix": "ablation", "by_hand": "consistency_check", "part": "split", "place": "node",
}  # fmt: skip


def format_number(value: Any, digits: int = 4) -> str:
    """Four significant digits, a true minus, – for None; yes and no; other values as text."""
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
    if 10.0**digits <= abs(value) < 1e15:  # the fraction is beyond the significant digits
        value = round(value)
    if float(value).is_integer() and abs(value) < 1e15:
        grouped = abs(value) >= 10_000
        text = f"{int(value):,}".replace(",", NARROW_SPACE) if grouped else str(int(value))
    else:
        text = f"{value:.{digits}g}"
    return _true_minus(text)


def format_mean_std(mean: float | None, std: float | None) -> str:
    """0.9641 ± 0.0063: the deviation with two significant digits, the mean with as many places."""
    if mean is None or std is None or std == 0 or not math.isfinite(mean):
        return format_number(mean)
    places = max(0, 1 - math.floor(math.log10(std)))
    if places > 8 or abs(mean) >= 1e7:
        return f"{format_number(mean)} ± {format_number(std, 2)}"
    return f"{_true_minus(f'{mean:.{places}f}')}{NARROW_SPACE}±{NARROW_SPACE}{std:.{places}f}"


def format_duration(seconds: float | None) -> str:
    """0.4 s, 12 s, 3 min 20 s or 2 h 5 min; – for None."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.{1 if seconds < 9.95 else 0}f}{NARROW_SPACE}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{NARROW_SPACE}min {rest}{NARROW_SPACE}s"
    return f"{minutes // 60}{NARROW_SPACE}h {minutes % 60}{NARROW_SPACE}min"


def readable_name(name: str) -> str:
    """A key as words: train_loss → train loss, kl_divergence → KL divergence.

    Former names, which results.json keeps as keys, are shown as the documented ones.
    """
    name = RESULT_NAMES.get(name, name)
    return " ".join(ACRONYMS.get(word, word) for word in name.replace("_", " ").split())


def _true_minus(text: str) -> str:
    return text.replace("-", MINUS) if text.startswith("-") or "e-" in text else text
