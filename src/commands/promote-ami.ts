import { movePointers } from '../ami/move-pointers.ts';
import { planMoves } from '../ami/plan-moves.ts';
import { systemClock } from '../core/clock.ts';
import { UserError } from '../core/error.ts';
import { defineCommand } from '../host/command.ts';
import { choices, flag, text } from '../host/fields.ts';
import { SYSTEMS } from '../oci/system.ts';
import { openAmiCloud } from './ami-cloud.ts';
import { amiImage, amiRole, chosenRegions, homeRegion, pointerInputs } from './ami-pointers.ts';
import { type AmiPromotion, presentAmiPromotion } from './present-promote-ami.ts';

export const promoteAmi = defineCommand({
  name: 'promote-ami',
  summary: 'Point parameters of Systems Manager to AMIs that are published already, in all regions or in none.',
  description:
    'Everything is checked in every region before the first parameter moves: the version is there, it can be launched, and who may use what the parameter points to now ' +
    'may use it. Each is then watched until it is as it was asked for, for Systems Manager drops values without a word; where one fails, all go back. `history-ami` shows what parameters have pointed to.',
  inputs: {
    ...amiImage,
    amiVersion: text({ description: 'Version to point to.', placeholder: 'VERSION' }),
    rollback: flag({
      description:
        'Go back to the version that the parameters pointed to before; each rollback leads one promotion further back.',
    }),
    ...pointerInputs,
    system: choices(SYSTEMS, {
      description: 'System whose parameters move. Default: all that the version is published for.',
    }),
    newParameter: flag({
      description: 'Make parameters that do not exist; by default, that is an error, since the name may be mistyped.',
    }),
    allowUnshared: flag({
      description: 'Promote although somebody who may use what a parameter points to now may not use the version.',
    }),
    dryRun: flag({ description: 'Check everything and show what would move; move nothing.' }),
    ...amiRole,
  },
  outputs: {
    version: 'Version that the parameters point to now; of several, one a line.',
    changed: 'Whether any parameter moved, `true` or `false`.',
    json: 'All of it as JSON.',
  },
  async run(inputs, host): Promise<AmiPromotion> {
    const { image, amiVersion: version, rollback } = inputs;
    if (rollback === (version !== undefined))
      throw new UserError('input', rollback ? 'a version and rollback are both given' : 'no version to promote', {
        hint: 'Give --ami-version VERSION, or --rollback.',
      });
    const home = homeRegion(host, inputs.regions);
    const { cloud } = await openAmiCloud(home, inputs, host, systemClock);
    const pointers = await planMoves(cloud, {
      ...{ image, version, templates: inputs.parameters, systems: inputs.system },
      regions: await chosenRegions(cloud, home, inputs.regions),
      isEveryRegion: inputs.regions.length > 0,
      ...{ mayCreate: inputs.newParameter, mayUnshare: inputs.allowUnshared },
    });
    const said = { kind: rollback ? 'rollback' : 'promote', image, isDryRun: inputs.dryRun, pointers } as const;
    if (inputs.dryRun) return { ...said, failure: undefined, left: [] };
    const moves = pointers.filter(({ isSame }) => !isSame);
    const { log, signal } = host;
    return { ...said, ...(await movePointers(moves, { cloud, clock: systemClock, log, signal })) };
  },
  present: presentAmiPromotion,
});
