/* The file calls of the library, as the driver wants them: failing. */
#ifndef SYSTEM_FILES_H
#define SYSTEM_FILES_H

#include <stdbool.h>

/** "CALL ERRNO AFTER TIMES": of the calls of this name so many pass from now on, and then
 *  so many fail. Errno 0 is a write of but a part. False if the call is not known. */
bool fail_file_calls(const char *words);
/** How many failures of this call are still to come. */
int file_failures_left(const char *call);

#endif
