import type { BlockDeviceMapping, ImageState } from '@aws-sdk/client-ec2';
import type { Settling } from '../cloud/settling.ts';

/** What of an image can be changed, and is read late. */
export interface ImageView {
  readonly description: string;
  /** Milliseconds since 1970, whole minutes. */
  readonly deprecatesAt: number | undefined;
  readonly tags: ReadonlyMap<string, string>;
  /** `all`, accounts, ARNs of organizations and their units. */
  readonly sharedWith: ReadonlySet<string>;
  readonly isDisabled: boolean;
}

/** An image in a region. */
export interface Image {
  readonly id: string;
  readonly owner: string;
  readonly name: string;
  readonly architecture: string;
  readonly virtualization: string;
  readonly enaSupport: boolean;
  readonly sriovNetSupport: string | undefined;
  readonly bootMode: string | undefined;
  readonly tpmSupport: string | undefined;
  readonly imdsSupport: string | undefined;
  readonly uefiData: string | undefined;
  readonly rootDevice: string;
  readonly mappings: readonly BlockDeviceMapping[];
  readonly createdAt: number;
  readonly source: { readonly id: string; readonly region: string } | undefined;
  /** When it ends to be pending. */
  readonly readyAt: number;
  /** Why it fails then; undefined for an image that gets there. */
  readonly failure: string | undefined;
  /** Until then some reads say that it does not exist. */
  readonly knownFrom: number;
  readonly view: Settling<ImageView>;
  protection: 'disabled' | 'enabled' | 'enabled-with-cooldown';
  /** Until when it cannot be deregistered after its protection was taken off. */
  cooldownUntil: number;
  lastLaunched: number | undefined;
  /** When it was deregistered: it is shown for a while, then not, then it never was. */
  gone: { readonly at: number; readonly hiddenFrom: number; readonly unknownFrom: number } | undefined;
}

/** The state at some time, whatever reads show. */
export function imageState(image: Image, now: number): ImageState {
  if (now < image.readyAt) return 'pending';
  if (image.failure !== undefined) return 'failed';
  return image.view.value.isDisabled ? 'disabled' : 'available';
}
