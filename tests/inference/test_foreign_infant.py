"""Real weights through the door for networks that are not ours, on a filmed infant with a truth."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

import onnx
from foreign_nets import describe

from aggpose.cli.demo import EXAMPLE
from aggpose.formats.poses_csv import read_poses_csv
from aggpose.inference import load
from aggpose.inference.foreign_runtime import ForeignRuntime
from aggpose.inference.runtime import find_model
from aggpose.skeleton import trunk_length

FRAMES = 16


def shipped_as_foreign(path: Path) -> Path:
    """The shipped network without a word of what it is, and a description beside it. Its maps are
    decoded as heat maps, by DARK."""
    shipped = find_model("aggpose-t")
    meta = load(shipped, device="cpu").meta
    model = onnx.load(shipped)
    del model.metadata_props[:]
    onnx.save(model, path)
    description = {
        "name": "not-ours",
        "licence": meta.licence,
        "source": "the shipped weights",
        "keypoints": list(meta.keypoints),
        "input": {
            "size": list(meta.input_size),
            "layout": "nchw",
            "channels": "rgb",
            "white": 1,
            "mean": list(meta.mean),
            "std": list(meta.std),
        },
        "crop": {
            "padding": meta.box_padding,
            "antialias": meta.antialias,
            "upright": meta.upright,
        },
        "output": {"kind": "heatmaps", "cells": "widths", "kernel": meta.decode_kernel},
        "point_score": 0.2,
    }
    return describe(path, description)


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shipped_as_foreign(tmp_path_factory.mktemp("foreign") / "not-ours.onnx")


@pytest.mark.slow
def test_the_bundled_infant_is_found_and_followed(foreign: Path) -> None:
    model = load(foreign, device="cpu", threads=1)
    assert isinstance(model.runtime, ForeignRuntime)
    truth = read_poses_csv(EXAMPLE.with_suffix(".truth.poses.csv"))
    points = truth.keypoints[:FRAMES, 0]
    points = points[:, truth.skeleton.indices_of(model.skeleton.keypoints)]
    seen = truth.scores[:FRAMES, 0][:, truth.skeleton.indices_of(model.skeleton.keypoints)] == 1
    found = np.full_like(points, np.nan)
    frames: Iterator = model.predict_video(EXAMPLE)
    for frame in islice(frames, FRAMES):
        assert len(frame.poses) == 1
        found[frame.index] = frame.poses.keypoints[0]
    trunk = np.median(trunk_length(points, model.skeleton))
    apart = np.linalg.norm(found - points, axis=-1)[seen]
    assert np.isfinite(apart).mean() > 0.95
    assert np.nanmedian(apart) < 0.1 * trunk
