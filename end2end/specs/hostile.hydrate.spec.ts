// What a model or a client may put into any field. All of it is text on every page, and none of it runs.

import { expect, hydrated, test } from '../harness/test';

const HOSTILE = [
  '<script>alert(1)</script>',
  '</script><script>alert(1)</script>',
  '</title><script>alert(1)</script>',
  '</pre></textarea></style><img src=x onerror=alert(1)>',
  '"><svg onload=alert(1)>',
  "' onmouseover='alert(1)",
  '<iframe srcdoc="<script>parent.alert(1)</script>"></iframe>',
  '<a href="javascript:alert(1)">click</a>',
  '[click](javascript:alert(1)) ![x](https://evil.example/x.png)',
  '<!--<script>alert(1)//-->',
  '{{constructor.constructor("alert(1)")()}}',
  '<base href="https://evil.example/"><meta http-equiv="refresh" content="0;url=https://evil.example/">',
  '\u202Egnp.exe\u0007\u2028<b>bold</b>',
];

test('hostile text stays text in every field of every page', async ({ page, project, request, server }) => {
  test.setTimeout(180_000);
  const dialogs: string[] = [];
  page.on('dialog', (dialog) => {
    dialogs.push(dialog.message());
    void dialog.dismiss();
  });
  const foreign: string[] = [];
  page.on('request', (request) => {
    if (new URL(request.url()).hostname === 'evil.example') foreign.push(request.url());
  });

  await project.ingest(
    ...HOSTILE.flatMap((text, index) => [
      {
        run_id: `run ${text}`,
        step_id: `step ${text}`,
        step_name: text,
        model: text,
        prompt: JSON.stringify([{ role: text, content: text }, { role: 'user', content: [{ type: 'text', text }] }]),
        output_code: text,
        error: text,
        status_success: false,
        session_id: text,
        user_id: text,
        environment: text,
        release: text,
        tags: [text],
        attributes: { [text]: text },
        events: [{ name: text, at: new Date().toISOString(), attributes: { [text]: text } }],
        stop_reason: text,
        prompt_template: text,
        started_at: new Date(Date.now() - index * 1_000).toISOString(),
      },
      { run_id: `run ${text}`, step_id: `child ${text}`, parent_span_id: `step ${text}`, kind: 'tool' as const, tool_name: text, step_name: text },
    ]),
  );

  const columns = 'problem,score,key,environment,release,session,user,tags,steps,duration,models';
  await page.goto(project.at(`runs?cols=${columns}`));
  await hydrated(page);
  await expect(page.locator('tr[data-run]')).toHaveCount(HOSTILE.length);
  await nothingRan();
  await page.goto(project.at(`runs?q=${encodeURIComponent(HOSTILE[0]!)}&model=${encodeURIComponent(HOSTILE[3]!)}`));
  await hydrated(page);
  await nothingRan();

  for (const text of HOSTILE) {
    const run = encodeURIComponent(`run ${text}`);
    const step = encodeURIComponent(`step ${text}`);
    await page.goto(project.at(`runs/${run}?step=${step}&in=chat`));
    await hydrated(page);
    await expect(page.getByRole('region', { name: 'Output' })).toBeVisible();
    expect(visible(await page.getByRole('region', { name: 'Output' }).innerText())).toContain(visible(text));
    expect(visible(await page.title())).toContain(visible(text));
    await nothingRan();

    // The same run as whoever holds a link sees it.
    const data = { content: 'shown', without_people: false, without_key: false };
    const made = await request.post(`${server.url}/api/runs/${run}/shares?project=${project.slug}`, { data });
    const { url } = (await made.json()) as { url: string };
    await page.goto(`${new URL(url).pathname}?step=${step}&in=chat`);
    await hydrated(page);
    expect(visible(await page.getByRole('region', { name: 'Output' }).innerText())).toContain(visible(text));
    expect(await page.title()).toBe('A shared run · Plumbline');
    await nothingRan();
  }

  async function nothingRan(): Promise<void> {
    expect(dialogs).toEqual([]);
    expect(foreign).toEqual([]);
    const found = await page.evaluate(() => ({
      scripts: document.querySelectorAll('body script:not([nonce])').length,
      elements: document.querySelectorAll('img, iframe, base, object, embed, meta[http-equiv], body b b').length,
      handlers: Array.from(document.querySelectorAll('*')).filter((element) =>
        element.getAttributeNames().some((name: string) => name.startsWith('on')),
      ).length,
      links: document.querySelectorAll('[href^="javascript:" i], [src^="javascript:" i]').length,
    }));
    expect(found).toEqual({ scripts: 0, elements: 0, handlers: 0, links: 0 });
  }
});

/** Without what a page may collapse or has no glyph for. */
function visible(text: string): string {
  return text.replace(/[\s\u0000-\u001f\u202e\u2028\ufffd\u2400-\u243f]+/g, '');
}
