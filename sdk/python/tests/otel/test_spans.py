"""What instrumentations of OpenTelemetry record, here that of LangChain. Needs more packages than the other tests."""

import time
import unittest

from langchain_core.runnables import RunnableLambda
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import plumbline

from ..servers import MadeUpServer, stored
from ..test_sender import run

PROGRAM = """
import sys
from langchain_core.runnables import RunnableLambda
from plumbline import initialize
tracer = initialize(integrations=["langchain"], api_url=sys.argv[1], on_warning=lambda _: None)
with tracer.step("answer"):
    RunnableLambda(lambda words: words).invoke("hi")
print("done", flush=True)
"""


class Spans(unittest.TestCase):
    def set_up(self, answer=lambda number: 200):
        self.asked = 0
        self.batches = []

        def answered(path, body, _):
            if path != "/v1/traces":
                return 200, {}, stored(body["steps"])
            self.asked += 1
            status = answer(self.asked)
            if status == 200:
                self.batches.append(ExportTraceServiceRequest.FromString(body))
            return status, {"content-type": "application/x-protobuf"}, b""

        self.server = MadeUpServer(answered)
        self.addCleanup(self.server.stop)
        return self.initialize()

    def initialize(self, *integrations):
        self.warnings = []
        tracer = plumbline.initialize(
            integrations=integrations or [plumbline.Integration.LANGCHAIN], api_url=self.server.url, on_warning=self.warnings.append
        )
        self.addCleanup(tracer.shutdown, 0)
        return tracer

    def spans(self):
        return [
            span
            for batch in self.batches
            for resource in batch.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def answer(self, tracer, **labels):
        with tracer.run(**labels) as run, tracer.step("answer", kind="agent") as step:
            RunnableLambda(lambda words: words).invoke("hi")
        return run.run_id, step.id

    def test_a_framework_is_part_of_the_step_around_it_with_the_runs_labels(self):
        tracer = self.set_up()
        run_id, step_id = self.answer(tracer, session_id="chat-1", tags=["a"])
        self.assertTrue(tracer.flush())
        (span,) = self.spans()
        self.assertEqual((span.trace_id.hex(), span.parent_span_id.hex()), (run_id, step_id))
        attributes = {each.key: each.value for each in span.attributes}
        self.assertEqual(attributes["session.id"].string_value, "chat-1")
        self.assertEqual([value.string_value for value in attributes["tag.tags"].array_value.values], ["a"])

    def test_in_a_run_whose_id_is_no_trace_it_is_a_run_of_its_own(self):
        tracer = self.set_up()
        with tracer.run("ticket-4711"), tracer.step("answer"):
            RunnableLambda(lambda words: words).invoke("hi")
        self.assertTrue(tracer.flush())
        (span,) = self.spans()
        self.assertEqual(span.parent_span_id, b"")

    def test_spans_of_the_programs_own_provider_change_nothing(self):
        tracer = self.set_up()
        own = TracerProvider(sampler=ALWAYS_OFF).get_tracer("own")
        with own.start_as_current_span("GET /"):
            run_id, step_id = self.answer(tracer)
        self.assertFalse(trace.get_current_span().is_recording())
        self.assertTrue(tracer.flush())
        (span,) = self.spans()
        self.assertEqual((span.trace_id.hex(), span.parent_span_id.hex()), (run_id, step_id))

    def test_the_last_tracer_that_asked_has_them(self):
        self.set_up().shutdown(0)
        again = self.initialize()
        self.answer(again)
        self.assertTrue(again.flush())
        self.assertEqual((len(self.spans()), self.warnings), (1, []))

    def test_what_cannot_be_instrumented_is_a_warning(self):
        self.set_up()
        self.initialize("crewai")
        self.assertRegex(" ".join(self.warnings), "calls of crewai are not recorded: .*does not find the package")

    def test_a_server_that_is_away_for_a_while_gets_them(self):
        tracer = self.set_up(lambda number: 503 if number < 3 else 200)
        self.answer(tracer)
        deadline = time.monotonic() + 20
        while not self.spans() and time.monotonic() < deadline:
            tracer.flush(1)
        self.assertEqual(len(self.spans()), 1)

    def test_what_the_server_refuses_is_said_and_is_not_sent(self):
        tracer = self.set_up(lambda _: 401)
        self.answer(tracer)
        self.assertFalse(tracer.flush())
        self.assertRegex(" ".join(self.warnings), "1 spans? of a framework .*401")

    def test_an_unreachable_server_holds_up_the_end_for_two_seconds_together(self):
        # OpenTelemetry's exporter complains by itself.
        code, _, seconds = run(PROGRAM, "http://127.0.0.1:9")
        self.assertEqual(code, 0)
        self.assertLess(seconds, 3.5)


if __name__ == "__main__":
    unittest.main()
