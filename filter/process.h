#ifndef FILTER_PROCESS_H
#define FILTER_PROCESS_H

#include "filter/settings.h"

/* What makes a program a daemon: limits, background, pid file. */

/* Open files, threads and stacks for limits.sessions; warns where the system
 * gives less. Before threads. */
void process_set_limits(const struct settings *settings);

/*
 * Goes into the background: the parent waits until the child says that it
 * serves, or has failed, and ends with its status. Returns the descriptor for
 * process_end_background(), in the child alone; -1: no fork, still in front.
 */
int process_go_background(void);
/* Tells the parent; with status 0 lets go of the terminal, too. `fd` -1 does
 * nothing. */
void process_end_background(int fd, int status);

int process_write_pid(const char *path, struct err *err) MUST_USE;

#endif
