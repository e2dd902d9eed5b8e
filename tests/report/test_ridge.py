from __future__ import annotations

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rosearch.report.ridge import Ridge, folds_of


@pytest.mark.parametrize(("rows", "features"), [(8, 3), (12, 20), (60, 8), (300, 25)])
@pytest.mark.parametrize("noise", [0.1, 5.0])
def test_the_fit_is_that_of_scikit_learn_with_missing_constant_and_empty_features(
    rows: int, features: int, noise: float
) -> None:
    rng = np.random.default_rng(rows)
    x = rng.normal(size=(rows, features)) * rng.integers(1, 1000, features)
    y = x[:, -1] / x[:, -1].std() + noise * rng.normal(size=rows)
    x[rng.random(x.shape) < 0.1] = np.nan
    x[:, 0], x[:, 1] = 0.1, np.nan
    penalised = RidgeCV(np.logspace(-2, 5, 15))
    reference = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), penalised).fit(x, y)
    found = Ridge.fit(x, y)
    assert found.penalty == penalised.alpha_ and found.weights == pytest.approx(penalised.coef_, abs=1e-9)
    new = rng.normal(size=(5, features))
    new[0] = np.nan
    assert found.predict(new) == pytest.approx(reference.predict(new), abs=1e-9)


def test_folds_hold_groups_whole_and_are_as_large_as_those_of_scikit_learn() -> None:
    groups = np.random.default_rng(1).geometric(0.2, 200) - 1
    groups = np.unique(groups, return_inverse=True)[1]
    folds = folds_of(groups, 5)
    assert all(len(set(folds[groups == group])) == 1 for group in set(groups))
    sizes = [len(held) for _, held in GroupKFold(5).split(groups, groups, groups)]
    assert sorted(np.bincount(folds)) == sorted(sizes) and set(folds) == set(range(5))
