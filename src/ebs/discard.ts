import type { EbsSettings } from './ebs-settings.ts';

/** Deletes what cannot become right. Its failure is told, and is not the one that counts. */
export async function discard(
  { deleteSnapshot, log, region }: Pick<EbsSettings, 'deleteSnapshot' | 'log' | 'region'>,
  snapshotId: string,
): Promise<void> {
  try {
    await deleteSnapshot(snapshotId);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const command = `aws ec2 delete-snapshot --region ${region} --snapshot-id ${snapshotId}`;
    log.warn(`cannot delete ${snapshotId} in ${region}: ${why}. Run: ${command}`);
  }
}
