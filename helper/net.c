/*
 * The sockets that lead out of the namespace. A child of ours enters the namespace that bubblewrap has made (we own its
 * user namespace, so we may), makes them there, and hands them back; a socket belongs to the namespace it was made in,
 * whoever holds it. Nothing inside can change routes: nothing inside has a capability.
 *
 * "Any address": with a local route for everything on the loopback device, each address is our own, so a connection to
 * any of them can be caught without a device, a packet filter or a process inside. Ports below 1024 are caught by one
 * listener each on the wildcard (nobody inside may bind those), others by a listener on exactly the address asked for.
 */
#include "helper.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

const int WELL_KNOWN_PORTS[WELL_KNOWN] = {443, 80, 22};
enum { BACKLOG = 256, NAME_SERVICE_PORT = 53, LOOPBACK = 1 };

static void enter_network(pid_t inside) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/ns/net", (int)inside);
  int network = open(path, O_RDONLY | O_CLOEXEC);
  if (network < 0) die("%s: %s", path, strerror(errno));
  /* Not the user namespace of the process: bubblewrap nests a second one, which does not own the network. */
  int owner = ioctl(network, NS_GET_USERNS);
  if (owner < 0) die("the network's owner: %s", strerror(errno));
  if (setns(owner, CLONE_NEWUSER) != 0) die("entering the user namespace: %s", strerror(errno));
  if (setns(network, CLONE_NEWNET) != 0) die("entering the network namespace: %s", strerror(errno));
  close(owner);
  close(network);
}

static bool make_all_local(int family) {
  struct {
    struct nlmsghdr header;
    struct rtmsg route;
    char attributes[64];
  } ask = {0};
  ask.header.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg));
  ask.header.nlmsg_type = RTM_NEWROUTE;
  ask.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK;
  ask.route.rtm_family = (unsigned char)family;
  ask.route.rtm_table = RT_TABLE_LOCAL;
  ask.route.rtm_protocol = RTPROT_BOOT;
  ask.route.rtm_scope = family == AF_INET ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
  ask.route.rtm_type = RTN_LOCAL;
  struct rtattr *out = (struct rtattr *)((char *)&ask + NLMSG_ALIGN(ask.header.nlmsg_len));
  out->rta_type = RTA_OIF;
  out->rta_len = RTA_LENGTH(sizeof(int));
  const int device = LOOPBACK;
  memcpy(RTA_DATA(out), &device, sizeof device);
  ask.header.nlmsg_len = NLMSG_ALIGN(ask.header.nlmsg_len) + RTA_ALIGN(out->rta_len);
  int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  union {
    char bytes[512];
    struct nlmsghdr header;
  } answer;
  bool done = netlink >= 0 && send(netlink, &ask, ask.header.nlmsg_len, 0) >= 0 &&
              recv(netlink, &answer, sizeof answer, 0) > 0 && answer.header.nlmsg_type == NLMSG_ERROR &&
              ((struct nlmsgerr *)NLMSG_DATA(&answer.header))->error == 0;
  if (netlink >= 0) close(netlink);
  return done;
}

static void listen_v4(int fd, int port) {
  const int on = 1;
  struct sockaddr_in at = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, BACKLOG) != 0)
    die("port %d: %s", port, strerror(errno));
}

/* A TCP socket for any address of both families. */
static int either_family(void) {
  const int on = 1, off = 0;
  int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket: %s", strerror(errno));
  setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  return fd;
}

static bool bind_listen(int fd, const uint8_t address[16], int port) {
  struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
  memcpy(&at.sin6_addr, address, 16);
  return bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, BACKLOG) == 0;
}

_Noreturn static void make(pid_t inside, int proxy_port, bool transparent, int give) {
  static const uint8_t anywhere[16];
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  enter_network(inside);
  int fds[SOCKETS], count = 0;
  fds[count] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fds[count] < 0) die("socket: %s", strerror(errno));
  listen_v4(fds[count++], proxy_port);
  char caught = 0;
  if (transparent && make_all_local(AF_INET) && make_all_local(AF_INET6)) {
    int names = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(NAME_SERVICE_PORT),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (names < 0 || bind(names, (struct sockaddr *)&at, sizeof at) != 0)
      die("the name service: %s", strerror(errno));
    fds[count++] = names;
    for (int i = 0; i < WELL_KNOWN + SPARE; i++) {
      int fd = either_family();
      if (i < WELL_KNOWN && !bind_listen(fd, anywhere, WELL_KNOWN_PORTS[i]))
        die("port %d: %s", WELL_KNOWN_PORTS[i], strerror(errno));
      fds[count++] = fd;
    }
    caught = 1;
  }
  if (!send_with(give, &caught, 1, fds, count)) _exit(125);
  _exit(0);
}

void make_sockets(pid_t inside, int proxy_port, bool transparent, struct sockets *made) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) die("socketpair: %s", strerror(errno));
  pid_t maker = fork();
  if (maker < 0) die("fork: %s", strerror(errno));
  if (maker == 0) make(inside, proxy_port, transparent, pair[1]);
  close(pair[1]);
  char caught = 0;
  ssize_t got = receive_with(pair[0], &caught, 1, made->fd, SOCKETS, &made->count, NULL);
  close(pair[0]);
  while (waitpid(maker, NULL, 0) < 0 && errno == EINTR) continue;
  if (got != 1 || made->count == 0) _exit(125); /* the child has said why */
  made->any_address = caught == 1;
}

int listen_on(struct sockets *sockets, const uint8_t address[16], int port) {
  for (int i = 2 + WELL_KNOWN; i < sockets->count; i++) {
    int fd = sockets->fd[i];
    if (fd < 0) continue;
    const bool is_bound = bind_listen(fd, address, port);
    if (!is_bound && errno != EINVAL) return -1; /* a program inside has it */
    sockets->fd[i] = -1;
    if (is_bound) return fd;
    close(fd); /* a recorder that was killed had used it */
  }
  return -1;
}
