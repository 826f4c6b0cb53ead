/**
 * The first program inside the sandbox, where there is no helper (helper/stage.c is the quicker one). It opens the one TCP listener that leads out, hands the listening socket to the
 * launching Node process, and then *becomes* the agent's program, so that no process of ours stays inside where the
 * agent could look at it or stop it.
 *
 * Handing over speaks Node's own handle format on its IPC channel (lib/internal/child_process.js; unchanged since Node
 * 0.x, pinned by test/slow/sandbox.test.ts): one JSON line `{"cmd":"NODE_HANDLE","type":"net.Server",…}` carrying the
 * descriptor by SCM_RIGHTS, answered by a `NODE_HANDLE_ACK` line; and then, when the launcher has done its part, by a
 * line `"go"`. No program starts whose launcher has died. Perl does it in about 5 ms and is part of every Debian; where
 * it is missing, Node does it in about 40.
 *
 * The channel is close-on-exec. The line `"starting"` and end of file therefore mean that the program has
 * started; a line `{"execError":…}` after it that it has not, and why. Before that, what Perl and bubblewrap complain of goes to the launcher's pipe, not to the
 * terminal; Node's stage sends it as `{"problem":…}`.
 *
 * Failure contract: whatever goes wrong ends the stage with a non-zero code before the program starts.
 */

/** Descriptor numbers in the sandbox's first process, and the order in which the launcher lays them out. */
export const DESCRIPTOR = { channel: 3, stderr: 4, information: 5, first: 6 } as const;

/** Before the name of a variable that the stage itself must not obey; it takes this off before the program starts. */
export const LATER = "SALLYPORT_LATER_";

export interface StageLimit {
  /** RLIMIT_* number; the same on x64 and arm64. */
  readonly resource: number;
  readonly name: string;
  readonly value: number;
}

/** A path whose device and inode must still be what the plan saw: a swapped link would have bound another file. */
export interface StageExpectation {
  readonly path: string;
  readonly device: number;
  readonly inode: number;
}

const SYSCALL = {
  x64: { sendmsg: 46, prlimit: 302, close: 3, closeRange: 436 },
  arm64: { sendmsg: 211, prlimit: 261, close: 57, closeRange: 436 },
} as const;

/**
 * Perl, no modules (each costs milliseconds): numbers are Linux's, the same on x64 and arm64 but for the two calls.
 * Arguments: port, limits as `resource=value,…`, then the program.
 */
export function perlStage(arch: "x64" | "arm64", expectations: readonly StageExpectation[]): string {
  const { sendmsg, prlimit, close, closeRange } = SYSCALL[arch];
  const expected = expectations.map((e) => `[${quote(e.path)},${e.device},${e.inode}],`).join("\n");
  return `use strict;
my ($port, $limits, @program) = @ARGV;
my $fd = delete $ENV{NODE_CHANNEL_FD};
delete @ENV{qw(NODE_CHANNEL_SERIALIZATION_MODE PERL_BADLANG)};
for (keys %ENV) { $ENV{$1} = delete $ENV{$_} if /^${LATER}(.+)/s }
open(my $channel, '+<&=', $fd) or die "no channel: $!\\n";
fcntl($channel, 2, 1);
for my $e (${expected === "" ? "" : `\n${expected}\n`}) {
  my @s = lstat $e->[0];
  die "$e->[0] was replaced while the sandbox was being built\\n" unless @s && $s[0] == $e->[1] && $s[1] == $e->[2];
}
for (split /,/, $limits) {
  my ($resource, $value) = split /=/;
  my $old = "\\0" x 16;
  syscall(${prlimit}, 0, $resource + 0, 0, $old) == 0 or die "limit $resource: $!\\n";
  my ($soft, $hard) = unpack 'QQ', $old;
  $hard = $value if $value < $hard;
  $soft = $hard if $hard < $soft;
  my $new = pack 'QQ', $soft, $hard;
  syscall(${prlimit}, 0, $resource + 0, $new, 0) == 0 or die "limit $resource: $!\\n";
}
socket(my $listener, 2, 1, 6) or die "socket: $!\\n";
setsockopt($listener, 1, 2, pack('i', 1));
bind($listener, pack('S n C4 x8', 2, $port, 127, 0, 0, 1)) && listen($listener, 256) or die "port $port: $!\\n";
my $line = qq({"cmd":"NODE_HANDLE","type":"net.Server","msg":"listener"}\\n);
my $vector = pack 'P Q', $line, length $line;
my $control = pack 'Q i i i x4', 20, 1, 1, fileno $listener;
my $message = pack 'Q Q P Q P Q Q', 0, 0, $vector, 1, $control, length $control, 0;
syscall(${sendmsg}, $fd + 0, $message, 0) == length $line or die "handing over: $!\\n";
my $answer = '';
while ($answer =~ tr/\\n// < 2) { sysread($channel, $answer, 1, length $answer) or exit 125 }
close $listener;
open(STDERR, '>&', ${DESCRIPTOR.stderr}) && open(my $spare, '<&=', ${DESCRIPTOR.stderr}) or die "stderr: $!\\n";
close $spare;
$SIG{INT} = $SIG{QUIT} = 'DEFAULT';
# Whatever descriptors the launching program's own parent left open end here.
if (syscall(${closeRange}, 3, 0xffffffff, 4) != 0) {
  opendir(my $all, '/proc/self/fd') or die "descriptors: $!\\n";
  for my $n (grep { /^\\d+$/ && $_ > 2 && $_ != $fd } readdir $all) { syscall(${close}, $n + 0) }
}
syswrite($channel, qq("starting"\\n));
exec { $program[0] } @program;
my $why = $! + 0;
my @places = $program[0] =~ m{/} ? ($program[0]) : map { "$_/$program[0]" } split /:/, $ENV{PATH};
my $there = (grep { -e $_ } @places) ? 1 : 0;
syswrite($channel, qq({"execError":$why,"there":$there}\\n));
exit($why == 2 ? 127 : 126);
`;
}

