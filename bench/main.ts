// npm run bench: publishes a closure in every way there is, side by side, and says how long each takes.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ALONE } from './alone.ts';
import { measureAll } from './measure-all.ts';
import { parseOptions, USAGE } from './options.ts';
import { replaceMarked } from './report/marked-part.ts';
import { report } from './report/report.ts';
import { type Result, resultSchema } from './result.ts';

const ROOT = join(import.meta.dirname, '..');
const RESULTS = join(import.meta.dirname, 'results');
const PAGE = join(ROOT, 'docs/benchmarks.md');
/** Of `load` alone: its figures belong to what users read of it. */
const SERVE_PAGE = join(ROOT, 'docs/serve.md');
const WORK = join(ROOT, 'out/bench');

const log = (line: string): void => console.error(`bench: ${line}`);

const save = async (result: Result): Promise<string> => {
  await mkdir(RESULTS, { recursive: true });
  const file = join(RESULTS, `${result.date.slice(0, 10)}-${result.machine.codename}-${result.fixture.name}.json`);
  await writeFile(file, `${JSON.stringify(result, null, 2)}\n`);
  return file;
};

const replaceIn = async (page: string, text: string): Promise<void> =>
  writeFile(page, replaceMarked(await readFile(page, 'utf8'), text));

async function bench(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options.alone) {
    let shown = '';
    const show = (text: string): void => {
      console.log(text);
      shown += text;
    };
    const isReached = await ALONE[options.alone](options, { work: WORK, log, show });
    if (options.docs) await replaceIn(SERVE_PAGE, `\`\`\`text\n${shown}\n\`\`\``);
    if (!isReached) process.exitCode = 1;
    return;
  }
  const result = options.render
    ? resultSchema.parse(JSON.parse(await readFile(options.render, 'utf8')))
    : await measureAll(options, WORK, log, save);
  const text = report(result);
  console.log(text);
  if (!options.render) log(`kept in ${await save(result)}`);
  if (options.docs) await replaceIn(PAGE, text);
  if (result.failures.some(({ subject }) => subject.startsWith('nix-images'))) process.exitCode = 1;
}

if (process.argv.includes('--help') || process.argv.includes('-h')) console.log(USAGE);
else
  await bench().catch((error: unknown) => {
    log(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  });
