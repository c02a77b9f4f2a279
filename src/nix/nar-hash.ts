/** Nix's base 32: digits and lower-case letters without e, o, u and t, least significant digit last. */
const ALPHABET = '0123456789abcdfghijklmnpqrsvwxyz';

const SHA256_BYTES = 32;

/** Decodes Nix's base 32, whose text runs from the most to the least significant five bits of the number. */
function fromBase32(text: string): Buffer | undefined {
  const bytes = Buffer.alloc(SHA256_BYTES);
  for (let digit = 0; digit < text.length; digit++) {
    const value = ALPHABET.indexOf(text.charAt(text.length - 1 - digit));
    if (value < 0) return undefined;
    const bit = digit * 5;
    const low = bit >> 3;
    const shifted = value << (bit & 7);
    bytes[low] = (bytes[low] ?? 0) | (shifted & 0xff);
    if (low + 1 < SHA256_BYTES) bytes[low + 1] = (bytes[low + 1] ?? 0) | (shifted >> 8);
    // 52 digits hold 260 bits; the four on top must be zero.
    else if (shifted >> 8 !== 0) return undefined;
  }
  return bytes;
}

/** The inverse of `fromBase32`. */
function toBase32(bytes: Uint8Array): string {
  let text = '';
  for (let digit = Math.ceil((bytes.length * 8) / 5) - 1; digit >= 0; digit--) {
    const bit = digit * 5;
    const low = bit >> 3;
    const pair = (bytes[low] ?? 0) | ((bytes[low + 1] ?? 0) << 8);
    text += ALPHABET.charAt((pair >> (bit & 7)) & 0x1f);
  }
  return text;
}

/** An SRI hash as Nix spells it in narinfo files, and signs it: `sha256:` and base 32. */
export const toNixHash = (sri: string): string =>
  `sha256:${toBase32(Buffer.from(sri.slice('sha256-'.length), 'base64'))}`;

function bytesOf(text: string): Buffer | undefined {
  if (/^[0-9a-f]{64}$/.test(text)) return Buffer.from(text, 'hex');
  if (/^[0-9a-z]{52}$/.test(text)) return fromBase32(text);
  const bytes = /^[A-Za-z0-9+/]{43}=$/.test(text) ? Buffer.from(text, 'base64') : undefined;
  return bytes?.length === SHA256_BYTES ? bytes : undefined;
}

/**
 * The hash of a NAR as SRI (`sha256-<base64>`), from any spelling that a Nix prints: SRI, or `sha256:` with base 32,
 * base 16 or base 64. Undefined when it is none of these.
 */
export function toSri(text: string): string | undefined {
  const match = /^sha256[-:](.+)$/.exec(text);
  const bytes = match?.[1] === undefined ? undefined : bytesOf(match[1]);
  return bytes && `sha256-${bytes.toString('base64')}`;
}
