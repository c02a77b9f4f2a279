// npm run bench: publishes a closure in every way there is, side by side, and says how long each takes.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { destinationsText, HIGHEST, measureDestinations } from './destinations.ts';
import { measureDisks } from './disk/measure.ts';
import { ebsText, measureEbs, missedEbs } from './ebs/measure.ts';
import { fleetText, measureFleet, missedFleet } from './fleet/measure.ts';
import { measureLoad } from './load/measure.ts';
import { loadText, missedLoad } from './load/result.ts';
import { measureAll } from './measure-all.ts';
import { parseOptions, USAGE } from './options.ts';
import { measurePull } from './pull/measure.ts';
import { missedPull, pullText } from './pull/result.ts';
import { replaceMarked } from './report/marked-part.ts';
import { report } from './report/report.ts';
import { type Result, resultSchema } from './result.ts';
import { measureServe, missedServe, serveText } from './serve/measure.ts';
import { measureThreads } from './threads/measure.ts';
import { missedThreads, threadsText } from './threads/result.ts';

const ROOT = join(import.meta.dirname, '..');
const RESULTS = join(import.meta.dirname, 'results');
const PAGE = join(ROOT, 'docs/benchmarks.md');
const LOAD_PAGE = join(ROOT, 'docs/serve.md');

const log = (line: string): void => console.error(`bench: ${line}`);

const save = async (result: Result): Promise<string> => {
  await mkdir(RESULTS, { recursive: true });
  const file = join(RESULTS, `${result.date.slice(0, 10)}-${result.machine.codename}-${result.fixture.name}.json`);
  await writeFile(file, `${JSON.stringify(result, null, 2)}\n`);
  return file;
};

async function bench(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options.destinations) {
    const found = await measureDestinations(options, join(ROOT, 'out/bench'), log);
    console.log(destinationsText(found));
    if (found.ratio > HIGHEST) process.exitCode = 1;
    return;
  }
  if (options.disk) {
    const isReached = await measureDisks(options, join(ROOT, 'out/bench'), { log, show: console.log });
    if (!isReached) process.exitCode = 1;
    return;
  }
  if (options.fleet) {
    const found = await measureFleet(options, join(ROOT, 'out/bench'), log);
    console.log(fleetText(found));
    if (missedFleet(found).length > 0) process.exitCode = 1;
    return;
  }
  if (options.threads.length > 0) {
    const found = await measureThreads(options, join(ROOT, 'out/bench'), log);
    console.log(threadsText(found));
    if (missedThreads(found).length > 0) process.exitCode = 1;
    return;
  }
  if (options.ebs) {
    const found = await measureEbs(options, join(ROOT, 'out/bench'), log);
    console.log(ebsText(found));
    if (missedEbs(found).length > 0) process.exitCode = 1;
    return;
  }
  if (options.serve) {
    const found = await measureServe(options, join(ROOT, 'out/bench'), log);
    console.log(serveText(found));
    if (missedServe(found).length > 0) process.exitCode = 1;
    return;
  }
  if (options.load) {
    const found = await measureLoad(options, join(ROOT, 'out/bench'), log);
    console.log(loadText(found));
    if (options.docs) {
      const text = `\`\`\`text\n${loadText(found)}\n\`\`\``;
      await writeFile(LOAD_PAGE, replaceMarked(await readFile(LOAD_PAGE, 'utf8'), text));
    }
    if (missedLoad(found).length > 0) process.exitCode = 1;
    return;
  }
  if (options.pull) {
    const found = await measurePull(options, join(ROOT, 'out/bench'), log);
    console.log(pullText(found));
    if (missedPull(found).length > 0) process.exitCode = 1;
    return;
  }
  const result = options.render
    ? resultSchema.parse(JSON.parse(await readFile(options.render, 'utf8')))
    : await measureAll(options, join(ROOT, 'out/bench'), log, save);
  const text = report(result);
  console.log(text);
  if (!options.render) log(`kept in ${await save(result)}`);
  if (options.docs) await writeFile(PAGE, replaceMarked(await readFile(PAGE, 'utf8'), text));
  if (result.failures.some(({ subject }) => subject.startsWith('nix-images'))) process.exitCode = 1;
}

if (process.argv.includes('--help') || process.argv.includes('-h')) console.log(USAGE);
else
  await bench().catch((error: unknown) => {
    log(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  });
