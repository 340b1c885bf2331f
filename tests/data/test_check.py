"""The annotation doctor: each damage gives its finding and no other."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from aggpose.cli.app import app, main
from aggpose.data.check import KINDS, Finding, Source, check_files, mend, read_sources
from aggpose.data.check_pictures import inspect_picture
from aggpose.data.pictures import read_rgb
from aggpose.errors import UserError
from aggpose.skeleton import COCO17, INFANT24

SIZE = (160, 120)
PLACES = {
    "nose": (60, 20),
    "eye": (4, 16),
    "ear": (8, 18),
    "shoulder": (15, 40),
    "elbow": (20, 55),
    "wrist": (22, 70),
    "hip": (10, 75),
    "knee": (10, 92),
    "ankle": (10, 106),
}
"""px; of paired points the distance from the middle, x = 60, and y. Seen from the front."""

Content = dict[str, Any]


def person(number: int, picture: int, right: float = 0.0) -> Content:
    points = []
    for name in COCO17.keypoints:
        side, _, part = name.rpartition("_")
        x, y = PLACES[part]
        x = x if not side else 60 + x if side == "left" else 60 - x
        points += [x + right, y, 2]
    return {
        "id": number,
        "image_id": picture,
        "category_id": 1,
        "iscrowd": 0,
        "bbox": [30 + right, 8, 60, 104],
        "area": 3700.5,
        "num_keypoints": 17,
        "keypoints": points,
    }


def clean() -> Content:
    names = list(COCO17.keypoints)
    links = [[a + 1, b + 1] for a, b in COCO17.link_indices]
    return {
        "images": [
            {"id": i, "file_name": f"{i}.jpg", "width": SIZE[0], "height": SIZE[1]} for i in (1, 2)
        ],
        "annotations": [person(1, 1), person(2, 1, 50), person(3, 2)],
        "categories": [{"id": 1, "name": "person", "keypoints": names, "skeleton": links}],
    }


def picture(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Coloured clouds, another for every seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)


def jpeg(image: np.ndarray, quality: int = 90, orientation: int = 1) -> bytes:
    """A JPEG file; with an EXIF tag for orientations other than 1."""
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    if orientation == 1:
        return data
    entry = b"\x12\x01\x03\x00\x01\x00\x00\x00" + bytes([orientation, 0, 0, 0])
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + entry + b"\0\0\0\0"
    return data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures 1.jpg to 4.jpg, all different."""
    images = tmp_path / "images"
    images.mkdir()
    for seed in (1, 2, 3, 4):
        (images / f"{seed}.jpg").write_bytes(jpeg(picture(seed)))
    return images


def look(folder: Path, *contents: Content, quick: bool = False) -> tuple[Finding, ...]:
    sources = [Source(Path(f"{i}.json"), folder, c) for i, c in enumerate(contents)]
    return check_files(sources, quick=quick).findings


def codes(findings: tuple[Finding, ...]) -> list[str]:
    return sorted({f.code for f in findings})


def set_in(*path: object) -> Callable[[Content], None]:
    """Damage: the last of `path` is put where the others lead."""
    *way, key, value = path

    def damage(content: Content) -> None:
        place: Any = content
        for step in way:
            place = place[step]
        place[key] = value

    return damage


def person_with(**fields: object) -> Callable[[Content], None]:
    def damage(content: Content) -> None:
        content["annotations"][0].update(fields)

    return damage


def point_with(name: str, values: list[float], **fields: object) -> Callable[[Content], None]:
    def damage(content: Content) -> None:
        at = 3 * COCO17.index(name)
        content["annotations"][0]["keypoints"][at : at + 3] = values
        content["annotations"][0].update(fields)

    return damage


def without(*path: object) -> Callable[[Content], None]:
    def damage(content: Content) -> None:
        place: Any = content
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]

    return damage


def names(change: Callable[[list[str]], list[str]], points: int = 17) -> Callable[[Content], None]:
    """Damage: other key-point names, people with as many points, no links."""

    def damage(content: Content) -> None:
        category = content["categories"][0]
        category["keypoints"] = change(category["keypoints"])
        category["skeleton"] = []
        for entry in content["annotations"]:
            entry["keypoints"] = entry["keypoints"][: 3 * points]
            entry["num_keypoints"] = points

    return damage


def same_person(content: Content) -> None:
    content["annotations"].append({**content["annotations"][0], "id": 9})


