/* Calls the library as its arguments say and prints every status. No RTS: it
 * links with the library alone. */
#ifndef EVENTLOG_SOCKET_NO_RTS
#define EVENTLOG_SOCKET_NO_RTS
#endif
#include "eventlog_socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *what, EventlogSocketStatus status) {
  char *text = eventlog_socket_strerror(status);
  printf("%s: %d %d %s\n", what, (int)status.ess_status_code,
         status.ess_error_code, text == NULL ? "(null)" : text);
  fflush(stdout);
  free(text);
}

static EventlogSocketAddr unix_addr(char *path) {
  EventlogSocketAddr addr;
  memset(&addr, 0, sizeof addr);
  addr.esa_tag = EVENTLOG_SOCKET_UNIX;
  addr.esa_unix_addr.esa_unix_path = path;
  return addr;
}

static EventlogSocketAddr inet_addr(char *host, char *port) {
  EventlogSocketAddr addr;
  memset(&addr, 0, sizeof addr);
  addr.esa_tag = EVENTLOG_SOCKET_INET;
  addr.esa_inet_addr.esa_inet_host = host;
  addr.esa_inet_addr.esa_inet_port = port;
  return addr;
}

static void from_env(int then_init) {
  EventlogSocketAddr addr;
  EventlogSocketOpts opts;
  memset(&addr, 0x5a, sizeof addr);
  memset(&opts, 0x5a, sizeof opts);
  EventlogSocketStatus status = eventlog_socket_from_env(&addr, &opts);
  say("from_env", status);
  switch (status.ess_status_code) {
  case EVENTLOG_SOCKET_ERR_ENV_NOADDR: {
    EventlogSocketAddr untouched;
    memset(&untouched, 0x5a, sizeof untouched);
    printf("untouched: %d\n", memcmp(&addr, &untouched, sizeof addr) == 0);
    return;
  }
  case EVENTLOG_SOCKET_OK:
  case EVENTLOG_SOCKET_ERR_ENV_TOOLONG:
  case EVENTLOG_SOCKET_ERR_ENV_NOHOST:
  case EVENTLOG_SOCKET_ERR_ENV_NOPORT:
    break;
  default:
    return;
  }
  if (addr.esa_tag == EVENTLOG_SOCKET_UNIX)
    printf("addr: unix '%s'\n", addr.esa_unix_addr.esa_unix_path);
  else
    printf("addr: inet '%s' '%s'\n", addr.esa_inet_addr.esa_inet_host,
           addr.esa_inet_addr.esa_inet_port);
  printf("opts: %d %d %d\n", opts.eso_wait, opts.eso_sndbuf, opts.eso_linger);
  if (then_init) say("init", eventlog_socket_init(&addr, &opts));
  eventlog_socket_addr_free(&addr);
  if (addr.esa_unix_addr.esa_unix_path != NULL) printf("not set to NULL\n");
  eventlog_socket_addr_free(&addr); /* harmless */
  eventlog_socket_opts_free(&opts);
}

static void nulls(void) {
  EventlogSocketOpts opts = {true, 5, 5};
  EventlogSocketAddr addr = unix_addr(NULL);
  EventlogSocketAddr bad_tag = unix_addr("/nowhere/at/all");
  bad_tag.esa_tag = (EventlogSocketTag)77;
  EventlogSocketAddr no_port = inet_addr("127.0.0.1", NULL);
  EventlogSocketAddr empty = unix_addr("");
  eventlog_socket_addr_free(NULL);
  eventlog_socket_opts_init(NULL);
  eventlog_socket_opts_free(NULL);
  eventlog_socket_tuning_init(NULL);
  eventlog_socket_opts_init(&opts);
  printf("defaults: %d %d %d\n", opts.eso_wait, opts.eso_sndbuf, opts.eso_linger);
  say("from_env NULL", eventlog_socket_from_env(NULL, &opts));
  say("init NULL", eventlog_socket_init(NULL, NULL));
  say("start NULL", eventlog_socket_start(NULL, NULL));
  say("init no path", eventlog_socket_init(&addr, NULL));
  say("init empty path", eventlog_socket_init(&empty, NULL));
  say("init bad tag", eventlog_socket_init(&bad_tag, NULL));
  say("init no port", eventlog_socket_init(&no_port, NULL));
  say("tuning NULL", eventlog_socket_set_tuning(NULL));
  say("stats NULL", eventlog_socket_stats(NULL, sizeof(EventlogSocketStats)));
}

static void tuning(char *size, char *overflow) {
  EventlogSocketTuning t;
  eventlog_socket_tuning_init(&t);
  printf("tuning: %llu %d %u %u %u\n", (unsigned long long)t.est_buffer_size,
         (int)t.est_overflow, t.est_block_timeout_ms, t.est_exit_timeout_ms,
         t.est_flush_interval_ms);
  t.est_buffer_size = strtoull(size, NULL, 10);
  t.est_overflow = (EventlogSocketOverflow)atoi(overflow);
  say("set_tuning", eventlog_socket_set_tuning(&t));
}

