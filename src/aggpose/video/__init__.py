"""Videos as streams: reading, following the infant, writing overlays."""

from aggpose.video.reader import Frame, VideoInfo, VideoReader
from aggpose.video.track import FramePoses, pose_frames, predict_video
from aggpose.video.writer import VideoWriter

__all__ = [
    "Frame",
    "FramePoses",
    "VideoInfo",
    "VideoReader",
    "VideoWriter",
    "pose_frames",
    "predict_video",
]
