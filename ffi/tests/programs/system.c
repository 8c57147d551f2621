/* The library calls these instead of the C library's, so that what is rare can be
 * had at will. */
#include "system.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

atomic_uint slow_accept_ms = 0;
atomic_uint slow_listen_ms = 0;
atomic_uint slow_read_ms = 0;
atomic_bool say_linger = false;
atomic_bool fail_setsockopt = false;
atomic_bool fail_write = false;
atomic_bool fail_futex = false;
atomic_bool flaky_sendmsg = false;
atomic_uint troubles_made = 0;
static atomic_bool accepting = false;
atomic_long clock_step = 0;
atomic_int raise_at_clock = 0;
atomic_bool fill_eventfd = false;
atomic_int newest_eventfd = -1;

/* ------------------------------------------------------ calls that may fail -- */

static struct {
  const char *call;
  int error;
  atomic_int left;
} faults[] = {
    {"accept4", 0, 0}, {"bind", 0, 0},       {"eventfd", 0, 0}, {"getsockname", 0, 0},
    {"inotify_init1", 0, 0},
    {"listen", 0, 0},  {"poll", 0, 0},       {"read", 0, 0},    {"recv", 0, 0},
    {"sendmsg", 0, 0}, {"setsockopt", 0, 0}, {"socket", 0, 0},  {"thread", 0, 0},
    {"write", 0, 0},
};
enum { CALLS = sizeof faults / sizeof *faults };

bool fail_calls(const char *words) {
  char call[16];
  int error, times;
  if (sscanf(words, "%15s %d %d", call, &error, &times) != 3) return false;
  for (int i = 0; i < CALLS; i++) {
    if (strcmp(faults[i].call, call) != 0) continue;
    faults[i].error = error;
    faults[i].left = times;
    return true;
  }
  return false;
}

int failures_left(const char *call) {
  for (int i = 0; i < CALLS; i++)
    if (strcmp(faults[i].call, call) == 0) return faults[i].left;
  return -1;
}

void fail_no_calls(void) {
  for (int i = 0; i < CALLS; i++) faults[i].left = 0;
}

/* Whether this call fails; then errno says why. */
static bool fails(const char *call) {
  for (int i = 0; i < CALLS; i++) {
    if (strcmp(faults[i].call, call) != 0) continue;
    int left = faults[i].left;
    while (left > 0 && !atomic_compare_exchange_weak(&faults[i].left, &left, left - 1)) {}
    if (left <= 0) return false;
    troubles_made++;
    errno = faults[i].error;
    return true;
  }
  return false;
}

int poll(struct pollfd *entries, nfds_t count, int timeout) {
  if (fails("poll")) return -1;
  return (int)syscall(SYS_poll, entries, count, timeout);
}

ssize_t recv(int socket, void *bytes, size_t size, int flags) {
  if (fails("recv")) return -1;
  return syscall(SYS_recvfrom, socket, bytes, size, flags, NULL, NULL);
}

/* Of the library, that of its eventfd; stdio does not come this way. */
ssize_t read(int fd, void *bytes, size_t size) {
  if (fails("read")) return -1;
  if (slow_read_ms > 0) usleep(slow_read_ms * 1000);
  return syscall(SYS_read, fd, bytes, size);
}

int socket(int family, int kind, int protocol) {
  if (fails("socket")) return -1;
  return (int)syscall(SYS_socket, family, kind, protocol);
}

/* Somebody exchanges a file for a link at the worst moment. */
static char exchange_at[16], exchanged[128], exchange_for[128];

bool exchange(const char *words) {
  return sscanf(words, "%15s %127s %127s", exchange_at, exchanged, exchange_for) == 3;
}

static void exchange_now(const char *call) {
  if (strcmp(exchange_at, call) != 0) return;
  exchange_at[0] = 0;
  if (unlink(exchanged) != 0 || symlink(exchange_for, exchanged) != 0) puts("not exchanged");
}

int bind(int socket, const struct sockaddr *addr, socklen_t length) {
  if (fails("bind")) return -1;
  int outcome = (int)syscall(SYS_bind, socket, addr, length);
  exchange_now("bind");
  return outcome;
}

int connect(int socket, const struct sockaddr *addr, socklen_t length) {
  exchange_now("connect");
  return (int)syscall(SYS_connect, socket, addr, length);
}

int inotify_init1(int flags) {
  if (fails("inotify_init1")) return -1;
  return (int)syscall(SYS_inotify_init1, flags);
}

int getsockname(int socket, struct sockaddr *addr, socklen_t *length) {
  if (fails("getsockname")) return -1;
  return (int)syscall(SYS_getsockname, socket, addr, length);
}

int eventfd(unsigned value, int flags) {
  if (fails("eventfd")) return -1;
  return newest_eventfd = (int)syscall(SYS_eventfd2, value, flags);
}

/* A sanitizer has to see threads begin. */
#if !defined __SANITIZE_THREAD__ && !defined __SANITIZE_ADDRESS__
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                   void *(*routine)(void *), void *argument) {
  if (fails("thread")) return errno;
  int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  *(void **)&create = dlsym(RTLD_NEXT, "pthread_create");
  return create(thread, attributes, routine, argument);
}
#endif