static void stats(void) {
  /* A caller that knows only the first counters gets only those. */
  union {
    EventlogSocketStats all;
    unsigned char bytes[sizeof(EventlogSocketStats)];
  } s, first;
  memset(&s, 0x5a, sizeof s);
  memset(&first, 0x5a, sizeof first);
  say("stats", eventlog_socket_stats(&s.all, sizeof s.all));
  say("first stats", eventlog_socket_stats(&first.all, 16));
  int beyond = 0;
  for (size_t i = 16; i < sizeof first; i++) beyond += first.bytes[i] != 0x5a;
  printf("beyond: %d\n", beyond);
  printf("ring_size: %llu\n", (unsigned long long)s.all.est_ring_size);
  printf("inet_port: %u\n", (unsigned)s.all.est_inet_port);
}

static void every_code(void) {
  for (int code = -1; code <= 13; code++) {
    EventlogSocketStatus status = {(EventlogSocketStatusCode)code, 2};
    say("code", status);
  }
}

/* In a child nothing can be started, and its exit takes nothing away. */
static void forked(char *path) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    EventlogSocketAddr addr = unix_addr(path);
    say("child init", eventlog_socket_init(&addr, NULL));
    exit(0);
  }
  waitpid(child, NULL, 0);
}

static void discard(void) {
  char data[] = "before init everything is discarded";
  EventLogSocketWriter.initEventLogWriter();
  printf("written: %d\n", EventLogSocketWriter.writeEventLog(data, sizeof data));
  EventLogSocketWriter.flushEventLog();
  EventLogSocketWriter.stopEventLogWriter();
  printf("same writer: %d\n",
         SocketEventLogWriter.writeEventLog == EventLogSocketWriter.writeEventLog);
}

static void pause_here(void) {
  char line[16];
  printf("paused\n");
  fflush(stdout);
  if (fgets(line, sizeof line, stdin) == NULL) exit(97);
}

int main(int argc, char *argv[]) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 1; i < argc; i++) {
    char *word = argv[i];
    char *next = i + 1 < argc ? argv[i + 1] : "";
    char *second = i + 2 < argc ? argv[i + 2] : "";
    EventlogSocketAddr addr;
    if (strcmp(word, "from-env") == 0) {
      from_env(0);
    } else if (strcmp(word, "env-init") == 0) {
      from_env(1);
    } else if (strcmp(word, "init-unix") == 0) {
      addr = unix_addr(next);
      say("init", eventlog_socket_init(&addr, NULL));
      i += 1;
    } else if (strcmp(word, "start-unix") == 0) {
      addr = unix_addr(next);
      say("start", eventlog_socket_start(&addr, NULL));
      i += 1;
    } else if (strcmp(word, "init-tcp") == 0) {
      addr = inet_addr(next, second);
      say("init", eventlog_socket_init(&addr, NULL));
      i += 2;
    } else if (strcmp(word, "old-unix") == 0) {
      eventlog_socket_init_unix(next);
      i += 1;
    } else if (strcmp(word, "old-tcp") == 0) {
      eventlog_socket_init_tcp(next, second);
      i += 2;
    } else if (strcmp(word, "old-start-unix") == 0) {
      eventlog_socket_start_unix(next, false);
      i += 1;
    } else if (strcmp(word, "old-start-tcp") == 0) {
      eventlog_socket_start_tcp(next, second, false);
      i += 2;
    } else if (strcmp(word, "old-ready") == 0) {
      eventlog_socket_ready();
    } else if (strcmp(word, "tuning") == 0) {
      tuning(next, second);
      i += 2;
    } else if (strcmp(word, "ready") == 0) {
      say("ready", eventlog_socket_signal_ghc_rts_ready());
    } else if (strcmp(word, "wait") == 0) {
      say("wait", eventlog_socket_wait());
    } else if (strcmp(word, "status") == 0) {
      say("status", eventlog_socket_worker_status());
    } else if (strcmp(word, "stats") == 0) {
      stats();
    } else if (strcmp(word, "nulls") == 0) {
      nulls();
    } else if (strcmp(word, "codes") == 0) {
      every_code();
    } else if (strcmp(word, "discard") == 0) {
      discard();
    } else if (strcmp(word, "forked") == 0) {
      forked(next);
      i += 1;
    } else if (strcmp(word, "pause") == 0) {
      pause_here();
    } else {
      fprintf(stderr, "probe: what is '%s'?\n", word);
      return 99;
    }
  }
  return 0;
}
