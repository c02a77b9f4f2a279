import type { CloudHandlers } from '../cloud/cloud-call.ts';
import * as account from './account.ts';
import { copyImage } from './copy-image.ts';
import { disableImageDeprecation, enableImageDeprecation } from './deprecation.ts';
import { describeImages } from './describe-images.ts';
import { describeImageAttribute, modifyImageAttribute } from './image-attributes.ts';
import { deregisterImage, disableImage, disableProtection, enableImage, enableProtection } from './image-life.ts';
import { describeImageReferences } from './image-references.ts';
import { cancelImportTask, describeImportSnapshotTasks, importSnapshot } from './import-snapshot.ts';
import * as instances from './instances.ts';
import { registerImage } from './register-image.ts';
import * as snapshots from './snapshots.ts';
import { createTags, deleteTags } from './tags.ts';

/** EC2, as far as images are made, copied, shared, tried and removed. */
export const EC2_HANDLERS: CloudHandlers = {
  RegisterImage: registerImage,
  DescribeImages: describeImages,
  CopyImage: copyImage,
  ModifyImageAttribute: modifyImageAttribute,
  DescribeImageAttribute: describeImageAttribute,
  EnableImageDeprecation: enableImageDeprecation,
  DisableImageDeprecation: disableImageDeprecation,
  EnableImageDeregistrationProtection: enableProtection,
  DisableImageDeregistrationProtection: disableProtection,
  DisableImage: disableImage,
  EnableImage: enableImage,
  DeregisterImage: deregisterImage,
  DescribeImageReferences: describeImageReferences,
  DescribeSnapshots: snapshots.describeSnapshots,
  DeleteSnapshot: snapshots.deleteSnapshot,
  CopySnapshot: snapshots.copySnapshot,
  ModifySnapshotAttribute: snapshots.modifySnapshotAttribute,
  DescribeSnapshotAttribute: snapshots.describeSnapshotAttribute,
  ImportSnapshot: importSnapshot,
  DescribeImportSnapshotTasks: describeImportSnapshotTasks,
  CancelImportTask: cancelImportTask,
  CreateTags: createTags,
  DeleteTags: deleteTags,
  DescribeRegions: account.describeRegions,
  GetImageBlockPublicAccessState: account.getImageBlock,
  EnableImageBlockPublicAccess: account.enableImageBlock,
  DisableImageBlockPublicAccess: account.disableImageBlock,
  GetSnapshotBlockPublicAccessState: account.getSnapshotBlock,
  EnableSnapshotBlockPublicAccess: account.enableSnapshotBlock,
  DisableSnapshotBlockPublicAccess: account.disableSnapshotBlock,
  GetEbsEncryptionByDefault: account.getEncryptionByDefault,
  GetEbsDefaultKmsKeyId: account.getDefaultKey,
  RunInstances: instances.runInstances,
  DescribeInstances: instances.describeInstances,
  GetConsoleOutput: instances.getConsoleOutput,
  TerminateInstances: instances.terminateInstances,
  DescribeInstanceTypeOfferings: instances.describeInstanceTypeOfferings,
  DescribeInstanceTypes: instances.describeInstanceTypes,
};