def swapped_faces(content: Content) -> None:
    content["annotations"] = [person(i + 1, 1, i) for i in range(20)]
    for entry in content["annotations"]:
        p = entry["keypoints"]
        p[3:6], p[6:9] = p[6:9], p[3:6]


def crossed_hips(content: Content) -> None:
    p = content["annotations"][0]["keypoints"]
    i, j = 3 * COCO17.index("left_hip"), 3 * COCO17.index("right_hip")
    p[i : i + 3], p[j : j + 3] = p[j : j + 3], p[i : i + 3]


def second_category(content: Content) -> None:
    content["categories"].append({"id": 2, "name": "infant", "keypoints": ["nose"]})


def other_size(content: Content) -> None:
    """A wrong size: places are not blamed on it."""
    content["images"][0].update(width=64, height=48)


KEYPOINTS = person(1, 1)["keypoints"]
DAMAGES: list[tuple[str, Callable[[Content], None], list[str]]] = [
    ("nothing", lambda c: None, []),
    ("area of the box", person_with(area=6240.0), []),
    ("area by rounding above", person_with(area=6240.9), []),
    ("flag of a float", point_with("nose", [60.0, 20.0, 2.0]), []),
    ("hidden point", point_with("nose", [60, 20, 1]), []),
    ("point on the last pixel", point_with("right_ankle", [50, 119, 2]), []),
    ("point a little outside the box", point_with("right_ankle", [50, 118, 2]), []),
    ("backslash in a name", set_in("images", 0, "file_name", ".\\1.jpg"), []),
    ("area missing", without("annotations", 0, "area"), ["area-missing"]),
    ("area null", person_with(area=None), ["area-missing"]),
    ("area 0", person_with(area=0), ["area-impossible"]),
    ("area negative", person_with(area=-5.0), ["area-impossible"]),
    ("area nan", person_with(area=float("nan")), ["area-impossible"]),
    ("area too large", person_with(area=7000.0), ["area-impossible"]),
    ("area small", person_with(area=100.0), ["area-small"]),
    ("box missing", without("annotations", 0, "bbox"), ["box-malformed"]),
    ("box nan", person_with(bbox=[30, float("nan"), 60, 104]), ["box-malformed"]),
    ("box of corners", person_with(bbox=[30, 8, 60]), ["box-malformed"]),
    ("box empty", person_with(bbox=[30, 8, 0, 104]), ["box-empty"]),
    ("box outside", person_with(bbox=[200, 8, 60, 104]), ["box-outside", "point-outside-box"]),
    ("box over the edge", person_with(bbox=[30, 8, 60, 130]), ["box-over-edge"]),
    (
        "box tiny",
        person_with(bbox=[30, 8, 1, 1], area=1, keypoints=[0] * 51, num_keypoints=0),
        ["box-tiny", "no-keypoints"],
    ),
    ("list too short", person_with(keypoints=KEYPOINTS[:48]), ["keypoints-length"]),
    ("list of pairs", person_with(keypoints=[1] * 34), ["keypoints-length"]),
    ("text for a number", person_with(keypoints=["1", *KEYPOINTS[1:]]), ["keypoints-malformed"]),
    (
        "infinite place",
        person_with(keypoints=[float("inf"), *KEYPOINTS[1:]]),
        ["keypoints-malformed"],
    ),
    ("flag 3", point_with("nose", [60, 20, 3]), ["flag-impossible"]),
    ("a score for a flag", point_with("nose", [60, 20, 0.9]), ["flag-impossible"]),
    (
        "flag 0 with a place",
        point_with("nose", [60, 20, 0], num_keypoints=16),
        ["flag-zero-with-place"],
    ),
    ("point at 0, 0", point_with("nose", [0, 0, 2]), ["point-at-origin"]),
    ("point outside", point_with("nose", [60, -40, 2]), ["point-outside-picture"]),
    ("point far from its box", point_with("nose", [140, 20, 2]), ["point-outside-box"]),
    ("num_keypoints wrong", person_with(num_keypoints=12), ["num-keypoints"]),
    ("num_keypoints missing", without("annotations", 0, "num_keypoints"), ["num-keypoints"]),
    (
        "nobody labelled",
        person_with(keypoints=[0] * 51, num_keypoints=0),
        ["no-keypoints"],
    ),
    ("no list of points", person_with(keypoints=[], num_keypoints=0), ["no-keypoints"]),
    ("crowd", person_with(keypoints=[0] * 51, num_keypoints=0, iscrowd=1, area=9.0), []),
    ("the same person again", same_person, ["person-twice"]),
    ("hips crossed", crossed_hips, ["sides-crossed"]),
    ("all eyes exchanged", swapped_faces, ["sides-swapped"]),
    ("annotation id again", set_in("annotations", 1, "id", 1), ["annotation-id-twice"]),
    ("annotation id missing", without("annotations", 0, "id"), ["annotation-id-missing"]),
    ("annotation id 0", set_in("annotations", 0, "id", 0), ["annotation-id-zero"]),
    ("picture not listed", set_in("annotations", 0, "image_id", 77), ["image-unknown"]),
    ("category not listed", set_in("annotations", 0, "category_id", 5), ["category-unknown"]),
    ("an annotation that is none", set_in("annotations", 0, 7), ["entry-malformed"]),
    ("a category that is none", lambda c: c["categories"].append(None), ["entry-malformed"]),
    ("an image without name", lambda c: c["images"].append({"id": 9}), ["entry-malformed"]),
    ("names missing", without("categories", 0, "keypoints"), ["names-missing"]),
    ("names of two kinds", second_category, ["name-subset", "names-differ"]),
    ("name twice", names(lambda n: ["left_eye", *n[1:]]), ["name-twice"]),
    ("name unknown", names(lambda n: ["snout", *n[1:]]), ["name-unknown"]),
    (
        "other spelling",
        names(lambda n: ["Left Eye" if x == "left_eye" else x for x in n]),
        ["mirror-open", "name-unknown"],
    ),
    ("other order", names(lambda n: [n[0], n[2], n[1], *n[3:]]), ["name-order"]),
    ("fewer names", names(lambda n: n[:15], 15), ["name-subset"]),
    ("one side only", names(lambda n: n[:16], 16), ["mirror-open"]),
    ("link beyond", set_in("categories", 0, "skeleton", [[1, 18]]), ["link-out-of-range"]),
    ("link from 0", set_in("categories", 0, "skeleton", [[0, 16]]), ["link-out-of-range"]),
    ("image id again", set_in("images", 1, "id", 1), ["image-id-twice", "image-unknown"]),
    ("file name again", set_in("images", 1, "file_name", "1.jpg"), ["file-name-twice"]),
    ("picture missing", set_in("images", 0, "file_name", "no.jpg"), ["picture-missing"]),
    ("picture of another size", other_size, ["picture-size"]),
    ("size missing", without("images", 0, "width"), ["picture-size-missing"]),
]


