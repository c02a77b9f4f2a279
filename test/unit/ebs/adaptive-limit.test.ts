import { expect, test } from 'vitest';
import { AdaptiveLimit } from '../../../src/ebs/adaptive-limit.ts';

/** As many requests as may be, each of so many milliseconds, of which some are refused. */
function round(limit: AdaptiveLimit, milliseconds: number, refused = 0): void {
  const tickets = Array.from({ length: limit.width }, () => limit.begin(0));
  for (const [at, ticket] of tickets.entries()) {
    if (at < refused) limit.refused(ticket);
    else limit.succeeded(ticket, milliseconds);
  }
}

test('the width doubles each round until the service asks for fewer, halves once a round, and grows by one', () => {
  const limit = new AdaptiveLimit(4, 64);
  round(limit, 50);
  expect(limit.width).toBe(8);
  round(limit, 50);
  round(limit, 50);
  expect(limit.width).toBe(32);
  // All of a round are refused: it halves once, not 32 times.
  round(limit, 50, 32);
  expect(limit.width).toBe(16);
  round(limit, 50);
  expect(limit.width).toBe(16);
  round(limit, 50);
  expect(limit.width).toBe(17);
  for (let time = 0; time < 200; time += 1) round(limit, 50);
  expect(limit.width).toBe(64);
  for (let time = 0; time < 20; time += 1) round(limit, 50, limit.width);
  expect(limit.width).toBe(1);
});

test('where answers begin to wait in line, more requests are not sent', () => {
  const limit = new AdaptiveLimit(4, 64);
  round(limit, 10);
  const { width } = limit;
  for (let time = 0; time < 10; time += 1) round(limit, 400);
  expect(limit.width).toBe(width);
  // A slower network is soon the usual one.
  for (let time = 0; time < 40; time += 1) round(limit, 400);
  expect(limit.width).toBe(64);
});

test('no more enter than there are places, and those who wait come in when it grows', async () => {
  const limit = new AdaptiveLimit(2, 4);
  const entered: number[] = [];
  for (const number of [1, 2, 3, 4, 5]) void limit.enter().then(() => entered.push(number));
  await Promise.resolve();
  await Promise.resolve();
  expect(entered).toEqual([1, 2]);
  limit.succeeded(limit.begin(0), 1);
  await new Promise(setImmediate);
  expect(entered).toEqual([1, 2, 3]);
  limit.leave();
  await new Promise(setImmediate);
  expect(entered).toEqual([1, 2, 3, 4]);
  // It shrinks: one leaves, and nobody comes.
  limit.refused(limit.begin(0));
  limit.leave();
  await new Promise(setImmediate);
  expect(entered).toEqual([1, 2, 3, 4]);
  limit.leave();
  limit.leave();
  await new Promise(setImmediate);
  expect(entered).toEqual([1, 2, 3, 4, 5]);
});
