/* Files, pipes and sockets of the program's own, under numbers that descriptors of the
 * library had: what own_files.c does for the driver. */
#ifndef OWN_FILES_H
#define OWN_FILES_H

#include <stdbool.h>

/** Open files, with the lowest numbers there are. */
void open_files(const char *path, int how);

/** Say which of them are closed, or were written to. */
void check_files(void);

/** The same in a child that has not opened them itself. */
void check_files_in_child(void);

/** Put something of the program's own in the place of every descriptor from 3 on:
 *  `full-pipes` that block, `broken-pipes` that nobody reads, or `sockets` that do not
 *  block and have something to be read, as many a program has. False: none of these. */
bool replace_descriptors(const char *kind);

/** Say which of them are closed, were read from, or were written to. */
void check_replaced(void);

#endif