@pytest.mark.parametrize(
    ("damage", "expected"), [d[1:] for d in DAMAGES], ids=[d[0] for d in DAMAGES]
)
def test_each_damage_gives_its_finding(
    folder: Path, damage: Callable[[Content], None], expected: list[str]
) -> None:
    content = clean()
    damage(content)
    before = copy.deepcopy(content)
    findings = look(folder, content)
    assert codes(findings) == expected
    assert repr(content) == repr(before)  # by words, since NaN is unlike itself


FILES: list[tuple[str, bytes, list[str], list[str]]] = [
    ("cut.jpg", jpeg(picture(9))[:-300], ["picture-truncated"], ["picture-truncated"]),
    (
        "cut.png",
        cv2.imencode(".png", picture(9))[1].tobytes()[:-200],
        ["picture-truncated"],
        ["picture-truncated"],
    ),
    ("empty.jpg", b"", ["picture-truncated"], ["picture-truncated"]),
    ("text.jpg", b"<html>not found</html>", ["picture-unreadable"], ["picture-unreadable"]),
    ("whole.png", cv2.imencode(".png", picture(9))[1].tobytes(), [], []),
    ("whole.bmp", cv2.imencode(".bmp", picture(9))[1].tobytes(), [], []),
    ("trailer.jpg", jpeg(picture(9)) + b"a video" * 9, [], []),
    ("turned.jpg", jpeg(picture(9), orientation=6), *[["picture-size-stored"]] * 2),
    ("stood.jpg", jpeg(picture(9, (120, 160)), orientation=8), *[["picture-exif"]] * 2),
    ("upside.jpg", jpeg(picture(9), orientation=3), *[["picture-exif-unclear"]] * 2),
    ("flat.jpg", jpeg(np.full((120, 160, 3), 90, np.uint8)), [], []),
    ("copy.jpg", jpeg(picture(2)), ["picture-twice"], ["picture-twice"]),
    ("again.jpg", jpeg(picture(2), quality=50), ["picture-near"], []),
]


