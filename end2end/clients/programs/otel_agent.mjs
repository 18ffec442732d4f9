// A small agent of the Vercel AI SDK, with its telemetry on and the exporter of OpenTelemetry that is asked for. Nothing
// here knows Plumbline but the address that OpenTelemetry's own variables name.

import { createOpenAI } from '@ai-sdk/openai';
import { trace } from '@opentelemetry/api';
import { OTLPTraceExporter as Grpc } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as Json } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as Protobuf } from '@opentelemetry/exporter-trace-otlp-proto';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { generateText } from 'ai';

const Exporter = { grpc: Grpc, 'http/json': Json, 'http/protobuf': Protobuf }[process.env.OTEL_EXPORTER_OTLP_PROTOCOL];
const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(new Exporter())] });
provider.register();

const openai = createOpenAI({
  baseURL: `${process.env.CLIENT_BASE_URL}/v1`,
  apiKey: 'sk-callers-own',
  headers: { 'x-scenario': 'chat-usage' },
});

await trace.getTracer('agent').startActiveSpan('agent', async (span) => {
  await generateText({
    model: openai.chat('gpt-4o-mini'),
    system: 'Be brief.',
    prompt: 'What is a plumb line?',
    maxRetries: 0,
    experimental_telemetry: { isEnabled: true, functionId: 'plan', metadata: { sessionId: 's-1', userId: 'u-1' } },
  });
  span.end();
});
await provider.shutdown();
