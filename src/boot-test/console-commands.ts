import type { DiskTest } from '../definition/disk-tests.ts';
import { checkText, type Mismatch } from '../test-run/check-text.ts';
import { typed } from '../test-run/container-args.ts';
import { type Booted, endOf, promptIn, textFrom, type Waited, waitFor, waitForPrompt } from './booted.ts';
import { readyLine, readyMark, typedCommand } from './typed-command.ts';

type Login = DiskTest['login'];

/** Milliseconds after which a line is typed again: a program that starts may drop what was typed before. */
const AGAIN = 10_000;

/** Prompts in answer to which the name is typed: the first may be older than who reads there now. */
const TRIES = 3;

const PASSWORD = /^Password: ?$/im;

/** A command that went wrong. */
interface FailedCommand {
  readonly command: string;
  readonly mismatch: Mismatch;
}

/**
 * Logs in on the console and runs the commands of a test there, one after another, up to the first that ends otherwise than
 * the test says. `numbers` gives marks that nothing else on the console is equal to.
 */
export async function runCommands(
  booted: Booted,
  { commands, login }: Pick<DiskTest, 'commands' | 'login'>,
  numbers: () => string,
): Promise<FailedCommand | undefined> {
  const refused = await logIn(booted, login, numbers);
  if (refused) return { command: `login as ${login.user}`, mismatch: refused };
  for (const { command, exitCode, output } of commands) {
    const words = typed(command);
    const line = typedCommand(command, numbers());
    const wrong = (mismatch: Mismatch): FailedCommand => ({ command: words, mismatch });
    if (line.isTooLong)
      return wrong({ expected: 'a command of at most 4000 bytes, as a terminal takes', got: 'a longer one' });
    const { start, text } = booted.machine.view();
    booted.machine.type(line.line);
    const outcome = await waitFor(booted, 'an end of the command', (view) => {
      const result = line.result(view, start + text.length);
      return result && { found: result };
    });
    if ('mismatch' in outcome) return wrong(outcome.mismatch);
    const ended = outcome.found;
    if (ended.exitCode !== exitCode)
      return wrong({ expected: `exit code ${exitCode}`, got: `exit code ${ended.exitCode}` });
    const mismatch = output && checkText('output', output, ended.output);
    if (mismatch) return wrong(mismatch);
  }
  return undefined;
}

/** What keeps somebody from logging in; undefined once a shell reads. */
async function logIn(booted: Booted, login: Login, numbers: () => string): Promise<Mismatch | undefined> {
  const first = await waitForPrompt(booted, 0);
  if ('mismatch' in first) return first.mismatch;
  let prompt = first.found;
  for (let tries = 0; tries < TRIES; tries += 1) {
    const outcome = await answerPrompt(booted, login, prompt, numbers);
    if ('mismatch' in outcome) return outcome.mismatch;
    if (outcome.found === 'shell') return undefined;
    prompt = outcome.found.prompt;
  }
  return { expected: `a shell for ${login.user}`, got: `another login prompt, ${TRIES} times` };
}

/** Types name and password at the prompt that ends at `prompt`; gives the next prompt where that was for nothing. */
function answerPrompt(
  { machine, ...booted }: Booted,
  { user, password }: Login,
  prompt: number,
  numbers: () => string,
): Promise<Waited<'shell' | { readonly prompt: number }>> {
  const { clock } = booted;
  const expected = `a shell for ${user}`;
  // Where what was typed last began to be answered, and when a line for the shell was typed.
  let asked = prompt;
  let lineAt: number | undefined;
  let number = numbers();
  machine.type(`${user}\n`);
  return waitFor<'shell' | { readonly prompt: number }>({ machine, ...booted }, expected, (view) => {
    if (endOf(readyMark(number), view, prompt) !== undefined) return { found: 'shell' };
    // What is asked for again was refused, or asked anew after a while.
    const next = promptIn(view, prompt);
    if (next !== undefined) return { found: { prompt: next } };
    const passwordAt = endOf(PASSWORD, view, asked);
    if (passwordAt !== undefined) {
      if (password === null)
        return { mismatch: { expected, got: 'a question for a password: give it as login.password' } };
      machine.type(`${password}\n`);
      [asked, lineAt] = [passwordAt, undefined];
      return undefined;
    }
    // The rest of the line is the name; whatever comes then, but for that question, is a shell's.
    const hasAnswered = /\n[\s\S]*\S/.test(textFrom(view, asked));
    if (hasAnswered && (lineAt === undefined || clock.now() - lineAt >= AGAIN)) {
      number = numbers();
      machine.type(readyLine(number));
      lineAt = clock.now();
    }
    return undefined;
  });
}
