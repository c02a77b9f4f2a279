// node upload-child.ts JSON: an upload that a test kills.
import { systemClock } from '../../../src/core/clock.ts';
import { uploadSnapshot } from '../../../src/ebs/upload-snapshot.ts';
import { openFetch } from '../../../src/host/process-fetch.ts';
import { ownProgram } from '../../support/disks.ts';
import { memoryLog } from '../../support/memory-log.ts';

const { source, digests, keys, ...settings } = JSON.parse(process.argv[2] ?? '');
await uploadSnapshot(
  {
    ...settings,
    credentials: async () => keys,
    program: ownProgram,
    threads: 1,
    fetch: openFetch(() => undefined),
    log: memoryLog(),
    clock: systemClock,
    signal: new AbortController().signal,
    snapshotState: async () => 'pending',
    deleteSnapshot: async () => undefined,
  },
  { ...source, blocks: { size: source.size, digests: Buffer.from(digests, 'base64') } },
  { clientToken: 'content' },
);
