"""Grounds: pictures and relief of what the infant lies on."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("cv2")

from aggpose.errors import UserError
from aggpose.synthetic.around.grounds import MAKERS, SHARES, GroundPool, baked, make_ground
from aggpose.synthetic.mesh import Ground


class TestMakeGround:
    @pytest.mark.parametrize("kind", list(MAKERS))
    def test_every_kind_is_a_picture_with_relief(self, kind: str) -> None:
        ground = make_ground(np.random.default_rng(3), kind, size=256)
        assert ground.colour.shape == (256, 256, 3) and ground.colour.dtype == np.uint8
        assert ground.slope.shape == (256, 256, 2) and ground.slope.dtype == np.float16
        assert np.isfinite(ground.slope.astype(np.float32)).all()
        assert ground.colour.std() > 0.5 and 1.5 < ground.side_m < 3.5
        assert 0 <= ground.shine <= 1

    def test_shares_sum_to_one_over_all_kinds(self) -> None:
        assert set(SHARES) == set(MAKERS)
        assert sum(SHARES.values()) == pytest.approx(1)

    def test_seed_decides(self) -> None:
        one, same, other = (make_ground(np.random.default_rng(s), size=128) for s in (4, 4, 5))
        assert np.array_equal(one.colour, same.colour) and np.array_equal(one.slope, same.slope)
        assert not np.array_equal(one.colour, other.colour)

    def test_unknown_kind_is_the_users_error(self) -> None:
        with pytest.raises(UserError, match=r"unknown ground 'lava'.*sheet"):
            make_ground(np.random.default_rng(0), "lava")

    def test_photo_becomes_the_ground(self) -> None:
        photo = np.zeros((90, 160, 3), np.uint8)
        photo[..., 0] = 200
        ground = make_ground(np.random.default_rng(0), photo=photo, size=64)
        assert (ground.colour == (200, 0, 0)).all() and not ground.slope.any()

    def test_photo_of_wrong_kind_is_refused(self) -> None:
        with pytest.raises(ValueError, match="photograph"):
            make_ground(np.random.default_rng(0), photo=np.zeros((9, 9), np.uint8))


def ramp(size: int = 101, side_m: float = 2.0) -> Ground:
    """Rises along x with 0.5 m/m; its right half is red."""
    colour = np.zeros((size, size, 3), np.uint8)
    colour[:, size // 2 :, 0] = 200
    slope = np.zeros((size, size, 2), np.float16)
    slope[..., 0] = 0.5
    return Ground(colour, slope, side_m)


class TestBaked:
    def test_quarter_turn_goes_counter_clockwise(self) -> None:
        """What was at the right (x) comes to the top (y), and so does the way up."""
        turned = baked(dataclasses.replace(ramp(), turn_deg=90.0))
        assert turned.colour[10, 50, 0] == 200 and turned.colour[90, 50, 0] == 0
        assert np.allclose(turned.slope[50, 50].astype(float), (0.0, 0.5), atol=1e-3)

    def test_tint_is_a_matrix_on_srgb(self) -> None:
        tint = np.array([[0, 0, 0, 0], [0.5, 0, 0, 0], [0, 0, 0, 1.0]], np.float32)
        turned = baked(dataclasses.replace(ramp(), tint=tint))
        assert np.abs(turned.colour[50, 80].astype(int) - (0, 100, 255)).max() <= 1


class TestPool:
    def test_content_does_not_depend_on_history(self) -> None:
        first, second = GroundPool(6, seed=2, size=64), GroundPool(6, seed=2, size=64)
        for index in (5, 0, 3):
            first.get(index)
        for index in (3, 5):
            assert np.array_equal(first.get(index).colour, second.get(index).colour)

    def test_pick_is_a_function_of_the_generator(self) -> None:
        pool = GroundPool(6, seed=2, size=64)
        (one, note), (same, again) = (pool.pick(np.random.default_rng(8)) for _ in range(2))
        assert note == again and one.turn_deg == same.turn_deg and one.side_m == same.side_m
        assert np.array_equal(one.colour, same.colour)
        turns = {pool.pick(np.random.default_rng(s))[0].turn_deg for s in range(5)}
        assert len(turns) == 5

    def test_photos_are_used_in_their_share(self) -> None:
        photo = np.full((40, 40, 3), 77, np.uint8)
        pool = GroundPool(4, size=32, photos=[photo], photo_share=0.5)
        kinds = [pool.pick(np.random.default_rng(s))[1]["kind"] for s in range(60)]
        assert 15 < kinds.count("photo") < 45
