// npm install openai
// The provider's key stays where it is, in OPENAI_API_KEY.
import OpenAI from 'openai';

const client = new OpenAI({
  baseURL: 'http://127.0.0.1:3000/v1',
  defaultHeaders: { 'X-Plumbline-Key': 'pl_live_...' },
});

// Calls with the same run are shown together; the step is what this one is called.
const run = crypto.randomUUID();
const stream = await client.chat.completions.create(
  {
    model: 'gpt-4o-mini',
    messages: [{ role: 'user', content: 'What is a plumb line?' }],
    stream: true,
  },
  { headers: { 'X-Plumbline-Run': run, 'X-Plumbline-Step': 'answer' } },
);
for await (const chunk of stream) {
  process.stdout.write(chunk.choices[0]?.delta?.content ?? '');
}
