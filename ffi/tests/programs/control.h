/* Commands for hooks, namespaces and commands of the library: what control.c does
 * for the worker and for the driver. */
#ifndef CONTROL_H
#define CONTROL_H

#include "eventlog_socket.h"

/** Run a command; see control.c. Says on stdout what came of it. */
void control_run(const char *line);

/** Run the commands of WORKER_CONTROL, one a line. */
void control_from_environment(void);

/** Register a command of a namespace that the commands above have made. In the
 *  name, bytes may be written as \xNN; it is changed. */
EventlogSocketStatus
control_register_command(char *name, int id,
                         EventlogSocketControlCommandHandler *handler,
                         const void *data);

/** Write all counters as one line. */
void control_say_stats(int fd);

/** Log a message, on the thread of a handler. The program's. */
void control_log(const char *text);

#endif
