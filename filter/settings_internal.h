#ifndef FILTER_SETTINGS_INTERNAL_H
#define FILTER_SETTINGS_INTERNAL_H

#include "filter/settings.h"

/* How the settings' files work together. */

extern const struct option_section settings_lists_all_kind;
extern const struct option_section settings_lists_kind;

/* Adds an error at the value: "KEY: WHAT "ITEM"". */
void settings_fail_at(struct settings *settings,
    const struct option_value *value, const char *what, struct span item);

/* Fills scan->lists; errors are added to the tree. */
void settings_fill_lists(struct settings *settings, struct scan_config *scan);

/* Fills what the sections auth and report and milter.trusted_ids say. */
void settings_fill_auth(struct settings *settings, struct scan_config *scan);

#endif
