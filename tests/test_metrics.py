"""Every metric compared with scikit-learn or SciPy, and with values computed by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk
from sklearn.exceptions import UndefinedMetricWarning

from ldl import metrics

rng = np.random.default_rng(7)
TRUE = rng.integers(0, 5, 300)
PREDICTED = np.where(rng.random(300) < 0.6, TRUE, rng.integers(0, 4, 300))
COUNTS = metrics.contingency_matrix(TRUE, PREDICTED, 5)


def test_accuracy_and_contingency_are_sklearns() -> None:
    assert metrics.accuracy(TRUE, PREDICTED) == pytest.approx(sk.accuracy_score(TRUE, PREDICTED))
    np.testing.assert_array_equal(COUNTS, sk.confusion_matrix(TRUE, PREDICTED, labels=range(5)))


def test_contingency_has_true_rows_and_keeps_absent_classes() -> None:
    counts = metrics.contingency_matrix(np.array([0, 0, 1]), np.array([1, 1, 0]), 3)
    assert counts.tolist() == [[0, 2, 0], [1, 0, 0], [0, 0, 0]]


def test_contingency_of_clusters_and_classes_need_not_be_square() -> None:
    clusters, classes = np.array([0, 1, 1, 1]), np.array([2, 0, 0, 1])
    assert metrics.contingency_matrix(clusters, classes, 2, 3).tolist() == [[0, 0, 1], [2, 1, 0]]


def test_precision_recall_and_f1_are_sklearns_also_for_a_class_never_predicted() -> None:
    assert COUNTS[:, 4].sum() > 0
    counts = COUNTS.copy()
    counts[:, 0] += counts[:, 4]
    counts[:, 4] = 0
    predicted = np.where(PREDICTED == 4, 0, PREDICTED)
    precision, recall = metrics.precision_recall(counts)
    expected = sk.precision_recall_fscore_support(TRUE, predicted, zero_division=0)
    np.testing.assert_allclose(precision, expected[0])
    np.testing.assert_allclose(recall, expected[1])
    np.testing.assert_allclose(metrics.f1(precision, recall), expected[2])
    assert precision[4] == 0


def test_squares_beyond_float32() -> None:
    """They neither underflow nor overflow."""
    for size in (1e-30, 1e30):
        true, predicted = np.full(2000, size, np.float32), np.zeros(2000, np.float32)
        assert metrics.rmse(true, predicted) == pytest.approx(size, rel=1e-6)
        assert metrics.rmse(true, predicted) >= metrics.mae(true, predicted) * (1 - 1e-6)


def test_purity_by_hand() -> None:
    assert metrics.purity(np.array([[5, 1], [2, 2]])) == pytest.approx(7 / 10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_loss_is_sklearns_also_where_the_true_class_has_probability_0(dtype: type) -> None:
    probabilities: Any = rng.dirichlet(np.ones(5), 300).astype(dtype)
    probabilities[0] = np.eye(5)[(TRUE[0] + 1) % 5]
    assert metrics.log_loss(TRUE, probabilities) == pytest.approx(
        sk.log_loss(TRUE, probabilities), rel=1e-4
    )
    certain: Any = np.eye(2, dtype=dtype)[[1]]
    assert metrics.log_loss(np.array([0]), certain) == pytest.approx(-math.log(np.finfo(dtype).eps))


@pytest.mark.parametrize("shape", [(40,), (40, 3)])
def test_regression_errors_are_sklearns(shape: tuple[int, ...]) -> None:
    true = rng.normal(size=shape).astype(np.float32)
    predicted = true + rng.normal(0, 0.5, shape).astype(np.float32)
    assert metrics.r2(true, predicted) == pytest.approx(sk.r2_score(true, predicted))
    assert metrics.mse(true, predicted) == pytest.approx(sk.mean_squared_error(true, predicted))
    assert metrics.mae(true, predicted) == pytest.approx(sk.mean_absolute_error(true, predicted))
    assert metrics.rmse(true, predicted) == pytest.approx(math.sqrt(metrics.mse(true, predicted)))
    assert metrics.max_error(true.ravel(), predicted.ravel()) == pytest.approx(
        sk.max_error(true.ravel(), predicted.ravel())
    )


@pytest.mark.parametrize("predicted", [[2.0, 2.0], [2.0, 3.0]])
def test_r2_of_a_target_that_never_varies_is_sklearns(predicted: list[float]) -> None:
    true = np.array([2.0, 2.0])
    assert metrics.r2(true, np.array(predicted)) == sk.r2_score(true, predicted)


def test_r2_of_one_sample_is_nan_as_in_sklearn() -> None:
    true, predicted = np.array([2.0]), np.array([1.0])
    with pytest.warns(UndefinedMetricWarning):
        assert math.isnan(sk.r2_score(true, predicted))
    assert math.isnan(metrics.r2(true, predicted))


@pytest.mark.parametrize(("points", "clusters"), [(1500, 5), (40, 30), (7, 3)])
def test_silhouette_is_sklearns(points: int, clusters: int) -> None:
    """Also with clusters of one point, with equal points, and in several blocks."""
    labels = np.arange(points) % clusters * 2
    labels[-1] = 1
    x = rng.normal(size=(points, 3)) + 0.3 * labels[:, None]
    x[1] = x[1 + clusters % points] if points > 100 else x[0]
    expected = sk.silhouette_score(x, labels)
    assert metrics.silhouette(x.astype(np.float32), labels) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]])
def test_silhouette_of_one_cluster_or_only_single_points_is_nan(labels: list[int]) -> None:
    assert math.isnan(metrics.silhouette(np.eye(3), np.array(labels)))


def test_kl_divergence_is_scipys_over_each_samples_own_distribution() -> None:
    original, reconstruction = rng.random((5, 4, 4, 1)), rng.random((5, 4, 4, 1)) - 0.1
    p = (original.reshape(5, -1) + metrics.EPSILON).T
    q = (np.clip(reconstruction, 0, None).reshape(5, -1) + metrics.EPSILON).T
    expected = stats.entropy(p, q).mean()
    assert metrics.kl_divergence(original, reconstruction) == pytest.approx(expected)


def test_kl_divergence_by_hand() -> None:
    original, reconstruction = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    p = np.array([1.5, 0.5]) / 2
    by_hand = p[0] * math.log(3) + p[1] * math.log(1 / 3)
    assert metrics.kl_divergence(original, reconstruction, epsilon=0.5) == pytest.approx(by_hand)


def test_kl_divergence_is_0_for_itself_and_counts_every_sample_of_a_large_set() -> None:
    x = rng.random((2500, 3)).astype(np.float32)
    assert metrics.kl_divergence(x, x) == 0
    y = rng.random((2500, 3)).astype(np.float32)
    one_by_one = [metrics.kl_divergence(x[i : i + 1], y[i : i + 1]) for i in range(2500)]
    assert metrics.kl_divergence(x, y) == pytest.approx(np.mean(one_by_one))


# --- clusters ---------------------------------------------------------------------------------


# Two clusters: one of 3 a and 1 b, one of 2 b and 2 c; a third one is empty.
CLUSTERS = np.array([[3, 1, 0], [0, 2, 2], [0, 0, 0]])


def test_purities_by_hand() -> None:
    assert metrics.purity(CLUSTERS) == 5 / 8
    np.testing.assert_array_equal(metrics.cluster_purity(CLUSTERS), [3 / 4, 2 / 4, np.nan])
    # b is the first of two equally frequent classes of the second cluster; c is the most frequent
    # class of no cluster, and an empty cluster has none.
    np.testing.assert_array_equal(metrics.class_purity(CLUSTERS), [3 / 4, 2 / 4, np.nan])
    np.testing.assert_array_equal(metrics.main_cluster_purity(CLUSTERS), [3 / 4, 2 / 4, 2 / 4])


def test_the_clusters_of_a_class_count_together() -> None:
    counts = np.array([[8, 2], [5, 5], [1, 9]])
    np.testing.assert_allclose(metrics.class_purity(counts), [13 / 20, 9 / 10])


@pytest.mark.parametrize("seed", range(20))
def test_nmi_and_ari_are_those_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    clusters, classes = rng.integers(0, 1 + seed % 7, 50), rng.integers(0, 1 + seed % 4, 50)
    counts = metrics.contingency_matrix(clusters, classes, 8, 5)  # some rows and columns are empty
    assert metrics.nmi(counts) == pytest.approx(
        sk.normalized_mutual_info_score(classes, clusters), abs=1e-12
    )
    assert metrics.ari(counts) == pytest.approx(
        sk.adjusted_rand_score(classes, clusters), abs=1e-12
    )


@pytest.mark.parametrize("counts", [np.diag([3, 4, 5]), np.array([[7]]), np.array([[1]])])
def test_identity_is_1(counts: np.ndarray) -> None:
    assert metrics.nmi(counts) == pytest.approx(1.0)
    assert metrics.ari(counts) == 1.0


def test_independence_is_0() -> None:
    counts = np.full((4, 5), 6)
    assert metrics.nmi(counts) == pytest.approx(0.0, abs=1e-12)
    assert abs(metrics.ari(counts)) < 0.05
    assert metrics.nmi(np.array([[4, 4]])) == metrics.ari(np.array([[4, 4]])) == 0.0
