"""Moving pictures: the trained policy of each method on the same level, beside the reward that it was paid."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from vlmcar.report.figures import line_of
from vlmcar.report.results import Problem, in_order
from vlmcar.report.stories import Shown, read_episode

FRAMES = 60
"""Moments of the longest episode that are shown."""
MILLISECONDS, LAST_MILLISECONDS = 160, 1600
COLUMN, HEAD, PLOT, PAD = 208, 40, 76, 12
"""Pixels: width of a method's column, text above its frame, plot below, and space around."""
TEXT, SOFT, GROUND, TRACK = "#1c1f23", "#5b6570", "#ffffff", "#f1f3f5"


class Played(NamedTuple):
    """A policy's episode, ready to be drawn."""

    series: str
    seed: int
    colour: str
    episode: Shown
    sheet: Image.Image


def policy_gifs(runs: pd.DataFrame, root: Path, out: Path) -> tuple[dict[str, Path], list[Problem]]:
    """Write ``policies_<env>.gif`` for every environment whose runs have kept an episode of their policy.

    Args:
        runs: of `Results`.
        root: where the runs' ``folder`` begins.
        out: the report's folder.

    Returns:
        Environment -> file; and what could not be read.
    """
    found, problems = {}, []
    colours = {series: line.colour for series, line in line_of(runs["series"]).items()}
    for env, group in runs[runs["finished"]].groupby("env", sort=False):
        played = []
        for series in in_order(group["series"]):
            run = group[group["series"] == series].sort_values("seed").iloc[0]
            try:
                episode = read_episode(root / str(run["folder"]), "policy", series)
                if episode is not None:
                    sheet = _picture(episode)
                    played.append(Played(series, int(run["seed"]), colours[series], episode, sheet))
            except (OSError, ValueError, KeyError, TypeError) as error:
                problems.append(
                    Problem(str(run["folder"]), f"its policy's episode cannot be shown: {error!r}")
                )
        if played:
            found[str(env)] = out / f"policies_{env}.gif"
            _write(played, found[str(env)])
    return found, problems


def caption(env: str) -> str:
    """What the pictures of an environment are."""
    return (
        f"{env}: one episode of one trained policy per method (its first finished seed), on the same level. Coloured: "
        "what the agent was paid; grey: the environment's own reward, which is 0 until it succeeds."
    )


def _picture(episode: Shown) -> Image.Image:
    data = base64.b64decode(episode.sheet.partition(",")[2])
    return Image.open(io.BytesIO(data)).convert("RGB")


def _write(played: Sequence[Played], path: Path) -> None:
    longest = max(one.episode.facts["steps"] for one in played)
    moments = sorted({round(n * longest / (FRAMES - 1)) for n in range(FRAMES)})
    pictures = [_moment(played, moment, longest) for moment in moments]
    durations = [MILLISECONDS] * (len(pictures) - 1) + [LAST_MILLISECONDS]
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=durations, loop=0, optimize=True, disposal=1
    )


def _moment(played: Sequence[Played], moment: int, longest: int) -> Image.Image:
    sizes = [one.episode.facts["height"] / one.episode.facts["width"] for one in played]
    frame_height = round(COLUMN * max(sizes))
    size = (len(played) * (COLUMN + PAD) + PAD, HEAD + frame_height + PLOT + 3 * PAD)
    picture = Image.new("RGB", size, GROUND)
    draw = ImageDraw.Draw(picture)
    for number, one in enumerate(played):
        _column(picture, draw, one, PAD + number * (COLUMN + PAD), frame_height, moment, longest)
    return picture.quantize(128, dither=Image.Dither.NONE)


def _column(
    picture: Image.Image,
    draw: ImageDraw.ImageDraw,
    one: Played,
    left: int,
    frame_height: int,
    moment: int,
    longest: int,
) -> None:
    facts = one.episode.facts
    at = max(
        n for n, number in enumerate(facts["frames"]) if number <= moment
    )  # ended ones keep their last frame
    over = moment >= facts["steps"]
    width, height = facts["width"], facts["height"]
    x, y = at % facts["columns"] * width, at // facts["columns"] * height
    tile = one.sheet.crop((x, y, x + width, y + height))
    tile = tile.resize((COLUMN, round(COLUMN * height / width)), Image.Resampling.NEAREST)
    draw.text((left, PAD - 2), _fitting(draw, one.series), fill=one.colour, font=_font(13, bold=True))
    state = ("success" if facts["success"] else "ended without success") if over else f"step {moment}"
    draw.text((left, PAD + 15), f"seed {one.seed}, {state}", fill=SOFT, font=_font(11))
    picture.paste(tile, (left, HEAD + PAD // 2))
    top = HEAD + frame_height + PAD
    draw.rectangle((left, top, left + COLUMN, top + PLOT), fill=TRACK)
    curves = [(facts["env_return"], "#9aa5b1", 1)]
    if facts["return"] is not None:
        curves.append((facts["return"], one.colour, 2))
    most = max([1.0, *(value for values, _, _ in curves for value in values)])
    least = min([0.0, *(value for values, _, _ in curves for value in values)])
    for values, colour, thick in curves:
        points: list[tuple[float, float]] = []
        for number, value in zip(facts["frames"][: at + 1], values[: at + 1], strict=True):
            here = left + number / max(longest, 1) * COLUMN
            level = top + PLOT - 4 - (value - least) / (most - least) * (PLOT - 22)
            points += [(here, points[-1][1])] if points else []
            points.append((here, level))
        if len(points) > 1:
            draw.line(points, fill=colour, width=thick)
    paid = "not kept" if facts["return"] is None else f"{facts['return'][at]:.2f}"
    draw.text((left + 4, top + 2), f"paid {paid}", fill=TEXT, font=_font(11))


def _fitting(draw: ImageDraw.ImageDraw, text: str) -> str:
    while draw.textlength(text, font=_font(13, bold=True)) > COLUMN and len(text) > 4:
        text = text[:-2].rstrip("…") + "…"
    return text


def _font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """The figures' font, which comes with matplotlib."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(mpl.get_data_path(), "fonts/ttf", name)), size)
