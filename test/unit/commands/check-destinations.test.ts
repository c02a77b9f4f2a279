import { expect, test } from 'vitest';
import { checkDestinations } from '../../../src/commands/check-destinations.ts';
import { UserError } from '../../../src/core/error.ts';
import { parseToLine } from '../../../src/publish/destination-line.ts';

type Image = Parameters<typeof checkDestinations>[1][number];

const image = (name: string, kind: string): Image => ({ name, jobs: [{ kind }] }) as unknown as Image;

const APP = image('app', 'definition');
const VM = image('vm', 'disk');
const DB = image('db', 'disk');

const whatIsWrong = (to: readonly string[], images: readonly Image[]): string => {
  try {
    checkDestinations(to.map(parseToLine), images);
  } catch (error) {
    if (error instanceof UserError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'nothing';
};

test.each<[string, readonly string[], readonly Image[], RegExp]>([
  ['no destination', [], [APP, VM], /^nothing$/],
  [
    'each where it goes',
    ['ghcr.io/org/{name}', 'dir:out', 'ghcr.io/org/kubevirt as=container-disk'],
    [APP, VM],
    /^nothing$/,
  ],
  ['a disk as files alone', ['dir:out'], [VM, DB], /^nothing$/],
  [
    'a container with places of disks alone',
    ['dir:out'],
    [APP, VM],
    /^input: app is a container image, and all destinations are for disks/,
  ],
  [
    'a disk and an archive for docker',
    ['docker-archive:vm.tar'],
    [VM],
    /^input: vm is a disk, and docker-archive:vm\.tar holds container images/,
  ],
  ['a container and an archive for docker', ['docker-archive:app.tar'], [APP], /^nothing$/],
  [
    'two disks as one image',
    ['ghcr.io/org/{name}', 'ghcr.io/org/k as=container-disk'],
    [VM, DB],
    /^reference: 2 images would go to ghcr\.io\/org\/k: vm, db/,
  ],
  ['two images in one repository', ['ghcr.io/org/app'], [APP, VM], /^reference: 2 images would go to/],
])('%s', (_, to, images, says) => {
  expect(whatIsWrong(to, images)).toMatch(says);
});
