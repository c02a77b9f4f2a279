import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { EBSClient, StartSnapshotCommand } from '@aws-sdk/client-ebs';
import { expect, it, onTestFinished } from 'vitest';

const SERVE = join(import.meta.dirname, '../../../emulators/aws/cloud/serve.ts');

// Node and the models of four services are loaded anew.
it('serves programs as a process, whose clock goes faster, and tells in the end what there is', async () => {
  const child = spawn(process.execPath, [SERVE, '{"speed": 3600, "lags": "none"}'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = once(child, 'close');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value ?? '');
  const { url, env } = await next();
  const client = new EBSClient({
    region: 'eu-west-1',
    endpoint: url,
    credentials: { accessKeyId: env.AWS_ACCESS_KEY_ID, secretAccessKey: env.AWS_SECRET_ACCESS_KEY },
  });
  const start = (ClientToken: string) => client.send(new StartSnapshotCommand({ VolumeSize: 1, ClientToken }));
  const token = crypto.randomUUID();
  await start(crypto.randomUUID());
  const [early, late] = [await start(token), await start(token)];
  // Asked again with its token, the same snapshot is seconds old by the cloud's clock.
  expect(Number(early.StartTime) - Number(late.StartTime)).toBeGreaterThan(1000);
  child.kill('SIGTERM');
  const { contents, violations } = await next();
  expect(contents.snapshots).toMatchObject([{ region: 'eu-west-1' }, { region: 'eu-west-1' }]);
  expect(violations).toEqual([]);
  expect(await ended).toEqual([0, null]);
});
