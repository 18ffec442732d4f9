# pip install claude-agent-sdk openinference-instrumentation-claude-agent-sdk opentelemetry-sdk opentelemetry-exporter-otlp-proto-http
# The provider's key stays where it is, in ANTHROPIC_API_KEY.
import asyncio

from openinference.instrumentation.claude_agent_sdk import ClaudeAgentSDKInstrumentor
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

exporter = OTLPSpanExporter(
    endpoint="http://127.0.0.1:3000/v1/traces",
    headers={"authorization": "Bearer pl_live_..."},
)
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(exporter))
ClaudeAgentSDKInstrumentor().instrument(tracer_provider=provider)

# After the instrumentation, which replaces it.
from claude_agent_sdk import query


async def main():
    async for message in query(prompt="What is a plumb line?"):
        print(message)


asyncio.run(main())
provider.shutdown()
