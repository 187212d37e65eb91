"""The upper tail of the normal distribution, in a few passes of arithmetic over an array.

NumPy has no error function, and SciPy's takes its values one by one, which is four times slower.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import sqrt

import numpy as np

from ldl.arrays import Array
from ldl.engine.layer import Call
from ldl.engine.memory import scalar

# e^(z²) erfc(z) (1 + 2z) as a polynomial in t = (z − 3.75) / (z + 3.75), highest power first:
# the Chebyshev series cut after T₂₂ and T₁₁, which leaves 1e-15 and 1e-8 of the value.
FLOAT64 = (
    -2.623107347133476e-09, -1.9551358868985616e-09, 3.197926671666804e-08,
    1.879082322370048e-08, -2.4857126248016745e-07, -5.084465378687302e-08,
    1.7419821586224816e-06, -9.792625707303523e-07, -1.1438048033346894e-05,
    2.2387565714911816e-05, 5.164652974177416e-05, -0.00029015535246077655,
    0.000293714378044958, 0.0017556261651970652, -0.009746579683265262,
    0.02836227737211114, -0.05869339857664934, 0.09230432116428125,
    -0.10880393014244462, 0.08227673848999506, 0.0035854154854790257,
    -0.14024059858554525, 1.2375126308378275,
)  # fmt: skip
FLOAT32 = (
    -0.0002241167467, 0.000396307613, 0.001675912218, -0.00984449486, 0.02840925236,
    -0.05864685874, 0.09229076959, -0.1088142701, 0.08227841998, 0.003586270394,
    -0.1402406583, 1.237512619,
)  # fmt: skip
CENTRE = 3.75 * sqrt(2.0)


def upper_tail(u: Array, density: Array, out: Array, work: Array) -> Iterator[Call]:
    """The calls of Q(u) = ½ erfc(u/√2) for u ≥ 0 into `out`, with `density` e^(−u²/2).

    `work` is scratch of the same shape. The relative error stays small in the far tail. Source:
    Shepherd and Laframboise, Chebyshev approximation of (1+2x) exp(x²) erfc x in 0 ≤ x < ∞, 1981.
    """
    dtype = u.dtype
    centre = scalar(CENTRE, dtype)
    first, *series = (scalar(c, dtype) for c in (FLOAT32 if dtype == np.float32 else FLOAT64))
    yield partial(np.add, u, centre, out)
    yield partial(np.subtract, u, centre, work)
    yield partial(np.divide, work, out, work)
    yield partial(np.multiply, work, first, out)
    for coefficient in series[:-1]:
        yield partial(np.add, out, coefficient, out)
        yield partial(np.multiply, out, work, out)
    yield partial(np.add, out, series[-1], out)
    yield partial(np.multiply, u, scalar(2.0 * sqrt(2.0), dtype), work)
    yield partial(np.add, work, scalar(2.0, dtype), work)
    yield partial(np.divide, out, work, out)
    yield partial(np.multiply, out, density, out)
