"""Sends steps in the background: batches, retries, bounds. Nothing in here raises to a caller or makes one wait."""

from __future__ import annotations

import atexit
import email.utils
import json
import os
import random
import threading
import time
import urllib.error
import urllib.request
import weakref
from collections import deque
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Optional, Set

# Steps and bytes of one request. The server takes up to 1,000 steps and 64 MiB.
BATCH_STEPS = 500
BATCH_BYTES = 4 * 1024 * 1024
# A larger step is not sent: the server would refuse it.
MAX_STEP_BYTES = 24 * 1024 * 1024
TOO_LARGE = f"larger than {MAX_STEP_BYTES // 1024 // 1024} MiB"
REQUEST_TIMEOUT_S = 10.0
FIRST_BACKOFF_S = 0.25
MAX_BACKOFF_S = 30.0
# While somebody waits in flush().
HURRIED_BACKOFF_S = 0.5
# A server that asks for more patience is asked again after this.
MAX_RETRY_AFTER_S = 60.0
# So often a batch is sent at which the server itself fails (500); then it is taken apart, and in the end given up.
MAX_FAILURES_OF_SERVER = 3
# How long the end of the process waits for the server.
EXIT_PATIENCE_S = 2.0
# Kinds of warnings that are said at most; what differs each time is bounded by it.
MAX_WARNINGS = 50


class Stats(NamedTuple):
    """What became of the steps so far."""

    queued: int
    """Steps that wait, those being sent included."""
    sent: int
    """Steps that the server has, also those it had already."""
    rejected: int
    """Steps that the server refused."""
    dropped: int
    """Steps given up here: the queue was full, or the server was not reached in time."""


class _Outcome(NamedTuple):
    """What became of one request."""

    # taken, refused, too_large, again
    kind: str
    reason: str = ""
    rejected: int = 0
    after_s: float = 0.0
    # The batch may be refused because of one step in it.
    is_of_one: bool = False
    is_failure_of_server: bool = False


class _Queued:
    """A step that waits. It is made JSON when it is first sent, and kept so for when it is sent again."""

    __slots__ = ("size", "_encode", "_encoded")

    def __init__(self, size: int, encode: Callable[[], bytes]) -> None:
        self.size = size
        self._encode: Optional[Callable[[], bytes]] = encode
        self._encoded = b""

    def encoded(self) -> bytes:
        if self._encode is not None:
            self._encoded = self._encode()
            self._encode = None
        return self._encoded


