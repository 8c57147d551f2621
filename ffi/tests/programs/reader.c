/* A client in a process of its own, to be killed: connects to a Unix socket and
 * reads forever. Says "reading" when the first byte is there. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char *argv[]) {
  static char bytes[1 << 16];
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path) return 2;
  strcpy(address.sun_path, argv[1]);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    perror("reader: connect");
    return 1;
  }
  if (read(fd, bytes, 1) != 1) return 1;
  puts("reading");
  fflush(stdout);
  while (read(fd, bytes, sizeof bytes) > 0) {
  }
  return 0;
}
