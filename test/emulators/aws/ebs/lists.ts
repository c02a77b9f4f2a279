import type { ListChangedBlocksRequest, ListSnapshotBlocksRequest } from '@aws-sdk/client-ebs';
import type { CloudCall } from '../cloud/cloud-call.ts';
import { pageToken, readPageToken, tokenOf } from './block-token.ts';
import { invalid, readableSnapshot } from './look-up.ts';
import { BLOCK_SIZE, blockOf, indexesOf, type Snapshot } from './snapshot.ts';

const DAY = 24 * 60 * 60 * 1000;

/** Blocks on a page where nothing is said; a page may have fewer at any time. */
const PAGE = 10_000;

interface Page {
  readonly indexes: readonly number[];
  readonly nextToken: string | undefined;
}

/**
 * A page of a list of indexes. Every third one is empty, with a token: only a missing token ends a list (ListSnapshotBlocks in the API
 * reference).
 */
function pageOf(
  call: CloudCall<ListSnapshotBlocksRequest & ListChangedBlocksRequest>,
  all: readonly number[],
  list: string,
): Page {
  const { input, now, cloud } = call;
  const { NextToken: token, MaxResults: most = PAGE, StartingBlockIndex: first = 0 } = input;
  const start = token === undefined ? 0 : readPageToken(token, `${list} ${first}`, now);
  if (start === undefined) throw invalid('INVALID_PAGE_TOKEN', 'The page token is not valid or has expired.');
  const wanted = all.filter((index) => index >= first);
  const isEmpty =
    wanted.length > 0 && cloud.world.lags !== 'none' && token !== undefined && cloud.world.random() < 1 / 3;
  const indexes = isEmpty ? [] : wanted.slice(start, start + most);
  const next = start + indexes.length;
  return { indexes, nextToken: next < wanted.length ? pageToken(`${list} ${first}`, next, now) : undefined };
}

const about = (snapshot: Snapshot, now: number) => ({
  ExpiryTime: new Date(now + 7 * DAY),
  VolumeSize: snapshot.volumeSize,
  BlockSize: BLOCK_SIZE,
});

export function listSnapshotBlocks(call: CloudCall<ListSnapshotBlocksRequest>): object {
  const { input, now } = call;
  const snapshot = readableSnapshot(call, input.SnapshotId);
  const { indexes, nextToken } = pageOf(call as never, indexesOf(snapshot), `blocks ${snapshot.id}`);
  return {
    Blocks: indexes.map((index) => ({ BlockIndex: index, BlockToken: tokenOf(snapshot.id, index, now) })),
    ...about(snapshot, now),
    NextToken: nextToken,
  };
}

const rootOf = (snapshot: Snapshot): Snapshot => (snapshot.parent ? rootOf(snapshot.parent) : snapshot);

export function listChangedBlocks(call: CloudCall<ListChangedBlocksRequest>): object {
  const { input, now } = call;
  const second = readableSnapshot(call, input.SecondSnapshotId);
  const first = input.FirstSnapshotId === undefined ? undefined : readableSnapshot(call, input.FirstSnapshotId);
  if (first && (rootOf(first) !== rootOf(second) || first.volumeSize !== second.volumeSize))
    throw invalid('UNRELATED_SNAPSHOTS', 'The snapshots are not of one lineage and size.');
  const all = new Set([...indexesOf(second), ...(first ? indexesOf(first) : [])]);
  const changed = [...all].filter((index) => {
    const [before, after] = [first && blockOf(first, index), blockOf(second, index)];
    return before?.checksum !== after?.checksum;
  });
  const list = `changes ${first?.id} ${second.id}`;
  const { indexes, nextToken } = pageOf(
    call as never,
    changed.sort((a, b) => a - b),
    list,
  );
  return {
    ChangedBlocks: indexes.map((index) => ({
      BlockIndex: index,
      FirstBlockToken: first && blockOf(first, index) ? tokenOf(first.id, index, now) : undefined,
      SecondBlockToken: blockOf(second, index) ? tokenOf(second.id, index, now) : undefined,
    })),
    ...about(second, now),
    NextToken: nextToken,
  };
}
