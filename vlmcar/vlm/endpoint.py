"""One OpenAI-compatible endpoint: bounded in time and size, retried, and every failure is one line without the key."""

from __future__ import annotations

import json
import os
import time
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

from vlmcar.types import NoReply, VlmcarError

OPENAI = "https://api.openai.com/v1"
BODY_LIMIT = 8 * 2**20
"""Bytes of a response, decompressed: hundreds of times what a reply needs."""
SHORTEST_SECRET = 8
"""Characters. A shorter key is a word like EMPTY that local servers ask for, which a program may well contain."""
HINTS = {
    (301, 302, 303, 307, 308): "give the address it moved to as vlm.base_url",
    (400, 422): "it may refuse a setting: vlm.temperature (null: not sent), vlm.max_tokens_parameter",
    (401,): "check the key in {key}",
    (403,): "check what the key in {key} may do",
    (404, 405): "check vlm.model and vlm.base_url, which often ends in /v1",
    (413,): "the pictures are too large for it",
    (500, 502, 503, 504): "its log says why; the same command tries again",
    (429,): "wait, or lower vlm.parallel; a used-up quota reads the same",
}


UNREACHABLE = {
    "SSL": "https:// speaks to a server with a certificate that is known here; many local ones want http://",
    "refused": "is the server running, and is this its port? See vlm.base_url",
    "[Errno -": "is the host's name right, and is there a network? See vlm.base_url",
    "": "check vlm.base_url, and that the server is running",
}
"""What to do, by words of the cause; the last one for all others."""


class TooLarge(Exception):
    """More than anyone would read."""


class Posted(NamedTuple):
    """A JSON object that was answered, and how often it took to ask."""

    data: dict[str, Any]
    requests: int


class Endpoint:
    """Posts JSON and gets JSON. Safe for threads.

    The client of the ``openai`` package retries connection errors, time-outs and HTTP 408, 409, 429 and 5xx with
    exponential backoff and jitter (0.5 to 8 s); it waits as long as Retry-After says, up to two minutes, and gives
    up at once where that is longer. So any call ends within (max_retries + 1) * (timeout_seconds + 120) s.

    Args:
        base_url: ``None``: OpenAI. The environment's OPENAI_BASE_URL is not read: it would be nobody's identity.
        api_key_env: the NAME of the environment variable with the key; ``None``: the endpoint wants none.
        timeout_seconds: of one request.
        max_retries: requests after the first one.

    Raises:
        VlmcarError: no ``openai`` package, no key, or an address or a proxy that no request can be sent to.
    """

    def __init__(
        self, base_url: str | None, api_key_env: str | None, timeout_seconds: float, max_retries: int
    ) -> None:
        self.url = (base_url or OPENAI).rstrip("/")
        self.api_key_env = api_key_env
        self.timeout_seconds = timeout_seconds
        try:
            import httpx2
            import openai
        except ImportError:
            raise VlmcarError("vlm=openai needs the openai package: pip install 'vlmcar[openai]'") from None
        key = _key(api_key_env)
        try:
            # The client holds the key, and nothing else does.
            self._client = openai.OpenAI(
                api_key=key,
                base_url=self.url,
                timeout=timeout_seconds,
                max_retries=max_retries,
                http_client=_bounded_http(timeout_seconds, BODY_LIMIT),
            )
        except (httpx2.InvalidURL, ImportError, OSError, ValueError) as error:
            problem = self.clean(str(error))
            raise VlmcarError(
                f"nothing can be sent to vlm.base_url={self.url}, by its form, the proxy or the certificates: {problem}"
            ) from None

    def post(self, path: str, body: dict[str, Any]) -> Posted:
        """Send ``body`` to ``<base_url><path>``.

        Raises:
            NoReply: out of reach, out of time, refused by its HTTP status, or something else than a JSON object.
        """
        import httpx2
        import openai

        try:
            response = self._client.post(path, cast_to=httpx2.Response, body=body)
        except openai.OpenAIError as error:
            raise NoReply(self._failure(error)) from None  # the chain would show requests and their headers
        except TooLarge as error:
            raise NoReply(
                f"{self.url} {error}, which are too many to be a reply; the rest was not read"
            ) from None
        return Posted(self._object(response), _requests(response.request))

    def clean(self, text: str, limit: int = 200) -> str:
        """One printable line of ``limit`` characters at most, without the key."""
        text = self.scrub(text)[: 4 * limit]
        line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return line if len(line) <= limit else line[: limit - 3] + "..."

    def scrub(self, text: str) -> str:
        """``text`` without the key, and such that it can be written as UTF-8."""
        key = self._client.api_key if hasattr(self, "_client") else ""
        if len(key) >= SHORTEST_SECRET:
            text = text.replace(key, "***")
        return text.encode("utf-8", "replace").decode("utf-8")

    def nonsense(self, what: str, came: Any) -> NoReply:
        """The error for an answer that was understood as JSON, but is not what was asked for."""
        error = _said(came) if isinstance(came, dict) and "error" in came else json.dumps(came)
        return NoReply(
            f"{self.url} answered without {what}: {self.clean(error, 100)} (is this a chat endpoint for pictures, and "
            "vlm.model one of its models?)"
        )

    def _object(self, response: Any) -> dict[str, Any]:
        try:
            data = json.loads(response.content)
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            kind = self.clean(response.headers.get("content-type", "no content type"), 50)
            raise NoReply(
                f"{self.url} answered HTTP {response.status_code} with {kind}, which holds no JSON object: "
                f"{self.clean(response.text, 100) or 'an empty body'} (check vlm.base_url, which often ends in /v1)"
            )
        return data

    def _failure(self, error: Any) -> str:
        """One line: where, what, how often, and what to do."""
        import openai

        if isinstance(error, openai.APIStatusError):
            hint = next((hint for statuses, hint in HINTS.items() if error.status_code in statuses), "")
            key = self.api_key_env or "the variable that vlm.api_key_env names: it is null"
            hint = hint and f" ({hint.format(key=key)})"
            said = self.clean(_said(error.response.text)) or "an empty body"
            times = _times(_requests(error.request))
            return f"{self.url} answered HTTP {error.status_code}{times}: {said}{hint}"
        if isinstance(error, openai.APITimeoutError):
            times = _times(_requests(error.request))
            return (
                f"{self.url} gave no answer within vlm.timeout_seconds={self.timeout_seconds:g}{times}: see what the "
                "server does, or raise it"
            )
        if isinstance(error, openai.APIConnectionError):
            cause = self.clean(str(error.__cause__ or error)) or type(error.__cause__).__name__
            hint = next((hint for words, hint in UNREACHABLE.items() if words in cause), UNREACHABLE[""])
            return f"{self.url} cannot be reached{_times(_requests(error.request))}: {cause} ({hint})"
        return f"{self.url}: {self.clean(str(error))}"


