"""WHO's growth tables: known values, and what the tables themselves say about one another."""

from __future__ import annotations

import numpy as np
import pytest

from aggpose.synthetic.body import who


@pytest.mark.parametrize(
    ("measure", "sex", "age", "z", "published"),
    [  # WHO's printed tables by z-score, rounded as there
        ("length_cm", "boy", 0, -2, 46.1),
        ("length_cm", "boy", 6, 2, 71.9),
        ("length_cm", "girl", 3, 0, 59.8),
        ("length_cm", "girl", 12, -2, 68.9),
        ("head_cm", "boy", 0, 2, 37.0),
        ("head_cm", "girl", 12, -2, 42.2),
        ("weight_kg", "boy", 0, -2, 2.5),
        ("weight_kg", "boy", 12, 2, 12.0),
        ("weight_kg", "girl", 6, 2, 9.3),
    ],
)
def test_printed_values(
    measure: who.Measure, sex: who.Sex, age: float, z: float, published: float
) -> None:
    assert round(who.value_at(measure, sex, age, z), 1) == published


@pytest.mark.parametrize("key", list(who.TABLES))
def test_tables_are_smooth_and_grow(key: tuple[who.Measure, who.Sex]) -> None:
    table = who.TABLES[key]
    assert table.shape == (3, 13)
    assert (np.diff(table[1]) > 0).all()
    # a wrong digit would show as a kink: growth slows steadily from the third month on
    steps = np.diff(table[1])[2:]
    assert (np.diff(steps) < 0.01 * table[1][3:-1].max()).all()
    assert (np.abs(np.diff(table[2], 2)) < 0.006).all()


def test_value_and_z_score_are_inverse() -> None:
    for measure, sex in who.TABLES:
        for age in (0.0, 0.7, 4.0, 11.9):
            for z in (-2.0, 0.0, 1.3):
                value = who.value_at(measure, sex, age, z)
                assert who.z_score(measure, sex, age, value) == pytest.approx(z, abs=1e-9)


def test_ages_outside_are_refused() -> None:
    with pytest.raises(ValueError, match="0 to 12"):
        who.value_at("length_cm", "girl", 12.5, 0)
