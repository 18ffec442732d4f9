// npm install @plumbline/sdk @anthropic-ai/sdk
// The provider's key stays where it is, in ANTHROPIC_API_KEY.
import Anthropic from '@anthropic-ai/sdk';
import { Tracer } from '@plumbline/sdk';

const tracer = new Tracer({ apiKey: 'pl_live_...', apiUrl: 'http://127.0.0.1:3000' });
const anthropic = tracer.wrapAnthropic(new Anthropic());

// Calls of one run are shown together; the step is what this one is called.
const run = anthropic.run();
const message = await run.messages.create({
  model: 'claude-haiku-4-5',
  max_tokens: 256,
  messages: [{ role: 'user', content: 'What is a plumb line?' }],
  _trace: { stepName: 'answer' },
});
process.stdout.write(message.content[0].text);