class Sender:
    def __init__(
        self,
        *,
        api_url: str,
        api_key: Optional[str],
        max_queue_steps: int,
        max_queue_bytes: int,
        flush_interval_s: float,
        warn: Callable[[str], None],
    ) -> None:
        self._api_url = api_url
        self._api_key = api_key
        self._max_queue_steps = max_queue_steps
        self._max_queue_bytes = max_queue_bytes
        self._flush_interval_s = flush_interval_s
        self._warn = warn
        self._sent = self._rejected = self._dropped = 0
        self._is_closed = False
        self._start_over()
        _senders.add(self)

    def _start_over(self) -> None:
        """Also in the child of a fork: the parent sends what it has queued, and threads do not survive."""
        self._changed = threading.Condition()
        self._queue: Deque[_Queued] = deque()
        self._queued_bytes = 0
        self._oldest_at = 0.0
        self._batch_steps = BATCH_STEPS
        # How many callers of flush() wait.
        self._hurry = 0
        self._thread: Optional[threading.Thread] = None
        self._warned: Set[str] = set()

    @property
    def stats(self) -> Stats:
        return Stats(len(self._queue), self._sent, self._rejected, self._dropped)

    def enqueue(self, size: int, encode: Callable[[], bytes]) -> None:
        """Takes a step of about ``size`` bytes; ``encode`` makes it JSON, once, in another thread."""
        reason = None
        with self._changed:
            if self._is_closed:
                reason = "after shutdown()"
            elif size > MAX_STEP_BYTES:
                reason = TOO_LARGE
            elif len(self._queue) >= self._max_queue_steps or self._queued_bytes + size > self._max_queue_bytes:
                reason = "the queue is full"
            else:
                if not self._queue:
                    self._oldest_at = time.monotonic()
                self._queue.append(_Queued(size, encode))
                self._queued_bytes += size
                if self._thread is None:
                    thread = threading.Thread(target=self._run, name="plumbline-sender", daemon=True)
                    try:
                        thread.start()
                        self._thread = thread
                    except RuntimeError:
                        pass  # No more threads, or the interpreter ends: the next step tries again.
                elif len(self._queue) in (1, self._batch_steps):
                    self._changed.notify_all()
        if reason is not None:
            self._drop(1, reason)

    def flush(self, timeout_s: float) -> bool:
        """Waits until everything that was queued is sent. Says whether it is."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            self._hurry += 1
            self._changed.notify_all()
            try:
                while self._queue:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        return False
                    self._changed.wait(left)
                return True
            finally:
                self._hurry -= 1

    def shutdown(self, timeout_s: float) -> None:
        """Sends what it can and gives up the rest."""
        self.flush(timeout_s)
        with self._changed:
            self._is_closed = True
            lost = len(self._queue)
            self._queue.clear()
            self._queued_bytes = 0
            self._changed.notify_all()
        if lost:
            self._drop(lost, f"not sent within {round(timeout_s, 1):g} s")
        _senders.discard(self)

    # What follows runs in the background.

    def _run(self) -> None:
        attempt = 0
        while True:
            batch = self._next_batch()
            if batch is None:
                return
            encoded = self._encoded(batch)
            try:
                outcome = self._post(encoded) if encoded else _Outcome("taken")
            except Exception as error:  # Of an answer that nobody has foreseen; this thread must not end.
                outcome = _Outcome("again", f"{self._api_url} answered what cannot be read ({error!r})")
            is_hopeless = outcome.is_failure_of_server and attempt + 1 >= MAX_FAILURES_OF_SERVER
            if outcome.kind == "again" and not is_hopeless:
                self.warn_once("unreachable", f"{outcome.reason}; steps wait and are sent again")
                self._wait(_backoff_s(attempt), outcome.after_s)
                attempt += 1
                continue
            attempt = 0
            if len(batch) > 1 and (is_hopeless or outcome.is_of_one):
                # Smaller parts fit, and of them only the one with the culprit fails.
                self._batch_steps = (len(batch) + 1) // 2
                continue
            self._batch_steps = BATCH_STEPS
            self._warned.discard("unreachable")
            self._count(batch, outcome, len(batch) - len(encoded))

    def _next_batch(self) -> Optional[List[_Queued]]:
        """The oldest steps, which stay queued until the server has answered. ``None`` at the end."""
        with self._changed:
            while True:
                if self._is_closed and not self._queue:
                    return None
                if not self._queue:
                    self._changed.wait()
                    continue
                due_s = self._oldest_at + self._flush_interval_s - time.monotonic()
                if self._hurry or self._is_closed or len(self._queue) >= self._batch_steps or due_s <= 0:
                    break
                self._changed.wait(due_s)
            batch: List[_Queued] = []
            size = 0
            for step in self._queue:
                size += step.size
                if batch and (len(batch) >= self._batch_steps or size > BATCH_BYTES):
                    break
                batch.append(step)
            return batch

    def _wait(self, backoff_s: float, at_least_s: float) -> None:
        """Before another attempt. Somebody who begins to wait for us ends it, and while they do it is short."""
        with self._changed:
            hurry = self._hurry
            pause_s = max(min(backoff_s, HURRIED_BACKOFF_S) if hurry else backoff_s, at_least_s)
            self._changed.wait_for(lambda: self._is_closed or self._hurry > hurry, pause_s)

    def _count(self, batch: List[_Queued], outcome: _Outcome, dropped: int) -> None:
        with self._changed:
            if self._queue:  # shutdown() may have given it up meanwhile
                for step in batch:
                    self._queue.popleft()
                    self._queued_bytes -= step.size
            posted = len(batch) - dropped
            rejected = outcome.rejected if outcome.kind == "taken" else posted
            self._dropped += dropped
            self._sent += posted - rejected
            self._rejected += rejected
            self._oldest_at = time.monotonic()
            self._changed.notify_all()
        if outcome.kind != "taken":
            self.warn_once(outcome.reason, f"{posted} steps were refused: {outcome.reason}")

    def _encoded(self, batch: List[_Queued]) -> List[bytes]:
        """What of a batch can be sent."""
        encoded = []
        for step in batch:
            try:
                body = step.encoded()
            except Exception as error:  # Of a value that nobody has foreseen.
                self.warn_once("unreadable", f"a step could not be recorded: {error!r}")
                continue
            if len(body) <= MAX_STEP_BYTES:
                encoded.append(body)
            else:
                self.warn_once(f"dropped: {TOO_LARGE}", f"a step was dropped: {TOO_LARGE}; more are counted, see stats")
        return encoded

    def _post(self, batch: List[bytes]) -> _Outcome:
        headers = {"content-type": "application/json"}
        if self._api_key is not None:
            headers["authorization"] = f"Bearer {self._api_key}"
        body = b'{"steps":[' + b",".join(batch) + b"]}"
        try:
            request = urllib.request.Request(f"{self._api_url}/ingest/batch", data=body, headers=headers, method="POST")
            with _opener.open(request, timeout=REQUEST_TIMEOUT_S) as response:
                rejected = _parsed(response.read()).get("rejected") or []
            for each in rejected:
                message = str(each.get("message"))
                self.warn_once(f"rejected: {message}", f"the server refused a step: {message}")
            return _Outcome("taken", rejected=len(rejected))
        except urllib.error.HTTPError as error:
            with error:
                return self._refusal(error.code, error.headers.get("retry-after"), _read(error))
        except Exception as error:
            cause = getattr(error, "reason", error)
            return _Outcome("again", f"{self._api_url} was not reached ({cause})")

    def _refusal(self, status: int, retry_after: Optional[str], body: bytes) -> _Outcome:
        error = _parsed(body).get("error")
        said = error.get("message") if isinstance(error, dict) else error
        reason = f"{self._api_url} answered {status}{f': {said}' if said else ''}"
        if status >= 500 or status in (408, 429):
            return _Outcome("again", reason, after_s=_retry_after_s(retry_after), is_failure_of_server=status == 500)
        return _Outcome("refused", reason, is_of_one=status in (400, 413))

    def _drop(self, steps: int, reason: str) -> None:
        self._dropped += steps
        what = "a step was" if steps == 1 else f"{steps} steps were"
        self.warn_once(f"dropped: {reason}", f"{what} dropped: {reason}; more are counted, see stats")

    def warn_once(self, key: str, message: str) -> None:
        """Says what goes wrong, each kind once."""
        if key in self._warned or len(self._warned) > MAX_WARNINGS:
            return
        self._warned.add(key)
        self._warn(message)


def _read(error: urllib.error.HTTPError) -> bytes:
    try:
        return error.read()
    except Exception:
        return b""


def _parsed(body: bytes) -> Dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _backoff_s(attempt: int) -> float:
    """Doubles with each attempt, and is anything between half of that and all of it, so that clients do not come together."""
    return float(min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2 ** min(attempt, 16)) * random.uniform(0.5, 1))


def _retry_after_s(header: Optional[str]) -> float:
    """``Retry-After`` in seconds or as a date, and up to a tenth more, for the same reason."""
    if header is None:
        return 0.0
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(header).timestamp() - time.time()
        except (TypeError, ValueError):
            return 0.0
    return min(MAX_RETRY_AFTER_S, max(0.0, seconds)) * random.uniform(1, 1.1)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirected POST would become a GET without its body."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirects)
# What else is sent at the end of the process, meanwhile: begins it, and gives what says that it is done.
others_at_exit: List[Callable[[], threading.Event]] = []
_senders: weakref.WeakSet[Sender] = weakref.WeakSet()


def _at_exit() -> None:
    deadline = time.monotonic() + EXIT_PATIENCE_S
    ends = [begin() for begin in list(others_at_exit)]
    for sender in list(_senders):
        sender.shutdown(max(0.0, deadline - time.monotonic()))
    for end in ends:
        end.wait(max(0.0, deadline - time.monotonic()))


def _after_fork() -> None:
    for sender in list(_senders):
        sender._start_over()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
