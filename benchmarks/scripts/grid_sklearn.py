"""The search of benchmarks/grids.py with scikit-learn's GridSearchCV: `python grid_sklearn.py`."""

from __future__ import annotations

import sys
import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, PredefinedSplit, train_test_split
from sklearn.neural_network import MLPClassifier

warnings.filterwarnings("ignore", "Stochastic Optimizer: Maximum iterations", UserWarning)
epochs, rates, sizes, hidden = (eval(argument) for argument in sys.argv[1:5])
x, y = load_digits(return_X_y=True)
x = (x / 16.0).astype(np.float32)  # as in ldl and PyTorch
x, _, y, _ = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
fold = np.full(len(x), -1)
fold[np.random.default_rng(0).permutation(len(x))[: len(x) // 8]] = 0
network = MLPClassifier(activation="tanh", max_iter=epochs, n_iter_no_change=epochs)
settings = {
    "learning_rate_init": rates,
    "batch_size": sizes,
    "hidden_layer_sizes": [(units, units // 2) for units in hidden],
}
search = GridSearchCV(network, settings, cv=PredefinedSplit(fold), n_jobs=2, refit=False)
search.fit(x, y)
print(search.best_params_, search.best_score_)
