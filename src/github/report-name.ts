import {
  formatHandoverName,
  type HandoverName,
  type Listed,
  type NamedHandover,
  newestHandovers,
} from './handover-name.ts';

const HANDOVER = 'handover-';

/** Never taken for a handover: what it says has no layers. */
const REPORT = 'report-';

/** Name of the artifact that says what is in an image which is not handed over. Throws UserError `handover` when it were too long. */
export const formatReportName = (name: HandoverName): string => formatHandoverName(name).replace(HANDOVER, REPORT);

/** For each image, system and call the newest report, as `newestHandovers` has it. */
export function newestReports<A extends Listed>(artifacts: readonly A[], attempt: number): NamedHandover<A>[] {
  const renamed = artifacts
    .filter(({ name }) => name.startsWith(REPORT))
    .map((artifact) => ({ ...artifact, name: artifact.name.replace(REPORT, HANDOVER), artifact }));
  return newestHandovers(renamed, attempt).map((found) => ({ ...found, artifact: found.artifact.artifact }));
}
