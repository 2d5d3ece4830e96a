"""A chat endpoint on loopback that misbehaves on purpose, one scripted behaviour per request."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from omegaconf import OmegaConf

from tests.conftest import ROOT
from vlmcar.config import component
from vlmcar.vlm.openai import OpenAI

KEY = "sk-test-Vz81nQpL0xKcT5"
Behaviour = Callable[["_Handler"], None]


def make(**changes: Any) -> OpenAI:
    """The backend as its yaml builds it."""
    node = OmegaConf.load(ROOT / "conf/vlm/openai.yaml")
    for key, value in {"model": "asked-model", **changes}.items():
        node[key] = value
    return component("vlm", node)


def prepare(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A key, no other settings from outside, and nobody waits between two attempts: how long they would is returned."""
    waits: list[float] = []
    monkeypatch.setattr("openai._base_client.time", SimpleNamespace(sleep=waits.append, time=time.time))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    for name in ("OPENAI_BASE_URL", "OPENAI_ADMIN_KEY", "OPENAI_CUSTOM_HEADERS", "OPENAI_LOG"):
        monkeypatch.delenv(name, raising=False)
    return waits


def decoded(part: Mapping[str, Any]) -> np.ndarray:
    """The picture in a part of a message: uint8 (height, width, 3) RGB, 0-255."""
    assert part["type"] == "image_url"
    head, _, data = part["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    image = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_UNCHANGED)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


@dataclass
class Request:
    path: str
    headers: Mapping[str, str]
    """Their names in small letters."""
    body: dict[str, Any]


@dataclass
class Server:
    """``script`` is played one behaviour a request; its last one stays."""

    script: list[Behaviour]
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    written: int = 0
    """Bytes that ``flood`` got rid of."""
    stopped: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    under_way: int = 0
    most_under_way: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


@contextlib.contextmanager
def misbehaving() -> Iterator[Server]:
    server = Server([answer("fine")])

    class Handler(_Handler):
        plan = server

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False  # some handlers hang on purpose

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Clients that hang up are what is tested."""

    with Quiet(("127.0.0.1", 0), Handler) as http:
        server.port = http.server_address[1]
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.stopped.set()
            http.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    plan: Server
    body: dict[str, Any]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.body = body
        with self.plan.lock:
            self.plan.requests.append(
                Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            )
            behave = self.plan.script.pop(0) if len(self.plan.script) > 1 else self.plan.script[0]
            self.plan.under_way += 1
            self.plan.most_under_way = max(self.plan.most_under_way, self.plan.under_way)
        try:
            behave(self)
        finally:
            with self.plan.lock:
                self.plan.under_way -= 1

    def log_message(self, *args: Any) -> None:
        """Silent."""


def completion(text: Any = "fine", **changes: Any) -> dict[str, Any]:
    """The body of a chat completion; ``changes`` go to its only choice, and those of ``message`` into its message."""
    message = {"role": "assistant", "content": text, **changes.pop("message", {})}
    usage = changes.pop("usage", {"prompt_tokens": 1000, "completion_tokens": 20, "total_tokens": 1020})
    model = changes.pop("model", "served-model")
    choice = {"index": 0, "message": message, "finish_reason": "stop", **changes}
    body = {"id": "1", "object": "chat.completion", "created": 1, "model": model, "choices": [choice]}
    return {**body, **({"usage": usage} if usage is not None else {})}


def answer(text: Any = "fine", **changes: Any) -> Behaviour:
    return reply_with(json.dumps(completion(text, **changes)).encode())


def reply_with(
    body: bytes, status: int = 200, content_type: str = "application/json", **headers: str
) -> Behaviour:
    """Any body and status; ``Retry_After="1"`` becomes the header ``Retry-After: 1``."""

    def behave(handler: _Handler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", content_type)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def error(status: int, message: str = "no", **headers: str) -> Behaviour:
    return reply_with(json.dumps({"error": {"message": message}}).encode(), status, **headers)


def hang(handler: _Handler) -> None:
    """Take the request and say nothing."""
    handler.plan.stopped.wait()


def trickle(handler: _Handler) -> None:
    """Send a header that never ends, so that no single wait is long."""
    handler.wfile.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
    while not handler.plan.stopped.wait(0.02):
        handler.wfile.write(b"a")


def trickling_body(handler: _Handler) -> None:
    """As some gateways do to keep a connection alive: blanks before the answer, which never comes."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.end_headers()
    while not handler.plan.stopped.wait(0.02):
        handler.wfile.write(b" ")


def cut(handler: _Handler) -> None:
    """Promise more than is sent, and hang up."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)


def hang_up(handler: _Handler) -> None:
    """Not even a status line."""
    handler.connection.shutdown(socket.SHUT_RDWR)


def flood(total: int) -> Behaviour:
    """A reply of ``total`` bytes, as far as anyone reads it."""

    def behave(handler: _Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        handler.wfile.write(b'{"choices": "')
        piece = b"a" * 2**16
        while handler.plan.written < total:
            handler.wfile.write(piece)
            handler.plan.written += len(piece)

    return behave
