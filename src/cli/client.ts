/**
 * `sallyport run` and nothing else: the beginning of the one file that bundle.ts makes of the client. Loading that costs a
 * tenth of loading its modules one by one.
 */
import { placesOf } from "./places.ts";
import { exitCodeOf } from "./print.ts";
import { runCommand } from "./run-command.ts";

void exitCodeOf(async () => runCommand(process.argv.slice(3), placesOf(process.env))).then((code) => {
  // Not by running out of work: taking Node apart would cost the person a millisecond, and everything is written.
  process.exit(code);
});
