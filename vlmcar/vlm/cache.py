"""Answers kept on disk, one readable file each, named by everything that can change them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


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

    def put(self, request: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """Keep an answer, unless another job was first."""
        path = self._path(request)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"request": request, "answer": answer}, indent=1, ensure_ascii=False) + "\n"
        temporary = path.with_suffix(f".{os.getpid()}.partial")
        temporary.write_text(text, encoding="utf-8")
        if self.get(request) is None:
            os.replace(temporary, path)
        temporary.unlink(missing_ok=True)

    def _path(self, request: Mapping[str, Any]) -> Path:
        key = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:24]
        return self.folder / key[:2] / f"{key}.json"
