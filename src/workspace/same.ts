/** Whether two plain files hold the same bytes; read in pieces, as either may be large. */
import { closeSync, constants, openSync, readSync } from "node:fs";

const PIECE = 1 << 20;

/** False also when one cannot be opened. */
export function sameBytes(one: Buffer, other: Buffer): boolean {
  const open: number[] = [];
  try {
    for (const path of [one, other])
      open.push(openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK));
    const [a, b] = [Buffer.allocUnsafe(PIECE), Buffer.allocUnsafe(PIECE)];
    for (;;) {
      const [first = -1, second = -1] = open;
      const length = readSync(first, a, 0, PIECE, null);
      if (length !== readSync(second, b, 0, PIECE, null)) return false;
      if (length === 0) return true;
      if (a.compare(b, 0, length, 0, length) !== 0) return false;
    }
  } catch {
    return false;
  } finally {
    for (const fd of open) closeSync(fd);
  }
}
