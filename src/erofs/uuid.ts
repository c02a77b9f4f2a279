import { UserError } from '../core/error.ts';

/** The bytes of a UUID in the order of its text (RFC 9562), as EROFS and dm-verity keep it. Throws UserError `input`. */
export function uuidBytes(uuid: string): Buffer {
  if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(uuid))
    throw new UserError('input', `${uuid} is not a valid UUID`);
  return Buffer.from(uuid.replaceAll('-', ''), 'hex');
}
