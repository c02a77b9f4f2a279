import { parseArgs } from 'node:util';
import { startResults } from './emulator.ts';
import { faultSchema } from './faults.ts';

/**
 * The emulator as a program, for workflows that run under another one:
 * `node serve.ts [--run N] [--job NAME] [--attempt N] [--repository OWNER/NAME] [--fault JSON]...`
 * prints one line of JSON with `url`, `token` and `environment`, and ends on SIGTERM or SIGINT with a second line
 * that has `artifacts` and `requests`.
 */
const { values } = parseArgs({
  options: {
    run: { type: 'string', default: '1' },
    job: { type: 'string', default: 'job' },
    attempt: { type: 'string', default: '1' },
    repository: { type: 'string', default: 'org/app' },
    fault: { type: 'string', multiple: true, default: [] },
  },
});

const faults = values.fault.map((text) => faultSchema.parse(JSON.parse(text)));
const results = await startResults({ repository: values.repository, faults });
const job = { run: Number(values.run), job: values.job, attempt: Number(values.attempt) };
const environment = results.environment(job);
process.stdout.write(
  `${JSON.stringify({ url: results.url, token: environment.ACTIONS_RUNTIME_TOKEN, environment })}\n`,
);

const stop = async (): Promise<void> => {
  const artifacts = results.artifacts().map(({ bytes, ...artifact }) => ({ ...artifact, uploaded: bytes?.length }));
  process.stdout.write(`${JSON.stringify({ artifacts, requests: results.requests })}\n`);
  await results.stop();
};
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
