import { basename } from 'node:path';
import type { Effects } from '../core/effects.ts';
import { UserError } from '../core/error.ts';

/**
 * 1980-01-01 in seconds: the first time that FAT can say, and a time that every tool here takes from the environment instead of the clock.
 */
const EPOCH = '315532800';

/**
 * All that a tool may see. No PATH: what it starts, it names by store path. mtools reads /etc/mtools.conf and ~/.mtoolsrc, over
 * which variables go; mke2fs reads /etc/mke2fs.conf unless it is told another file.
 */
const ENVIRONMENT = {
  PATH: '',
  TZ: 'UTC',
  LC_ALL: 'C',
  LANG: 'C',
  LANGUAGE: 'C',
  SOURCE_DATE_EPOCH: EPOCH,
  E2FSPROGS_FAKE_TIME: EPOCH,
  MTOOLS_SKIP_CHECK: '1',
  MTOOLS_FAT_COMPATIBILITY: '0',
  MTOOLS_LOWER_CASE: '0',
  MTOOLS_NO_VFAT: '0',
  MTOOLS_DOTTED_DIR: '0',
  MTOOLS_NAME_NUMERIC_TAIL: '1',
  MTOOLSRC: '/dev/null',
  // Python's hashes differ from run to run otherwise.
  PYTHONHASHSEED: '0',
  PYTHONDONTWRITEBYTECODE: '1',
} as const;

/** Lines of what a tool said that are shown when it fails. */
const LINES_SHOWN = 6;

interface ToolCall {
  /** The program by its full path, and its arguments. */
  readonly program: string;
  readonly args: readonly string[];
  /** What it is to make, for the message: `the EFI system partition`. */
  readonly makes: string;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Runs a tool whose output is part of the disk, with an environment that is the same everywhere. Throws UserError `build` with its last lines
 * when it fails, and as `Exec` does.
 */
export async function runTool(exec: Effects['exec'], { program, args, makes, env }: ToolCall): Promise<void> {
  const { exitCode, stdout, stderr } = await exec(program, args, { isolated: true, env: { ...ENVIRONMENT, ...env } });
  if (exitCode === 0) return;
  const said = `${stdout}${stderr}`
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '');
  const words = said.length === 0 ? 'it said nothing' : said.slice(-LINES_SHOWN).join('\n');
  throw new UserError(
    'build',
    `cannot make ${makes}: ${basename(program)} failed with exit code ${exitCode}: ${words}`,
    {
      hint: `The program is ${program}, from the definition's tools.`,
    },
  );
}