@pytest.mark.parametrize(("name", "data", "expected", "quick"), FILES, ids=[f[0] for f in FILES])
def test_each_picture_file_gives_its_finding(
    folder: Path, name: str, data: bytes, expected: list[str], quick: list[str]
) -> None:
    (folder / name).write_bytes(data)
    content = clean()
    content["images"][0]["file_name"] = name
    assert codes(look(folder, content)) == expected
    assert codes(look(folder, content, quick=True)) == quick


@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_as_shown_is_that_of_the_reader(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(picture(5), orientation=orientation))
    seen = inspect_picture(path)
    assert seen.stored == SIZE
    assert seen.shown == read_rgb(path).shape[1::-1]
    assert seen.turned == (orientation != 1)


SPLITS: list[tuple[str, Callable[[Content], None], list[str]]] = [
    ("apart", lambda c: None, []),
    ("same picture", set_in("images", 0, "file_name", "1.jpg"), ["split-same-picture"]),
    ("same bytes", set_in("images", 0, "file_name", "copy.jpg"), ["split-same-picture"]),
    ("look-alike", set_in("images", 0, "file_name", "again.jpg"), ["split-near-picture"]),
    ("same name", set_in("images", 0, "file_name", "other/1.jpg"), ["split-same-name"]),
    ("same video", set_in("images", 0, "video", "v1.mp4"), ["split-same-source"]),
    ("same source", set_in("images", 0, "image_source", "https://a/b"), ["split-same-source"]),
    ("another video", set_in("images", 0, "video", "v2.mp4"), []),
    ("no source", set_in("images", 0, "image_source", ""), []),
]


@pytest.mark.parametrize(
    ("change", "expected"), [s[1:] for s in SPLITS], ids=[s[0] for s in SPLITS]
)
def test_what_two_sides_of_a_split_share(
    folder: Path, change: Callable[[Content], None], expected: list[str]
) -> None:
    (folder / "copy.jpg").write_bytes((folder / "1.jpg").read_bytes())
    small = cv2.resize(picture(1), (80, 60), interpolation=cv2.INTER_AREA)
    again = cv2.resize(small, SIZE)
    (folder / "again.jpg").write_bytes(jpeg(again, quality=60))
    (folder / "other").mkdir()
    (folder / "other" / "1.jpg").write_bytes(jpeg(picture(8)))
    train, val = clean(), clean()
    train["images"][0].update(video="v1.mp4", image_source="https://a/b")
    train["images"][1].update(image_source="")
    for image, name in zip(val["images"], ("3.jpg", "4.jpg"), strict=True):
        image["file_name"] = name
    change(val)
    findings = look(folder, train, val)
    assert codes(findings) == expected
    assert all(f.file == "1.json" and f.image_id == 1 and "0.json" in f.message for f in findings)


def test_every_kind_of_finding_is_tested() -> None:
    tested = {c for _, _, expected in (*DAMAGES, *SPLITS) for c in expected}
    tested |= {c for _, _, expected, _ in FILES for c in expected}
    assert tested == set(KINDS)


def test_names_of_a_larger_skeleton_are_known(folder: Path) -> None:
    content = clean()
    content["categories"][0]["keypoints"] = list(INFANT24.keypoints)
    for entry in content["annotations"]:
        entry["keypoints"] = entry["keypoints"] + [0, 0, 0] * 7
    assert look(folder, content) == ()


def test_messages_name_the_point_the_numbers_and_the_mend(folder: Path) -> None:
    content = clean()
    point_with("nose", [60, -40, 2])(content)
    person_with(area=7000.0)(content)
    by_code = {f.code: f for f in look(folder, content)}
    assert "nose (60, -40) outside 160x120" in by_code["point-outside-picture"].message
    assert "7000" in by_code["area-impossible"].message
    assert "60 x 104 = 6240" in by_code["area-impossible"].message
    assert all("--fix" in f.message and f.fixable for f in by_code.values())
    assert by_code["area-impossible"].image_id == by_code["area-impossible"].annotation_id == 1


# --fix


def damaged() -> Content:
    """All that can be mended, in one file."""
    content = clean()
    content["info"] = "three people"
    person_with(area=0, bbox=[-20, 8, 110, 130], num_keypoints=3)(content)
    point_with("nose", [0, 0, 2])(content)
    point_with("left_eye", [64, -30, 1])(content)
    del content["annotations"][1]["area"]
    content["annotations"][2]["bbox"] = [30, 8, 60, 130]
    content["annotations"][2]["area"] = 60 * 130
    return content


