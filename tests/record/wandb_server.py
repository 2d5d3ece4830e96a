"""A stand-in for W&B's server on this machine: enough of its GraphQL and file stream to take runs.

It is not W&B: what it shows is what the client sends.
"""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server(ThreadingHTTPServer):
    """Run id -> what was sent of it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.history: dict[str, list[dict[str, Any]]] = {}
        self.settings: dict[str, dict[str, Any]] = {}
        self.operations: list[str] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def run(self, name: str, inserted: bool) -> dict[str, Any]:
        return {
            "id": name, "name": name, "displayName": name, "description": "", "config": "{}", "sweepName": None,
            "project": {"id": "p", "name": "vlmcar", "entity": {"id": "e", "name": "someone"}},
            "historyLineCount": len(self.history[name]), "inserted": inserted,
        }  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._answer({})

    def do_PUT(self) -> None:
        self._body()
        self._answer({})

    def do_POST(self) -> None:
        try:
            content = json.loads(self._body() or b"{}")
        except ValueError:  # the client's own telemetry
            return self._answer({})
        with self.server.lock:
            if self.path.endswith("/file_stream"):
                return self._answer(self._streamed(content))
            return self._answer({"data": self._graphql(content)})

    def _streamed(self, content: dict[str, Any]) -> dict[str, Any]:
        name = self.path.split("/")[-2]
        part = (content.get("files") or {}).get("wandb-history.jsonl")
        if part:
            lines = [json.loads(line) for line in part["content"]]
            del self.server.history[name][part["offset"] :]  # as W&B: what is sent again replaces
            self.server.history[name] += lines
        return {}

    def _graphql(self, content: dict[str, Any]) -> dict[str, Any]:
        match = re.match(r"\s*(?:query|mutation)\s+(\w+)", content.get("query", ""))
        operation, given = match.group(1) if match else "", content.get("variables") or {}
        self.server.operations.append(operation)
        if operation == "Viewer":
            return {"viewer": {"id": "u", "entity": "someone", "username": "someone", "email": "", "flags": "{}",
                               "teams": {"edges": []}}}  # fmt: skip
        if operation == "UpsertBucket":
            name = given["name"]
            inserted = name not in self.server.history
            self.server.history.setdefault(name, [])
            known = {key: value for key, value in given.items() if value is not None}
            self.server.settings.setdefault(name, {}).update(known)
            run = self.server.run(name, inserted)
            return {"upsertBucket": {"bucket": run, "inserted": run.pop("inserted")}}
        if operation == "RunResumeStatus":
            return {"model": self._resumed(given["name"])}
        if operation == "CreateRunFiles":
            files = [{"name": f, "uploadUrl": f"{self.server.url}/put/{f}"} for f in given["files"]]
            return {"createRunFiles": {"runID": given["run"], "uploadHeaders": [], "files": files}}
        if operation == "ServerFeaturesQuery":
            return {"serverInfo": {"features": []}}
        return {}

    def _resumed(self, name: str) -> dict[str, Any] | None:
        history = self.server.history.get(name)
        whose = {"id": "p", "name": "vlmcar", "entity": {"id": "e", "name": "someone"}}
        if history is None:
            return {**whose, "bucket": None}
        tail = json.dumps([json.dumps(line) for line in history[-1:]])
        return {**whose, "bucket": {
            "id": name, "name": name, "summaryMetrics": "{}", "displayName": name, "logLineCount": 0,
            "historyLineCount": len(history), "eventsLineCount": 0, "historyTail": tail, "eventsTail": "[]",
            "config": "{}", "tags": [], "notes": "", "wandbConfig": '{"t": {}}',
        }}  # fmt: skip

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

    def _answer(self, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def wandb_server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
