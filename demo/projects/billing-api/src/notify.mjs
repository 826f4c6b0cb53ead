import { invoiceText } from "./invoice.mjs";

/** The mail that goes with an invoice. Sending is the mail server's business. */
export function mailFor(customer, number, lines) {
  return {
    to: customer.email,
    subject: `Your invoice ${number}`,
    text: `Dear ${customer.name},\n\nplease find your invoice below.\n\n${invoiceText(number, lines)}\n`,
  };
}
