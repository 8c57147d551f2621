/* The system, as the driver wants it: slow, or failing. */
#ifndef SYSTEM_H
#define SYSTEM_H

#include <stdatomic.h>
#include <stdbool.h>

/** Milliseconds that these calls take from now on. */
extern unsigned slow_accept_ms;
extern unsigned slow_listen_ms;

/** Say how each connection is to be closed: SO_LINGER, before its shutdown. */
extern bool say_linger;
/** Every setsockopt fails. */
extern bool fail_setsockopt;
/** Every write fails: what wakes the poll thread. */
extern bool fail_write;
/** Every sendmsg is interrupted, fails for a moment, or sends but a part. */
extern bool flaky_sendmsg;

/** How often that has happened. */
extern atomic_uint troubles_made;

/** Until a client was accepted. */
void await_accept(void);

#endif
