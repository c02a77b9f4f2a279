import { constants } from 'node:fs';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';
import { writeFully } from '../core/file-bytes.ts';
import { withFileErrors } from '../core/file-error.ts';
import { shellWord } from '../core/shell.ts';
import { pathInStore } from '../layer/inside-store.ts';
import type { ToolImage } from '../nix/tool-image.ts';
import type { System } from '../oci/system.ts';
import { archiveOver, openNameless } from '../storage/archive/archive-source.ts';
import { openImageArchive } from './from-archive.ts';
import type { Image } from './image.ts';

/** Lines of what a script said that are shown. */
const SAID_LINES = 20;

type StreamTools = Pick<Effects, 'exec' | 'signal' | 'tempDir'>;

/**
 * Runs the program that a derivation made, which prints an archive, and opens that. Nothing confines the program, so its home
 * and its temporary files are an empty folder, and it sees next to nothing of the environment. What it prints is kept in a
 * file without name, for layers are read in another order than they come and more than once; so the disk must hold one image.
 * Throws UserError `system` when the program is none for this machine, `build` when it fails, `file` when it prints no archive.
 */
export async function openStream(
  toolImage: ToolImage,
  system: System,
  { exec, tempDir, signal }: StreamTools,
): Promise<Image> {
  const program = pathInStore(toolImage.outPath);
  await access(program, constants.X_OK).catch((cause: unknown) => {
    throw new UserError('file', `${program} is not a program, although its derivation says that it streams an image`, {
      hint: 'The output of streamLayeredImage is an executable file.',
      cause,
    });
  });
  const name = `the output of ${program}`;
  const file = await openNameless(tempDir);
  const home = await withFileErrors(tempDir, 'write', () => mkdtemp(join(tempDir, 'home-')));
  try {
    let size = 0;
    const { exitCode, stderr } = await exec(program, [], {
      signal,
      isolated: true,
      cwd: home,
      env: { HOME: home, TMPDIR: home },
      onStdout: async (chunks) => {
        for await (const chunk of chunks) {
          await withFileErrors(`${tempDir} (for ${name})`, 'write', () => writeFully(file, chunk, size));
          size += chunk.length;
        }
      },
    });
    if (exitCode !== 0) throw failed(program, exitCode, stderr, toolImage);
    if (size === 0) throw silent(program, stderr);
  } catch (error) {
    await file.close();
    throw error;
  } finally {
    await rm(home, { recursive: true, force: true });
  }
  return openImageArchive(await archiveOver(name, file, tempDir, signal), toolImage, system);
}

function said(stderr: string): string {
  const lines = stderr.trimEnd().split('\n').slice(-SAID_LINES);
  return lines.join('') === '' ? '; it said nothing' : `; it said:\n${lines.map((line) => `  ${line}`).join('\n')}`;
}

/** The system whose programs run here without emulation. */
const HERE: Readonly<Record<string, System>> = { x64: 'x86_64-linux', arm64: 'aarch64-linux' };

function failed(program: string, exitCode: number, stderr: string, { system }: ToolImage): UserError {
  const message = `${program}, which prints the image, ended with ${exitCode}${said(stderr)}`;
  // Where its interpreter is of another machine, a shell takes its place and says anything.
  if (system !== null && system !== HERE[process.arch]) {
    return new UserError('system', message, {
      hint:
        `It is a program of ${system}: build the image on such a machine, or let this one run its programs ` +
        '(binfmt_misc with qemu-user)',
    });
  }
  return new UserError('build', message, { hint: `Run it by hand to see more: ${shellWord(program)} > image.tar` });
}

const silent = (program: string, stderr: string): UserError =>
  new UserError('file', `${program} printed no image${said(stderr)}`, {
    hint: 'The program of a streamed image writes an archive, as docker save does, to its standard output.',
  });
