/* Hooks and commands for the tests. A handler is a script: commands of this file,
 * separated by ';'. It runs whenever the handler is called.
 *
 *   hook post|pre SCRIPT           register a hook
 *   namespace NAME                 make a namespace; bytes may be written as \xNN
 *   command NAME ID SCRIPT         register a command; when called it notes
 *                                  "NAME ID", with the name and number it was given
 *   namespaces FROM COUNT          "space-N", each with a command 1
 *   commands NAME                  all 256 of them
 *   aside COUNT                    register as much as that on another thread
 *   join                           wait for that thread
 *   invalid                        everything that is to be refused
 *   note TEXT, say TEXT, log TEXT  remember it, print it, put it into the log;
 *                                  % is the number of this call of the script
 *   notes                          print what is remembered
 *   hold, release                  wait for a release; release
 *   ask                            note what the functions without effect say
 *   sleep MS, forever, exit STATUS
 *   interrupts                     note how often SIGUSR1 was handled from now on
 *   stats, status
 *   frames                         print which calls of the program are under way here
 * and with an RTS
 *   flush, shutdown STATUS, end-logging, start-logging
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* dladdr */
#endif
#include "control.h"
#include "eventlog_socket.h"

#include <ctype.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In one piece, and around stdio: other threads and Haskell write, too. */
static void say(const char *format, ...) {
  char line[2048];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  if (length < 0) return;
  if ((size_t)length > sizeof line - 2) length = sizeof line - 2;
  line[length] = '\n';
  if (write(STDOUT_FILENO, line, (size_t)length + 1) < 0) return;
}

static void say_status(const char *what, EventlogSocketStatus status) {
  char *text = eventlog_socket_strerror(status);
  say("%s: %d %d %s", what, (int)status.ess_status_code, status.ess_error_code,
      text == NULL ? "(null)" : text);
  free(text);
}

/* The innermost call first; each as its place in the file of the program. */
static void say_frames(void) {
  enum { MOST = 64 };
  void *frames[MOST];
  int count = backtrace(frames, MOST);
  char line[2048] = "frames:";
  Dl_info own, of;
  if (dladdr((void *)&say_frames, &own) == 0) return;
  const ElfW(Ehdr) *file = own.dli_fbase;
  uintptr_t base = file->e_type == ET_DYN ? (uintptr_t)own.dli_fbase : 0;
  for (int i = 0; i < count; i++) {
    if (dladdr(frames[i], &of) == 0 || of.dli_fbase != own.dli_fbase) continue;
    size_t used = strlen(line);
    snprintf(line + used, sizeof line - used, " %#lx", (unsigned long)((uintptr_t)frames[i] - base - 1));
  }
  say("%s", line);
}

/* ------------------------------------------------------------------ notes -- */

enum { MOST_NOTES = 40000 };
static char *notes[MOST_NOTES];
static int note_count = 0;
static int hold_count = 0;
static int release_count = 0;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t released = PTHREAD_COND_INITIALIZER;

static void note(const char *text) {
  pthread_mutex_lock(&mutex);
  if (note_count < MOST_NOTES) notes[note_count++] = strdup(text);
  pthread_mutex_unlock(&mutex);
}

static void say_notes(void) {
  pthread_mutex_lock(&mutex);
  for (int i = 0; i < note_count; i++) say("note: %s", notes[i]);
  pthread_mutex_unlock(&mutex);
}

/* The first hold goes on at the first release, and so on. */
static void hold(void) {
  pthread_mutex_lock(&mutex);
  int turn = ++hold_count;
  while (release_count < turn) pthread_cond_wait(&released, &mutex);
  pthread_mutex_unlock(&mutex);
}

static void release(void) {
  pthread_mutex_lock(&mutex);
  release_count++;
  pthread_cond_broadcast(&released);
  pthread_mutex_unlock(&mutex);
}

/* --------------------------------------------------------------- handlers -- */

typedef struct {
  char *script;
  int calls;
} Handler;

static Handler *new_handler(const char *script) {
  Handler *handler = malloc(sizeof *handler);
  handler->script = strdup(script);
  handler->calls = 0;
  return handler;
}

static void run(const char *line, int call);

static void perform(Handler *handler) {
  char *script = strdup(handler->script);
  char *rest;
  int call = ++handler->calls;
  for (char *line = strtok_r(script, ";", &rest); line != NULL;
       line = strtok_r(NULL, ";", &rest))
    run(line + strspn(line, " "), call);
  free(script);
}

static void on_hook(const void *data) { perform((Handler *)data); }

