/** Machines of PE headers ("PE Format", Microsoft, "Machine Types"), by what Linux calls them. */
const MACHINES: ReadonlyMap<number, string> = new Map([
  [0x8664, 'x86_64'],
  [0xaa64, 'aarch64'],
  [0x014c, 'i386'],
  [0x01c2, 'arm'],
  [0x01c4, 'arm'],
  [0x5064, 'riscv64'],
  [0x6264, 'loongarch64'],
]);

/** The machine of a PE file, which a program for EFI is, by its first kilobytes; undefined for another file. Its header lies where byte 60 says. */
export function peMachine(head: Buffer): string | undefined {
  if (head.length < 64 || head.toString('latin1', 0, 2) !== 'MZ') return undefined;
  const at = head.readUInt32LE(60);
  if (at + 6 > head.length || head.toString('latin1', at, at + 4) !== 'PE\0\0') return undefined;
  const machine = head.readUInt16LE(at + 4);
  return MACHINES.get(machine) ?? `machine 0x${machine.toString(16)}`;
}
