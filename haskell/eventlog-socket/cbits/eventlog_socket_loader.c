/*
 * eventlog_socket_loader.c - libeventlog_socket for GHC's own linker.
 *
 * Statically linked GHCs, and the external interpreter of others, load packages
 * with GHC's own linker. It does not support thread-local variables and other things
 * that Rust's standard library needs. So the object for it (HSeventlog-socket-....o,
 * from --enable-library-for-ghci) contains this file instead of the Rust library: the
 * same functions, and the library as a shared one, which the system's linker loads
 * when one of them is called. Most interpreters call none: they load the package only
 * because some module imports it.
 *
 * Setup.hs compiles it, with LIBRARY, the path of the shared library, and with
 * eventlog_socket_forwards.h, which has FORWARD(name) for each function of it.
 */
#define _GNU_SOURCE
#include "eventlog_socket_rts.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifndef __APPLE__
#include <sys/syscall.h>
#endif
#include <unistd.h>

#ifdef __APPLE__
#define DATA ".section __TEXT,__const\n"
#define DATA_ENDS ".text\n"
#define SYMBOL(name) "_" name
#else
#define DATA ".pushsection .rodata\n"
#define DATA_ENDS ".popsection\n"
#define SYMBOL(name) name
#endif

__asm__(DATA
        ".balign 16\n"
        SYMBOL("eventlog_socket_library") ":\n"
        ".incbin \"" LIBRARY "\"\n"
        SYMBOL("eventlog_socket_library_end") ":\n"
        DATA_ENDS);
extern const char eventlog_socket_library[], eventlog_socket_library_end[];

static pthread_mutex_t g_lock = PTHREAD_MUTEX_INITIALIZER;
static bool g_tried = false;
static void *g_library = NULL;
static const EventlogSocketRts *g_rts = NULL;

#ifdef __APPLE__
/* macOS has no files without a name: the file is removed once the library is loaded. */
static int open_file(char *path, size_t size) {
  const char *dir = getenv("TMPDIR");
  if (dir == NULL || issetugid()) dir = "/tmp";
  snprintf(path, size, "%s/eventlog-socket-XXXXXX", dir);
  return mkstemp(path);
}
static void close_file(int fd, const char *path) {
  unlink(path);
  close(fd);
}
#else
/* A file without a name, for which no directory is needed. */
static int open_file(char *path, size_t size) {
  int fd = (int)syscall(SYS_memfd_create, "eventlog_socket", 1U /* MFD_CLOEXEC */);
  snprintf(path, size, "/proc/self/fd/%d", fd);
  return fd;
}
static void close_file(int fd, const char *path) {
  (void)path;
  close(fd);
}
#endif

/* NULL if the library cannot be loaded. */
static void *load(void) {
  char path[1024];
  int fd = open_file(path, sizeof path);
  if (fd < 0) return NULL;
  const char *rest = eventlog_socket_library;
  while (rest < eventlog_socket_library_end) {
    ssize_t written = write(fd, rest, (size_t)(eventlog_socket_library_end - rest));
    if (written <= 0) break;
    rest += written;
  }
  void *library = NULL;
  if (rest == eventlog_socket_library_end)
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  close_file(fd, path);
  return library;
}

static void *find(const char *name) {
  pthread_mutex_lock(&g_lock);
  if (!g_tried) {
    g_tried = true;
    g_library = load();
    void (*with_rts)(const EventlogSocketRts *) = NULL;
    if (g_library != NULL)
      *(void **)&with_rts = dlsym(g_library, "eventlog_socket_rts_register");
    if (with_rts != NULL) with_rts(g_rts);
  }
  pthread_mutex_unlock(&g_lock);
  return g_library == NULL ? NULL : dlsym(g_library, name);
}

/* Called when the package is loaded, which does not require the library yet. */
void eventlog_socket_rts_register(const EventlogSocketRts *rts) { g_rts = rts; }

/* The functions have at most four arguments, integers and pointers; statuses are
 * passed and returned in a register, like integers. So calls can be forwarded without
 * the types of the functions, under assembler names that the compiler does not see. */
typedef uint64_t Function(uint64_t, uint64_t, uint64_t, uint64_t);

/* The result if the library cannot be loaded: a status, or NULL or false for the functions
 * that return a pointer or a bool. */
static uint64_t without(const char *name) {
  static const char *const others[] = {"_str", "_attached", "_needs_thread", "_next_call"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++)
    if (strstr(name, others[i]) != NULL) return 0;
  EventlogSocketStatus status = {EVENTLOG_SOCKET_ERR_RTS_NOSUPPORT, 0};
  uint64_t value = 0;
  memcpy(&value, &status, sizeof value);
  return value;
}

static uint64_t pass_on(const char *name, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  Function *function = NULL;
  *(void **)&function = find(name);
  return function == NULL ? without(name) : function(a, b, c, d);
}

#define FORWARD(name)                                                            \
  uint64_t forward_##name(uint64_t, uint64_t, uint64_t, uint64_t) __asm__(SYMBOL(#name)); \
  uint64_t forward_##name(uint64_t a, uint64_t b, uint64_t c, uint64_t d) {      \
    return pass_on(#name, a, b, c, d);                                           \
  }
#include "eventlog_socket_forwards.h"

/* The writer, for programs that pass it to the RTS themselves. */
static const EventLogWriter *writer(void) { return find("EventLogSocketWriter"); }

static void writer_init(void) {
  if (writer() != NULL) writer()->initEventLogWriter();
}
static bool writer_write(void *eventlog, size_t size) {
  return writer() == NULL || writer()->writeEventLog(eventlog, size);
}
static void writer_flush(void) {
  if (writer() != NULL) writer()->flushEventLog();
}
static void writer_stop(void) {
  if (writer() != NULL) writer()->stopEventLogWriter();
}

#define WRITER                                                                 \
  {                                                                            \
    .initEventLogWriter = writer_init, .writeEventLog = writer_write,          \
    .flushEventLog = writer_flush, .stopEventLogWriter = writer_stop           \
  }
const EventLogWriter EventLogSocketWriter = WRITER;
const EventLogWriter SocketEventLogWriter = WRITER;