/* What is not printable as \xNN. */
static void note_command(const EventlogSocketControlNamespace *namespace, int id) {
  const char *name = eventlog_socket_control_strnamespace(
      (EventlogSocketControlNamespace *)namespace);
  char text[4 * 255 + 8];
  size_t length = 0;
  for (; name != NULL && *name != '\0'; name++)
    length += (size_t)snprintf(text + length, sizeof text - length,
                               isprint((unsigned char)*name) ? "%c" : "\\x%02x",
                               (unsigned char)*name);
  snprintf(text + length, sizeof text - length, " %d", id);
  note(text);
}

static void on_command(const EventlogSocketControlNamespace *name,
                       EventlogSocketControlCommandId id, const void *data) {
  note_command(name, id);
  perform((Handler *)data);
}

/* ------------------------------------------------------------- namespaces -- */

enum { MOST_NAMESPACES = 1000 };
static EventlogSocketControlNamespace *namespaces[MOST_NAMESPACES];
static int namespace_count = 0;

static size_t unescape(char *name) {
  size_t length = 0;
  for (char *from = name; *from != '\0';) {
    unsigned byte;
    if (sscanf(from, "\\x%2x", &byte) == 1) {
      name[length++] = (char)byte;
      from += 4;
    } else {
      name[length++] = *from++;
    }
  }
  name[length] = '\0';
  return length;
}

static EventlogSocketStatus make_namespace(char *name) {
  size_t length = unescape(name);
  EventlogSocketControlNamespace *made = NULL;
  EventlogSocketStatus status =
      eventlog_socket_control_register_namespace((uint8_t)length, name, &made);
  if (status.ess_status_code == EVENTLOG_SOCKET_OK) {
    pthread_mutex_lock(&mutex);
    if (namespace_count < MOST_NAMESPACES) namespaces[namespace_count++] = made;
    pthread_mutex_unlock(&mutex);
  }
  return status;
}

static EventlogSocketControlNamespace *find_namespace(char *name) {
  unescape(name);
  EventlogSocketControlNamespace *found = NULL;
  pthread_mutex_lock(&mutex);
  for (int i = 0; i < namespace_count; i++) {
    const char *known = eventlog_socket_control_strnamespace(namespaces[i]);
    if (known != NULL && strcmp(known, name) == 0) found = namespaces[i];
  }
  pthread_mutex_unlock(&mutex);
  return found;
}

EventlogSocketStatus
control_register_command(char *name, int id,
                         EventlogSocketControlCommandHandler *handler,
                         const void *data) {
  return eventlog_socket_control_register_command(
      find_namespace(name), (EventlogSocketControlCommandId)id, handler, data);
}

static void make_namespaces(int from, int count) {
  for (int number = from; number < from + count; number++) {
    char name[32];
    snprintf(name, sizeof name, "space-%d", number);
    EventlogSocketStatus made = make_namespace(name);
    if (made.ess_status_code == EVENTLOG_SOCKET_OK)
      made = control_register_command(name, 1, on_command, new_handler(""));
    if (made.ess_status_code != EVENTLOG_SOCKET_OK) say_status(name, made);
  }
}

static void make_commands(char *name) {
  for (int id = 0; id < 256; id++) {
    char script[32];
    snprintf(script, sizeof script, "note data %d", id);
    EventlogSocketStatus made =
        control_register_command(name, id, on_command, new_handler(script));
    if (made.ess_status_code != EVENTLOG_SOCKET_OK) say_status("commands", made);
  }
}

static pthread_t other_thread;

static void *register_much(void *count) {
  for (int number = 0; number < *(int *)count; number++) {
    char name[32];
    snprintf(name, sizeof name, "aside-%d", number);
    EventlogSocketStatus made = make_namespace(name);
    for (int id = 0; id < 3 && made.ess_status_code == EVENTLOG_SOCKET_OK; id++)
      made = control_register_command(name, id, on_command, new_handler(""));
    if (made.ess_status_code != EVENTLOG_SOCKET_OK) say_status(name, made);
  }
  return NULL;
}

static void register_aside(int count) {
  static int much;
  much = count;
  if (pthread_create(&other_thread, NULL, register_much, &much) != 0)
    say("no thread");
}

