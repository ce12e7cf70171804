#ifndef FILTER_LOG_LOG_MATCH_H
#define FILTER_LOG_LOG_MATCH_H

#include <stdbool.h>

#include "filter/log/record.h"
#include "filter/log/verdictlog.h"

/* The parts of a query that SQL is not asked: addresses and lists. */

/* Sender and degraded; needs no rcpts. */
bool log_match_message(
    const struct verdictlog_query *query, const struct record *record);
bool log_match_rcpts(
    const struct verdictlog_query *query, const struct record *record);

#endif
