"""The report's pages in a real browser: no errors, frames and values move together, nothing overflows on a phone.

Needs playwright and a Chromium: ``make test-browser`` sets both up. Without them these tests are skipped.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.report.conftest import write_run
from tests.report.test_site import give_program
from vlmcar.report.__main__ import main

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: make test-browser sets one up"),
]
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1200, "height": 900}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of two methods, one with a program."""
    base = tmp_path_factory.mktemp("site")
    for seed in (0, 1):
        give_program(write_run(base / "results", seed=seed))
    give_program(write_run(base / "results", method="sparse"))
    assert main(["--results", str(base / "results"), "--out", str(base / "out")]) == 0
    return base / "out"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def opened(
    browser: Any, path: Path, viewport: dict[str, int], scheme: str = "light"
) -> tuple[Any, list[str]]:
    page = browser.new_page(viewport=viewport, color_scheme=scheme)
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "request",
        lambda request: None if request.url.startswith(("file:", "data:")) else problems.append(request.url),
    )
    page.goto(path.as_uri())
    page.wait_for_load_state()
    return page, problems


def local(url: str) -> bool:
    return url.startswith(("file:", "data:"))


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("name", ["index.html", "program_*.html"])
def test_a_page_opens_without_errors_and_fits(
    browser: Any, pages: Path, name: str, viewport: dict[str, int], scheme: str
) -> None:
    (path,) = pages.glob(name)
    page, problems = opened(browser, path, viewport, scheme)
    assert problems == []
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    broken = "[...document.images].filter(i => !i.hidden && !(i.complete && i.naturalWidth)).map(i => i.alt)"
    assert page.evaluate("document.images.length") >= 2
    assert page.evaluate(broken) == []
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 27)")
    page.close()


def test_the_index_leads_to_the_program(browser: Any, pages: Path) -> None:
    page, problems = opened(browser, pages / "index.html", DESKTOP)
    page.click("a.card")
    assert page.inner_text("h1") == "The reward of minigrid-doorkey_8x8, as a program"
    page.click("text=Report")
    assert page.inner_text("h1") == "Code as reward, compared"
    assert problems == []
    page.close()


def state(page: Any) -> dict[str, Any]:
    """What the player shows: the frame's colour, the text beside it, and where the cursor is."""
    found: dict[str, Any] = page.evaluate(
        """() => {
          const canvas = document.querySelector("#player canvas");
          const copy = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
          copy.drawImage(canvas, 0, 0);
          const lane = [...document.querySelectorAll(".lane-set")].find((one) => !one.hidden);
          return {
            red: copy.getImageData(4, 4, 1, 1).data[0],
            now: document.querySelector(".now").textContent,
            cursor: Number(lane.querySelector(".cursor").getAttribute("x1")),
            title: document.querySelector('.tabs [aria-selected="true"]').textContent,
          };
        }"""
    )
    return found


def test_frames_values_and_cursor_move_together_by_keyboard(browser: Any, pages: Path) -> None:
    (path,) = pages.glob("program_*.html")
    page, problems = opened(browser, path, DESKTOP)
    page.focus("#player input")
    seen = [state(page)]
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        seen.append(state(page))
    assert [one["red"] for one in seen] == [0, 0, 200, 200]
    assert "Frame 1 of 3. Paid so far: 0.00. Said to be done: nothing." in seen[1]["now"]
    assert "Frame 2 of 3. Paid so far: 1.00. Said to be done: key." in seen[2]["now"]
    assert "The task is accomplished." in seen[3]["now"]
    cursors = [one["cursor"] for one in seen]
    assert cursors == sorted(cursors)
    assert len(set(cursors)) == 4
    page.keyboard.press("Home")
    assert state(page) == seen[0]
    page.focus('.tabs [aria-selected="true"]')
    page.keyboard.press("ArrowRight")
    assert state(page)["title"] == "random"
    page.keyboard.press("ArrowRight")
    assert state(page)["title"] == "trained policy: vlmcar, seed 0"
    assert problems == []
    page.close()


def test_play_and_drag(browser: Any, pages: Path) -> None:
    (path,) = pages.glob("program_*.html")
    page, problems = opened(browser, path, DESKTOP)
    page.click("button.play")
    page.wait_for_function("document.querySelector('.now').textContent.startsWith('Frame 3 of 3')")
    assert page.inner_text("button.play") == "Play"
    box = page.locator(".lane-set:not([hidden]) svg").bounding_box()
    page.mouse.click(box["x"] + 2, box["y"] + 20)
    assert state(page)["now"].startswith("Frame 0 of 3")
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 20)
    page.mouse.up()
    assert state(page)["now"].startswith("Frame 3 of 3")
    assert problems == []
    page.close()
