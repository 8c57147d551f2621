/* A program's own exit hook, which GHC's RTS calls instead of its empty one. */
#include <stdio.h>
#include <unistd.h>

void OnExitHook(void);

void OnExitHook(void) { dprintf(STDOUT_FILENO, "own exit hook\n"); }
