/* Drives the library as an RTS would, by commands on stdin, one a line. It says
 * what came of each, then "done". No RTS: it links with the library alone. */
#ifndef EVENTLOG_SOCKET_NO_RTS
#define EVENTLOG_SOCKET_NO_RTS
#endif
#include "control.h"
#include "eventlog_socket_rts.h"
#include "own_files.h"
#include "system.h"
#include "system_files.h"
#include "threads.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ----------------------------------------------------------------- events -- */

enum {
  BLOCK_MARKER = 18,
  USER_MSG = 19,
  TASK_CREATE = 55,
  TASK_DELETE = 57,
  IPE = 169,
  VARIABLE = 0xFFFF,
  GLOBAL = 0xFFFF,
  END_MARK = 0xFFFF,
  MARKER_BYTES = 24,
  LONGEST_MESSAGE = 60000
};

/* Number and size of the payload, as GHC's RTS declares them. */
static const uint16_t event_types[][2] = {
    {BLOCK_MARKER, 14}, {USER_MSG, VARIABLE}, {25, 6},
    {26, 4},            {27, 6},              {28, 6},
    {29, VARIABLE},     {30, VARIABLE},       {31, VARIABLE},
    {32, 8},            {33, 8},              {43, 16},
    {45, 2},            {46, 2},              {47, 2},
    {48, 2},            {52, 38},             {TASK_CREATE, 18},
    {TASK_DELETE, 8},   {IPE, VARIABLE},
};

static unsigned char chunk[2 << 20];
static size_t chunk_size = 0;
/* Nanoseconds: time passes with every event. */
static uint64_t clock_ns = 0;
static uint64_t last_chunk_ns = 0;

static void put(uint64_t value, int bytes) {
  while (bytes-- > 0) chunk[chunk_size++] = (unsigned char)(value >> (8 * bytes));
}

static void put_bytes(const char *bytes, size_t size) {
  memcpy(chunk + chunk_size, bytes, size);
  chunk_size += size;
}

static void put_event(uint16_t number) {
  put(number, 2);
  put(clock_ns += 1000, 8);
}

static void put_message(const char *text, size_t size) {
  put_event(USER_MSG);
  put(size, 2);
  put_bytes(text, size);
}

static void put_filling(size_t size) {
  static char filling[LONGEST_MESSAGE];
  memset(filling, 'x', sizeof filling);
  while (size > 0) {
    size_t part = size < sizeof filling ? size : sizeof filling;
    put_message(filling, part);
    size -= part;
  }
}

static void put_provenance(uint64_t info_table) {
  static const char strings[] = "name\0desc\0type\0label\0module\0file";
  put_event(IPE);
  put(8 + sizeof strings, 2);
  put(info_table, 8);
  put_bytes(strings, sizeof strings);
}

/* task:ID:KERNEL-THREAD, task-end:ID, provenance:ADDRESS (all hexadecimal),
 * fill:BYTES, text:TEXT, end-mark. */
static void put_event_of_word(const char *word) {
  uint64_t id, thread;
  size_t size;
  if (sscanf(word, "task:%" SCNx64 ":%" SCNx64, &id, &thread) == 2) {
    put_event(TASK_CREATE);
    put(id, 8);
    put(0, 2);
    put(thread, 8);
  } else if (sscanf(word, "task-end:%" SCNx64, &id) == 1) {
    put_event(TASK_DELETE);
    put(id, 8);
  } else if (sscanf(word, "provenance:%" SCNx64, &id) == 1) {
    put_provenance(id);
  } else if (sscanf(word, "fill:%zu", &size) == 1) {
    put_filling(size);
  } else if (strncmp(word, "text:", 5) == 0) {
    put_message(word + 5, strlen(word + 5));
  } else if (strcmp(word, "end-mark") == 0) {
    put(END_MARK, 2); /* part of the block, since GHC 9.2 */
  } else {
    printf("no event: %s\n", word);
  }
}

/* ------------------------------------------------------------- the writer -- */

