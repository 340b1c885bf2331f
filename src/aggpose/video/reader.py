"""Reading a video as a stream of frames as shown, with the stream's own times."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from aggpose.errors import UserError

_NO_RATE = Fraction(30)  # frames a second, assumed where a file says neither times nor rate


@dataclass(frozen=True)
class Frame:
    """One frame. index: 0-based. time_s: seconds from the file's start, as players show it.
    pts: the same in ``VideoInfo.time_base``. image: (H, W, 3) uint8 RGB, rotation applied."""

    index: int
    time_s: float
    pts: int
    image: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class VideoInfo:
    """What a file says of its video stream.

    size: (width, height) px as shown. time_base: seconds a tick. rate: average frames a second,
    None where unknown. frames: an estimate of their number, None where unknown. rotation: degrees
    counter-clockwise that were applied. start_s: the file's own start time, taken off all times.
    """

    path: Path
    size: tuple[int, int]
    time_base: Fraction
    rate: Fraction | None
    frames: int | None
    rotation: int
    start_s: float


class VideoReader:
    """An open video. Iterate once; use as a context manager.

    >>> with VideoReader("clip.mp4") as video:  # doctest: +SKIP
    ...     for frame in video:
    ...         print(frame.time_s, frame.image.shape)

    ``warnings`` grows while reading: damaged pieces, guessed times.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.warnings: list[str] = []
        self._damaged = 0
        self._guessed = 0
        try:
            if not self.path.is_file():
                what = "is a folder, not a video" if self.path.is_dir() else "no such file"
                raise UserError(f"{self.path}: {what}")
            if self.path.stat().st_size == 0:
                raise UserError(f"{self.path}: is empty")
            self._container = av.open(
                # the whole path: FFmpeg takes what stands before a colon for a protocol
                str(self.path.absolute()),
                metadata_errors="replace",
            )
        except av.error.EOFError:
            raise UserError(f"{self.path}: has no frames") from None
        except (av.error.FFmpegError, OSError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise UserError(f"{self.path}: is not a video that can be read ({reason})") from None
        try:
            self._open_stream()
        except BaseException:
            self._container.close()
            raise

    def _open_stream(self) -> None:
        stream: Any = self._container.streams.best("video")
        if stream is None:
            raise UserError(f"{self.path}: has no video in it")
        self._stream = stream
        self._stream.thread_type = "AUTO"
        self._decoded = self._decode()
        try:
            self._first = next(self._decoded, None)
        except av.error.FFmpegError as error:
            raise UserError(f"{self.path}: cannot be decoded ({error.strerror})") from None
        if self._first is None:
            raise UserError(f"{self.path}: has no frame that can be decoded")
        first = self._first
        turn = _turn(first)
        size = (first.width, first.height)
        start = self._container.start_time
        self._time_base = _time_base(stream)
        self._start = Fraction(start, av.time_base) if start is not None else Fraction(0)
        rate = stream.average_rate or stream.guessed_rate
        self._step = max(1, round(1 / ((rate or _NO_RATE) * self._time_base)))
        self.info = VideoInfo(
            path=self.path,
            size=size if turn % 2 == 0 else size[::-1],
            time_base=self._time_base,
            rate=Fraction(rate) if rate else None,
            frames=self._estimate(rate),
            rotation=turn * 90,
            start_s=float(self._start),
        )
        aspect = stream.sample_aspect_ratio
        if aspect and aspect != 1:
            self.warnings.append(
                f"pixels are not square ({aspect.numerator}:{aspect.denominator}): "
                "coordinates are of the stored pixels"
            )

    def _estimate(self, rate: Fraction | None) -> int | None:
        if self._stream.frames:
            return int(self._stream.frames)
        if self._stream.duration and rate:
            return max(1, round(self._stream.duration * self._stream.time_base * rate))
        if self._container.duration and rate:
            return max(1, round(Fraction(self._container.duration, av.time_base) * rate))
        return None

    def _decode(self) -> Generator[av.VideoFrame, None, None]:
        """All frames; damaged packets are passed over and counted."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError:  # the file breaks off
                self._damaged += 1
                packet = None
            try:
                self._damaged += packet is not None and packet.is_corrupt
                frames = self._stream.decode(packet)
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                self._damaged += 1
                frames = []
            yield from frames
            if packet is None:
                return

    def __iter__(self) -> Generator[Frame, None, None]:
        last: int | None = None
        size = self.info.size
        frame, index = self._first, 0
        self._first = None
        while frame is not None:
            pts = self._pts(frame, last)
            image = _as_shown(frame)
            if image.shape[1::-1] != size:
                raise UserError(
                    f"{self.path}: the picture's size changes at frame {index}; "
                    "convert the video to one size first"
                )
            yield Frame(index, float(pts * self._time_base), pts, image)
            last, index = pts, index + 1
            frame = next(self._decoded, None)
        self._note(index, last)

    def _pts(self, frame: av.VideoFrame, last: int | None) -> int:
        """Ticks from the file's start; guessed where missing, never backwards."""
        own: int | None = None
        # AVI with B-frames has only the decoder's times; frames after a read error lose their base
        ticks = frame.pts if frame.pts is not None else frame.dts
        base = frame.time_base or self._stream.time_base
        if ticks is not None and base:
            own = round((ticks * base - self._start) / self._time_base)
        if own is not None and (last is None or own > last):
            return own
        self._guessed += 1
        return 0 if last is None else last + self._step

    def _note(self, frames: int, last: int | None) -> None:
        announced = self._stream.frames
        if announced and frames < announced:
            self.warnings.append(
                f"{frames} of the {announced} frames that the file announces could be read: it may "
                "be cut off or damaged"
            )
        elif not announced and last is not None and self._container.duration:
            length = self._container.duration / av.time_base
            read = float((last + self._step) * self._time_base)
            if read < length - max(0.25, 0.02 * length):
                self.warnings.append(
                    f"the frames end at {read:.1f} s of the {length:.1f} s that the file "
                    "announces: it may be cut off or damaged"
                )
        if self._damaged:
            self.warnings.append(
                f"{self._damaged} damaged piece(s) of the file could not be decoded"
            )
        if self._guessed:
            self.warnings.append(
                f"{self._guessed} frame(s) without a usable time: spaced by the average rate"
            )

    def close(self) -> None:
        self._decoded.close()
        self._container.close()

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _time_base(stream: Any) -> Fraction:
    """The stream's, or one that MP4 can hold where that is too fine or unknown."""
    base = stream.time_base
    if base is None or base <= 0 or base.denominator > 1_000_000 or base.numerator > 1_000_000:
        return Fraction(1, 90_000)
    return Fraction(base)


def _turn(frame: av.VideoFrame) -> int:
    """Quarter turns counter-clockwise that show the frame upright, 0..3."""
    return round(frame.rotation / 90) % 4


def _as_shown(frame: av.VideoFrame) -> np.ndarray:
    """(H, W, 3) uint8 RGB with the rotation tag applied."""
    image = frame.to_ndarray(format="rgb24")
    turn = _turn(frame)
    return np.ascontiguousarray(np.rot90(image, turn)) if turn else image
