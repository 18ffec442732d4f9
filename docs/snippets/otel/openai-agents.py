# pip install openai-agents openinference-instrumentation-openai-agents opentelemetry-sdk opentelemetry-exporter-otlp-proto-http
# The provider's key stays where it is, in OPENAI_API_KEY.
from agents import Agent, Runner
from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

exporter = OTLPSpanExporter(
    endpoint="http://127.0.0.1:3000/v1/traces",
    headers={"authorization": "Bearer pl_live_..."},
)
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(exporter))
OpenAIAgentsInstrumentor().instrument(tracer_provider=provider)

agent = Agent(name="surveyor", instructions="Be brief.", model="gpt-4o-mini")
print(Runner.run_sync(agent, "What is a plumb line?").final_output, end="")
provider.shutdown()
