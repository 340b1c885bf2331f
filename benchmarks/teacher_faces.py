"""Nose, eyes and ears for people whose file does not label them, by a network of others.

    python benchmarks/teacher_faces.py people.json --images DIR --model movenet-thunder.onnx \
        --out taught.json

MoveNet (see `movenet_onnx.py`) is shown every person with the trunk up, as the file's own points
tell. Its points of the face are kept where it is sure of them (`--score`) and where its shoulders
and hips are the file's: within a third of the trunk on average, so on the same person and not
mirrored. Written is the file with five kinds of points more, visibility 2 where kept, else 0.
Nothing of the network's goes anywhere else. Standing pictures of adults alone need this: synthetic
infants have all their points.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnxruntime

from aggpose.data.coco import keypoint_names, load_coco, read_people
from aggpose.data.pictures import read_rgb, warp_picture
from aggpose.files import write_json
from aggpose.geometry import (
    apply_affine,
    box_to_crop,
    crop_affine,
    invert_affine,
    turned_box,
    upright_rotation,
)
from aggpose.skeleton import get_skeleton

SIDE = 256
FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
TRUNK = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")


def main() -> None:
    parser = argparse.ArgumentParser(description="Points of the face by a teacher.")
    parser.add_argument("annotations", type=Path)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--score", type=float, default=0.4, help="a point counts from here on")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    content = load_coco(options.annotations)
    names = keypoint_names(content, options.annotations)
    skeleton = get_skeleton("coco17")
    people = read_people(options.annotations, options.images, skeleton)
    session_options = onnxruntime.SessionOptions()
    session_options.intra_op_num_threads = options.threads
    session = onnxruntime.InferenceSession(str(options.model), session_options)
    trunk, face = skeleton.indices_of(TRUNK), skeleton.indices_of(FACE)
    found: dict[int, np.ndarray] = {}
    agreed = 0
    for number, person in enumerate(people.records, start=1):
        turn = upright_rotation(person.keypoints, person.visibility > 0, skeleton)
        if turn is None or not (person.visibility[trunk] > 0).all():
            continue
        center, size = box_to_crop(turned_box(person.box, turn), 1.0)
        affine = crop_affine(center, size, turn, (SIDE, SIDE))
        crop = warp_picture(read_rgb(person.image_path), affine, (SIDE, SIDE))
        (output,) = session.run(None, {session.get_inputs()[0].name: crop[None].astype(np.int32)})
        y, x, score = output.reshape(17, 3).T
        points = np.stack([x, y], axis=1) * SIDE - 0.5
        labels = apply_affine(affine, person.keypoints)
        length = np.linalg.norm(labels[trunk[:2]].mean(0) - labels[trunk[2:]].mean(0))
        apart = np.linalg.norm(points[trunk] - labels[trunk], axis=1).mean()
        if apart > length / 3:
            continue
        agreed += 1
        places = apply_affine(invert_affine(affine), points[face])
        seen = score[face] >= options.score
        found[person.annotation_id] = np.concatenate([places, 2.0 * seen[:, None]], axis=1)
        if number % 500 == 0:
            print(f"{number} of {len(people.records)}, agreed {agreed}", flush=True)
    points_found = 0
    for annotation in content["annotations"]:
        more = found.get(annotation["id"], np.zeros((len(FACE), 3)))
        more = np.where(more[:, 2:] > 0, more, 0.0).round(2)
        points_found += int((more[:, 2] > 0).sum())
        annotation["keypoints"] = [*annotation["keypoints"], *more.ravel().tolist()]
    for category in content["categories"]:
        if category.get("keypoints"):
            category["keypoints"] = [*names, *FACE]
    write_json(options.out, content)
    print(f"{options.out}: {points_found} points of {agreed} of {len(people.records)} people")


if __name__ == "__main__":
    main()