def test_mended_copy_has_nothing_left_to_mend(folder: Path) -> None:
    source = Source(Path("a.json"), folder, damaged())
    checked = check_files([source])
    assert sum(f.fixable for f in checked.findings) == 7
    content, changed = mend(source, checked.sizes[0])
    assert source.content == damaged()
    assert changed == {
        "points at 0, 0 marked as not labelled": 1,
        "points outside the picture marked as not labelled": 1,
        "boxes clipped to the picture": 2,
        "areas set to box width x height": 3,
        "num_keypoints counted again": 1,
    }
    assert look(folder, content) == ()
    first, second, third = content["annotations"]
    assert first["bbox"] == [0, 8, 90, 112] and first["area"] == 90 * 112
    assert first["num_keypoints"] == 15
    assert first["keypoints"] == [0, 0, 0, 0, 0, 0, *person(1, 1)["keypoints"][6:]]
    assert second == {**person(2, 1, 50), "area": 60 * 104}
    assert third == {**person(3, 2), "bbox": [30, 8, 60, 112], "area": 60 * 112}
    assert content["images"] == clean()["images"]
    assert content["categories"] == clean()["categories"]
    assert content["info"]["description"] == "three people"
    assert content["info"]["aggpose_check"]["changed"] == changed


def test_places_are_left_alone_where_the_picture_is_another(folder: Path) -> None:
    content = clean()
    other_size(content)
    source = Source(Path("a.json"), folder, content)
    assert mend(source, check_files([source]).sizes[0]) == (content, {})


def test_a_small_area_is_not_touched(folder: Path) -> None:
    content = clean()
    person_with(area=100.0)(content)
    source = Source(Path("a.json"), folder, content)
    assert mend(source, check_files([source]).sizes[0]) == (content, {})


def test_places_are_left_alone_where_two_pictures_have_one_id(folder: Path) -> None:
    (folder / "small.jpg").write_bytes(jpeg(picture(7, (64, 48))))
    content = clean()
    content["images"][1] = {"id": 1, "file_name": "small.jpg", "width": 64, "height": 48}
    content["annotations"].pop()
    assert codes(look(folder, content)) == ["image-id-twice"]
    source = Source(Path("a.json"), folder, content)
    assert mend(source, check_files([source]).sizes[0]) == (content, {})


NONSENSE = [None, True, -1, 1e999, 10**400, "", "a\0", [], [None] * 51, {}, [[]]]


@pytest.mark.parametrize("value", NONSENSE, ids=lambda v: repr(v)[:20])
def test_nonsense_anywhere_is_reported_not_raised(folder: Path, value: object) -> None:
    for part in ("images", "annotations", "categories"):
        for key in (*clean()[part][0], "info"):
            content = clean()
            content[part][0][key] = value
            source = Source(Path("a.json"), folder, content)
            checked = check_files([source], quick=True)
            mended, _ = mend(source, checked.sizes[0])
            again = check_files([Source(source.path, folder, mended)], quick=True)
            assert not [f for f in again.findings if f.fixable]


# the command


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["check", *map(str, arguments)])
    if isinstance(result.exception, UserError):
        return 2, str(result.exception)
    return result.exit_code, result.output


