import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openRepository } from '../../../src/storage/open.ts';
import { cliData } from '../../support/cli.ts';
import { startProxy } from '../../support/proxy.ts';
import { uniqueTempDir } from '../../support/tools.ts';
import { putIndex, testDeps } from '../storage/kit.ts';
import { PRIVATE, PUBLIC, startAws } from './kit.ts';

// Nothing resolves these names here: what arrives has come through the proxy.
it.each([
  ['private', `${PRIVATE}/team/app`, PRIVATE],
  ['public', `${PUBLIC}/acme/app`, PUBLIC],
] as const)('the command line sends an image to ECR %s, and nothing the second time', async (mode, reference, name) => {
  const { aws, registry } = await startAws(mode, {}, { scheme: 'http' });
  const port = Number(registry.host.split(':')[1]);
  const proxy = await startProxy({ portOf: (asked) => (asked === 80 ? port : asked) });
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  const folder = await uniqueTempDir('aws');
  onTestFinished(() => folder.remove());
  const layout = join(folder.path, 'image');
  const source = openRepository({ kind: 'oci', path: layout }, testDeps());
  const index = await putIndex(source, '1.0');
  await source.commit();
  const env = { ...aws.keys, AWS_ENDPOINT_URL: aws.url, HTTP_PROXY: `http://${proxy.host}`, NO_PROXY: '127.0.0.1' };
  const words = ['copy', `oci:${layout}:1.0`, '--to', reference, '--plain-http', name, '--create-repository'];
  const first = await cliData<{ readonly digest: string }>(words, { env });
  expect(first.digest).toBe(index.digest);
  const before = registry.requests.length;
  await cliData(words, { env });
  const again = registry.requests.slice(before);
  expect(again.filter(({ method, path }) => method !== 'GET' && path.includes('/blobs/uploads'))).toEqual([]);
  expect(aws.calls.filter((call) => call.includes('CreateRepository'))).toHaveLength(1);
  expect(aws.violations).toEqual([]);
});