def _key(name: str | None) -> str:
    if name is None:
        return "none"  # the client insists on one, and must not find OPENAI_API_KEY by itself
    key = os.environ.get(name, "").strip()
    if not key:
        raise VlmcarError(
            f"the environment variable {name} is not set: put the endpoint's API key there, or say where it is as "
            "vlm.api_key_env=NAME (null: the endpoint wants none)"
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise VlmcarError(
            f"the environment variable {name} holds no API key: it has spaces or odd characters"
        )
    return key


def _bounded_http(seconds: float, limit: int) -> Any:
    """An HTTP client whose requests end after ``seconds`` all in all, and which reads ``limit`` bytes at most.

    The time-outs of HTTP clients start anew with every byte, so a trickle would never end.
    """
    import httpx2
    import openai

    class Bounded(openai.DefaultHttpxClient):
        def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
            done: SimpleQueue[httpx2.Response | BaseException] = SimpleQueue()
            # A daemon, so that what still trickles in does not keep the process from ending.
            Thread(target=self._deliver, args=(done, request, options), daemon=True).start()
            try:
                outcome = done.get(timeout=seconds)
            except Empty:
                raise httpx2.ReadTimeout("out of time", request=request) from None
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        def _deliver(self, done: SimpleQueue, request: httpx2.Request, options: dict[str, Any]) -> None:
            try:
                done.put(self._whole(request, options, time.monotonic() + seconds))
            except BaseException as error:  # it is raised again where it is waited for
                done.put(error)

        def _whole(self, request: httpx2.Request, options: dict[str, Any], late: float) -> httpx2.Response:
            response = super().send(request, **{**options, "stream": True})
            body = bytearray()
            try:
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > limit:
                        raise TooLarge(f"answered HTTP {response.status_code} with more than {limit:,} bytes")
                    if time.monotonic() > late:
                        raise httpx2.ReadTimeout("out of time", request=request)
            finally:
                response.close()
            # The body is plain by now, and its length may be another.
            left_out = ("content-encoding", "content-length", "transfer-encoding")
            headers = [
                (name, value) for name, value in response.headers.multi_items() if name not in left_out
            ]
            return httpx2.Response(
                response.status_code, headers=headers, content=bytes(body), request=request
            )

    # Redirects are reported rather than followed: the pictures go where base_url says, and nowhere else.
    return Bounded(timeout=seconds, follow_redirects=False)


def _said(text: Any) -> str:
    """The message in an error's body, wherever the servers of this world put it."""
    found = text
    if isinstance(text, str):
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return text
    for _ in range(4):  # {"error": {"message": ...}}, [{"error": ...}], {"detail": ...}, {"error": ...}
        if isinstance(found, list) and found:
            found = found[0]
        if isinstance(found, dict):
            found = next(
                (found[k] for k in ("error", "message", "detail", "msg") if found.get(k)), str(found)
            )
    return str(found)


def _requests(request: Any) -> int:
    """How many were sent: the client numbers its retries in a header."""
    count = request.headers.get("x-stainless-retry-count", "0")
    return 1 + int(count)


def _times(requests: int) -> str:
    return f", {requests} times" if requests > 1 else ""
