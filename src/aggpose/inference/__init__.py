"""Running a network on pictures. No torch unless the model is a torch file."""

from aggpose.inference.crops import Crop, crop_of_box, cut_crop, estimate
from aggpose.inference.locate import Thresholds, thresholds_of
from aggpose.inference.predict import Model, load
from aggpose.inference.runtime import DEVICES, MANY, shipped_models
from aggpose.inference.search import find_infant

__all__ = [
    "DEVICES",
    "MANY",
    "Crop",
    "Model",
    "Thresholds",
    "crop_of_box",
    "cut_crop",
    "estimate",
    "find_infant",
    "load",
    "shipped_models",
    "thresholds_of",
]