static void hand_over(void) {
  errno = ENOTTY; /* which no call of the library ends with */
  if (!EventLogSocketWriter.writeEventLog(chunk, chunk_size)) puts("not written");
  if (errno != ENOTTY) printf("errno changed: %s\n", strerror(errno));
  chunk_size = 0;
}

static void put_header(void) {
  put_bytes("hdrbhetb", 8);
  for (size_t i = 0; i < sizeof event_types / sizeof *event_types; i++) {
    put_bytes("etb\0", 4);
    put(event_types[i][0], 2);
    put(event_types[i][1], 2);
    put(0, 4); /* no description */
    put(0, 4); /* nothing else */
    put_bytes("ete\0", 4);
  }
  put_bytes("hetehdredatb", 12);
}

static void start_log(const EventLogWriter *writer) {
  writer->initEventLogWriter();
  put_header();
  hand_over();
}

/* Handlers write on a thread of their own. */
static pthread_mutex_t chunk_mutex = PTHREAD_MUTEX_INITIALIZER;

static void begin_block(void) {
  pthread_mutex_lock(&chunk_mutex);
  chunk_size = MARKER_BYTES;
}

static void end_block(uint16_t cap) {
  size_t size = chunk_size;
  chunk_size = 0;
  put(BLOCK_MARKER, 2);
  put(last_chunk_ns, 8);
  put(size, 4);
  put(last_chunk_ns = clock_ns += 1000, 8);
  put(cap, 2);
  chunk_size = size;
  hand_over();
  pthread_mutex_unlock(&chunk_mutex);
}

/* One block with the events of these words. */
static void write_chunk(char *words) {
  char *rest;
  char *cap = strtok_r(words, " ", &rest);
  begin_block();
  for (char *word; (word = strtok_r(NULL, " ", &rest)) != NULL;)
    put_event_of_word(word);
  end_block(strcmp(cap, "global") == 0 ? GLOBAL : (uint16_t)atoi(cap));
}

/* So many tasks come and go, each with an id of its own; faster than anybody can learn of
 * them, unless there is a pause after each block. */
static void write_tasks(long count, bool pause) {
  static uint64_t id = 1 << 20;
  while (count > 0) {
    begin_block();
    for (int i = 0; i < 500 && count > 0; i++, count--) {
      char word[64];
      snprintf(word, sizeof word, "task:%" PRIx64 ":1", ++id);
      put_event_of_word(word);
      snprintf(word, sizeof word, "task-end:%" PRIx64, id);
      put_event_of_word(word);
    }
    end_block(GLOBAL);
    if (pause) usleep(300);
  }
}

/* The end mark of GHC 9.0, without a block, and perhaps with company before or behind it,
 * from another thread. */
static void write_end_mark(const char *company) {
  if (strcmp(company, "behind") != 0 && *company != '\0') put_event_of_word("task-end:77");
  put(END_MARK, 2);
  if (strcmp(company, "behind") == 0) put_event_of_word("task-end:77");
  hand_over();
}

/* The header of a log that GHC 9.0 starts again, behind a block marker. `words`: how many
 * bytes of it are there when another thread logs into the same buffer, and "over" if that
 * overwrites as many bytes of it; nothing for no such thread. */
static void write_header_again(const char *words) {
  size_t at;
  char how[16];
  int given = sscanf(words, "%zu %15s", &at, how);
  begin_block();
  put_header();
  if (given > 0) {
    size_t end = chunk_size;
    at = at + MARKER_BYTES < end ? at + MARKER_BYTES : end;
    put_event_of_word("task-end:77");
    unsigned char event[64];
    size_t size = chunk_size - end;
    memcpy(event, chunk + end, size);
    chunk_size = end;
    if (given == 1 || at + size > end) {
      memmove(chunk + at + size, chunk + at, end - at);
      chunk_size += size;
    }
    memcpy(chunk + at, event, size);
  }
  end_block(GLOBAL);
}

static void begin_restart(void) {
  eventlog_socket_rts_restarting(true);
  put_bytes("\xFF\xFF", 2);
  hand_over();
  EventLogSocketWriter.stopEventLogWriter();
}

