/**
 * The first program inside a chamber. While it still holds two capabilities over its own, empty network namespace it
 * makes every address local (a route of type `local` for the whole of IPv4 and IPv6: rtnetlink(7)), opens the listeners
 * behind which the world is played, hands them to the lab over Node's IPC channel (the format is the sandbox's, see
 * src/sandbox/stage.ts), becomes a plain user in a user namespace of its own, which drops every right over the network
 * namespace, loads the system-call filter, limits itself, and becomes the agent.
 *
 * With `watch` it stays as the agent's parent instead, and when the agent has ended it tells on the channel what the
 * agent left running and listening. That is visible to the agent (a parent process, no namespace's first); a watched run
 * is therefore never compared with an unwatched one.
 *
 * Failure contract: whatever goes wrong ends the stage with code 125 and a line on stderr before the agent starts.
 */

/** TCP ports with a listener: web, proxies, what self-hosted gateways and model servers, and OTLP collectors, use. */
export const PORTS = [
  ...[22, 80, 443, 1080, 1234, 3000, 3128, 4000, 4317, 4318, 5000],
  ...[7890, 8000, 8080, 8081, 8443, 8888, 9000, 9418, 11_434],
] as const;

/** UDP ports beside 53: time, QUIC, system log, metrics. */
export const DATAGRAM_PORTS = [123, 443, 514, 8125] as const;

export interface StageOptions {
  readonly arch: "x64" | "arm64";
  /** Descriptor of the filter's bytes. */
  readonly filter: number;
  /** Of user and group. */
  readonly id: number;
  readonly watch: boolean;
}

const SYSCALL = {
  x64: { sendmsg: 46, unshare: 272, capset: 126, prctl: 157, prlimit: 302, closeRange: 436 },
  arm64: { sendmsg: 211, unshare: 97, capset: 91, prctl: 167, prlimit: 261, closeRange: 436 },
} as const;

/** RLIMIT_FSIZE and RLIMIT_NPROC. */
const LIMITS = [
  [1, 2 ** 31],
  [6, 4096],
] as const;

