import { expect, test } from 'vitest';
import { parseRunner, runnersOf } from '../../../src/plan/runners.ts';

const X86 = { runsOn: 'ubuntu-latest', emulated: false };

test.each([
  ['aarch64-linux=big=arm', { runsOn: 'big=arm', emulated: false }],
  ['aarch64-linux=["self-hosted","linux","arm64"]', { runsOn: ['self-hosted', 'linux', 'arm64'], emulated: false }],
  ['aarch64-linux={"group":"x","labels":["arm64"]}', { runsOn: { group: 'x', labels: ['arm64'] }, emulated: false }],
  ['aarch64-linux={"group":"x"}', { runsOn: { group: 'x' }, emulated: false }],
  ['aarch64-linux=emulate', { runsOn: 'ubuntu-latest', emulated: true }],
])('%s', (text, arm) => {
  expect(runnersOf([parseRunner(text)])).toEqual({ 'x86_64-linux': X86, 'aarch64-linux': arm });
});

test('what is emulated goes to the runner that the other system is given', () => {
  const runners = runnersOf([parseRunner('aarch64-linux=emulate'), parseRunner('x86_64-linux=["self-hosted"]')]);
  expect(runners['aarch64-linux']).toEqual({ runsOn: ['self-hosted'], emulated: true });
});

test('somebody must build', () => {
  const all = [parseRunner('aarch64-linux=emulate'), parseRunner('x86_64-linux=emulate')];
  expect(() => runnersOf(all)).toThrow(/none has a runner/);
});

test.each([
  ['x86_64-linux', /does not name the runner/],
  ['x86_64-linux=', /does not name the runner/],
  ['=label', /does not name the runner/],
  ['riscv64-linux=label', /does not name the runner/],
  ['aarch64-linux=self-hosted,linux,arm64', /not one label/],
  ['aarch64-linux=self-hosted linux', /not one label/],
  ['aarch64-linux=["a"', /neither labels nor a group/],
  ['aarch64-linux=[]', /neither labels nor a group/],
  ['aarch64-linux=[1]', /neither labels nor a group/],
  ['aarch64-linux={"labels":["a"]}', /neither labels nor a group/],
  ['aarch64-linux={"group":"a","more":1}', /neither labels nor a group/],
])('%s is refused', (text, message) => {
  expect(() => parseRunner(text)).toThrow(
    expect.objectContaining({ code: 'input', message: expect.stringMatching(message) }),
  );
});

test('a list of labels with commas is told how to be written', () => {
  const hint = expect.stringContaining('aarch64-linux=["self-hosted","linux","arm64"]');
  expect(() => parseRunner('aarch64-linux=a,b')).toThrow(expect.objectContaining({ hint }));
});
