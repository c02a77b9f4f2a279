import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { forwardedPort, isTaken, openMonitor } from '../../../src/boot-test/qmp.ts';
import { quickClock } from '../../support/pretend-qemu.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';

// As QEMU 7.2 writes it.
const network = (state: string): string =>
  'Hub -1 (net):\r\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n' +
  `  TCP[${state}]      16       127.0.0.1 44427       10.0.2.15  8080     0     0\r\n` +
  '  TCP[HOST_FORWARD]  12       127.0.0.1 44427       10.0.2.15  8080     0     0\r\n' +
  '  UDP[236 sec]       17       10.0.2.15    68        10.0.2.2    67     0     0\r\n';

test('the port of this machine is found, and whether the guest has taken a connection', () => {
  expect(forwardedPort(network('SYN_SENT'), 8080)).toBe(44427);
  expect(forwardedPort(network('SYN_SENT'), 80)).toBeUndefined();
  expect(isTaken(network('SYN_SENT'), 8080)).toBe(false);
  expect(isTaken(network('ESTABLISHED'), 8080)).toBe(true);
  expect(isTaken(network('ESTABLISHED'), 22)).toBe(false);
  expect([forwardedPort('', 8080), isTaken('', 8080)]).toEqual([undefined, false]);
});

let temp: TempDir;
beforeAll(async () => {
  temp = await uniqueTempDir('qmp');
});
afterAll(() => temp.remove());

const { signal } = new AbortController();

/** QEMU's side: a greeting, and an answer for each command. */
function qemu(answer: (execute: string) => string): Server {
  return createServer((socket) => {
    socket.write('{"QMP": {"version": {}, "capabilities": ["oob"]}}\r\n');
    socket.on('data', (data) => {
      for (const line of data.toString().trim().split('\n'))
        socket.write(`{"event": "NIC_RX_FILTER_CHANGED", "data": {}}\r\n${answer(JSON.parse(line).execute)}\r\n`);
    });
    socket.on('error', () => undefined);
  });
}

test('the monitor is asked once it is there, between events', async () => {
  const path = join(temp.path, 'one');
  const opening = openMonitor(path, quickClock(), signal);
  const server = qemu((execute) => (execute === 'qmp_capabilities' ? '{"return": {}}' : '{"return": "Hub"}'));
  await new Promise<void>((resolve) => setTimeout(() => server.listen(path, resolve), 10));
  const monitor = await opening;
  expect(await monitor?.network()).toBe('Hub');
  monitor?.close();
  server.close();
});

test('a refusal is an error with what QEMU says', async () => {
  const path = join(temp.path, 'two');
  const server = qemu(() => '{"error": {"class": "GenericError", "desc": "no such command"}}');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  await expect(openMonitor(path, quickClock(), signal)).rejects.toThrow(
    'QEMU refuses qmp_capabilities: no such command',
  );
  server.close();
});

test('a monitor that never comes is waited for until the time is over', async () => {
  expect(await openMonitor(join(temp.path, 'none'), quickClock(), AbortSignal.timeout(20))).toBeUndefined();
});
