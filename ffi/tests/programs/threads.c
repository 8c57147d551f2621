/* Threads of the driver that end, or end the process, in odd ways. */
#ifndef EVENTLOG_SOCKET_NO_RTS
#define EVENTLOG_SOCKET_NO_RTS
#endif
#include "threads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void start(pthread_t *thread, void *(*routine)(void *), void *argument) {
  if (pthread_create(thread, NULL, routine, argument) != 0) _exit(97);
}

static void *linger(void *ms) {
  usleep(1000 * (useconds_t)(intptr_t)ms);
  return NULL;
}

void leave_main(long ms) {
  pthread_t thread;
  start(&thread, linger, (void *)ms);
  pthread_exit(NULL);
}

static EventlogSocketStatus (*to_call)(void);
static EventlogSocketStatus returned;

static void *call(void *nothing) {
  pthread_cancel(pthread_self());
  returned = to_call();
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  return nothing;
}

void call_cancelled(const char *name, EventlogSocketStatus (*routine)(void)) {
  pthread_t thread;
  void *end = NULL;
  to_call = routine;
  start(&thread, call, NULL);
  pthread_join(thread, &end);
  if (end == PTHREAD_CANCELED) printf("%s: cancelled\n", name);
  else printf("%s: %d %d\n", name, (int)returned.ess_status_code, returned.ess_error_code);
}

static void *exit_aside(void *nothing) {
  (void)nothing;
  usleep(200000);
  exit(6);
}

void exit_twice(void) {
  pthread_t thread;
  start(&thread, exit_aside, NULL);
  exit(7);
}

void exit_in_handler(int number) {
  (void)number;
  exit(11);
}

static void *describe_for_ever(void *stop) {
  EventlogSocketStatus status = {EVENTLOG_SOCKET_ERR_SYS, 98};
  while (!atomic_load((atomic_bool *)stop)) free(eventlog_socket_strerror(status));
  return NULL;
}

void fork_beside_strerror(int times) {
  pthread_t thread;
  atomic_bool stop = false;
  int stuck = 0;
  start(&thread, describe_for_ever, &stop);
  for (int i = 0; i < times; i++) {
    pid_t child = fork();
    if (child == 0) {
      EventlogSocketStatus status = {EVENTLOG_SOCKET_ERR_SYS, 98};
      alarm(10); /* for one that waits for ever */
      free(eventlog_socket_strerror(status));
      eventlog_socket_worker_status();
      _exit(0);
    }
    int end = -1;
    if (child < 0 || waitpid(child, &end, 0) != child) puts("no child");
    if (end != 0) stuck++;
    if (stuck > 0) break;
  }
  atomic_store(&stop, true);
  pthread_join(thread, NULL);
  printf("stuck: %d\n", stuck);
}
