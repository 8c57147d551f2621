#include "own_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILES = 16, NUMBERS = 64, FIRST = 3, AWAY = 512 };

static int files[FILES];

void open_files(const char *path, int how) {
  for (int i = 0; i < FILES; i++) files[i] = open(path, how | O_CREAT | O_CLOEXEC, 0600);
}

void check_files(void) {
  for (int i = 0; i < FILES; i++) {
    struct stat file;
    if (fstat(files[i], &file) != 0) printf("file %d is closed\n", files[i]);
    else if (file.st_size != 0) printf("file %d was written\n", files[i]);
  }
}

void check_files_in_child(void) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    check_files();
    fflush(stdout);
    _exit(0);
  }
  if (child < 0 || waitpid(child, NULL, 0) != child) puts("no child");
}

/* The other end of what a number is now; 0: that is as it was. */
static int other_ends[NUMBERS];
static bool are_sockets;
static const char waiting[] = "for the program";

static void say_gone(int number) { printf("descriptor %d is not what it was\n", number); }

static bool make(const char *kind, int ends[2]) {
  are_sockets = strcmp(kind, "sockets") == 0;
  if (are_sockets) {
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    return socketpair(AF_UNIX, type, 0, ends) == 0 &&
           write(ends[0], waiting, sizeof waiting) == sizeof waiting;
  }
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return false;
  if (strcmp(kind, "full-pipes") == 0) {
    static const char bytes[4096];
    while (write(ends[1], bytes, sizeof bytes) > 0) continue;
    return fcntl(ends[1], F_SETFL, 0) == 0;
  }
  return strcmp(kind, "broken-pipes") == 0;
}

bool replace_descriptors(const char *kind) {
  for (int number = FIRST; number < NUMBERS; number++) {
    int ends[2];
    if (fcntl(number, F_GETFD) < 0) continue;
    if (!make(kind, ends)) return false;
    other_ends[number] = fcntl(ends[0], F_DUPFD_CLOEXEC, AWAY);
    dup2(ends[1], number);
    close(ends[0]);
    close(ends[1]);
    if (strcmp(kind, "broken-pipes") == 0) {
      close(other_ends[number]);
      other_ends[number] = -1;
    }
  }
  return true;
}

void check_replaced(void) {
  for (int number = FIRST; number < NUMBERS; number++) {
    int other = other_ends[number], left = 0;
    char byte;
    if (other == 0) continue;
    if (fcntl(number, F_GETFD) < 0) say_gone(number);
    if (!are_sockets) continue;
    if (recv(other, &byte, 1, MSG_DONTWAIT) >= 0) printf("descriptor %d was written\n", number);
    else if (errno != EAGAIN) say_gone(number);
    if (ioctl(number, FIONREAD, &left) != 0 || left != sizeof waiting)
      printf("descriptor %d was read\n", number);
  }
}
