import numpy as np
import pytest

from aggpose.errors import UserError
from aggpose.pose import Poses
from aggpose.skeleton import (
    COCO17,
    INFANT21,
    INFANT24,
    LSP14,
    SKELETONS,
    Skeleton,
    get_skeleton,
    mirror_name,
    skeleton_from_names,
    trunk_length,
)


def test_infant21_has_the_published_order() -> None:
    assert INFANT21.keypoints[0] == "right_eye"
    assert INFANT21.keypoints[4] == "right_middle_finger"
    assert INFANT21.keypoints[9] == "left_eye"
    assert INFANT21.keypoints[18:] == ("chin", "chest", "navel")
    assert set(INFANT21.sigmas) == {0.05}


def test_coco17_has_cocos_order_and_sigmas() -> None:
    assert COCO17.keypoints[:7] == (
        *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
        *("left_shoulder", "right_shoulder"),
    )
    # 10 * sigmas as listed in pycocotools
    listed = [0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07]
    listed += [0.87, 0.87, 0.89, 0.89]
    assert np.allclose(np.array(COCO17.sigmas) * 10, listed)


def test_infant24_is_the_union_by_name() -> None:
    assert set(INFANT24.keypoints) == set(COCO17.keypoints) | set(INFANT21.keypoints)
    assert len(INFANT24) == 24


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda s: s.name)
def test_mirror_is_an_involution_that_swaps_sides(skeleton: Skeleton) -> None:
    assert (skeleton.mirror[skeleton.mirror] == np.arange(len(skeleton))).all()
    for i, j in skeleton.mirror_pairs:
        assert mirror_name(skeleton.keypoints[i]) == skeleton.keypoints[j] != skeleton.keypoints[i]


def test_a_point_without_its_mirror_is_refused() -> None:
    with pytest.raises(ValueError, match="right_knee"):
        Skeleton("bad", ("left_knee",), (), (0.1,), frozenset())
    with pytest.raises(UserError, match="mirror"):
        skeleton_from_names(["left_knee", "nose"])


def test_unknown_skeleton_names_the_known_ones() -> None:
    with pytest.raises(UserError, match="coco17, infant21, infant24, lsp14"):
        get_skeleton("coco")


def test_names_find_their_skeleton() -> None:
    assert skeleton_from_names(LSP14.keypoints) is LSP14
    assert skeleton_from_names(["nose", "tail"]).name == "custom"


def test_poses_select_by_name() -> None:
    keypoints = np.arange(48, dtype=float).reshape(1, 24, 2)
    poses = Poses(keypoints, np.ones((1, 24)), np.zeros((1, 4)), INFANT24, np.ones(1))
    infant = poses.select(INFANT21)
    i = INFANT24.index("left_toe")
    assert (infant.keypoints[0, INFANT21.index("left_toe")] == keypoints[0, i]).all()
    back = infant.select(COCO17)
    assert np.isnan(back.keypoints[0, COCO17.index("nose")]).all()
    assert back.scores[0, COCO17.index("nose")] == 0
    with pytest.raises(ValueError, match="scores"):
        Poses(keypoints, np.ones((1, 23)), np.zeros((1, 4)), INFANT24, np.ones(1))


def test_trunk_length() -> None:
    points = np.zeros((17, 2))
    for side, x in (("left", 10.0), ("right", -10.0)):
        points[COCO17.index(f"{side}_shoulder")] = (x, 0)
        points[COCO17.index(f"{side}_hip")] = (x / 2, 40)
    assert trunk_length(points, COCO17) == pytest.approx(40)
    points[COCO17.index("left_hip")] = np.nan
    assert np.isnan(trunk_length(points, COCO17))
