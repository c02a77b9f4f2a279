import { channelName, type LiveChannel, readChannel } from '../channel/channel.ts';
import { UserError } from '../core/error.ts';
import { defineCommand } from '../host/command.ts';
import { text } from '../host/fields.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import type { RunIdentity } from '../oci/newer-run.ts';
import { noChannel } from '../promote/history.ts';
import { promoteImage } from '../promote/promote-image.ts';
import type { PromotionResult } from '../promote/report.ts';
import { rollbackTarget } from '../promote/rollback.ts';
import { wholeImage } from '../promote/whole-image.ts';
import { placesOf } from './places.ts';
import {
  channelPlace,
  channelReference,
  checkMayMove,
  loginPlace,
  PROMOTION_OUTPUTS,
  presentPromotion,
  promoteOptions,
  promotingInputs,
  tagOf,
} from './promoting.ts';
import { registryInputs } from './shared-inputs.ts';

export const rollback = defineCommand({
  name: 'rollback',
  summary: 'Move a channel back to the image that it meant before.',
  description:
    'Goes by the records that `promote` and `rollback` make. Each rollback leads one promotion further back, and is itself recorded; what was rolled ' +
    'back from is not returned to. The image must still be there, whole.',
  inputs: {
    reference: channelReference,
    to: text({
      description: 'Image to go back to. Default: the one before, by the history of the channel.',
      placeholder: 'DIGEST',
      parse: parseDigest,
    }),
    ...promotingInputs,
    ...registryInputs,
  },
  outputs: PROMOTION_OUTPUTS,
  async run(inputs, host): Promise<PromotionResult> {
    const { reference } = inputs;
    const tag = tagOf(reference);
    const places = await placesOf(host, { ...inputs, to: loginPlace(reference) });
    const repository = places.openForWriting(reference);
    const channel = { source: repository, tag };
    const live = await readChannel(channel, host.log);
    if (live === undefined) throw noChannel(channel);
    const options = promoteOptions(inputs, 'runs', host);
    if (inputs.to === undefined && isDoneBy(options.run, live)) {
      host.log.warn(`this run has rolled ${channelName(channel)} back already: a re-run does not go further back`);
      const done = {
        name: repository.name,
        channel: tag,
        before: live.image.digest,
        outcome: 'same',
        newer: null,
      } as const;
      return {
        kind: 'rollback',
        digest: live.image.digest,
        from: live.head?.from ?? '',
        channels: [done],
        referrers: 0,
      };
    }
    const target = await rollbackTarget(channel, live, inputs.to);
    const image = await repository.getManifest(target.digest);
    if (image === undefined) throw gone(repository.name, target, tag);
    if (!target.isKnown) host.log.warn(`${channelPlace(reference)}: its history does not have ${target.digest}`);
    await wholeImage(repository, image);
    const targets = [{ repository, kind: reference.kind, tags: [tag] }];
    await checkMayMove(image, targets, [reference], places);
    const { host: registry, repository: path } = reference.reference;
    const from = channelPlace({
      kind: 'registry',
      reference: { host: registry, repository: path, digest: image.digest },
    });
    const channels = await promoteImage(image, targets, {
      ...options,
      kind: 'rollback',
      from,
      mayCreate: false,
      below: { state: target.below },
      expected: live.image.digest,
    });
    return { kind: 'rollback', digest: image.digest, from, channels, referrers: 0 };
  },
  present: presentPromotion,
});

/** Whether a run has rolled the channel back in an attempt before. */
const isDoneBy = (run: RunIdentity | undefined, { head }: LiveChannel): boolean =>
  run !== undefined && head?.kind === 'rollback' && head.run?.id === run.id && head.run.source === run.source;

function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new UserError('reference', `${JSON.stringify(text)} is not a valid digest`, {
    hint: 'Write sha256: and 64 hexadecimal digits; `history --json` shows those of the channel.',
  });
}

/** Of an image that the history names, the registry may have removed it, as some do when its last tag moves. */
const gone = (name: string, { digest, isKnown }: { digest: Digest; isKnown: boolean }, channel: string): UserError =>
  isKnown
    ? new UserError('reference', `${name} does not have the image any more that ${channel} meant before: ${digest}`, {
        hint:
          'No tag was moved. Some registries, zot among them, remove an image when its last tag moves, so give each release a tag of its own (1.2.3, sha-…). ' +
          'Publish this one again, or name another image with --to DIGEST.',
        docs: 'promote.md#rollback',
      })
    : new UserError('reference', `${name} has no image ${digest}`, {
        hint: 'No tag was moved. If it was there before, it was removed: keep a tag of each release, and name another image with --to DIGEST.',
        docs: 'promote.md#rollback',
      });
