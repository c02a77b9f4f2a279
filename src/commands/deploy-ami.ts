import { systemClock } from '../core/clock.ts';
import type { Clock } from '../core/retry.ts';
import { defineCommand } from '../host/command.ts';
import { deployAmiInputs } from './ami-inputs.ts';
import { deployingAmi } from './deploying-ami.ts';
import { AMI_OUTPUTS, presentAmi } from './present-deploy-ami.ts';

/** The command on a clock: copies take minutes, and tests have none. */
export const deployAmiAt = (clock: Clock) =>
  defineCommand({
    name: 'deploy-ami',
    summary: 'Make AMIs of disks in any number of regions of AWS: all of them, or none.',
    description:
      'The disk goes to the first region by the EBS direct APIs, only the blocks that are not zeros or not in the snapshot before; it is registered and copied, ' +
      'and nobody sees an AMI before every region has it. A failure takes everything back. What exists is found by its content: the same again sends nothing. ' +
      'docs/amis.md has a workflow, docs/aws-iam.md the policies.',
    inputs: deployAmiInputs,
    outputs: AMI_OUTPUTS,
    run: (inputs, host) => deployingAmi(inputs, host, clock),
    present: presentAmi,
  });

export const deployAmi = deployAmiAt(systemClock);
