"use strict";
// Moves frame, values and cursor together. One player per page; its episodes are tabs.
(() => {
  const root = document.getElementById("player");
  if (!root) return;
  const episodes = JSON.parse(document.getElementById("episodes").textContent);
  const get = (name) => root.querySelector(name);
  const canvas = get("canvas"), slider = get("input"), now = get(".now"), play = get(".play");
  const tabs = [...document.querySelectorAll(".tabs button")];
  const lanes = [...document.querySelectorAll(".lane-set")];
  let current = 0, timer = null;

  const images = episodes.map((episode) => {
    const image = new Image();
    image.addEventListener("load", () => { if (episodes[current] === episode) show(); });
    image.src = document.getElementById(episode.sheet).src;
    return image;
  });

  function show() {
    const episode = episodes[current], at = Number(slider.value), image = images[current];
    canvas.width = episode.width;
    canvas.height = episode.height;
    if (image.complete && image.naturalWidth) {
      const x = (at % episode.columns) * episode.width, y = Math.floor(at / episode.columns) * episode.height;
      canvas.getContext("2d").drawImage(
        image, x, y, episode.width, episode.height, 0, 0, episode.width, episode.height);
    }
    const cursor = lanes[current].querySelector(".cursor");
    const x = episode.xs[at];
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    const done = episode.subtasks.filter((_, k) => episode.progress[at][k] >= 1);
    const end = at === episode.frames.length - 1 ? (episode.success ? " The task is accomplished." : " The end, without success.") : "";
    now.textContent = `Frame ${episode.frames[at]} of ${episode.steps}. Paid so far: ${episode.return[at].toFixed(2)}. ` +
      `Said to be done: ${done.length ? done.join(", ") : "nothing"}.${end}`;
    slider.setAttribute("aria-valuetext", now.textContent);
    root.dataset.frame = episode.frames[at];
  }

  function choose(number, focus) {
    stop();
    current = number;
    tabs.forEach((tab, n) => {
      tab.setAttribute("aria-selected", String(n === number));
      tab.tabIndex = n === number ? 0 : -1;
    });
    lanes.forEach((lane, n) => { lane.hidden = n !== number; });
    slider.max = episodes[number].frames.length - 1;
    slider.value = 0;
    if (focus) tabs[number].focus();
    show();
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  }

  play.addEventListener("click", () => {
    if (timer) return stop();
    if (slider.value === slider.max) slider.value = 0;
    play.textContent = "Pause";
    timer = setInterval(() => {
      slider.value = Number(slider.value) + 1;
      show();
      if (slider.value === slider.max) stop();
    }, 180);
  });
  slider.addEventListener("input", () => { stop(); show(); });
  tabs.forEach((tab, number) => {
    tab.addEventListener("click", () => choose(number, false));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) choose((number + step + tabs.length) % tabs.length, true);
    });
  });
  lanes.forEach((lane, number) => {
    const seek = (event) => {
      const svg = lane.querySelector("svg"), box = svg.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
      const xs = episodes[number].xs;
      slider.value = xs.reduce((best, value, n) => Math.abs(value - x) < Math.abs(xs[best] - x) ? n : best, 0);
      stop();
      show();
    };
    lane.addEventListener("pointerdown", seek);
    lane.addEventListener("pointermove", (event) => { if (event.buttons) seek(event); });
  });
  choose(0, false);
})();
