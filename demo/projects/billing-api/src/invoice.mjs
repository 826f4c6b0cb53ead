/** Amounts are whole cents, so that nothing is lost on the way. */
export const TAX_PERCENT = 19;

export function lineTotal({ price, count }) {
  return price * count;
}

export function taxOf(cents) {
  return Math.round((cents * TAX_PERCENT) / 100);
}

/** What the customer pays: the lines with their tax. */
export function invoiceTotal(lines) {
  let total = 0;
  for (const line of lines) total += lineTotal(line) + taxOf(lineTotal(line));
  return total;
}

export function invoiceText(number, lines) {
  const rows = lines.map((line) => `${line.name.padEnd(24)} ${String(line.count).padStart(3)} x ${line.price}`);
  return [`Invoice ${number}`, ...rows, `Total ${invoiceTotal(lines)}`].join("\n");
}
