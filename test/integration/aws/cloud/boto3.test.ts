import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { motoServer } from '../../../../scripts/setup/python-tools.mjs';
import { startCloudKit } from './kit.ts';

// Starting Python with the models of four services takes seconds.
it('answers boto3 from roles that are assumed in a chain to an image that is public, and gone', async () => {
  const { cloud } = await startCloudKit({ keepsBlocks: true });
  const roles = 'arn:aws:iam::123456789012:role';
  cloud.state.roles.set(`${roles}/first`, { trusts: ({ arn }) => arn.endsWith(':user/ci'), longest: 43_200 });
  cloud.state.roles.set(`${roles}/second`, { trusts: ({ arn }) => arn.includes('/first/'), longest: 43_200 });
  const [python = ''] = motoServer();
  const { accessKey, secret } = cloud.admin;
  const script = join(import.meta.dirname, 'boto3-client.py');
  const { stdout } = await promisify(execFile)(python, [script, cloud.url, accessKey, secret], {
    env: { PATH: process.env.PATH, AWS_EC2_METADATA_DISABLED: 'true' },
  });
  expect(JSON.parse(stdout)).toEqual({
    'too long': 'ValidationError',
    who: 'arn:aws:sts::123456789012:assumed-role/second/boto3',
    'not trusted': 'AccessDenied',
    complete: 'completed',
    blocks: [0, 7],
    read: true,
    image: [['available', true, [{ Key: 'a', Value: 'b' }]]],
    'same copy': true,
    permissions: [{ Group: 'all' }],
    duplicate: 'InvalidAMIName.Duplicate',
    version: 1,
    pointer: true,
    deleted: ['success'],
  });
  expect(cloud.contents()).toMatchObject({ images: [{ region: 'eu-west-1', state: 'pending' }] });
  expect(cloud.violations).toEqual([]);
});
