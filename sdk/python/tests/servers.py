"""Servers that are made up: a Plumbline that keeps what it is sent, and providers that answer as they are told."""

from __future__ import annotations

import json
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from plumbline import Tracer


class MadeUpServer:
    """``answer(path, body, number)`` gives status, headers and a body as JSON or bytes."""

    def __init__(self, answer):
        self.requests = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                body = json.loads(body) if "json" in self.headers["content-type"] else body
                seen = {"path": self.path, "headers": {name.lower(): value for name, value in self.headers.items()}, "body": body, "at": time.monotonic()}
                outer.requests.append(seen)
                status, headers, answered = answer(self.path, body, len(outer.requests))
                seen["status"] = status
                data = answered if isinstance(answered, bytes) else json.dumps(answered).encode()
                self.send_response(status)
                for name, value in {"content-type": "application/json", **headers, "content-length": len(data)}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


def stored(steps):
    return {"stored": len(steps), "duplicate": 0, "rejected": []}


class Ingest(MadeUpServer):
    """``answer(steps, number)`` gives what it answers instead of 200; ``None``: everything is stored."""

    def __init__(self, answer=lambda steps, number: None):
        super().__init__(lambda _, body, number: answer(body["steps"], number) or (200, {}, stored(body["steps"])))

    def taken(self):
        """The steps of the requests that were answered with 200."""
        return [step for each in self.requests if each["status"] == 200 for step in each["body"]["steps"]]


class WithIngest(unittest.TestCase):
    """Tests with a tracer and the server that it sends to."""

    def set_up(self, answer=lambda steps, number: None, **options):
        self.ingest = Ingest(answer)
        self.addCleanup(self.ingest.stop)
        self.warnings = []
        self.tracer = Tracer("pl_live_test", self.ingest.url, on_warning=self.warnings.append, **options)
        self.addCleanup(self.tracer.shutdown, 0)
        return self.tracer

    def record(self, name="step", **more):
        self.tracer.ingest(step_name=name, model="m", prompt="p", latency_ms=5, **more)

    def steps(self):
        """What has arrived, by name."""
        self.assertTrue(self.tracer.flush(10))
        return {step["step_name"]: step for step in self.ingest.taken()}

    def parents(self):
        """The name of each step's parent."""
        self.assertTrue(self.tracer.flush(10))
        steps = self.ingest.taken()
        names = {step["step_id"]: step["step_name"] for step in steps}
        return {step["step_name"]: names.get(step.get("parent_step_id")) for step in steps}
