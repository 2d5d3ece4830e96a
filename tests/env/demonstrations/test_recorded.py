"""Recorded episodes, from files as people have them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from vlmcar.env.demonstrations import read, recording, write_npz
from vlmcar.types import ConfigError, Frames, Trajectory, VlmcarError

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def episode(steps: int, height: int = 24, width: int = 32, seed: int = 0) -> Frames:
    """uint8 (steps + 1, height, width, 3): noise, so that no two frames are alike."""
    return np.random.default_rng(seed).integers(0, 256, (steps + 1, height, width, 3), dtype=np.uint8)


def plain(*colours: tuple[int, int, int], height: int = 48, width: int = 64) -> Frames:
    """One frame per colour."""
    return np.stack([np.full((height, width, 3), colour, dtype=np.uint8) for colour in colours])


def save_pictures(folder: Path, frames: Frames, suffix: str = "png", first: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(frames, start=first):
        Image.fromarray(frame).save(folder / f"frame_{number}.{suffix}")


def save_video(path: Path, frames: Frames, code: str = "mp4v") -> None:
    height, width = frames.shape[1:3]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), 10, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()


def save_gif(path: Path, frames: Frames) -> None:
    first, *others = [Image.fromarray(frame) for frame in frames]
    first.save(path, save_all=True, append_images=others)


# Pictures


@pytest.mark.parametrize("suffix", ["png", "bmp", "PNG"])
def test_a_folder_of_pictures_is_one_episode_in_the_order_of_its_numbers(tmp_path: Path, suffix: str) -> None:
    frames = episode(11)
    save_pictures(tmp_path, frames, suffix)
    (trajectory,) = read(str(tmp_path))
    np.testing.assert_array_equal(trajectory.frames, frames)
    assert trajectory.frames.dtype == np.uint8
    assert trajectory.actions.shape == (11, 0)
    assert trajectory.rewards.shape == (11,)
    assert trajectory.rewards.dtype == np.float32
    assert not trajectory.rewards.any()
    assert (trajectory.success, trajectory.seed, trajectory.kind) == (True, 0, "expert")


@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "webp"])
def test_lossy_pictures_keep_their_colours(tmp_path: Path, suffix: str) -> None:
    frames = plain(RED, GREEN, BLUE)
    save_pictures(tmp_path, frames, suffix)
    (trajectory,) = read(str(tmp_path))
    assert np.abs(trajectory.frames.astype(int) - frames).max() < 12


def test_folders_of_pictures_are_an_episode_each(tmp_path: Path) -> None:
    episodes = {number: episode(2 + number % 3, seed=number) for number in (1, 2, 10)}
    for number, frames in episodes.items():
        save_pictures(tmp_path / f"episode_{number}", frames, first=8)  # frame_8, frame_9, frame_10, ...
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "read.txt").write_text("not a picture")
    read_back = read(str(tmp_path))
    assert [trajectory.seed for trajectory in read_back] == [0, 1, 2]
    for trajectory, frames in zip(read_back, episodes.values(), strict=True):
        np.testing.assert_array_equal(trajectory.frames, frames)


def test_hidden_files_and_other_files_are_left_alone(tmp_path: Path) -> None:
    frames = episode(2)
    save_pictures(tmp_path, frames)
    (tmp_path / "._frame_0.png").write_bytes(b"what some systems leave beside a picture")
    (tmp_path / "labels.csv").write_text("a,b")
    (tmp_path / ".thumbnails").mkdir()
    save_pictures(tmp_path / ".thumbnails", episode(1))
    (trajectory,) = read(str(tmp_path))
    np.testing.assert_array_equal(trajectory.frames, frames)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("L", (4, 3), 77), (77, 77, 77)),
        (Image.new("1", (4, 3), 1), (255, 255, 255)),
        (Image.new("RGBA", (4, 3), (200, 100, 50, 255)), (200, 100, 50)),
        (Image.new("RGBA", (4, 3), (200, 100, 50, 0)), (0, 0, 0)),
        (Image.new("RGBA", (4, 3), (200, 100, 0, 51)), (40, 20, 0)),  # a fifth of it, over black
        (Image.new("LA", (4, 3), (90, 255)), (90, 90, 90)),
        (Image.new("RGB", (4, 3), (9, 8, 7)).convert("P", palette=Image.Palette.ADAPTIVE), (9, 8, 7)),
    ],
    ids=["grey", "black and white", "opaque", "transparent", "translucent", "grey opaque", "palette"],
)
def test_pictures_of_other_kinds_become_rgb(
    tmp_path: Path, image: Image.Image, expected: tuple[int, int, int]
) -> None:
    for number in range(2):
        image.save(tmp_path / f"{number}.png")
    (trajectory,) = read(str(tmp_path))
    assert trajectory.frames.shape == (2, 3, 4, 3)
    assert (trajectory.frames == expected).all()


def test_a_photo_is_turned_as_a_viewer_turns_it(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    for number in range(2):
        Image.new("RGB", (40, 16), RED).save(tmp_path / f"{number}.jpg", exif=exif)
    (trajectory,) = read(str(tmp_path))
    assert trajectory.frames.shape == (2, 40, 16, 3)


def test_sixteen_bits_are_refused(tmp_path: Path) -> None:
    for number in range(2):
        Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save(tmp_path / f"{number}.png")
    with pytest.raises(
        VlmcarError, match=r"0\.png has more than 8 bits per channel .*: save it as 8-bit RGB"
    ):
        read(str(tmp_path))


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    save_pictures(tmp_path, episode(3))
    whole = (tmp_path / "frame_2.png").read_bytes()
    (tmp_path / "frame_2.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(VlmcarError, match=r"frame_2\.png cannot be read as a picture"):
        read(str(tmp_path))


# Videos


@pytest.mark.parametrize(
    ("suffix", "code"), [("mp4", "mp4v"), ("avi", "MJPG"), ("mov", "mp4v"), ("mkv", "mp4v"), ("webm", "VP80")]
)
def test_a_video_is_one_episode_in_rgb(tmp_path: Path, suffix: str, code: str) -> None:
    frames = plain(RED, GREEN, BLUE, (240, 200, 30))
    save_video(tmp_path / f"one.{suffix}", frames, code)
    (trajectory,) = read(str(tmp_path / f"one.{suffix}"))
    assert trajectory.frames.shape == frames.shape
    assert (
        np.abs(trajectory.frames.astype(int) - frames).mean() < 8
    )  # and 85 or more with red and blue exchanged


def test_a_gif_is_one_episode(tmp_path: Path) -> None:
    frames = plain(RED, GREEN, BLUE)
    save_gif(tmp_path / "one.gif", frames)
    (trajectory,) = read(str(tmp_path / "one.gif"))
    np.testing.assert_array_equal(trajectory.frames, frames)


def test_a_folder_of_videos_is_an_episode_each(tmp_path: Path) -> None:
    save_video(tmp_path / "try 10.mp4", plain(RED, GREEN))
    save_gif(tmp_path / "try 9.gif", plain(BLUE, GREEN, RED))
    gif, video = read(str(tmp_path))
    assert (len(gif.frames), gif.seed, len(video.frames), video.seed) == (3, 0, 2, 1)


@pytest.mark.parametrize("name", ["one.mp4", "one.gif"])
def test_what_is_no_video_is_an_error(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / name).write_bytes(b"this is text, whatever its name says" * 10)
    with pytest.raises(VlmcarError, match=rf"{name} cannot be read as a (video|gif)"):
        read(str(tmp_path / name))
    assert capfd.readouterr().err == ""  # OpenCV and FFmpeg have lines of their own


def test_a_video_that_is_cut_short_has_lost_its_last_frame(tmp_path: Path) -> None:
    path = tmp_path / "one.avi"
    save_video(path, episode(39, 48, 64), "MJPG")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(VlmcarError, match=r"one\.avi ends after \d+ of 40 frames: it is cut short"):
        read(str(path))


# All of them


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere does not exist"):
        read(str(tmp_path / "nowhere"))
    (tmp_path / "readme.txt").write_text("none")
    with pytest.raises(ConfigError, match="holds nothing to read: put pictures"):
        read(str(tmp_path))
    with pytest.raises(
        ConfigError, match=r"readme\.txt cannot be read: give an npz file, a video, or a folder"
    ):
        read(str(tmp_path / "readme.txt"))


def test_a_folder_of_two_kinds_is_ambiguous(tmp_path: Path) -> None:
    save_pictures(tmp_path, episode(1))
    save_pictures(tmp_path / "episode_0", episode(1))
    with pytest.raises(ConfigError, match="holds pictures and folders of pictures: leave one kind in it"):
        read(str(tmp_path))


def test_one_frame_is_no_episode(tmp_path: Path) -> None:
    save_pictures(tmp_path / "a", episode(1))
    save_pictures(tmp_path / "b", episode(0))
    with pytest.raises(VlmcarError, match="b has 1 frame: an episode needs its first and its last"):
        read(str(tmp_path))


def test_frames_of_two_sizes_say_which_episode_differs(tmp_path: Path) -> None:
    save_pictures(tmp_path / "a", episode(1))
    save_pictures(tmp_path / "b", episode(1, height=25))
    with pytest.raises(VlmcarError, match=r"b: frame 1 has 32 x 25 pixels, those before it 32 x 24 pixels"):
        read(str(tmp_path))


def test_frames_of_two_sizes_in_one_episode(tmp_path: Path) -> None:
    save_pictures(tmp_path, episode(1))
    save_pictures(tmp_path, episode(0, width=33), first=2)
    with pytest.raises(VlmcarError, match=r"frame 3 has 33 x 24 pixels, those before it 32 x 24"):
        read(str(tmp_path))


@pytest.mark.parametrize("kind", ["pictures", "video", "npz"])
def test_too_much_for_memory_says_how_to_get_by(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = episode(3, 48, 64)
    save = {
        "pictures": lambda path: save_pictures(path, frames),
        "video": lambda path: save_video(path.with_suffix(".mp4"), frames),
        "npz": lambda path: np.savez(path.with_suffix(".npz"), frames=frames),
    }[kind]
    save(tmp_path / "a")
    save(tmp_path / "b")
    monkeypatch.setattr(recording, "MOST_BYTES", 2 * frames.nbytes)
    assert len(read(str(tmp_path))) == 2
    monkeypatch.setattr(recording, "MOST_BYTES", 2 * frames.nbytes - 1)
    with pytest.raises(ConfigError, match="GiB of memory: read fewer episodes, make the frames smaller"):
        read(str(tmp_path))
    assert len(read(str(tmp_path), most=1)) == 1
    assert len(read(str(tmp_path), size=(47, 64))) == 2


def test_smaller_frames_average_what_they_lose(tmp_path: Path) -> None:
    stripes = np.zeros((2, 8, 8, 3), np.uint8)
    stripes[:, :, ::2] = 200
    save_pictures(tmp_path, stripes)
    (trajectory,) = read(str(tmp_path), size=(4, 4))
    assert (trajectory.frames == 100).all()


def test_fewer_and_smaller(tmp_path: Path) -> None:
    for number in range(3):
        small = episode(2, 6, 8, seed=number)
        save_pictures(tmp_path / f"{number}", small.repeat(5, axis=1).repeat(5, axis=2))
    (first, second) = read(str(tmp_path), most=2, size=(6, 8))
    np.testing.assert_array_equal(first.frames, episode(2, 6, 8, seed=0))
    np.testing.assert_array_equal(second.frames, episode(2, 6, 8, seed=1))
    save_pictures(tmp_path / "1", episode(2, 12, 16))
    with pytest.raises(VlmcarError, match="1: frame 1 has 16 x 12 pixels, those before it 40 x 30 pixels"):
        read(str(tmp_path), size=(6, 8))


# npz files


def test_too_large_an_array_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "a.npz", frames=np.zeros((2, 100, 100, 3)))
    monkeypatch.setattr(recording, "MOST_BYTES", 100_000)
    monkeypatch.setattr(np.lib.npyio.NpzFile, "__getitem__", lambda *_: pytest.fail("unpacked"))
    with pytest.raises(ConfigError, match=r"frames of .*a\.npz take more than"):
        read(str(tmp_path / "a.npz"))


def write(path: Path, **arrays: object) -> str:
    np.savez(path, **{name: np.asarray(value) for name, value in arrays.items()})
    return str(path)


def trajectory_of(actions: NDArray[np.generic], success: bool = True, seed: int = 3) -> Trajectory:
    steps = len(actions)
    rewards = np.linspace(0, 1, steps).astype(np.float32)
    return Trajectory(episode(steps), actions, rewards, success, seed, "expert")


@pytest.mark.parametrize(
    "trajectory",
    [
        trajectory_of(np.array([0, 6, 2], dtype=np.int64)),
        trajectory_of(np.array([[0.5, -1.0], [0.25, 1.0]], dtype=np.float32), success=False, seed=2**40),
        trajectory_of(np.zeros((4, 0), dtype=np.float32), seed=0),
    ],
    ids=["discrete", "box", "unknown"],
)
def test_an_episode_that_is_written_is_read_back(tmp_path: Path, trajectory: Trajectory) -> None:
    path = tmp_path / "new folder" / "episode.npz"
    write_npz(path, trajectory)
    (back,) = read(str(path))
    for name in ("frames", "actions", "rewards"):
        np.testing.assert_array_equal(getattr(back, name), getattr(trajectory, name))
        assert getattr(back, name).dtype == getattr(trajectory, name).dtype
    assert (back.success, back.seed, back.kind) == (trajectory.success, trajectory.seed, "expert")
    assert [path.name for path in path.parent.iterdir()] == ["episode.npz"]


def test_a_folder_of_npz_files(tmp_path: Path) -> None:
    for number in (10, 9):
        write_npz(tmp_path / f"{number}.npz", trajectory_of(np.arange(number), seed=number))
    assert [len(trajectory.actions) for trajectory in read(str(tmp_path))] == [9, 10]


def test_frames_alone_are_enough_and_other_arrays_are_left_alone(tmp_path: Path) -> None:
    frames = episode(2)
    (trajectory,) = read(write(tmp_path / "a.npz", frames=frames, observations=np.zeros(7)))
    np.testing.assert_array_equal(trajectory.frames, frames)
    assert (trajectory.success, trajectory.seed, trajectory.actions.shape) == (True, 0, (2, 0))


def test_arrays_become_the_types_that_a_trajectory_has(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", frames=episode(2), actions=np.array([1, 0], np.uint8), rewards=[0, 1])
    (trajectory,) = read(path)
    assert (trajectory.actions.dtype, trajectory.rewards.dtype) == (np.int64, np.float32)
    path = write(tmp_path / "b.npz", frames=episode(2), actions=np.zeros((2, 3)))
    assert read(path)[0].actions.dtype == np.float32


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pictures": episode(2)}, "has no array called frames, but pictures"),
        ({"frames": episode(2) / 255}, r"frames must be uint8 .*; they are float64 \(3, 24, 32, 3\)"),
        ({"frames": episode(2)[..., 0]}, r"frames must be uint8 .*; they are uint8 \(3, 24, 32\)"),
        ({"frames": np.zeros((3, 8, 8, 4), np.uint8)}, r"frames must be uint8 .*\(3, 8, 8, 4\)"),
        ({"frames": episode(2), "actions": [1, 2, 3]}, r"actions must be .* \(2,\).*; they are int64 \(3,\)"),
        ({"frames": episode(2), "actions": [0.5, 1.5]}, r"actions must be .*; they are float64 \(2,\)"),
        ({"frames": episode(2), "actions": [[np.nan], [0.0]]}, "actions must be whole numbers .* or finite"),
        ({"frames": episode(2), "rewards": [1.0]}, r"rewards must be finite numbers \(2,\).*float64 \(1,\)"),
        ({"frames": episode(2), "rewards": [1.0, np.inf]}, "rewards must be finite"),
        ({"frames": episode(2), "seed": -1}, "seed must be a single whole number"),
        ({"frames": episode(2), "seed": 0.5}, "seed must be a single whole number"),
        ({"frames": episode(2), "success": [True, False]}, "success must be a single whole number"),
        (
            {"frames": episode(2), "actions": np.array([{}, {}])},
            "cannot be read as an npz file .*allow_pickle",
        ),
        ({"frames": episode(0)}, "has 1 frame: an episode needs its first and its last"),
    ],
)
def test_arrays_that_are_not_an_episode(tmp_path: Path, arrays: dict[str, object], message: str) -> None:
    with pytest.raises(VlmcarError, match=rf"a\.npz.*{message}"):
        read(write(tmp_path / "a.npz", **arrays))


def test_broken_npz_files(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(VlmcarError, match=r"a\.npz cannot be read as an npz file"):
        read(str(path))
    np.savez_compressed(path, frames=episode(2))
    content = bytearray(path.read_bytes())
    content[200:400] = bytes(200)
    path.write_bytes(content)
    with pytest.raises(VlmcarError, match=r"a\.npz cannot be read as an npz file"):
        read(str(path))
    np.save(tmp_path / "b.npy", episode(2))
    (tmp_path / "b.npy").rename(path)
    with pytest.raises(VlmcarError, match="it holds a single array"):
        read(str(path))


def test_an_episode_is_written_to_npz_only(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"episode\.zip must end in \.npz"):
        write_npz(tmp_path / "episode.zip", trajectory_of(np.arange(2)))
