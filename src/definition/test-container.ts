import { z } from 'zod';
import { absolutePathSchema, modeSchema } from './absolute-path.ts';
import { CAPABILITY_NAMES } from './capabilities.ts';

/** What the container of a test is allowed and given, apart from what runs in it. */

// An argument vector cannot hold a zero byte.
export const argument = z.string().regex(/^[^\0]*$/, 'must not contain a zero byte');

// Options of podman and docker have the path before a colon, and further words after commas.
const mountPoint = absolutePathSchema.regex(/^[^:,]*$/, 'must not contain a colon or comma');

function isCapability(text: string): boolean {
  const name = text.toLowerCase().replace(/^cap_/, '');
  return name === 'all' || CAPABILITY_NAMES.includes(name);
}

const capabilities = z.array(
  z.string().refine(isCapability, { error: 'expected a capability such as NET_BIND_SERVICE, or ALL' }),
);

const tmpfsSchema = z.strictObject({
  mode: modeSchema.default('1777'),
  exec: z.boolean().default(false).describe('Whether programs may run from it.'),
});

const volumeSchema = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$/, 'expected a name: at most 32 letters, digits, _ . -'),
  copy: z
    .boolean()
    .default(false)
    .describe("Whether it begins with the image's files of that path, as docker has it; Kubernetes does not."),
  readOnly: z.boolean().default(false),
});

/** Fields of a test, and of each of its steps. */
export const testContainerShape = {
  user: argument
    .min(1)
    .nullable()
    .default(null)
    .describe("As in podman's --user: name or number, and group after a colon."),
  workdir: argument.startsWith('/').nullable().default(null),
  env: z.record(z.string().regex(/^[^=\0]+$/, 'expected the name of a variable'), argument).default({}),
  readOnly: z.boolean().default(false).describe('Whether the root file system is read-only, /tmp and /run included.'),
  capabilities: z
    .strictObject({ drop: capabilities.default([]), add: capabilities.default([]) })
    .default({ drop: [], add: [] })
    .describe('Capabilities less and more than the container program usually gives.'),
  noNewPrivileges: z.boolean().default(false).describe('Whether setuid programs and file capabilities give no rights.'),
  userNamespace: z.boolean().default(false).describe("Whether the container's root is another user of the machine."),
  tmpfs: z.record(mountPoint, tmpfsSchema).default({}).describe('Empty file systems in memory, by path.'),
  volumes: z
    .record(mountPoint, volumeSchema)
    .default({})
    .describe(
      'Volumes by path. One name is one volume in all tests of the image; it is removed after the last of them.',
    ),
};
