import { createHmac, timingSafeEqual } from 'node:crypto';

export function isGenuine(header, body, secret) {
  const parts = header.split(',').map((part) => part.split('='));
  const at = parts.find(([name]) => name === 't')[1];
  const expected = createHmac('sha256', secret).update(`${at}.`).update(body).digest();
  const signatures = parts.filter(([name]) => name === 'v1').map(([, hex]) => Buffer.from(hex, 'hex'));
  return Math.abs(Date.now() / 1000 - Number(at)) < 300
    && signatures.some((s) => s.length === expected.length && timingSafeEqual(s, expected));
}
