/* The simplest writer that loses nothing: the caller itself writes the chunk to the
 * client, and waits while the socket is full. */
#include "eventlog_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int listener = -1, client = -1;

static void nothing(void) {}

static bool write_all(void *chunk, size_t size) {
  pthread_mutex_lock(&mutex);
  for (const char *from = chunk; client >= 0 && size > 0;) {
    ssize_t count = write(client, from, size);
    if (count < 0 && errno != EINTR) break;
    if (count > 0) from += count, size -= (size_t)count;
  }
  pthread_mutex_unlock(&mutex);
  return true;
}

const EventLogWriter EventLogSocketWriter = {nothing, write_all, nothing, nothing};

static EventlogSocketStatus result_of(bool good) {
  EventlogSocketStatus status = {good ? EVENTLOG_SOCKET_OK : EVENTLOG_SOCKET_ERR_SYS, good ? 0 : errno};
  return status;
}

static int listen_unix(const char *path) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  strncpy(at.sun_path, path, sizeof at.sun_path - 1);
  listener = socket(AF_UNIX, SOCK_STREAM, 0);
  return bind(listener, (struct sockaddr *)&at, sizeof at);
}

static int listen_tcp(const char *port) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
  int yes = 1;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  listener = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  /* An accepted socket inherits it from its listener. */
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return bind(listener, (struct sockaddr *)&at, sizeof at);
}

EventlogSocketStatus eventlog_socket_init(const EventlogSocketAddr *address,
                                          const EventlogSocketOpts *opts) {
  (void)opts;
  int bound = address->esa_tag == EVENTLOG_SOCKET_UNIX
                  ? listen_unix(address->esa_unix_addr.esa_unix_path)
                  : listen_tcp(address->esa_inet_addr.esa_inet_port);
  return result_of(bound == 0 && listen(listener, 5) == 0);
}

EventlogSocketStatus eventlog_socket_signal_ghc_rts_ready(void) { return result_of(true); }

EventlogSocketStatus eventlog_socket_wait(void) {
  client = accept(listener, NULL, NULL);
  return result_of(client >= 0);
}