int clock_gettime(clockid_t clock, struct timespec *now) {
  int outcome = (int)syscall(SYS_clock_gettime, clock, now);
  static atomic_uint readings = 0;
  // Threads of the library have all signals blocked: one that reads it first would swallow this.
  bool handles = clock == CLOCK_MONOTONIC && syscall(SYS_gettid) == getpid();
  int number = handles ? atomic_exchange(&raise_at_clock, 0) : 0;
  if (number != 0) raise(number);
  if (clock == CLOCK_REALTIME) now->tv_sec += clock_step * ((long)(readings++ % 3) - 1);
  return outcome;
}

/* --------------------------------------------------------- calls of all kinds -- */

void await_accept(void) {
  while (!accepting) usleep(1000);
}

int accept4(int socket, struct sockaddr *addr, socklen_t *length, int flags);

int accept4(int socket, struct sockaddr *addr, socklen_t *length, int flags) {
  if (fails("accept4")) return -1;
  int client = (int)syscall(SYS_accept4, socket, addr, length, flags);
  if (client >= 0) {
    accepting = true;
    if (slow_accept_ms > 0) usleep(slow_accept_ms * 1000);
  }
  return client;
}

int listen(int socket, int backlog) {
  if (fails("listen")) return -1;
  if (slow_listen_ms > 0) {
    puts("about to listen");
    usleep(slow_listen_ms * 1000);
  }
  return (int)syscall(SYS_listen, socket, backlog);
}

int setsockopt(int socket, int level, int name, const void *value,
               socklen_t length) {
  if (fails("setsockopt")) return -1;
  if (fail_setsockopt) {
    troubles_made++;
    errno = ENOBUFS;
    return -1;
  }
  return (int)syscall(SYS_setsockopt, socket, level, name, value, length);
}

int shutdown(int socket, int how) {
  struct linger linger = {0, 0};
  socklen_t length = sizeof linger;
  if (say_linger &&
      getsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, &length) == 0)
    printf("linger: %d %d\n", linger.l_onoff, linger.l_linger);
  return (int)syscall(SYS_shutdown, socket, how);
}

static long real_syscall(long number, long a, long b, long c, long d, long e, long f) {
  static long (*real)(long, ...);
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "syscall");
  return real(number, a, b, c, d, e, f);
}

/* The library's wake-ups, which are system calls without a function of their own. */
static long wake_up(int fd, long bytes, long count) {
  if (fails("write")) return -1;
  if (fill_eventfd) {
    uint64_t most = UINT64_MAX - 1;
    long filled = real_syscall(SYS_write, fd, (long)&most, sizeof most, 0, 0, 0);
    if (filled == sizeof most) troubles_made++;
  }
  if (fail_write) {
    troubles_made++;
    errno = EBADF;
    return -1;
  }
  return real_syscall(SYS_write, fd, bytes, count, 0, 0, 0);
}

long syscall(long number, ...) {
  long words[6];
  va_list rest;
  va_start(rest, number);
  for (int i = 0; i < 6; i++) words[i] = va_arg(rest, long);
  va_end(rest);
  if (number == SYS_futex && fail_futex) {
    errno = ENOSYS;
    return -1;
  }
  if (number == SYS_write) return wake_up((int)words[0], words[1], words[2]);
  return real_syscall(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

__attribute__((constructor)) static void find_syscall(void) { syscall(SYS_getpid); }

/* Around the size of a block's marker, within its fields, and within its events. */
static const size_t lengths[] = {1, 2, 3, 7, 23, 24, 25, 1000, 32749};
enum { LENGTHS = sizeof lengths / sizeof *lengths, PIECES = 64 };
static atomic_uint cut_after_first = 0; /* a bit for each length */

int places_cut(void) { return __builtin_popcount(cut_after_first); }

/* So many bytes; every other time, so many after the first piece. */
static ssize_t send_part(int socket, const struct msghdr *message, int flags) {
  static atomic_uint parts = 0;
  unsigned part = parts++, which = part / 2 % LENGTHS;
  size_t left = lengths[which] + (part % 2 == 0 ? 0 : message->msg_iov[0].iov_len);
  struct iovec pieces[PIECES];
  size_t count = 0;
  while (left > 0 && count < message->msg_iovlen && count < PIECES) {
    struct iovec *piece = &pieces[count];
    *piece = message->msg_iov[count++];
    if (piece->iov_len > left) {
      piece->iov_len = left;
      if (count == 2 && part % 2 != 0) cut_after_first |= 1U << which;
    }
    left -= piece->iov_len;
  }
  struct msghdr cut = *message;
  cut.msg_iov = pieces;
  cut.msg_iovlen = count;
  return syscall(SYS_sendmsg, socket, &cut, flags);
}

ssize_t sendmsg(int socket, const struct msghdr *message, int flags) {
  if (fails("sendmsg")) return -1;
  static const int errors[] = {EINTR, ENOBUFS, EAGAIN, ENOMEM};
  static atomic_uint calls = 0;
  if (flaky_sendmsg && message->msg_iovlen > 0) {
    unsigned call = calls++;
    troubles_made++;
    if (call % 5 != 0) return send_part(socket, message, flags);
    errno = errors[call / 5 % 4];
    return -1;
  }
  return syscall(SYS_sendmsg, socket, message, flags);
}
