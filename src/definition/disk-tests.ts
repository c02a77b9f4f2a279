import { z } from 'zod';
import { expectedPortSchema, expectedTextSchema, MAX_TIMEOUT, testNameSchema } from './image-tests.ts';
import { argument } from './test-container.ts';

/**
 * Tests of a disk, as its definition has them: the disk is started in a virtual machine, and what its serial console says
 * decides. They are no part of the disk, as those of images are none of the image.
 */

/**
 * Seconds a test may take unless it says otherwise. Without KVM, as on GitHub's runners for AArch64, every instruction is
 * emulated: a system that boots in ten seconds there takes minutes.
 */
const DEFAULT_TIMEOUT = 600;

/** Memory of the machine unless the test says otherwise: NixOS's initrd is unpacked into it. */
const DEFAULT_MEMORY = 1024;

const consoleTextSchema = expectedTextSchema.refine(
  ({ equals }) => equals === undefined,
  'a console goes on: expected contains or matches, not equals',
);

const commandSchema = z.strictObject({
  command: z.array(argument).min(1).describe('The program, found by PATH, and its arguments.'),
  exitCode: z.int().min(0).max(255).default(0),
  output: expectedTextSchema.nullable().default(null).describe('What it prints, standard output and error together.'),
});

const loginSchema = z
  .strictObject({
    user: z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'expected the name of an account'),
    password: z
      .string()
      .regex(/^[\x20-\x7e]+$/, 'expected printable ASCII characters')
      .nullable()
      .default(null)
      .describe('Default: nobody is asked for one.'),
  })
  .describe('Who logs in on the console to run the commands.');

const testSchema = z
  .strictObject({
    console: z
      .array(consoleTextSchema)
      .default([])
      .describe('What the serial console must say, in this order, other text between.'),
    never: z.array(consoleTextSchema).default([]).describe('What it must not say before the test has passed.'),
    prompt: z.boolean().default(false).describe('Whether a login prompt must come on the console.'),
    commands: z.array(commandSchema).default([]).describe('Programs that are run over the console, in this order.'),
    login: loginSchema.prefault({ user: 'root' }),
    port: expectedPortSchema.nullable().default(null).describe('A port of the machine that must answer.'),
    memoryMiB: z.int().min(64).max(65_536).default(DEFAULT_MEMORY),
    cpus: z.int().min(1).max(64).default(2),
    diskGiB: z
      .int()
      .min(1)
      .max(65_536)
      .nullable()
      .default(null)
      .describe('Size to which the disk is enlarged before it boots, as clouds do. Default: as it is.'),
    timeout: z
      .int()
      .min(1)
      .max(MAX_TIMEOUT)
      .default(DEFAULT_TIMEOUT)
      .describe('Seconds the whole test may take, from the start of the machine.'),
  })
  .refine(
    ({ console, prompt, commands, port }) => console.length > 0 || prompt || commands.length > 0 || port !== null,
    'a test of a disk needs console, prompt, commands or port: something that shows that it booted',
  );

/** Tests by name. */
export const diskTestsSchema = z
  .record(testNameSchema, testSchema)
  .describe('Tests that a build runs before it hands the disk over. They are no part of the disk.');

export type DiskTest = z.infer<typeof testSchema>;