/* What GHC 9.0 flushes with: the log ends, and starts again. */
static void restart(const char *words) {
  begin_restart();
  EventLogSocketWriter.initEventLogWriter();
  write_header_again(words);
  eventlog_socket_rts_restarting(false);
}

/* The same, and another thread logs beside the end mark. */
static void restart_with_company(void) {
  eventlog_socket_rts_restarting(true);
  put_event_of_word("task-end:77");
  put_bytes("\xFF\xFF", 2);
  hand_over();
  EventLogSocketWriter.stopEventLogWriter();
  EventLogSocketWriter.initEventLogWriter();
  write_header_again("");
  eventlog_socket_rts_restarting(false);
}

void control_log(const char *text) {
  begin_block();
  put_message(text, strlen(text));
  end_block(1);
}

/* ------------------------------------------------------------- a fake RTS -- */

static bool exit_hooked(void) { return false; }
static bool is_exit_hooked(void) { return true; }
static bool supports_eventlog(void) { return true; }

static EventlogSocketStatusCode attach(const EventLogWriter *writer) {
  start_log(writer);
  return EVENTLOG_SOCKET_OK;
}

static EventlogSocketStatusCode refuse(const EventLogWriter *writer) {
  (void)writer;
  return EVENTLOG_SOCKET_ERR_RTS_FAIL;
}

static EventlogSocketStatusCode refuse_slowly(const EventLogWriter *writer) {
  (void)writer;
  usleep(300000);
  return EVENTLOG_SOCKET_ERR_RTS_FAIL;
}

static EventlogSocketStatusCode cannot_attach(void) {
  return EVENTLOG_SOCKET_ERR_RTS_NOSUPPORT;
}

static bool refuse_command(uint8_t command) {
  (void)command;
  return false;
}

static void facts(EventlogSocketRtsFacts *out) {
  memset(out, 0, sizeof *out);
  out->esf_rts_identifier = "fake RTS";
  out->esf_capabilities = 2;
}

static void cost_centres(EventlogSocketCostCentre *each, void *context) {
  (void)each;
  (void)context;
}

static EventlogSocketRts rts = {
    .esr_threaded = true,
    .esr_exit_hooked = exit_hooked,
    .esr_supports_eventlog = supports_eventlog,
    .esr_attach = attach,
    .esr_flush_here = await_accept, /* it takes that long */
    .esr_command = refuse_command,
    .esr_facts = facts,
    .esr_cost_centres = cost_centres,
};

/* --------------------------------------------------------------- commands -- */

static void say(const char *what, EventlogSocketStatus status) {
  printf("%s: %d %d\n", what, (int)status.ess_status_code, status.ess_error_code);
}

static EventlogSocketOpts opts = {false, 0, 0};

static EventlogSocketStatus init(char *path) {
  EventlogSocketAddr addr = {.esa_tag = EVENTLOG_SOCKET_UNIX};
  addr.esa_unix_addr.esa_unix_path = path;
  return eventlog_socket_init(&addr, &opts);
}

static EventlogSocketStatus start(char *path) {
  EventlogSocketAddr addr = {.esa_tag = EVENTLOG_SOCKET_UNIX};
  addr.esa_unix_addr.esa_unix_path = path;
  return eventlog_socket_start(&addr, &opts);
}

static EventlogSocketStatus init_tcp(char *host, char *port) {
  EventlogSocketAddr addr = {.esa_tag = EVENTLOG_SOCKET_INET};
  addr.esa_inet_addr.esa_inet_host = host;
  addr.esa_inet_addr.esa_inet_port = port;
  return eventlog_socket_init(&addr, &opts);
}

static void set_control(int whose) {
  EventlogSocketTuning tuning;
  eventlog_socket_tuning_init(&tuning);
  tuning.est_control = (EventlogSocketControl)whose;
  say("tuning", eventlog_socket_set_tuning(&tuning));
}

/* "PATH SIZE" */
static EventlogSocketStatus set_ring_file(char *words) {
  char *size = strrchr(words, ' ');
  if (size != NULL) *size++ = '\0';
  return eventlog_socket_set_ring_file(words, size == NULL ? 0 : strtoull(size, NULL, 10));
}

