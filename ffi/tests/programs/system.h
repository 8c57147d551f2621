/* The system, as the driver wants it: slow, or failing. */
#ifndef SYSTEM_H
#define SYSTEM_H

#include <stdatomic.h>
#include <stdbool.h>

/** Milliseconds that these calls take from now on. */
extern atomic_uint slow_accept_ms;
extern atomic_uint slow_listen_ms;
extern atomic_uint slow_read_ms;

/** Say how each connection is to be closed: SO_LINGER, before its shutdown. */
extern atomic_bool say_linger;
/** Every setsockopt fails. */
extern atomic_bool fail_setsockopt;
/** Every write fails: what wakes the poll thread. */
extern atomic_bool fail_write;
/** Every sendmsg sends but a part, or is interrupted, or fails for a moment. */
extern atomic_bool flaky_sendmsg;
/** At how many of the places where it cuts it has cut a piece after the first. */
int places_cut(void);

/** How often that has happened. */
extern atomic_uint troubles_made;

/** "CALL ERRNO TIMES": the next calls of this name fail so. False if it is not
 *  known. */
bool fail_calls(const char *words);
/** How many failures of this call are still to come. */
int failures_left(const char *call);
/** No call fails from now on. */
void fail_no_calls(void);

/** "CALL PATH TARGET": after the next bind, or before the next connect, what is at PATH
 *  is exchanged for a link to TARGET. False if it is not understood. */
bool exchange(const char *words);

/** Seconds by which the wall clock is set forth and back between any two who read it. */
extern atomic_long clock_step;
/** The main thread's next reading of the monotonic clock raises this signal in it. */
extern atomic_int raise_at_clock;
/** The system has no futexes, as in a sandbox that refuses them. */
extern atomic_bool fail_futex;
/** Before each wake-up of the poll thread another one fills its eventfd. */
extern atomic_bool fill_eventfd;

/** The newest eventfd, -1 for none. */
extern atomic_int newest_eventfd;

/** Until a client was accepted. */
void await_accept(void);

#endif
