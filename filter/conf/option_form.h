#ifndef FILTER_CONF_OPTION_FORM_H
#define FILTER_CONF_OPTION_FORM_H

#include "filter/base/buf.h"
#include "filter/conf/option.h"

/*
 * The text forms of the types of options. Internal to this folder.
 */

/*
 * A number of any type that has one, OPTION_WORD aside: 0, ERR_SYNTAX, or
 * ERR_LIMIT when it is too large to be held.
 */
int option_parse_number(
    enum option_type type, struct span text, int64_t *ret) MUST_USE;

/* "a time like 5s, 10m, 4h, 30d" */
const char *option_expected(enum option_type type);

void option_format_number(
    struct buf *out, enum option_type type, int64_t number);

/* Index of a word in "a b c", or -1. */
int64_t option_choice_index(const char *choices, struct span word);

#endif
