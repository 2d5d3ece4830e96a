"""Answers kept on disk, one readable file each, named by everything that can change them."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock


class Cache:
    """``<folder>/<first two digits>/<key>.json`` with the request and its answer.

    Safe for parallel jobs: a file appears whole or not at all, and the first answer to a request stays.
    Removing files or the whole folder is safe, too; they are asked for again.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """The answer to an equal request, or ``None``; an unreadable file is none."""
        try:
            entry = json.loads(self._path(request).read_text(encoding="utf-8"))
            answer = entry["answer"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return answer if isinstance(answer, dict) else None

    def put(self, request: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
        """Keep an answer, unless another job was first; the answer that is kept."""
        path = self._path(request)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"request": request, "answer": answer}, indent=1) + "\n"
        temporary = path.with_suffix(f".{secrets.token_hex(6)}.partial")
        temporary.write_text(text, encoding="utf-8")
        try:
            os.link(temporary, path)  # unlike a rename, it does not replace
        except FileExistsError:
            if (kept := self.get(request)) is not None:
                return kept
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        return dict(answer)

    @contextmanager
    def lock(self, request: Mapping[str, Any]) -> Iterator[None]:
        """Held while a dear answer is asked for; who waits finds it kept."""
        path = self._path(request)
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), fallback_to_soft=False):
            yield

    def _path(self, request: Mapping[str, Any]) -> Path:
        key = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:24]
        return self.folder / key[:2] / f"{key}.json"
