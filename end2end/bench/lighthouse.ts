// What Lighthouse says about the pages that people open most: the medians of three visits each, on its throttled phone
// and on its desktop. Fails when a bar is not met.

import { chromium, expect, test, type Browser } from '@playwright/test';
import lighthouse, { desktopConfig, type Config, type Flags, type Result } from 'lighthouse';

import baseConfig from '../playwright.config';
import { demo, demoSteps } from '../harness/demo';
import { makeProject } from '../harness/project';
import { freePort, startServer } from '../harness/server';

const VISITS = 3;
const BARS = { mobile: 90, desktop: 98, accessibility: 100, layoutShift: 0.05 };
const DEVICES: Record<'mobile' | 'desktop', Config | undefined> = { mobile: undefined, desktop: desktopConfig };

/** What is printed of a visit. */
interface Figures {
  performance: number;
  accessibility: number;
  layoutShift: number;
  largestPaintMs: number;
  blockedMs: number;
  kilobytes: number;
}

function figuresOf(result: Result): Figures {
  const audit = (id: string) => result.audits[id]?.numericValue ?? Number.NaN;
  const score = (id: string) => Math.round((result.categories[id]?.score ?? 0) * 100);
  return {
    performance: score('performance'),
    accessibility: score('accessibility'),
    layoutShift: audit('cumulative-layout-shift'),
    largestPaintMs: audit('largest-contentful-paint'),
    blockedMs: audit('total-blocking-time'),
    kilobytes: audit('total-byte-weight') / 1024,
  };
}

function median(visits: Figures[]): Figures {
  const middle = (of: (figures: Figures) => number) => visits.map(of).sort((a, b) => a - b)[(visits.length - 1) / 2] ?? Number.NaN;
  return {
    performance: middle((figures) => figures.performance),
    accessibility: middle((figures) => figures.accessibility),
    layoutShift: middle((figures) => figures.layoutShift),
    largestPaintMs: middle((figures) => figures.largestPaintMs),
    blockedMs: middle((figures) => figures.blockedMs),
    kilobytes: middle((figures) => figures.kilobytes),
  };
}

/** What cost accessibility or moved the page, to be seen without opening a report. */
function complaints(result: Result): string[] {
  const failed = (result.categories['accessibility']?.auditRefs ?? [])
    .map((reference) => result.audits[reference.id])
    .filter((audit) => audit?.score === 0)
    .map((audit) => `${audit?.id}: ${JSON.stringify(audit?.details).slice(0, 400)}`);
  const moved = result.audits['layout-shifts']?.details;
  return moved && 'items' in moved && (moved.items?.length ?? 0) > 0
    ? [...failed, `layout-shifts: ${JSON.stringify(moved.items).slice(0, 1_200)}`]
    : failed;
}

test('Lighthouse', async ({ playwright }) => {
  const server = await startServer('server-lighthouse');
  const port = await freePort();
  let browser: Browser | undefined;
  try {
    const request = await playwright.request.newContext();
    const project = await makeProject(request, server.url, 'Acme support');
    await project.ingest(...demoSteps(Date.now()));
    await request.dispose();
    const { args = [], ...launch } = baseConfig.use?.launchOptions ?? {};
    browser = await chromium.launch({ ...launch, args: [...args, `--remote-debugging-port=${port}`] });

    const pages = [
      ['runs', project.at('runs')],
      ['run', project.at(`runs/${demo.cascade}`)],
      ['anomalies', project.at('anomalies')],
    ] as const;
    const lines = ['| page | device | performance | accessibility | layout shift | largest paint | blocked | transferred |', '|---|---|---|---|---|---|---|---|'];
    for (const [name, path] of pages) {
      for (const device of ['mobile', 'desktop'] as const) {
        const visits: Figures[] = [];
        const said = new Set<string>();
        for (let visit = 0; visit < VISITS; visit += 1) {
          const options: Flags = { port, onlyCategories: ['performance', 'accessibility'], logLevel: 'error' };
          const run = await lighthouse(server.url + path, options, DEVICES[device]);
          if (!run) throw new Error(`${name}: Lighthouse has nothing to say`);
          visits.push(figuresOf(run.lhr));
          complaints(run.lhr).forEach((complaint) => said.add(complaint));
        }
        const found = median(visits);
        lines.push(
          `| ${name} | ${device} | ${found.performance} | ${found.accessibility} | ${found.layoutShift.toFixed(3)} | ${Math.round(found.largestPaintMs)} ms | ${Math.round(found.blockedMs)} ms | ${Math.round(found.kilobytes)} kB |`,
        );
        said.forEach((complaint) => console.log(`${name}, ${device}: ${complaint}`));
        expect.soft(found.performance, `${name}, ${device}: performance`).toBeGreaterThanOrEqual(BARS[device]);
        expect.soft(found.accessibility, `${name}, ${device}: accessibility`).toBe(BARS.accessibility);
        expect.soft(found.layoutShift, `${name}, ${device}: layout shift`).toBeLessThan(BARS.layoutShift);
      }
    }
    console.log(`\n${lines.join('\n')}\n`);
  } finally {
    await browser?.close();
    await server.stop();
  }
});
