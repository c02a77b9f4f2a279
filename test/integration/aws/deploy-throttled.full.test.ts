// AWS's clients wait by the machine's clock before they try again: some seconds for 5 %, twenty for 30 %.
import { expect, onTestFinished, test } from 'vitest';
import { throttling } from '../../emulators/aws/cloud/faults.ts';
import { uniqueTempDir } from '../../support/tools.ts';
import { makeDisks, startDeployKit } from './deploy-kit.ts';
import { expectAll, threeRegions } from './three-regions.ts';

test.for([0.05, 0.3])('throttling of %d of all requests, by each code and reason: still done', async (share) => {
  const disks = await uniqueTempDir('deploy-throttled');
  onTestFinished(() => disks.remove());
  await makeDisks(disks.path);
  const { cloud, run } = await startDeployKit(disks.path);
  cloud.state.faults.add(throttling(share));
  const { exitCode, stderr } = await run([...threeRegions(disks.path), '--journal', 'journal.jsonl']);
  expect(exitCode, stderr).toBe(0);
  const harmed = cloud.requests.filter(({ outcome }) => outcome !== 'done').length;
  expect(harmed / cloud.requests.length).toBeGreaterThan(share / 2);
  expectAll(cloud);
});
