import { invoiceTotal } from "./invoice.mjs";

const lines = Array.from({ length: 7 }, (_, i) => ({ name: `thing ${i}`, price: 33 + i, count: 1 }));
const wanted = 300;
const got = invoiceTotal(lines);
console.log(got === wanted ? "sums are right" : `total is ${got}, wanted ${wanted}`);
process.exitCode = got === wanted ? 0 : 1;
