"""Networks that no memory holds are refused while they are built."""

from __future__ import annotations

from .helpers import advised, classes, faults, info


def test_too_many_values_in_a_step() -> None:
    """Said at the layer that has most, before anything is allocated."""
    text = "network: [{upsample: 2000}, {conv2d: 4}, {maxpool2d: 2000}, flatten, linear]"
    ((place, message),) = faults(text, info(classes(3), (8, 8, 1)))
    assert place == "network.1" and "values" in message


def test_batch_norm_on_batches_of_one() -> None:
    """Allowed, and hardly meant."""
    text = "network: [{linear: 4}, batch_norm, linear]\ntrain: {batch_size: 1}"
    assert advised(text) == [
        ("network.1", "batch_norm needs batches of more than one sample"),
    ]
