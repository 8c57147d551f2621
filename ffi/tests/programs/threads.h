/* Threads of the driver that end, or end the process, in odd ways. */
#ifndef THREADS_H
#define THREADS_H

#include "eventlog_socket.h"

/** End the main thread; another one goes on for so many milliseconds. */
void leave_main(long ms);

/** Make this call in a thread that is to be cancelled at the first point where it can be.
 *  Says whether it returned, and what. */
void call_cancelled(const char *name, EventlogSocketStatus (*call)(void));

/** exit(7) here, and exit(6) in another thread 200 ms later. */
void exit_twice(void);

/** Fork so many children while another thread puts statuses into words; each child does the
 *  same. Says whether one was stuck. */
void fork_beside_strerror(int times);

/** exit(11) in the handler of a signal. */
void exit_in_handler(int number);

#endif