/** For the helper's stage (helper/stage.c): path, device and inode, each ended by a NUL. */
export function expectationFile(expectations: readonly StageExpectation[]): string {
  return expectations.map(({ path, device, inode }) => `${path}\0${device}\0${inode}\0`).join("");
}

/** The same in Node, with the same arguments; `prlimit` has set the limits before. Runs as CommonJS from a file. */
export function nodeStage(expectations: readonly StageExpectation[]): string {
  return `const { closeSync, lstatSync, accessSync, statSync, existsSync, constants } = require("node:fs");
const [port, ...program] = process.argv.slice(2);
const channel = Number(process.env.NODE_CHANNEL_FD ?? ${DESCRIPTOR.channel});
// Whatever descriptors the launching program's own parent left open end here; the list was made before Node opened its own.
for (const n of (process.env.SALLYPORT_OPEN ?? "").split(",").map((path) => Number(path.split("/").at(-1)))) if (n > 2 && n !== channel) try { closeSync(n); } catch {}
delete process.env.SALLYPORT_OPEN;
delete process.env.PERL_BADLANG;
process.on("disconnect", () => process.exit(125));
const fail = (problem) => process.send({ problem }, () => process.exit(1));
for (const [path, device, inode] of ${JSON.stringify(expectations.map((e) => [e.path, e.device, e.inode]))}) {
  const s = lstatSync(path, { throwIfNoEntry: false });
  if (s?.dev !== device || s.ino !== inode) return fail(path + " was replaced while the sandbox was being built");
}
const refuse = (execError, there) =>
  process.send({ execError, there: there ? 1 : 0 }, () => process.exit(execError === 2 ? 127 : 126));
function start() {
  const places = program[0].includes("/") ? [program[0]] : (process.env.PATH ?? "").split(":").map((d) => d + "/" + program[0]);
  const usable = places.find((p) => {
    try { accessSync(p, constants.X_OK); return statSync(p).isFile(); } catch { return false; }
  });
  if (usable === undefined) { const there = places.some((p) => existsSync(p)); return refuse(there ? 13 : 2, there); }
  const environment = { ...process.env };
  delete environment.NODE_CHANNEL_FD;
  delete environment.NODE_CHANNEL_SERIALIZATION_MODE;
  for (const name of Object.keys(environment)) if (name.startsWith("${LATER}")) {
    environment[name.slice(${LATER.length})] = environment[name];
    delete environment[name];
  }
  // Every descriptor above 2 is close-on-exec in Node, the channel included.
  process.send("starting", () => process.execve(usable, program, environment));
}
const server = require("node:net").createServer();
server.on("error", (error) => fail("port " + port + ": " + error.message));
server.listen({ port: Number(port), host: "127.0.0.1", backlog: 256 }, () =>
  process.send("listener", server, () => server.close(() => {})));
// Node takes the ACK for itself and hides a failed write.
process.once("message", start);
`;
}

/** A Perl single-quoted string. */
function quote(text: string): string {
  return `'${text.replaceAll(/[\\']/g, (c) => `\\${c}`)}'`;
}
