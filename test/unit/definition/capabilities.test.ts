import { describe, expect, test } from 'vitest';
import { capabilityAttribute } from '../../../src/definition/capabilities.ts';

describe('capabilityAttribute', () => {
  // The expected bytes are what setcap(8) writes (getfattr -e hex -n security.capability).
  const cases: [string, string][] = [
    ['cap_net_raw+ep', '0100000200200000000000000000000000000000'],
    ['cap_net_raw=ep', '0100000200200000000000000000000000000000'],
    ['cap_net_bind_service,cap_net_raw+p', '0000000200240000000000000000000000000000'],
    ['cap_chown+i', '0000000200000000010000000000000000000000'],
    ['cap_bpf+ep', '0100000200000000000000008000000000000000'],
  ];
  test.each(cases)('%s', (text, hex) => {
    expect(capabilityAttribute(text, 'x').toString('hex')).toBe(hex);
  });

  const refused: [string, string][] = [
    ['cap_nope+ep', '"cap_nope" is not a capability'],
    ['net_raw+ep', '"net_raw" is not a capability'],
    ['cap_net_raw', 'is not of the form'],
    ['cap_net_raw+ep cap_kill+p', 'effective in all of its capabilities or in none'],
  ];
  test.each(refused)('refuses %s', (text, message) => {
    expect(() => capabilityAttribute(text, 'files."/x".capabilities')).toThrow(message);
  });
});
