/* The library calls these instead of the C library's, so that what is rare can be
 * had at will. */
#include "system.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

unsigned slow_accept_ms = 0;
unsigned slow_listen_ms = 0;
bool say_linger = false;
bool fail_setsockopt = false;
bool fail_write = false;
bool flaky_sendmsg = false;
atomic_uint troubles_made = 0;
static atomic_bool accepting = false;

void await_accept(void) {
  while (!accepting) usleep(1000);
}

int accept4(int socket, struct sockaddr *addr, socklen_t *length, int flags);

int accept4(int socket, struct sockaddr *addr, socklen_t *length, int flags) {
  int client = (int)syscall(SYS_accept4, socket, addr, length, flags);
  if (client >= 0) {
    accepting = true;
    usleep(slow_accept_ms * 1000);
  }
  return client;
}

int listen(int socket, int backlog) {
  if (slow_listen_ms > 0) {
    puts("about to listen");
    usleep(slow_listen_ms * 1000);
  }
  return (int)syscall(SYS_listen, socket, backlog);
}

int setsockopt(int socket, int level, int name, const void *value,
               socklen_t length) {
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

/* stdio does not come this way. */
ssize_t write(int fd, const void *bytes, size_t count) {
  if (fail_write) {
    troubles_made++;
    errno = EBADF;
    return -1;
  }
  return syscall(SYS_write, fd, bytes, count);
}

ssize_t sendmsg(int socket, const struct msghdr *message, int flags) {
  static const int troubles[] = {EINTR, ENOBUFS, 0, EAGAIN, ENOMEM, 0};
  static unsigned calls = 0;
  if (flaky_sendmsg && message->msg_iovlen > 0) {
    int trouble = troubles[calls++ % 6];
    troubles_made++;
    if (trouble != 0) {
      errno = trouble;
      return -1;
    }
    /* A prime number of bytes: boundaries fall everywhere. */
    size_t first = message->msg_iov[0].iov_len;
    return syscall(SYS_sendto, socket, message->msg_iov[0].iov_base,
                   first < 32749 ? first : 32749, flags, NULL, 0);
  }
  return syscall(SYS_sendmsg, socket, message, flags);
}
