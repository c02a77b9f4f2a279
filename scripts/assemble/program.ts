import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { AssembleError } from './failure.ts';

export interface ProgramOptions {
  readonly cwd: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

/** Runs a program without a shell and gives its standard output. Throws AssembleError with what it said when it fails. */
export const runProgram = async (argv: readonly [string, ...string[]], options: ProgramOptions): Promise<string> => {
  const [program, ...args] = argv;
  const env = { ...process.env, ...options.env };
  const child = spawn(program, args, { cwd: options.cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
  const texts = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  child.stdout.on('data', (chunk: Buffer) => texts.stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => texts.stderr.push(chunk));
  // A program that ends without reading its input has said why by its exit code.
  child.stdin.on('error', () => undefined).end(options.input ?? '');
  const [code] = await once(child, 'close');
  const stdout = Buffer.concat(texts.stdout).toString('utf8');
  if (code === 0) return stdout;
  const said = `${Buffer.concat(texts.stderr).toString('utf8')}${stdout}`.trim();
  throw new AssembleError(`${argv.join(' ')} failed in ${options.cwd} (${code}):\n${said}`);
};