/** A Perl program without modules (each costs milliseconds); its arguments are the agent's program and arguments. */
export function chamberStage({ arch, filter, id, watch }: StageOptions): string {
  const call = SYSCALL[arch];
  return `use strict;
my @program = @ARGV;
my $fd = delete $ENV{NODE_CHANNEL_FD};
delete @ENV{qw(NODE_CHANNEL_SERIALIZATION_MODE PERL_BADLANG)};
for my $name (map { /^SALLYPORT_LATER_(.+)/s ? $1 : () } keys %ENV) { $ENV{$name} = delete $ENV{"SALLYPORT_LATER_$name"} }
open(my $channel, '+<&=', $fd) or stop('no channel');
fcntl($channel, 2, 1);
sub stop { print STDERR "lab: $_[0]: $!\\n"; exit 125 }
for my $family (2, 10) {
  socket(my $route, 16, 3, 0) or stop('netlink');
  my $body = pack('C8 L', $family, 0, 0, 0, 255, 4, 254, 2, 0) . pack('S S L', 8, 4, 1);
  my $message = pack('L S S L L', 16 + length $body, 24, 0x405, 1, 0) . $body;
  send($route, $message, 0) or stop('route');
  sysread($route, my $answer, 4096);
  my $errno = -unpack('x16 l', $answer);
  $! = $errno, stop('route') if $errno && $family == 2;
}
sub hand {
  my ($line, $socket) = @_;
  my $vector = pack 'P Q', $line, length $line;
  my $control = pack 'Q i i i x4', 20, 1, 1, fileno $socket;
  my $message = pack 'Q Q P Q P Q Q', 0, 0, $vector, 1, $control, length $control, 0;
  syscall(${call.sendmsg}, $fd + 0, $message, 0) == length $line or stop('handing over');
  answer();
  close $socket;
}
sub answer {
  my $text = '';
  while ($text !~ /\\n/) { sysread($channel, $text, 1, length $text) or exit 125 }
}
for my $port (${PORTS.join(", ")}) {
  my $socket;
  # One socket for both families, where the kernel has IPv6.
  if (socket($socket, 10, 1, 6)) {
    setsockopt($socket, 41, 26, pack 'i', 0);
    bind($socket, pack('S n L x16 L', 10, $port, 0, 0)) or stop("port $port");
  } else {
    socket($socket, 2, 1, 6) && bind($socket, pack('S n x12', 2, $port)) or stop("port $port");
  }
  listen($socket, 256) or stop("port $port");
  hand(qq({"cmd":"NODE_HANDLE","type":"net.Server","msg":$port}\\n), $socket);
}
for my $port (${DATAGRAM_PORTS.join(", ")}, 53) {
  socket(my $socket, 2, 2, 17) or stop("port $port");
  bind($socket, pack('S n x12', 2, $port)) or stop("port $port");
  hand(qq({"cmd":"NODE_HANDLE","type":"dgram.Socket","dgramType":"udp4","msg":$port}\\n), $socket);
}
syscall(${call.unshare}, 0x10000000) == 0 or stop('user namespace');
for (['setgroups', 'deny'], ['uid_map', "${id} 0 1"], ['gid_map', "${id} 0 1"]) {
  open(my $out, '>', "/proc/self/$_->[0]") or stop($_->[0]);
  syswrite($out, $_->[1]) or stop($_->[0]);
}
my ($version, $none) = (pack('L l', 0x20080522, 0), "\\0" x 24);
syscall(${call.capset}, $version, $none) == 0 or stop('capabilities');
for (${LIMITS.map(([resource, value]) => `[${resource}, ${value}]`).join(", ")}) {
  my $old = "\\0" x 16;
  syscall(${call.prlimit}, 0, $_->[0], 0, $old) == 0 or stop('limit');
  my $hard = (unpack 'QQ', $old)[1];
  $hard = $_->[1] if $_->[1] < $hard;
  my $new = pack 'QQ', $hard, $hard;
  syscall(${call.prlimit}, 0, $_->[0], $new, 0) == 0 or stop('limit');
}
open(my $rules, '<&=', ${filter}) or stop('no filter');
sysread($rules, my $filter, 65536) or stop('no filter');
syscall(${call.prctl}, 22, 2, pack('S x6 P', length($filter) / 8, $filter)) == 0 or stop('filter');
answer();
syscall(${call.closeRange}, 3, 0xffffffff, 4);
syswrite($channel, qq("starting"\\n));
${watch ? WATCHED : START}
`;
}

const START = `exec { $program[0] } @program;
my $why = $! + 0;
syswrite($channel, qq({"execError":$why}\\n));
exit 127;`;

const WATCHED = `my $child = fork;
defined $child or stop('fork');
if ($child == 0) {
  exec { $program[0] } @program;
  my $why = $! + 0;
  syswrite($channel, qq({"execError":$why}\\n));
  exit 127;
}
waitpid $child, 0;
my $status = $?;
my @left;
for my $file (glob '/proc/[0-9]*/cmdline') {
  my ($pid) = $file =~ /(\\d+)/;
  next if $pid == 1 || $pid == $$;
  open my $in, '<', $file or next;
  local $/;
  my $line = <$in>;
  push @left, $line if defined $line && $line ne '';
}
my @ports;
for my $table ('/proc/net/tcp', '/proc/net/tcp6') {
  open my $in, '<', $table or next;
  while (<$in>) { push @ports, hex $1 if /^\\s*\\d+: [0-9A-F]+:([0-9A-F]{4}) \\S+ 0A / }
}
sub text { join ',', map { my $t = $_; $t =~ s/\\0/ /g; $t =~ s/([^ !#-\\[\\]-~])/sprintf '\\\\u%04x', ord $1/ge; qq("$t") } @_ }
syswrite($channel, '{"left":[' . text(@left) . '],"listening":[' . join(',', @ports) . "]}\\n");
exit($status & 127 ? 128 + ($status & 127) : $status >> 8);`;