static void try_invalid(void) {
  EventlogSocketControlNamespace *out = NULL;
  char no_namespace[64] = "no namespace";
  EventlogSocketControlNamespace *unknown =
      (EventlogSocketControlNamespace *)no_namespace;
  say_status("no name", eventlog_socket_control_register_namespace(3, NULL, &out));
  say_status("no room", eventlog_socket_control_register_namespace(3, "foo", NULL));
  say_status("empty", eventlog_socket_control_register_namespace(0, "foo", &out));
  say_status("NUL", eventlog_socket_control_register_namespace(3, "f\0o", &out));
  say_status("NUL at the end",
             eventlog_socket_control_register_namespace(4, "foo\0", &out));
  say("out: %d", out != NULL);
  say_status("command of NULL", eventlog_socket_control_register_command(
                                    NULL, 1, on_command, NULL));
  say_status("command of nothing", eventlog_socket_control_register_command(
                                       unknown, 1, on_command, NULL));
  say_status("no hook handler",
             eventlog_socket_register_hook(
                 EVENTLOG_SOCKET_HOOK_POST_START_EVENT_LOGGING, NULL, NULL));
  say_status("unknown hook", eventlog_socket_register_hook((EventlogSocketHook)2,
                                                           on_hook, NULL));
  say_status("negative hook", eventlog_socket_register_hook(
                                  (EventlogSocketHook)-1, on_hook, NULL));
  say("name of NULL: %d", eventlog_socket_control_strnamespace(NULL) != NULL);
  say("name of nothing: %d", eventlog_socket_control_strnamespace(unknown) != NULL);
  char name[] = "valid";
  say_status("valid", make_namespace(name));
  say_status("no handler", control_register_command(name, 1, NULL, NULL));
  say_status("handler", control_register_command(name, 1, on_command, new_handler("")));
}

/* ------------------------------------------------------------- statistics -- */

void control_say_stats(int fd) {
  EventlogSocketStats s;
  EventlogSocketStatus status = eventlog_socket_stats(&s, sizeof s);
  if (status.ess_status_code != EVENTLOG_SOCKET_OK) {
    dprintf(fd, "stats: failed %d %d\n", (int)status.ess_status_code,
            status.ess_error_code);
    return;
  }
  const struct {
    const char *name;
    unsigned long long value;
  } counters[] = {
#define COUNTER(name) {#name, s.est_##name}
      COUNTER(chunks_sent), COUNTER(bytes_sent), COUNTER(chunks_lost),
      COUNTER(bytes_lost), COUNTER(chunks_discarded), COUNTER(bytes_discarded),
      COUNTER(ring_size), COUNTER(ring_high_water), COUNTER(definition_bytes),
      COUNTER(connections), COUNTER(wakeups), COUNTER(flushes),
      COUNTER(bytes_received), COUNTER(commands_received), COUNTER(commands_run),
      COUNTER(commands_unknown), COUNTER(commands_refused), COUNTER(commands_denied),
      COUNTER(commands_dropped), COUNTER(bytes_garbage), COUNTER(inet_port),
      COUNTER(connected), COUNTER(sleeps), COUNTER(calls_interrupted),
      COUNTER(sends_partial), COUNTER(sends_full), COUNTER(sends_deferred),
      COUNTER(accepts_aborted), COUNTER(accepts_deferred), COUNTER(polls_failed),
      COUNTER(wakeups_pending), COUNTER(wakeups_failed), COUNTER(options_failed),
      COUNTER(clients_broken), COUNTER(clients_half_closed),
      COUNTER(clients_displaced), COUNTER(ring_file_size),
      COUNTER(ring_file_chunks_overwritten), COUNTER(ring_file_bytes_overwritten),
      COUNTER(ring_file_chunks_refused), COUNTER(ring_file_bytes_refused),
      COUNTER(ring_file_definitions_left_out), COUNTER(ring_file_lost),
      COUNTER(socket_files_removed), COUNTER(socket_files_remade),
      COUNTER(definitions_left_out), COUNTER(clients_refused),
      COUNTER(flush_ns_longest), COUNTER(flush_ns_total),
#undef COUNTER
  };
  /* In one write: others may write there, too. */
  char line[4096] = "stats:";
  size_t used = strlen(line);
  for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
    used += (size_t)snprintf(line + used, sizeof line - used, " %s=%llu",
                             counters[i].name, counters[i].value);
  dprintf(fd, "%s\n", line);
}

static void ask(void) {
  EventlogSocketStats stats;
  char text[64];
  snprintf(text, sizeof text, "asked %d %d %d",
           (int)eventlog_socket_stats(&stats, sizeof stats).ess_status_code,
           (int)eventlog_socket_worker_status().ess_status_code,
           (int)eventlog_socket_control_status().ess_status_code);
  note(text);
}

