/* sender PATH - a client of a user of its own: connects, sends the first line of
 * stdin, and stays until stdin ends. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char *argv[]) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  char line[4096];
  if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path) return 2;
  strcpy(address.sun_path, argv[1]);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    perror("connect");
    return 1;
  }
  ssize_t size = read(STDIN_FILENO, line, sizeof line);
  if (size <= 0 || write(fd, line, (size_t)size) != size) return 1;
  printf("sent as %d\n", (int)geteuid());
  fflush(stdout);
  while (read(STDIN_FILENO, line, sizeof line) > 0) continue;
  return 0;
}
