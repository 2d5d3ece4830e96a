"""A stand-in for the Hugging Face Hub on this machine: what its client asks for.

It takes a small folder and gives it back. It is not the Hub: what it shows is what the client sends, and that our files
survive the way. Every file goes up as "regular", inside of the commit; LFS and Xet are not here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_standInsOnlyUser"


class Server(ThreadingHTTPServer):
    """Repository -> its commits, the oldest first, each a mapping of names to contents."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repos: dict[str, list[dict[str, bytes]]] = {}
        self.private: dict[str, bool] = {}
        self.asked: list[str] = []
        """``METHOD path`` of each request."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


def oid(repo: str, number: int) -> str:
    """Of a repository's commit."""
    return hashlib.sha1(f"{repo} {number}".encode()).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        path = self._path()
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/([^/]+))?", path):
            return self._info(found[1], found[2])
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)(?:/.*)?", path):
            return self._tree(found[1], found[2])
        if found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self._resolve(*found.groups())
        return self._answer({"error": "not here"}, 404)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        path = self._path()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._answer({"error": "Invalid credentials"}, 401)
        if path == "/api/validate-yaml":
            return self._answer({"errors": [], "warnings": []})
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", path):
            files = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                for one in json.loads(body)["files"]
            ]
            return self._answer({"files": files})
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path):
            return self._commit(found[1], [json.loads(line) for line in body.splitlines()])
        return self._answer({"error": "not here"}, 404)

    def _create(self, asked: dict[str, Any]) -> None:
        name = f"{asked.get('organization') or 'me'}/{asked['name']}"
        if name in self.server.repos:
            return self._answer(
                {"error": "You already created this repo", "url": f"{self.server.url}/{name}"}, 409
            )
        self.server.repos[name] = [{".gitattributes": b"*.bin filter=lfs\n"}]
        self.server.private[name] = asked.get("visibility") == "private"
        return self._answer({"url": f"{self.server.url}/{name}", "id": name})

    def _commit(self, repo: str, lines: list[dict[str, Any]]) -> None:
        files = dict(self.server.repos[repo][-1])
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                assert value["encoding"] == "base64"
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        self.server.repos[repo].append(files)
        number = len(self.server.repos[repo]) - 1
        self._answer(
            {
                "success": True,
                "commitOid": oid(repo, number),
                "commitUrl": f"{self.server.url}/{repo}/commit/{number}",
            }
        )

    def _info(self, repo: str, revision: str | None) -> None:
        if (files := self._files(repo, revision)) is not None:
            siblings = [{"rfilename": name, "size": len(content)} for name, content in files.items()]
            self._answer({"id": repo, "sha": self._sha(repo, revision), "siblings": siblings})

    def _tree(self, repo: str, revision: str) -> None:
        if (files := self._files(repo, revision)) is not None:
            rows = [
                {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for name, content in files.items()
            ]
            self._answer(rows)

    def _resolve(self, repo: str, revision: str, name: str) -> None:
        files = self._files(repo, revision)
        if files is not None and name in files:
            headers = {
                "ETag": f'"{hashlib.sha1(files[name]).hexdigest()}"',
                "X-Repo-Commit": self._sha(repo, revision),
                "Content-Type": "application/octet-stream",
            }
            self._send(files[name], 200, headers)
        elif files is not None:
            self._answer({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})

    def _files(self, repo: str, revision: str | None) -> dict[str, bytes] | None:
        """Of a commit; ``None``: there is none, and that has been said."""
        commits = self.server.repos.get(repo)
        if commits is None:
            self._answer({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
            return None
        by_name = {oid(repo, number): files for number, files in enumerate(commits)} | {"main": commits[-1]}
        if (revision or "main") not in by_name:
            self._answer({"error": "Invalid rev id"}, 404, {"X-Error-Code": "RevisionNotFound"})
            return None
        return by_name[revision or "main"]

    def _sha(self, repo: str, revision: str | None) -> str:
        return oid(repo, len(self.server.repos[repo]) - 1) if revision in (None, "main") else str(revision)

    def _path(self) -> str:
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(f"{self.command} {path}")
        return path

    def _answer(self, content: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        said = (
            {"X-Error-Message": content["error"]} if isinstance(content, dict) and "error" in content else {}
        )
        everything = {"Content-Type": "application/json", **said, **(headers or {})}
        self._send(json.dumps(content).encode(), status, everything)

    def _send(self, content: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@contextmanager
def hub() -> Iterator[Server]:
    """Runs while the block does."""
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
