"""What happens between a recorded step and the server, when all is well and when it is not."""

import os
import socket
import subprocess
import sys
import threading
import time
import unittest
from unittest import mock

from plumbline import Tracer

from .servers import Ingest, WithIngest

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run(program, *arguments):
    """Runs a program to its end; says how it ended, what it complained of and how long it took after its last line."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([os.path.join(HERE, "src"), os.environ.get("PYTHONPATH", "")])}
    child = subprocess.Popen(
        # Python warns of a fork beside threads, which is what is tried here.
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    child.stdout.readline()
    done = time.monotonic()
    _, complaints = child.communicate(timeout=60)
    return child.returncode, complaints, time.monotonic() - done


PROGRAM = """
import sys
from plumbline import Tracer
tracer = Tracer(api_url=sys.argv[1], flush_interval=60)
for name in ("a", "b"):
    tracer.ingest(step_name=name, model="m", prompt="p", latency_ms=1)
print("done", flush=True)
"""


class Sender(WithIngest):
    def test_steps_go_out_together_with_the_key_and_are_counted(self):
        tracer = self.set_up()
        for n in range(3):
            self.record(f"s{n}")
        self.assertTrue(tracer.flush())
        (request,) = self.ingest.requests
        self.assertEqual((request["path"], request["headers"]["authorization"]), ("/ingest/batch", "Bearer pl_live_test"))
        steps = request["body"]["steps"]
        self.assertEqual([step["step_name"] for step in steps], ["s0", "s1", "s2"])
        self.assertEqual(len({step["step_id"] for step in steps}), 3)
        self.assertEqual({step["run_id"] for step in steps}, {tracer.run_id})
        self.assertEqual(tracer.stats, (0, 3, 0, 0))

    def test_a_step_waits_no_longer_than_the_interval(self):
        arrived = threading.Event()
        self.set_up(lambda steps, number: arrived.set(), flush_interval=0.01)
        self.record()
        self.assertTrue(arrived.wait(10))

    def test_many_steps_are_several_requests(self):
        tracer = self.set_up(flush_interval=60, max_queue_steps=2_000)
        for _ in range(1_200):
            self.record()
        tracer.flush()
        sizes = [len(request["body"]["steps"]) for request in self.ingest.requests]
        self.assertEqual(sum(sizes), 1_200)
        self.assertEqual(max(sizes), 500)

    def test_what_fails_for_a_while_is_sent_again_with_the_same_ids_after_as_long_as_the_server_asks(self):
        away = (503, {"retry-after": "0.2"}, {"error": {"message": "the queue is full"}})
        tracer = self.set_up(lambda steps, number: away if number < 3 else None, flush_interval=0.01)
        self.record()
        deadline = time.monotonic() + 20
        while tracer.stats.sent == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        first, second, third = self.ingest.requests
        self.assertEqual(first["body"], second["body"])
        self.assertEqual(first["body"], third["body"])
        self.assertGreaterEqual(second["at"] - first["at"], 0.199)
        self.assertEqual(len(self.warnings), 1, "said once")
        self.assertRegex(self.warnings[0], "answered 503: the queue is full")

    def test_a_server_that_comes_back_gets_everything_that_waited(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        tracer = Tracer(api_url=f"http://127.0.0.1:{port}", on_warning=lambda _: None)
        self.addCleanup(lambda: tracer.shutdown(0))
        for n in range(50):
            tracer.ingest(step_name="s", model="m", prompt="p", latency_ms=1, step_index=n)
        self.assertFalse(tracer.flush(0.1), "nobody is there")
        self.assertEqual(tracer.stats.queued, 50)
        with mock.patch("tests.servers.ThreadingHTTPServer", lambda _, handler: _Server(("127.0.0.1", port), handler)):
            back = Ingest()
        self.addCleanup(back.stop)
        self.assertTrue(tracer.flush(20))
        self.assertEqual([step["step_index"] for step in back.taken()], list(range(50)))
        self.assertEqual(tracer.stats, (0, 50, 0, 0))

    def test_a_full_queue_drops_what_comes_counts_it_and_says_so_once(self):
        tracer = self.set_up(max_queue_steps=10, flush_interval=60)
        for n in range(25):
            self.record(step_index=n)
        self.assertEqual(tracer.stats.dropped, 15)
        self.assertEqual(len(self.warnings), 1)
        self.assertRegex(self.warnings[0], "dropped: the queue is full")
        tracer.flush()
        self.assertEqual([step["step_index"] for step in self.ingest.taken()], list(range(10)))

    def test_bytes_are_bounded_as_well_as_steps(self):
        tracer = self.set_up(max_queue_bytes=10_000, flush_interval=60)
        for _ in range(10):
            self.record(input_tokens=1, output_code="x" * 2_900)
        self.assertEqual((tracer.stats.queued, tracer.stats.dropped), (3, 7))

    def test_a_refusal_is_not_repeated_and_its_reason_is_said(self):
        tracer = self.set_up(lambda steps, number: (401, {}, {"error": {"message": "unknown key"}}))
        self.record()
        self.assertTrue(tracer.flush())
        self.assertEqual(len(self.ingest.requests), 1)
        self.assertEqual(tracer.stats, (0, 0, 1, 0))
        self.assertRegex(" ".join(self.warnings), "401: unknown key")

    def test_an_error_of_another_shape_is_an_error_like_any(self):
        # As gateways in front of a server answer.
        tracer = self.set_up(lambda _, number: (502, {}, {"status": 502, "error": "Bad Gateway"}) if number == 1 else None)
        self.record("s0")
        self.assertEqual(set(self.steps()), {"s0"})
        self.record("s1")
        self.assertEqual(set(self.steps()), {"s0", "s1"})
        self.assertRegex(self.warnings[0], "502: Bad Gateway")

    def test_ingest_keeps_what_the_server_asks_for(self):
        self.set_up(tags=["all"], attributes={"team": "a"})
        self.record("own", span_id="s-1")
        self.record("none", step_id=None)
        self.record("joined", tags=["one"], attributes={"n": 1})
        self.tracer.ingest(step_name="tool", kind="tool", latency_ms=5)
        for latency in (None, float("nan"), float("inf"), -1):
            self.tracer.ingest(step_name="odd", kind="tool", latency_ms=latency)
        steps = self.steps()
        self.assertNotIn("step_id", steps["own"])
        self.assertTrue(steps["none"]["step_id"])
        self.assertEqual((steps["joined"]["tags"], steps["joined"]["attributes"]), (["all", "one"], {"team": "a", "n": 1}))
        self.assertEqual((steps["tool"]["model"], steps["odd"]["latency_ms"]), ("", 0))

    def test_of_a_batch_the_refused_steps_are_counted_and_the_others_are_sent(self):
        rejected = [{"index": 1, "field": "latency_ms", "message": "latency_ms is missing"}]
        tracer = self.set_up(lambda steps, number: (200, {}, {"stored": 2, "duplicate": 0, "rejected": rejected}))
        for _ in range(3):
            self.record()
        tracer.flush()
        self.assertEqual(tracer.stats, (0, 2, 1, 0))
        self.assertRegex(" ".join(self.warnings), "latency_ms is missing")

    def test_one_bad_step_takes_no_others_with_it(self):
        for status in (400, 413, 500):
            with self.subTest(status):
                bad = (status, {}, {"error": {"message": "no"}})
                tracer = self.set_up(lambda steps, number: bad if any(s["step_name"] == "bad" for s in steps) else None, flush_interval=60)
                for n in range(5):
                    self.record("bad" if n == 2 else f"s{n}")
                self.assertTrue(tracer.flush(30))
                self.assertEqual([step["step_name"] for step in self.ingest.taken()], ["s0", "s1", "s3", "s4"])
                self.assertEqual((tracer.stats.sent, tracer.stats.rejected), (4, 1))

    def test_what_json_cannot_hold_does_no_harm(self):
        self.set_up()
        self.record("odd", attributes={"nan": float("nan"), "half": "\ud83d", "object": object()})
        odd = self.steps()["odd"]
        self.assertIsNone(odd["attributes"]["nan"])
        self.assertEqual(odd["attributes"]["half"], "?")

    def test_a_hook_sees_each_step_and_may_change_it_or_keep_it_back(self):
        self.set_up(redact=lambda step: None if step["step_name"] == "secret" else {**step, "prompt": "[redacted]"})
        self.record("secret")
        self.record("open")
        self.assertEqual({name: step["prompt"] for name, step in self.steps().items()}, {"open": "[redacted]"})

    def test_a_hook_that_raises_lets_nothing_out_and_nobody_notice(self):
        self.set_up(redact=lambda step: step["no such field"])
        for _ in range(3):
            self.record()
        self.assertEqual(self.steps(), {})
        self.assertRegex(self.warnings[0], "no such field")
        self.assertEqual(len(self.warnings), 1, "it is said once")

    def test_release_and_environment_come_from_the_usual_variables_and_options_win(self):
        with mock.patch.dict(os.environ, {"GITHUB_SHA": "9be04a7c1f", "APP_ENV": "preview"}):
            self.set_up(environment="staging")
        self.record()
        step = self.steps()["step"]
        self.assertEqual((step["release"], step["environment"]), ("9be04a7c1f", "staging"))

    def test_shutdown_has_two_seconds_of_patience_with_a_server_that_hangs(self):
        hangs = threading.Event()
        self.addCleanup(hangs.set)
        tracer = self.set_up(lambda steps, number: hangs.wait() and None)
        self.record()
        began = time.monotonic()
        tracer.shutdown()
        self.assertTrue(1.9 < time.monotonic() - began < 3)
        self.record()
        self.assertEqual(tracer.stats.dropped, 2)
        self.assertRegex(" ".join(self.warnings), "not sent within 2 s")


class Processes(WithIngest):
    def test_a_process_that_just_ends_has_sent_everything(self):
        self.set_up()
        code, complaints, took = run(PROGRAM, self.ingest.url)
        self.assertEqual((code, complaints), (0, ""))
        self.assertEqual([step["step_name"] for step in self.ingest.taken()], ["a", "b"])
        self.assertLess(took, 2)

    def test_an_unreachable_server_holds_up_the_end_for_two_seconds_and_the_loss_is_said(self):
        code, complaints, took = run(PROGRAM, "http://127.0.0.1:1")
        self.assertEqual(code, 0)
        self.assertTrue(1.8 < took < 4, took)
        self.assertRegex(complaints, "was not reached")
        self.assertRegex(complaints, "2 steps were dropped: not sent within 2 s")

    @unittest.skipUnless(hasattr(os, "fork"), "there is no fork here")
    def test_the_child_of_a_fork_sends_its_own_steps_and_not_those_of_its_parent(self):
        self.set_up()
        program = PROGRAM.replace(
            'print("done"',
            """
import os
child = os.fork()
if child == 0:
    tracer.ingest(step_name="child", model="m", prompt="p", latency_ms=1)
    tracer.shutdown()
    os._exit(0)
os.waitpid(child, 0)
print("done\"""",
        )
        code, complaints, _ = run(program, self.ingest.url)
        self.assertEqual((code, complaints), (0, ""))
        self.assertEqual(sorted(step["step_name"] for step in self.ingest.taken()), ["a", "b", "child"])


class _Server(__import__("http.server").server.ThreadingHTTPServer):
    """On a port that somebody has just left."""

    allow_reuse_address = True


if __name__ == "__main__":
    unittest.main()
