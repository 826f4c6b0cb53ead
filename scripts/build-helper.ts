/** Builds the helper with this machine's compiler, and says what came out: `npm run build:helper`. */
import { buildHelper, findHelper, isPinned } from "../src/sandbox/helper.ts";

const built = buildHelper();
console.log(`helper for ${built.arch}, by ${built.compiler}`);
console.log(`source sha256 ${built.sources}`);
console.log(`binary sha256 ${built.sha256}`);
console.log(`helper/pins.json: ${isPinned(built)}`);
const found = findHelper();
if (found.path === null) throw new Error(`built, but not usable: ${found.why}`);
console.log(found.path);
