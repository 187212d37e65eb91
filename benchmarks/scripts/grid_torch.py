"""The search of benchmarks/grids.py in PyTorch, with arguments EPOCHS RATES SIZES HIDDEN WAY.

WAY is `loop`, in two processes, or `optuna`, two at once in threads of a study.
"""

from __future__ import annotations

import itertools
import multiprocessing
import sys

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

torch.set_num_threads(1)
epochs, rates, sizes, hidden = (eval(argument) for argument in sys.argv[1:5])
x, y = load_digits(return_X_y=True)
x, y = torch.tensor(x / 16.0, dtype=torch.float32), torch.tensor(y)
x, _, y, _ = train_test_split(x, y, test_size=0.2, stratify=y, random_state=0)
x, x_held, y, y_held = train_test_split(x, y, test_size=1 / 8, random_state=0)


def best_accuracy(rate: float, size: int, units: int) -> float:
    """The best validation accuracy of one training."""
    network = nn.Sequential(
        nn.Linear(64, units), nn.Tanh(), nn.Linear(units, units // 2), nn.Tanh(),
        nn.Linear(units // 2, 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    loss, best = nn.CrossEntropyLoss(), 0.0
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(size):
            optimizer.zero_grad()
            loss(network(x[rows]), y[rows]).backward()
            optimizer.step()
        with torch.no_grad():
            best = max(best, float((network(x_held).argmax(1) == y_held).float().mean()))
    return best


if sys.argv[5] == "optuna":
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = {"rate": rates, "size": sizes, "units": hidden}
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.GridSampler(space, seed=0)
    )
    study.optimize(
        lambda trial: best_accuracy(*(trial.suggest_categorical(key, space[key]) for key in space)),
        n_jobs=2,
    )
    print(study.best_params, study.best_value)
else:
    settings = list(itertools.product(rates, sizes, hidden))
    with multiprocessing.Pool(2) as pool:
        print(max(zip(pool.starmap(best_accuracy, settings, chunksize=1), settings, strict=True)))
