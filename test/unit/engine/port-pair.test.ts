import { expect, test } from 'vitest';
import { UserError } from '../../../src/core/error.ts';
import { checkOwnPorts, checkPortPairs, parsePortPair } from '../../../src/engine/port-pair.ts';
import { runCli } from '../../support/cli.ts';

/** What is refused, with its hint. */
function refusal(check: () => unknown): string {
  try {
    check();
  } catch (error) {
    if (error instanceof UserError) return `${error.message}\n${error.hint}`;
    throw error;
  }
  return 'nothing';
}

test.each([
  '1:65535',
  '8053:53/udp',
  '127.0.0.1:8080:80',
  '[::1]:8080:80/tcp',
  'localhost:8080:80',
])('%s is a pair of ports', (text) => {
  expect(parsePortPair(text)).toBe(text);
});

test.each([
  ['99999:80', /: 99999 is not from 1 to 65535\n.*each from 1 to 65535/],
  ['80:65536', /: 65536 is not from 1 to 65535/],
  ['0:80', /: 0 is not from/],
  ['127.0.0.1:80:0/udp', /: 0 is not from/],
  ['80', /"80" is not a valid pair of ports\nWrite it as HOST:CONTAINER/],
  ['80:x', /is not a valid pair/],
  ['80/tcp:80', /is not a valid pair/],
  ['80:80/icmp', /is not a valid pair/],
])('%s is refused', (text, message) => {
  expect(refusal(() => parsePortPair(text))).toMatch(message);
});

test.each([
  [['8080:80', '8080:81'], 'both want port 8080 of this machine\nGive each'],
  [['8080:80', '8080:80'], '8080:80 and 8080:80 both want'],
  [['127.0.0.1:8080:80', '8080:81/tcp'], 'both want'],
  [['0.0.0.0:8080:80', '8080:81'], 'both want'],
  [['8080:80', '[::]:8080:81'], 'both want'],
  [['8080:80', '8081:80'], 'nothing'],
  [['53:53', '53:53/udp'], 'nothing'],
  [['127.0.0.2:8080:80', '8080:81'], 'nothing'],
])('%j: %s', (texts, message) => {
  expect(refusal(() => checkPortPairs(texts))).toContain(message);
});

test.each([
  [['80:8080'], ['80/tcp'], '8080:80/tcp publishes 80/tcp as 8080'],
  [['9090:8080'], ['8080', '9090'], 'add a pair for 9090 with another port'],
  [['0.0.0.0:80:8080'], ['80/tcp'], '80:8080 takes port 80'],
  [['8080:80'], ['80/tcp'], 'nothing'],
  [['80:8080', '8080:80'], ['80/tcp'], 'nothing'],
  [['53:5353'], ['53/udp'], 'nothing'],
  [['127.0.0.2:80:8080'], ['80/tcp'], 'nothing'],
])('%j over the ports %j of a definition: %s', (texts, ports, message) => {
  const ExposedPorts = Object.fromEntries(ports.map((port) => [port, {}]));
  expect(refusal(() => checkOwnPorts(texts, { ExposedPorts }))).toContain(message);
  expect(refusal(() => checkOwnPorts(texts, {}))).toBe('nothing');
});

test.each([
  [['-p', '99999:80'], /error: --publish: "99999:80" is not a valid pair of ports: 99999 is not from 1 to 65535/],
  [['-p', '8080:80', '-p', '8080:81'], /error: --publish: 8080:80 and 8080:81 both want port 8080/],
])('run %j is refused before an engine or an image is looked for', async (flags, message) => {
  const { exitCode, stderr } = await runCli(['run', '/nowhere#app', ...flags], { env: { PATH: '/nowhere' } });
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/evaluating|container engine/);
  expect(exitCode).not.toBe(0);
});
