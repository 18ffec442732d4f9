// npm install openai @arizeai/openinference-instrumentation-openai @opentelemetry/sdk-trace-node @opentelemetry/exporter-trace-otlp-proto
// The provider's key stays where it is, in OPENAI_API_KEY.
import { OpenAIInstrumentation } from '@arizeai/openinference-instrumentation-openai';
import { trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import OpenAI from 'openai';

const exporter = new OTLPTraceExporter({
  url: 'http://127.0.0.1:3000/v1/traces',
  headers: { authorization: 'Bearer pl_live_...' },
});
const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] });
provider.register();
const instrumentation = new OpenAIInstrumentation({ tracerProvider: provider });
instrumentation.manuallyInstrument(OpenAI);

await trace.getTracer('app').startActiveSpan('agent', async (span) => {
  const answer = await new OpenAI().chat.completions.create({
    model: 'gpt-4o-mini',
    messages: [{ role: 'user', content: 'What is a plumb line?' }],
  });
  process.stdout.write(answer.choices[0].message.content);
  span.end();
});
await provider.shutdown();