/* Touch memory that has no file behind it. */
static void bus_error(const char *path) {
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || ftruncate(fd, 4096) != 0) puts("no file");
  volatile char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED || ftruncate(fd, 0) != 0) puts("no mapping");
  else memory[0] = 1;
}

static void on_bus_error(int number) {
  (void)number;
  static const char words[] = "the program's own\n";
  if (write(STDOUT_FILENO, words, sizeof words - 1) < 0) _exit(1);
  _exit(42);
}

static void handle_bus_errors(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_bus_error;
  sigaction(SIGBUS, &action, NULL);
}

/* A child that outlives its parent, until its stdin ends. */
static void fork_child(void) {
  fflush(stdout);
  pid_t child = fork();
  if (child != 0) {
    printf("child: %d\n", (int)child);
    return;
  }
  close(STDOUT_FILENO);
  close(STDERR_FILENO);
  write_chunk((char[]){"0 text:of-the-child"});
  while (getppid() != 1) usleep(10000);
  sleep(60);
  _exit(0);
}

static pthread_t waiter;
static const char *waits_for;
static EventlogSocketStatus waited;

static void *wait_aside(void *nothing) {
  waited = eventlog_socket_wait();
  return nothing;
}

static void *ready_aside(void *nothing) {
  waited = eventlog_socket_signal_ghc_rts_ready();
  return nothing;
}

static void aside(const char *what, void *(*routine)(void *)) {
  waits_for = what;
  if (pthread_create(&waiter, NULL, routine, NULL) != 0) puts("no thread");
}

/* Calls that a thread makes which is to be cancelled. */
static char *to_init;
static EventlogSocketStatus call_init(void) { return init(to_init); }
static const EventlogSocketStatus no_status = {EVENTLOG_SOCKET_OK, 0};
static EventlogSocketStatus call_log(void) {
  start_log(&EventLogSocketWriter);
  return no_status;
}
static EventlogSocketStatus call_stop(void) {
  EventLogSocketWriter.stopEventLogWriter();
  return no_status;
}
static EventlogSocketStatus call_chunk(void) {
  begin_block();
  put_message("cancelled", 9);
  end_block(0);
  return no_status;
}
static void do_nothing(const void *data) { (void)data; }
static EventlogSocketStatus call_hook(void) {
  return eventlog_socket_register_hook(EVENTLOG_SOCKET_HOOK_PRE_END_EVENT_LOGGING,
                                       do_nothing, NULL);
}

static void cancelled(char *words) {
  const struct {
    const char *name;
    EventlogSocketStatus (*call)(void);
  } calls[] = {
      {"init", call_init},
      {"log", call_log},
      {"chunk", call_chunk},
      {"stop", call_stop},
      {"hook", call_hook},
      {"ready", eventlog_socket_signal_ghc_rts_ready},
      {"wait", eventlog_socket_wait},
      {"status", eventlog_socket_worker_status},
  };
  to_init = strchr(words, ' ');
  if (to_init != NULL) *to_init++ = '\0';
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
    if (strcmp(words, calls[i].name) == 0) call_cancelled(words, calls[i].call);
}

