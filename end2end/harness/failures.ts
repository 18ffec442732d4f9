// The last lines of a run: what failed and why, once more and short. Whoever sees only the end of a build's log sees the
// cause there, and a spec that passed at its second attempt is named as the fault that it is.

import type { FullConfig, Reporter, Suite, TestCase, TestError } from '@playwright/test/reporter';

const LINES_OF_AN_ERROR = 12;

export default class Failures implements Reporter {
  private suite: Suite | undefined;

  onBegin(_config: FullConfig, suite: Suite): void {
    this.suite = suite;
  }

  onEnd(): void {
    for (const test of this.suite?.allTests() ?? []) {
      const outcome = test.outcome();
      if (outcome !== 'unexpected' && outcome !== 'flaky') continue;
      console.log(`\n${outcome === 'flaky' ? 'FLAKY, which is a fault of the spec or of the product' : 'FAILED'}: ${place(test)}`);
      for (const error of test.results.flatMap((result) => result.errors).slice(0, 2)) console.log(short(error));
    }
  }
}

function place(test: TestCase): string {
  return `${test.location.file.split('/').pop()}:${test.location.line} ${test.title}`;
}

function short(error: TestError): string {
  const plain = (error.message ?? error.value ?? '').replace(/\u001b\[[0-9;]*m/g, '');
  return plain
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(0, LINES_OF_AN_ERROR)
    .map((line) => `  ${line}`)
    .join('\n');
}