/* --------------------------------------------------------------- commands -- */

static volatile sig_atomic_t interrupts = 0;
static void on_signal(int number) { interrupts += number != 0; }

static void handle_interrupts(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal; /* and no SA_RESTART: calls are interrupted */
  sigaction(SIGUSR1, &action, NULL);
  say("interrupts: %d", (int)interrupts);
}

/* For a script: "post %" is "post 3" in its third call. */
static void with_number(char *out, size_t size, const char *text, int call) {
  const char *mark = strchr(text, '%');
  if (mark == NULL) snprintf(out, size, "%s", text);
  else snprintf(out, size, "%.*s%d%s", (int)(mark - text), text, call, mark + 1);
}

/* Of a script only failures are of interest; they are noted. */
static void tell(const char *what, EventlogSocketStatus status, int call) {
  if (call == 0) {
    say_status(what, status);
  } else if (status.ess_status_code != EVENTLOG_SOCKET_OK) {
    char text[64];
    snprintf(text, sizeof text, "%s failed: %d %d", what,
             (int)status.ess_status_code, status.ess_error_code);
    note(text);
  }
}

static bool run_with_rts(const char *verb, int number);

static void run(const char *line, int call) {
  char verb[32] = "", first[1100] = "", text[600];
  int second = 0, after_verb = 0, after_second = 0;
  sscanf(line, "%31s %n%1099s %d %n", verb, &after_verb, first, &second, &after_second);
  const char *rest = line + (after_verb == 0 ? (int)strlen(line) : after_verb);
  const char *script = line + (after_second == 0 ? (int)strlen(line) : after_second);
  with_number(text, sizeof text, rest, call);
#define IS(word) (strcmp(verb, word) == 0)
  if (IS("hook")) {
    rest += strlen(first);
    EventlogSocketHook hook = strcmp(first, "pre") == 0
                                  ? EVENTLOG_SOCKET_HOOK_PRE_END_EVENT_LOGGING
                                  : EVENTLOG_SOCKET_HOOK_POST_START_EVENT_LOGGING;
    tell("hook", eventlog_socket_register_hook(hook, on_hook, new_handler(rest)), call);
  } else if (IS("namespace")) {
    tell("namespace", make_namespace(first), call);
  } else if (IS("command")) {
    tell("command",
         control_register_command(first, second, on_command, new_handler(script)),
         call);
  } else if (IS("namespaces")) make_namespaces(atoi(first), second);
  else if (IS("commands")) make_commands(first);
  else if (IS("aside")) register_aside(atoi(first));
  else if (IS("join")) pthread_join(other_thread, NULL);
  else if (IS("invalid")) try_invalid();
  else if (IS("note")) note(text);
  else if (IS("say")) say("%s", text);
  else if (IS("log")) control_log(text);
  else if (IS("notes")) say_notes();
  else if (IS("hold")) hold();
  else if (IS("release")) release();
  else if (IS("ask")) ask();
  else if (IS("sleep")) usleep((useconds_t)atoi(first) * 1000);
  else if (IS("forever")) for (;;) pause();
  else if (IS("exit")) exit(atoi(first));
  else if (IS("frames")) say_frames();
  else if (IS("interrupts")) handle_interrupts();
  else if (IS("stats")) control_say_stats(STDOUT_FILENO);
  else if (IS("status")) say_status("status", eventlog_socket_control_status());
  else if (!run_with_rts(verb, atoi(first))) say("no control command: %s", line);
}

#ifdef EVENTLOG_SOCKET_HAVE_RTS
static bool run_with_rts(const char *verb, int number) {
  if (IS("shutdown")) shutdownHaskellAndExit(number, 0);
  else if (IS("end-logging")) endEventLogging();
  else if (IS("start-logging")) say("started: %d", startEventLogging(&EventLogSocketWriter));
#if __GLASGOW_HASKELL__ >= 902
  else if (IS("flush")) flushEventLog(NULL);
#endif
  else return false;
  return true;
}
#else
static bool run_with_rts(const char *verb, int number) {
  (void)verb;
  (void)number;
  return false;
}
#endif

void control_run(const char *line) { run(line, 0); }

void control_from_environment(void) {
  const char *lines = getenv("WORKER_CONTROL");
  if (lines == NULL) return;
  char *copy = strdup(lines);
  char *rest;
  for (char *line = strtok_r(copy, "\n", &rest); line != NULL;
       line = strtok_r(NULL, "\n", &rest))
    control_run(line);
  free(copy);
}
