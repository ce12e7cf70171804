#ifndef FILTER_CTL_LEARN_EVAL_H
#define FILTER_CTL_LEARN_EVAL_H

#include "filter/ctl/ctl.h"

/* assay learn eval: what the learner is worth on labelled mail. */
extern const struct ctl_command ctl_learn_eval_command;

#endif
