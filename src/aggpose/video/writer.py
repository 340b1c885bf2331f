"""Writing an H.264 MP4 as a stream, with the source's times."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from aggpose.errors import UserError


class VideoWriter:
    """An MP4 in the making: H.264, yuv420p, no sound. Use as a context manager.

    The file takes its name only when all is written; on an error nothing is left behind.
    size: (width, height) px; odd sizes gain one row or column, a copy of the last.
    time_base: seconds a tick of the ``pts`` given to `write`. rate: average frames a second.
    """

    def __init__(
        self,
        path: str | Path,
        size: tuple[int, int],
        time_base: Fraction,
        rate: Fraction | None = None,
        quality: int = 23,
    ) -> None:
        self.path = Path(path)
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        try:
            self._temporary.touch()  # the container opens its file only at the first frame
            self._container = av.open(
                str(self._temporary.absolute()),
                "w",
                format="mp4",
                options={"movflags": "faststart"},
            )
        except (av.error.FFmpegError, OSError) as error:
            raise UserError(f"{self.path}: cannot be written ({_reason(error)})") from None
        self._pad = (size[0] % 2, size[1] % 2)
        codec = next(c for c in ("libx264", "libopenh264", "mpeg4") if c in av.codecs_available)
        options = {}
        if codec == "libx264":
            # x264 decides about macroblocks ahead by bytes nobody wrote: they show in the result
            x264 = "mbtree=0"
            options = {"preset": "veryfast", "crf": str(quality), "x264-params": x264}
        stream: Any = self._container.add_stream(
            codec, rate=(rate or Fraction(30)).limit_denominator(60_000), options=options
        )
        stream.width, stream.height = size[0] + self._pad[0], size[1] + self._pad[1]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = time_base
        stream.time_base = time_base
        self._stream = stream
        self._time_base = time_base

    def write(self, image: np.ndarray, pts: int) -> None:
        """image: (H, W, 3) uint8 RGB. pts: ticks of the time base, growing."""
        if any(self._pad):
            image = np.pad(image, ((0, self._pad[1]), (0, self._pad[0]), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = pts, self._time_base
        self._mux(frame)

    def _mux(self, frame: av.VideoFrame | None) -> None:
        try:
            self._container.mux(self._stream.encode(frame))
        except (av.error.FFmpegError, OSError) as error:
            raise UserError(f"{self.path}: cannot be written ({_reason(error)})") from None

    def finish(self) -> None:
        """Write the rest and give the file its name."""
        self._mux(None)
        try:
            self._container.close()
            self._temporary.replace(self.path)
        except (av.error.FFmpegError, OSError) as error:
            raise UserError(f"{self.path}: cannot be written ({_reason(error)})") from None

    def abandon(self) -> None:
        """Leave nothing behind."""
        try:
            self._container.close()
        except (av.error.FFmpegError, OSError):
            pass
        finally:
            self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None:
            try:
                self.finish()
            except BaseException:
                self.abandon()
                raise
        else:
            self.abandon()


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
