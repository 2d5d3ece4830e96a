"""Honest styles of reward program: all must pass screening and answer as they do in-process."""

import textwrap

STYLES = {
    "hsv_mask_with_helpers": '''
        """A green ball on a dark floor.

        The mask uses \\d nothing; ranges are HSV.
        """
        from __future__ import annotations

        import cv2
        import numpy as np

        GREEN = (np.array([40, 80, 80]), np.array([85, 255, 255]))
        MIN_AREA = 20


        def _mask(image: np.ndarray) -> np.ndarray:
            hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
            return cv2.morphologyEx(cv2.inRange(hsv, *GREEN), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))


        def first(initial: np.ndarray, frame: np.ndarray) -> bool:
            contours, _ = cv2.findContours(_mask(frame), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
            return bool(any(cv2.contourArea(c) > MIN_AREA for c in contours))


        def second(initial: np.ndarray, frame: np.ndarray) -> float:
            before, now = np.count_nonzero(_mask(initial)), np.count_nonzero(_mask(frame))
            return float(np.clip(now / max(before, 1), 0.0, 1.0))
    ''',
    "distance_with_math": '''
        """Two blobs come closer."""
        import math
        from math import hypot, sqrt

        import numpy


        def centre(image, channel):
            rows, columns = numpy.nonzero(image[:, :, channel] > 150)
            if len(rows) == 0:
                return None
            return rows.mean(), columns.mean()


        def first(initial, frame):
            a, b = centre(frame, 0), centre(frame, 1)
            if a is None or b is None:
                return False
            return hypot(a[0] - b[0], a[1] - b[1]) < 0.3 * sqrt(frame.shape[0] ** 2)


        def second(initial, frame):
            a, b = centre(frame, 0), centre(frame, 1)
            if a is None or b is None:
                return 0.0
            return math.exp(-math.dist(a, b) / frame.shape[0])
    ''',
    "in_place_edits": '''
        """Paints over the score before comparing."""
        import cv2
        import numpy as np


        def first(initial, frame):
            frame[:4] = 0
            initial[:4] = 0
            cv2.rectangle(frame, (0, 0), (3, 3), (255, 255, 255), -1)
            return np.any(cv2.absdiff(initial, frame) > 30)


        def second(initial, frame):
            frame //= 2
            frame[frame < 40] = 0
            return np.float32(frame.max() / 255)
    ''',
    "template_matching": '''
        """The patch from the initial image is found again."""
        import cv2 as cv
        import numpy as np


        def first(initial, frame):
            patch = initial[8:24, 8:24].copy()
            score = cv.matchTemplate(frame, patch, cv.TM_CCOEFF_NORMED)
            _, best, _, where = cv.minMaxLoc(score)
            return best > 0.9 and abs(where[0] - 8) <= 2


        def second(initial, frame):
            score = cv.matchTemplate(frame, initial[8:24, 8:24], cv.TM_SQDIFF_NORMED)
            return max(0.0, min(1.0, 1.0 - float(score.min())))
    ''',
    "connected_components": '''
        """Counts objects."""
        import cv2
        import numpy as np


        def count(image):
            grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            _, binary = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
            n, labels, stats, centroids = cv2.connectedComponentsWithStats(binary, connectivity=8)
            return sum(1 for i in range(1, n) if stats[i, cv2.CC_STAT_AREA] >= 12)


        def first(initial, frame):
            return bool(count(frame) >= 1)


        def second(initial, frame):
            return np.float64(min(count(frame), 4) / 4)
    ''',
    "grid_cells_and_dicts": '''
        """Reads an 8 x 8 grid of cells by nearest colour."""
        import numpy as np

        COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "black": (0, 0, 0)}


        def cells(image, size=8):
            height, width, _ = image.shape
            blocks = image.reshape(size, height // size, size, width // size, 3)
            means = blocks.mean(axis=(1, 3))
            palette = np.array(list(COLOURS.values()), dtype=np.float64)
            nearest = np.linalg.norm(means[:, :, None] - palette, axis=-1).argmin(-1)
            return np.array(list(COLOURS))[nearest]


        def first(initial, frame):
            return "red" in set(cells(frame).ravel().tolist())


        def second(initial, frame):
            names, counts = np.unique(cells(frame), return_counts=True)
            share = dict(zip(names.tolist(), counts.tolist()))
            return share.get("green", 0) / 64
    ''',
    "fft_windows_and_errstate": '''
        """Texture energy in windows."""
        import numpy as np
        from numpy.lib.stride_tricks import sliding_window_view


        def first(initial, frame):
            windows = np.lib.stride_tricks.sliding_window_view(frame[..., 0], (8, 8))[::8, ::8]
            return bool(windows.astype(np.float32).std(axis=(-1, -2)).max() > 20)


        def second(initial, frame):
            windows = sliding_window_view(frame[..., 1].astype(float), (16, 16))[::16, ::16]
            with np.errstate(divide="ignore", invalid="ignore"):
                energy = np.abs(np.fft.rfft2(windows))[..., 1:, 1:].sum() / windows.sum()
            return float(np.nan_to_num(np.tanh(energy)))
    ''',
    "loops_try_and_fstrings": '''
        """Pixel loops, lambdas, exceptions, print."""
        import numpy as np

        is_red = lambda p: int(p[0]) > 150 and int(p[1]) < 100


        def first(initial, frame):
            total = 0
            for y in range(0, frame.shape[0], 4):
                for x in range(0, frame.shape[1], 4):
                    if is_red(frame[y, x]):
                        total += 1
            print(f"{total=} of {frame.size:,d}")
            return total > 2


        def second(initial, frame):
            try:
                ys, xs = np.where(frame[:, :, 2] > 180)
                left = sorted(zip(xs.tolist(), ys.tolist()), key=lambda p: (p[0], p[1]))[0]
            except IndexError:
                return 0.0
            assert len(left) == 2, "a pair"
            return 1 - left[0] / frame.shape[1]
    ''',
    "kmeans_and_histograms": '''
        """Dominant colours. cv2's own random starts are fixed per call."""
        import cv2
        import numpy as np


        def first(initial, frame):
            a = cv2.calcHist([initial], [0, 1], None, [8, 8], [0, 256, 0, 256])
            b = cv2.calcHist([frame], [0, 1], None, [8, 8], [0, 256, 0, 256])
            return cv2.compareHist(a, b, cv2.HISTCMP_CORREL) < 0.99


        def second(initial, frame):
            pixels = frame.reshape(-1, 3).astype(np.float32)
            criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 1.0)
            _, labels, centres = cv2.kmeans(pixels, 3, None, criteria, 3, cv2.KMEANS_RANDOM_CENTERS)
            return float(np.bincount(labels.ravel(), minlength=3).max() / len(pixels))
    ''',
    "hough_edges_and_match": '''
        """Lines, circles, match statements, walrus."""
        import cv2
        import numpy as np


        def kind(ratio):
            match ratio:
                case r if r > 0.2:
                    return "busy"
                case _:
                    return "calm"


        def first(initial, frame):
            edges = cv2.Canny(cv2.GaussianBlur(frame, (3, 3), 0), 50, 150)
            if (lines := cv2.HoughLinesP(edges, 1, np.pi / 180, 10, minLineLength=8, maxLineGap=2)) is None:
                return False
            return kind(len(lines) / 100) == "calm"


        def second(initial, frame):
            flow = cv2.calcOpticalFlowFarneback(
                initial[..., 0], frame[..., 0], None, 0.5, 2, 9, 2, 5, 1.1, 0
            )
            magnitude, _ = cv2.cartToPolar(flow[..., 0], flow[..., 1])
            return float(np.clip(np.median(magnitude), 0, 1))
    ''',
    "masked_arrays_and_linalg": '''
        """Second moments of the bright pixels."""
        import numpy as np
        from numpy import pi
        from numpy.linalg import eigvalsh


        def bright(image):
            return np.ma.masked_less(image.max(axis=2), 120)


        def first(initial, frame):
            return bool(bright(frame).count() > 10)


        def second(initial, frame):
            points = np.argwhere(~np.ma.getmaskarray(bright(frame)))
            if len(points) < 3:
                return 0.0
            small, large = eigvalsh(np.cov(points.T))
            angle = np.arctan2(small, large)
            return float(abs(angle) / (2 * pi)) if large > 0 else 0.0
    ''',
}
STYLES = {name: textwrap.dedent(source).lstrip() for name, source in STYLES.items()}
