// Runs before and after all tests (playwright.config.ts). When all of them ran, every page must have been visited.

import { forgetVisits, routesNotVisited } from './visits';

export default function beforeAll(): () => void {
  forgetVisits();
  return () => {
    if (process.env.PLUMBLINE_ALL_SPECS !== '1') return;
    const missing = routesNotVisited();
    if (missing.length > 0) throw new Error(`no spec of end2end/specs visits ${missing.join(', ')}`);
  };
}
