import type { CloudCall } from '../cloud/cloud-call.ts';
import type { Image, ImageView } from './image.ts';

/** How long reads may show what was before (hashicorp/terraform-provider-aws 34691). */
const LONGEST_STALE = 60_000;

/** Changes what can be changed of an image. */
export function changeView({ cloud, now }: CloudCall<unknown>, image: Image, change: Partial<ImageView>): void {
  image.view.set({ ...image.view.value, ...change }, now + cloud.lag(LONGEST_STALE));
}
