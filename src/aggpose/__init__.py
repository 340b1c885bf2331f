"""AggPose: infant pose estimation. Research use only, not a medical device.

>>> import aggpose
>>> model = aggpose.load("aggpose-t")  # doctest: +SKIP
>>> poses = model.predict(image)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggpose.errors import UserError
from aggpose.pose import Poses
from aggpose.skeleton import Skeleton, get_skeleton

if TYPE_CHECKING:
    from aggpose.inference import load

__version__ = "0.1.0"
__all__ = ["Poses", "Skeleton", "UserError", "__version__", "get_skeleton", "load"]


def __getattr__(name: str) -> object:
    # `import aggpose` stays light: OpenCV and the runtime are imported when a model is loaded
    if name == "load":
        from aggpose.inference import load

        return load
    raise AttributeError(f"module 'aggpose' has no attribute {name!r}")
