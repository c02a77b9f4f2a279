/**
 * The cloud as a process of its own, for clients that are programs: `node serve.ts '{"speed": 60, "lags": "none"}'`. It prints its address
 * and the administrator's keys as one line of JSON, and what the account has as another when it is told to end.
 */
import { type CloudOptions, startCloud } from './emulator.ts';
import { variablesOf } from './identities.ts';

interface ServeOptions extends CloudOptions {
  /** How many seconds pass in the cloud for one of the machine's. Default: 1. */
  readonly speed?: number;
}

const { speed = 1, ...options } = JSON.parse(process.argv[2] ?? '{}') as ServeOptions;
const start = Date.now();
const cloud = await startCloud({ ...options, now: () => start + (Date.now() - start) * speed });
console.log(JSON.stringify({ url: cloud.url, env: { AWS_ENDPOINT_URL: cloud.url, ...variablesOf(cloud.admin) } }));

process.once('SIGTERM', () => {
  console.log(JSON.stringify({ contents: cloud.contents(), violations: cloud.violations }));
  void cloud.stop();
});
