import { UserError } from '../core/error.ts';

/** Names without `cap_`, of linux/capability.h, in the order of their numbers. */
export const CAPABILITY_NAMES = (
  'chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service ' +
  'net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin ' +
  'sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override ' +
  'mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore'
).split(' ');

/** VFS_CAP_REVISION_2: 64-bit sets, valid in every user namespace's parent (no root uid inside, as revision 3 has). */
const REVISION_2 = 0x0200_0000;
const EFFECTIVE = 1;

/**
 * The `security.capability` attribute (struct vfs_cap_data, capabilities(7)) for a text such as `cap_net_raw+ep` or
 * `cap_chown,cap_kill=ep cap_net_admin+i`, as cap_from_text(3) reads it. Throws UserError `definition` naming `field`.
 */
export function capabilityAttribute(text: string, field: string): Buffer {
  const sets = { e: 0n, p: 0n, i: 0n };
  for (const clause of text.trim().split(/\s+/)) {
    const match = /^([a-z_,]+)([=+])([eip]+)$/.exec(clause);
    if (!match) throw illegal(field, text, `"${clause}" is not of the form cap_name[,cap_name]+eip`);
    const [, names = '', operator, flags = ''] = match;
    const bits = names.split(',').reduce((all, name) => all | bitsOf(name, field, text), 0n);
    for (const flag of ['e', 'p', 'i'] as const) {
      if (operator === '=') sets[flag] &= ~bits;
      if (flags.includes(flag)) sets[flag] |= bits;
    }
  }
  // The kernel knows one effective bit for the whole file.
  if (sets.e !== 0n && sets.e !== (sets.p | sets.i)) {
    throw illegal(field, text, 'a file is effective in all of its capabilities or in none');
  }
  const attribute = Buffer.alloc(20);
  attribute.writeUInt32LE(REVISION_2 | (sets.e === 0n ? 0 : EFFECTIVE), 0);
  for (const word of [0, 1]) {
    const shift = BigInt(32 * word);
    attribute.writeUInt32LE(Number((sets.p >> shift) & 0xffff_ffffn), 4 + 8 * word);
    attribute.writeUInt32LE(Number((sets.i >> shift) & 0xffff_ffffn), 8 + 8 * word);
  }
  return attribute;
}

function bitsOf(name: string, field: string, text: string): bigint {
  if (name === 'all') return (1n << BigInt(CAPABILITY_NAMES.length)) - 1n;
  const number = CAPABILITY_NAMES.indexOf(name.replace(/^cap_/, ''));
  if (number < 0 || !name.startsWith('cap_')) throw illegal(field, text, `"${name}" is not a capability`);
  return 1n << BigInt(number);
}

const illegal = (field: string, text: string, why: string): UserError =>
  new UserError('definition', `${field}: capabilities "${text}": ${why}`, {
    hint: `Known: all, ${CAPABILITY_NAMES.map((name) => `cap_${name}`).join(', ')}.`,
  });
