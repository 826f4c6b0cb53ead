/**
 * The first file that runs. It imports nothing that an old Node could choke on: it checks the version and hands over.
 * bin/sallyport has turned on the compile cache, which holds the stripped types in a checkout, so that a warm start
 * costs what plain JavaScript does.
 */
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 24 || (major === 24 && minor < 12)) {
  process.stderr.write(
    `sallyport: Node 24.12 or newer is needed, this is ${process.versions.node}: see https://nodejs.org\n`,
  );
  process.exit(3);
}
const { main } = await import("./main.ts");
process.exitCode = await main(process.argv.slice(2));
