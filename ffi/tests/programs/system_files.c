/* The library calls these instead of the C library's, by the names that Rust has for
 * them, when it makes a ring file and writes to it. Nobody else in the driver does. */
#include "system_files.h"

#include "system.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
  const char *call;
  int error;
  atomic_int after;
  atomic_int left;
} faults[] = {
    {"fchmod", 0, 0, 0},          {"flock", 0, 0, 0},   {"ftruncate64", 0, 0, 0},
    {"fstatat", 0, 0, 0},         {"linkat", 0, 0, 0},  {"mmap64", 0, 0, 0},
    {"openat", 0, 0, 0},          {"pread64", 0, 0, 0}, {"pwrite64", 0, 0, 0},
    {"posix_fallocate", 0, 0, 0}, {"statx", 0, 0, 0},   {"thread", 0, 0, 0},
    {"renameat", 0, 0, 0},        {"unlinkat", 0, 0, 0},
};
enum { CALLS = sizeof faults / sizeof *faults };

static int place(const char *call) {
  for (int i = 0; i < CALLS; i++)
    if (strcmp(faults[i].call, call) == 0) return i;
  return -1;
}

bool fail_file_calls(const char *words) {
  char call[16];
  int error, after, times;
  if (sscanf(words, "%15s %d %d %d", call, &error, &after, &times) != 4) return false;
  int at = place(call);
  if (at < 0) return false;
  faults[at].left = 0;
  faults[at].error = error;
  faults[at].after = after;
  faults[at].left = times;
  return true;
}

int file_failures_left(const char *call) {
  int at = place(call);
  return at < 0 ? -1 : (int)faults[at].left;
}

/* Whether this call fails; then errno says why. One thread at a time comes here. */
static bool fails(const char *call) {
  int at = place(call);
  if (faults[at].left <= 0) return false;
  if (faults[at].after > 0) {
    faults[at].after--;
    return false;
  }
  faults[at].left--;
  errno = faults[at].error;
  return true;
}

int openat(int folder, const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if (fails("openat")) return -1;
  return (int)syscall(SYS_openat, folder, path, flags, mode);
}

int fstatat(int folder, const char *path, struct stat *out, int flags) {
  if (fails("fstatat")) return -1;
  return (int)syscall(SYS_newfstatat, folder, path, out, flags);
}

int statx(int folder, const char *path, int flags, unsigned mask, struct statx *out) {
  if (fails("statx")) return -1;
  return (int)syscall(SYS_statx, folder, path, flags, mask, out);
}

int flock(int fd, int operation) {
  if (fails("flock")) return -1;
  return (int)syscall(SYS_flock, fd, operation);
}

int fchmod(int fd, mode_t mode) {
  if (fails("fchmod")) return -1;
  return (int)syscall(SYS_fchmod, fd, mode);
}

int ftruncate64(int fd, off64_t size) {
  if (fails("ftruncate64")) return -1;
  return (int)syscall(SYS_ftruncate, fd, size);
}

int posix_fallocate(int fd, off_t start, off_t size) {
  if (fails("posix_fallocate")) return errno;
  int (*fallocate)(int, off_t, off_t);
  *(void **)&fallocate = dlsym(RTLD_NEXT, "posix_fallocate");
  return fallocate(fd, start, size);
}

ssize_t pread64(int fd, void *bytes, size_t size, off64_t at) {
  if (fails("pread64")) return -1;
  return syscall(SYS_pread64, fd, bytes, size, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
  if (fails("pwrite64")) {
    if (errno != 0) return -1;
    /* A prime number of bytes: boundaries fall everywhere. */
    size = size < 37 ? size : 37;
  }
  return syscall(SYS_pwrite64, fd, bytes, size, at);
}

void *mmap64(void *start, size_t size, int protection, int flags, int fd, off64_t at) {
  if (fails("mmap64")) return MAP_FAILED;
  return (void *)syscall(SYS_mmap, start, size, protection, flags, fd, at);
}

int linkat(int old_folder, const char *old, int folder, const char *path, int flags) {
  if (fails("linkat")) return -1;
  return (int)syscall(SYS_linkat, old_folder, old, folder, path, flags);
}

int renameat(int old_folder, const char *old, int folder, const char *path) {
  if (fails("renameat")) return -1;
  return (int)syscall(SYS_renameat2, old_folder, old, folder, path, 0);
}

int unlinkat(int folder, const char *path, int flags) {
  if (fails("unlinkat")) return -1;
  return (int)syscall(SYS_unlinkat, folder, path, flags);
}

/* What is called before each pthread_create, which fails then. */
int pthread_attr_setstacksize(pthread_attr_t *attributes, size_t size) {
  if (fails("thread")) {
    char words[32];
    /* Once with a stack of the usual size, and once with a small one. */
    snprintf(words, sizeof words, "thread %d 2", errno);
    fail_calls(words);
  }
  int (*set)(pthread_attr_t *, size_t);
  *(void **)&set = dlsym(RTLD_NEXT, "pthread_attr_setstacksize");
  return set(attributes, size);
}