def write(path: Path, content: Content) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_command_reports_and_mends(folder: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", damaged())
    before = path.read_bytes()
    out, report = tmp_path / "mended" / "b.json", tmp_path / "reports" / "r.json"
    code, text = run(path, "--images", folder, "--fix", out, "--out", report)
    assert code == 1
    assert "error: area-impossible: 1" in text and "2 boxes clipped" in text
    assert path.read_bytes() == before
    found = json.loads(report.read_text(encoding="utf-8"))
    assert found["counts"] == {"error": 5, "warning": 2}
    assert {f["code"] for f in found["findings"] if f["fixable"]} == set(found["codes"])
    assert sorted(p.name for p in out.parent.iterdir()) == ["b.json"]
    assert run(out, "--images", folder)[0] == 0


def test_a_clean_file_gives_nothing_and_an_equal_copy(folder: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", clean())
    code, text = run(path, "--images", folder, "--fix", tmp_path / "mended")
    assert code == 0
    assert "0 errors, 0 warnings, 0 infos" in text
    assert json.loads((tmp_path / "mended" / "a.json").read_text(encoding="utf-8")) == clean()


def test_warnings_alone_are_no_failure(folder: Path, tmp_path: Path) -> None:
    content = clean()
    person_with(area=100.0)(content)
    code, text = run(write(tmp_path / "a.json", content), "--images", folder)
    assert code == 0 and "1 warning" in text


def test_a_folder_for_each_file(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for seed in (1, 2):
        (other / f"{seed}.jpg").write_bytes(jpeg(picture(seed + 10)))
    a, b = write(tmp_path / "a.json", clean()), write(tmp_path / "b.json", clean())
    code, text = run(a, b, "--images", folder, "--images", other)
    assert code == 0
    assert "warning: split-same-name: 2" in text
    code, text = run(a, b, "--images", folder)
    assert code == 1
    assert "error: split-same-picture: 2" in text


WRONG_USE: list[tuple[list[str], str]] = [
    (["a.json", "--images", "none"], "no such folder"),
    (["none.json", "--images", "images"], "no such annotation file"),
    (["text.json", "--images", "images"], "not JSON"),
    (["a.json", "a.json", "--images", "images"], "given twice"),
    (["a.json", "--images", "images", "--images", "images"], "once for each file"),
    (["a.json", "--images", "images", "--fix", "a.json"], "never overwritten"),
    (["a.json", "--images", "images", "--fix", "."], "never overwritten"),
    (["a.json", "--images", "images", "--out", "a.json"], "never overwritten"),
    (["a.json", "--images", "images", "--out", "a.json", "--overwrite"], "never overwritten"),
    (["a.json", "--images", "images", "--out", "text.json"], "--overwrite"),
    (["a.json", "--images", "images", "--fix", "x.json", "--out", "x.json"], "same file"),
    (["a.json", "b.json", "--images", "images", "--fix", "x.json"], "must be a folder"),
    (["a.json", "sub/a.json", "--images", "images", "--fix", "x"], "two annotation files"),
    (["a.json", "--images", "images", "--fix", "text.json/x"], "cannot be made"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG_USE, ids=[w for _, w in WRONG_USE])
def test_wrong_use(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in ("a.json", "b.json", "sub/a.json"):
        write(tmp_path / name, clean())
    (tmp_path / "text.json").write_text("hello", encoding="utf-8")
    before = (tmp_path / "a.json").read_bytes()
    with pytest.raises(SystemExit) as stop:
        main(["check", *arguments])
    assert stop.value.code == 2
    assert words in capsys.readouterr().err
    assert (tmp_path / "a.json").read_bytes() == before


def test_exit_code_of_the_program(folder: Path, tmp_path: Path) -> None:
    for content, code in ((clean(), 0), (damaged(), 1)):
        path = write(tmp_path / "a.json", content)
        with pytest.raises(SystemExit) as stop:
            main(["check", str(path), "--images", str(folder)])
        assert stop.value.code == code


def test_report_on_a_terminal_shows_names_as_they_are(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    content = clean()
    set_in("categories", 0, "skeleton", [[1, 18]])(content)
    path = write(tmp_path / "a.json", content)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with pytest.raises(SystemExit):
        main(["check", str(path), "--images", str(folder)])
    assert "links [1, 18] do not fit" in capsys.readouterr().out


REAL = {
    "coco-people": ["person_keypoints_train.json", "person_keypoints_val.json"],
    "coco-detections": ["person_keypoints.json"],
    "infants-dev": ["annotations.json"],
}


@pytest.mark.parametrize("name", REAL)
def test_good_data_has_no_errors(shared_data: Path, name: str) -> None:
    root = shared_data / name
    sources = read_sources([root / f for f in REAL[name]], [root / "images"])
    findings = check_files(sources).findings
    assert [f.message for f in findings if f.severity == "error"] == []
    warnings = [f for f in findings if f.severity == "warning"]
    assert len(warnings) < 0.1 * sum(len(s.people()) for s in sources)


def test_two_excerpts_that_share_pictures(shared_data: Path) -> None:
    people, detections = shared_data / "coco-people", shared_data / "coco-detections"
    sources = read_sources(
        [people / "person_keypoints_val.json", detections / "person_keypoints.json"],
        [people / "images", detections / "images"],
    )
    shared = [f for f in check_files(sources, quick=True).findings if f.severity == "error"]
    assert [f.code for f in shared] == ["split-same-picture"] * 4