static void run(char *line) {
  char *rest = strchr(line, ' ');
  if (rest == NULL) rest = line + strlen(line);
  else *rest++ = '\0';

  if (strcmp(line, "control") == 0) {
    control_run(rest);
  } else if (strcmp(line, "slow-accept") == 0) {
    slow_accept_ms = (unsigned)atoi(rest);
  } else if (strcmp(line, "slow-listen") == 0) {
    slow_listen_ms = (unsigned)atoi(rest);
  } else if (strcmp(line, "slow-read") == 0) {
    slow_read_ms = (unsigned)atoi(rest);
  } else if (strcmp(line, "fail-setsockopt") == 0) {
    fail_setsockopt = true;
  } else if (strcmp(line, "fail-write") == 0) {
    fail_write = true;
  } else if (strcmp(line, "flaky-sendmsg") == 0) {
    flaky_sendmsg = true;
  } else if (strcmp(line, "places-cut") == 0) {
    printf("places-cut: %d\n", places_cut());
  } else if (strcmp(line, "fail") == 0) {
    if (!fail_calls(rest)) printf("no call: %s\n", rest);
  } else if (strcmp(line, "left") == 0) {
    printf("left: %d\n", failures_left(rest));
  } else if (strcmp(line, "fail-file") == 0) {
    if (!fail_file_calls(rest)) printf("no call: %s\n", rest);
  } else if (strcmp(line, "left-file") == 0) {
    printf("left: %d\n", file_failures_left(rest));
  } else if (strcmp(line, "exchange") == 0) {
    if (!exchange(rest)) puts("not understood");
  } else if (strcmp(line, "fail-futex") == 0) {
    fail_futex = true;
  } else if (strcmp(line, "fill-eventfd") == 0) {
    fill_eventfd = true;
  } else if (strcmp(line, "clock-step") == 0) {
    clock_step = atol(rest);
  } else if (strcmp(line, "close-descriptors") == 0) {
    for (int fd = 3; fd < 1024; fd++) close(fd);
  } else if (strcmp(line, "close-standard-error") == 0) {
    close(STDERR_FILENO);
  } else if (strcmp(line, "print-error") == 0) {
    static const char words[] = "what the program prints\n";
    if (write(STDERR_FILENO, words, sizeof words - 1) >= 0) puts("standard error is open");
  } else if (strcmp(line, "close-eventfd") == 0) {
    if (close(newest_eventfd) != 0) puts("no eventfd");
  } else if (strcmp(line, "open-files") == 0) {
    open_files(rest, O_RDWR);
  } else if (strcmp(line, "open-files-for-writing") == 0) {
    open_files(rest, O_WRONLY);
  } else if (strcmp(line, "replace-descriptors") == 0) {
    if (!replace_descriptors(rest)) printf("no such kind: %s\n", rest);
  } else if (strcmp(line, "check-replaced") == 0) {
    check_replaced();
  } else if (strcmp(line, "bus-error") == 0) {
    bus_error(rest);
  } else if (strcmp(line, "handle-bus-errors") == 0) {
    handle_bus_errors();
  } else if (strcmp(line, "ring-file") == 0) {
    say("ring-file", set_ring_file(rest));
  } else if (strcmp(line, "init-none") == 0) {
    EventlogSocketAddr none = {.esa_tag = EVENTLOG_SOCKET_NONE};
    say("init", eventlog_socket_init(&none, &opts));
  } else if (strcmp(line, "init-why") == 0) {
    char *why = eventlog_socket_strerror(init(rest));
    puts(why);
    free(why);
  } else if (strcmp(line, "init-tcp-why") == 0) {
    char *why = eventlog_socket_strerror(init_tcp("127.0.0.1", rest));
    puts(why);
    free(why);
  } else if (strcmp(line, "fork") == 0) {
    fork_child();
  } else if (strcmp(line, "fork-beside-strerror") == 0) {
    fork_beside_strerror(atoi(rest));
  } else if (strcmp(line, "check-files") == 0) {
    check_files();
  } else if (strcmp(line, "check-files-in-child") == 0) {
    check_files_in_child();
  } else if (strcmp(line, "no-trouble") == 0) {
    fail_no_calls();
    fail_setsockopt = fail_write = flaky_sendmsg = fill_eventfd = false;
    printf("troubles: %u\n", troubles_made);
  } else if (strcmp(line, "leave-main") == 0) {
    leave_main(atol(rest));
  } else if (strcmp(line, "cancelled") == 0) {
    cancelled(rest);
  } else if (strcmp(line, "quick-exit") == 0) {
    quick_exit(atoi(rest));
  } else if (strcmp(line, "exit-twice") == 0) {
    exit_twice();
  } else if (strcmp(line, "exit-in-wait") == 0) {
    signal(SIGALRM, exit_in_handler);
    ualarm(1000 * (useconds_t)atoi(rest), 0);
    for (;;) eventlog_socket_wait();
  } else if (strcmp(line, "exit-in-clock") == 0) {
    signal(SIGUSR1, exit_in_handler);
    raise_at_clock = SIGUSR1;
  } else if (strcmp(line, "await-accept") == 0) {
    await_accept();
  } else if (strcmp(line, "rts") == 0) {
    eventlog_socket_rts_register(&rts);
  } else if (strcmp(line, "refusing-rts") == 0) {
    rts.esr_attach = refuse;
    eventlog_socket_rts_register(&rts);
  } else if (strcmp(line, "unthreaded-rts") == 0) {
    rts.esr_threaded = false;
    rts.esr_flush_here = NULL;
    eventlog_socket_rts_register(&rts);
  } else if (strcmp(line, "slowly-refusing-rts") == 0) {
    rts.esr_attach = refuse_slowly;
    eventlog_socket_rts_register(&rts);
  } else if (strcmp(line, "control-status") == 0) {
    say("control-status", eventlog_socket_control_status());
  } else if (strcmp(line, "unable-rts") == 0) {
    rts.esr_can_attach = cannot_attach;
    eventlog_socket_rts_register(&rts);
  } else if (strcmp(line, "able-rts") == 0) {
    rts.esr_can_attach = NULL;
    rts.esr_flush_here = NULL;
    eventlog_socket_rts_register(&rts);
  } else if (strcmp(line, "controlled-rts") == 0) {
    rts.esr_control = true;
    rts.esr_exit_hooked = is_exit_hooked;
    rts.esr_flush_here = NULL;
    eventlog_socket_rts_register(&rts);
  } else if (strcmp(line, "start") == 0) {
    say("start", start(rest));
  } else if (strcmp(line, "init") == 0) {
    say("init", init(rest));
  } else if (strcmp(line, "init-tcp") == 0) {
    say("init", init_tcp("127.0.0.1", rest));
  } else if (strcmp(line, "init-everywhere") == 0) {
    say("init", init_tcp("", rest));
  } else if (strcmp(line, "linger") == 0) {
    say_linger = true;
    opts.eso_linger = atoi(rest);
  } else if (strcmp(line, "obey") == 0) {
    set_control(atoi(rest));
  } else if (strcmp(line, "log") == 0) {
    start_log(&EventLogSocketWriter);
  } else if (strcmp(line, "chunk") == 0) {
    write_chunk(rest);
  } else if (strcmp(line, "end-mark") == 0) {
    write_end_mark(rest);
  } else if (strcmp(line, "clock") == 0) {
    /* as for a buffer that was filled while others were handed over */
    clock_ns = last_chunk_ns = strtoull(rest, NULL, 10);
  } else if (strcmp(line, "tasks") == 0) {
    write_tasks(atol(rest), true);
  } else if (strcmp(line, "tasks-at-once") == 0) {
    write_tasks(atol(rest), false);
  } else if (strcmp(line, "restart") == 0) {
    restart(rest);
  } else if (strcmp(line, "restart-with-company") == 0) {
    restart_with_company();
  } else if (strcmp(line, "exit-in-restart") == 0) {
    begin_restart();
    exit(0);
  } else if (strcmp(line, "log-again") == 0) {
    EventLogSocketWriter.initEventLogWriter();
    write_header_again(rest);
  } else if (strcmp(line, "stop") == 0) {
    EventLogSocketWriter.stopEventLogWriter();
  } else if (strcmp(line, "ready") == 0) {
    say("ready", eventlog_socket_signal_ghc_rts_ready());
  } else if (strcmp(line, "wait") == 0) {
    say("wait", eventlog_socket_wait());
  } else if (strcmp(line, "wait-aside") == 0) {
    aside("wait", wait_aside);
  } else if (strcmp(line, "ready-aside") == 0) {
    aside("ready", ready_aside);
  } else if (strcmp(line, "join") == 0) {
    pthread_join(waiter, NULL);
    say(waits_for, waited);
  } else if (strcmp(line, "status") == 0) {
    say("status", eventlog_socket_worker_status());
  } else if (strcmp(line, "stats") == 0) {
    control_say_stats(STDOUT_FILENO);
  } else {
    printf("no command: %s\n", line);
  }
}

int main(void) {
  static char line[4096];
  setvbuf(stdout, NULL, _IOLBF, 0);
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    run(line);
    puts("done");
  }
  return 0;
}
