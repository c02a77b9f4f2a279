import type { DisableImageDeprecationRequest, EnableImageDeprecationRequest } from '@aws-sdk/client-ec2';
import type { CloudCall } from '../cloud/cloud-call.ts';
import { changeView } from './change-view.ts';
import type { Image } from './image.ts';
import { availableImage, refused } from './look-up.ts';

const MINUTE = 60_000;

function yearsAfter(time: number, years: number): number {
  const date = new Date(time);
  date.setUTCFullYear(date.getUTCFullYear() + years);
  return date.getTime();
}

const toMinute = (time: number): number => Math.round(time / MINUTE) * MINUTE;

/** When an image that becomes public is deprecated: two years after it was made at the latest. */
export const deprecationOf = ({ createdAt }: Image, own: number | undefined): number =>
  Math.min(own ?? Number.POSITIVE_INFINITY, toMinute(yearsAfter(createdAt, 2)));

export function enableImageDeprecation(call: CloudCall<EnableImageDeprecationRequest>): object {
  const { input, now } = call;
  const image = availableImage(call, input.ImageId);
  const at = toMinute(input.DeprecateAt?.getTime() ?? 0);
  const isPublic = image.view.value.sharedWith.has('all');
  const wrong = (message: string) => refused('InvalidParameterValue', `DeprecateAt: ${message}`);
  if (at < now) throw wrong('the time must not be in the past');
  if (at > yearsAfter(now, 10)) throw wrong('the time must be within 10 years');
  if (isPublic && at > toMinute(yearsAfter(image.createdAt, 2)))
    throw wrong('the time must be within 2 years of the creation of a public image');
  changeView(call, image, { deprecatesAt: at });
  return { Return: true };
}

/** A public image keeps the date that AWS sets. */
export function disableImageDeprecation(call: CloudCall<DisableImageDeprecationRequest>): object {
  const image = availableImage(call, call.input.ImageId);
  const isPublic = image.view.value.sharedWith.has('all');
  changeView(call, image, { deprecatesAt: isPublic ? deprecationOf(image, undefined) : undefined });
  return { Return: true };
}
