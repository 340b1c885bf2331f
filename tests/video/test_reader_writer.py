from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from colour_net import write_video

from aggpose.errors import UserError
from aggpose.video import VideoReader, VideoWriter


def shade(i: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """A picture that says which it is: its brightness, and a white upper left corner."""
    image = np.full((size[1], size[0], 3), 20 + 12 * i, np.uint8)
    image[: size[1] // 4, : size[0] // 4] = 255
    return image


def read(path: Path) -> tuple[list, VideoReader]:  # type: ignore[type-arg]
    with VideoReader(path) as reader:
        return list(reader), reader


@pytest.mark.parametrize(
    "time_base",
    [
        Fraction(1, 30),
        Fraction(1001, 30_000),
        Fraction(1, 1000),
        Fraction(1, 15_360),
        Fraction(1, 90_000),
        Fraction(1, 1_000_000),
    ],
)
@pytest.mark.parametrize("size", [(64, 48), (65, 48), (64, 49), (63, 47)])
def test_uneven_times_survive_writing_and_reading(
    tmp_path: Path, time_base: Fraction, size: tuple[int, int]
) -> None:
    unit = max(1, round(Fraction(1, 40) / time_base))
    pts = [unit * k for k in (0, 1, 2, 5, 6, 11, 12, 30)]
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, size, time_base, Fraction(30)) as writer:
        for i, at in enumerate(pts):
            writer.write(shade(i, size), at)
    frames, reader = read(path)
    assert [f.index for f in frames] == list(range(8))
    times = [f.time_s for f in frames]
    np.testing.assert_allclose(times, [float(p * time_base) for p in pts], atol=1e-6)
    assert reader.info.size == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    assert not reader.warnings
    for i, frame in enumerate(frames):
        assert abs(int(frame.image[-1, -1, 0]) - (20 + 12 * i)) < 6


def test_colours_stay_rgb(tmp_path: Path) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[..., 0] = 220
    with VideoWriter(tmp_path / "red.mp4", (64, 48), Fraction(1, 25)) as writer:
        writer.write(image, 0)
    (frame,), _ = read(tmp_path / "red.mp4")
    assert frame.image[20, 20, 0] > 190 and frame.image[20, 20, 2] < 30


@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
def test_rotation_tags_are_applied_once(tmp_path: Path, rotation: int) -> None:
    path = write_video(tmp_path / "phone.mp4", [shade(i) for i in range(3)], rotation=rotation)
    frames, reader = read(path)
    expected = np.rot90(shade(0), rotation // 90)
    assert reader.info.rotation == rotation % 360
    assert reader.info.size == expected.shape[1::-1]
    assert frames[0].image.shape == expected.shape
    assert np.abs(frames[0].image.astype(int) - expected).mean() < 4


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"what was there before")
    with (
        pytest.raises(RuntimeError),
        VideoWriter(path, (64, 48), Fraction(1, 25)) as writer,
    ):
        writer.write(shade(0), 0)
        raise RuntimeError
    assert path.read_bytes() == b"what was there before"
    assert list(tmp_path.iterdir()) == [path]


def test_writer_names_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        VideoWriter(tmp_path / "file" / "clip.mp4", (64, 48), Fraction(1, 25))


def test_start_time_is_taken_off(tmp_path: Path) -> None:
    """MPEG-TS starts at more than a second; players show that as 0."""
    path = tmp_path / "camera.ts"
    with av.open(str(path), "w", format="mpegts") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(10):
            frame = av.VideoFrame.from_ndarray(shade(i), format="rgb24")
            frame.pts, frame.time_base = 250 + i, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    frames, reader = read(path)
    assert reader.info.start_s > 9
    np.testing.assert_allclose([f.time_s for f in frames], np.arange(10) / 25, atol=1e-4)


def test_missing_times_are_guessed_and_told(tmp_path: Path) -> None:
    """A raw H.264 stream has no times at all."""
    path = tmp_path / "raw.h264"
    with av.open(str(path), "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(6):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shade(i), format="rgb24")))
        container.mux(stream.encode(None))
    frames, reader = read(path)
    assert len(frames) == 6
    times = np.array([f.time_s for f in frames])
    assert times[0] == 0 and (np.diff(times) > 0).all()
    assert any("without a usable time" in w for w in reader.warnings)


def test_a_cut_off_file_gives_what_is_there_and_tells(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (96, 128, 3), np.uint8) for _ in range(20)]
    path = write_video(tmp_path / "whole.mkv", images)
    data = path.read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(data[: len(data) * 6 // 10])
    with VideoReader(cut) as video:
        frames = list(video)
    assert 3 < len(frames) < 20
    assert any("cut off or damaged" in w or "damaged piece" in w for w in video.warnings)


def test_damage_in_the_middle_is_passed_over(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (96, 128, 3), np.uint8) for _ in range(20)]
    data = bytearray(write_video(tmp_path / "whole.mp4", images).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = bytes(4000)
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(bytes(data))
    with VideoReader(damaged) as video:
        frames = list(video)
    assert len(frames) >= 10
    if len(frames) < 20:  # a decoder may also conceal all of it
        assert video.warnings


def test_a_name_with_a_colon_is_no_protocol(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    image = np.zeros((48, 64, 3), np.uint8)
    write_video(tmp_path / "plain.mp4", [image] * 3)
    (tmp_path / "plain.mp4").rename(tmp_path / "2024-05-01T12:30:00.mp4")
    monkeypatch.chdir(tmp_path)
    with VideoReader("2024-05-01T12:30:00.mp4") as video:
        assert len(list(video)) == 3
    with VideoWriter("out:1.mp4", (64, 48), Fraction(1, 25)) as writer:
        writer.write(image, 0)
    assert (tmp_path / "out:1.mp4").stat().st_size > 0


def _no_frames(path: Path, form: str = "mp4") -> None:
    options = {"movflags": "empty_moov+frag_keyframe"} if form == "mp4" else {}
    with av.open(str(path), "w", format=form, options=options) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()


def _only_sound(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda p: None, "no such file"),
        (lambda p: p.mkdir(), "is a folder"),
        (lambda p: p.write_bytes(b""), "is empty"),
        (lambda p: p.write_text("hello, this is a text\n" * 50), "is not a video"),
        (_no_frames, "no frame"),
        (lambda p: _no_frames(p, "matroska"), "no frame"),
        (_only_sound, "no video in it"),
    ],
)
def test_what_is_no_video_is_named(tmp_path: Path, make, says: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "clip.mp4"
    make(path)
    with pytest.raises(UserError, match=rf"clip\.mp4: .*{says}"):
        VideoReader(path)


def test_real_videos(shared_data: Path) -> None:
    frames, reader = read(shared_data / "video" / "people.mp4")
    assert len(frames) == 5 and reader.info.size == (1280, 720)
    with VideoReader(shared_data / "video" / "person.webm") as video:
        times = [frame.time_s for frame in video]
        assert video.info.size == (1080, 1920)
    np.testing.assert_allclose(times, np.arange(100) * 0.05, atol=1e-3)
