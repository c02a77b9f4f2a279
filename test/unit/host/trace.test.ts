import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { startTrace } from '../../../src/host/trace.ts';

const row = { pid: z.literal(1), tid: z.int().min(0) };

/** The events that are written, as "Trace Event Format" has them; times in microseconds. */
const eventSchema = z.discriminatedUnion('ph', [
  z.strictObject({
    ...row,
    ph: z.literal('X'),
    name: z.string().min(1),
    cat: z.string().min(1),
    ts: z.int().min(0),
    dur: z.int().min(0),
    args: z.record(z.string(), z.union([z.string(), z.number()])),
  }),
  z.strictObject({
    ...row,
    ph: z.literal('M'),
    name: z.enum(['process_name', 'thread_name', 'thread_sort_index']),
    cat: z.literal('__metadata'),
    ts: z.literal(0),
    args: z.record(z.string(), z.union([z.string(), z.number()])),
  }),
]);

const traceSchema = z.strictObject({
  displayTimeUnit: z.literal('ms'),
  otherData: z.record(z.string(), z.string()),
  traceEvents: z.array(eventSchema),
});

const spans = (document: object) =>
  traceSchema
    .parse(JSON.parse(JSON.stringify(document)))
    .traceEvents.flatMap((event) => (event.ph === 'X' && event.cat !== 'command' ? event : []));

const opened = () => {
  const clock = { time: 500 };
  return { clock, trace: startTrace(() => clock.time) };
};

describe('a trace', () => {
  test('counts microseconds from its start, and keeps what is known of a span', () => {
    const { clock, trace } = opened();
    clock.time += 1.5;
    const span = trace.begin({ track: 'steps', name: 'Realising app', facts: { system: 'x86_64-linux' } });
    clock.time += 20.25;
    span.end({ size: 7 });
    span.end({ size: 8 });
    expect(trace.document('nix-images build', { program: 'p' })).toEqual({
      displayTimeUnit: 'ms',
      otherData: { program: 'p' },
      traceEvents: [
        { name: 'process_name', cat: '__metadata', ts: 0, ph: 'M', pid: 1, tid: 0, args: { name: 'nix-images' } },
        { name: 'thread_name', cat: '__metadata', ts: 0, ph: 'M', pid: 1, tid: 1000, args: { name: 'steps 1' } },
        { name: 'thread_sort_index', cat: '__metadata', ts: 0, ph: 'M', pid: 1, tid: 1000, args: { sort_index: 1000 } },
        { name: 'nix-images build', cat: 'command', ph: 'X', pid: 1, tid: 1000, ts: 0, dur: 21_750, args: {} },
        {
          ...{ name: 'Realising app', cat: 'steps', ph: 'X', pid: 1, tid: 1000, ts: 1500, dur: 20_250 },
          args: { system: 'x86_64-linux', size: 7 },
        },
      ],
    });
  });

  test('names the rows in one order, and has the steps below the command, whatever began first', () => {
    const { clock, trace } = opened();
    for (const track of ['requests', 'programs', 'layers'] as const) trace.begin({ track, name: track }).end();
    clock.time += 3;
    const { traceEvents } = trace.document('nix-images build', {});
    const rows = traceEvents.filter(({ name }) => name === 'thread_name').map(({ args }) => args?.name);
    expect(rows).toEqual(['steps 1', 'programs 1', 'thread of layers 1', 'requests 1']);
    expect(traceEvents.find(({ ph }) => ph === 'X')).toMatchObject({
      ...{ name: 'nix-images build', tid: 1000, ts: 0, dur: 3000 },
    });
  });

  test('never lets spans of one row overlap', () => {
    const { clock, trace } = opened();
    let state = 1;
    const chance = () => {
      state = (state * 48_271) % 2_147_483_647;
      return state / 2_147_483_647;
    };
    const open: { end(): void }[] = [];
    for (let step = 0; step < 400; step++) {
      clock.time += Math.floor(chance() * 3);
      if (open.length > 0 && chance() < 0.5) open.splice(Math.floor(chance() * open.length), 1)[0]?.end();
      else open.push(trace.begin({ track: chance() < 0.5 ? 'requests' : 'programs', name: `span ${step}` }));
    }
    for (const same of Map.groupBy(spans(trace.document('nix-images build', {})), ({ tid }) => tid).values()) {
      for (const [at, { ts }] of same.entries()) {
        const before = same[at - 1];
        if (before) expect(ts).toBeGreaterThanOrEqual(before.ts + before.dur);
      }
    }
  });

  test('gives a thread the row of its number, and a free one where that is taken', () => {
    const { trace } = opened();
    const begin = (name: string, number: number) => trace.begin({ track: 'layers', name, row: number });
    begin('a', 2).end();
    begin('b', 2);
    begin('c', 2);
    expect(spans(trace.document('nix-images build', {})).map(({ name, tid }) => [name, tid])).toEqual([
      ['a', 3002],
      ['b', 3002],
      ['c', 3000],
    ]);
  });

  test('ends what is still open, and says so', () => {
    const { clock, trace } = opened();
    trace.begin({ track: 'requests', name: 'GET registry' });
    clock.time += 3;
    expect(spans(trace.document('nix-images build', {}))).toMatchObject([
      { name: 'GET registry', dur: 3000, args: { ended: 'no' } },
    ]);
  });
});
