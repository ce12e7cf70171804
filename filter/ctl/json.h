#ifndef FILTER_CTL_JSON_H
#define FILTER_CTL_JSON_H

#include <jansson.h>

#include "filter/scan/scan.h"

/* Facts as JSON (product.md, "Forms that programs read"). Text that is not
 * UTF-8 is shown with replacement characters. */

/* A string, or null when there is nothing there (p == NULL). */
json_t *json_text(struct span text);
json_t *json_spf(const struct spf_facts *spf);
json_t *json_dkim(const struct scan_dkim_facts *dkim); /* a list */
json_t *json_dmarc(const struct scan_dmarc_facts *dmarc);
json_t *json_arc(const struct scan_arc_facts *arc);
/* Every DNS question of the scan once. */
json_t *json_dns(const struct dns_batch *batch);
/* The text of a value, ASCII alone: no terminal takes what is in it for a
 * command. The caller frees it. */
char *json_line(json_t *value);
/* The same as a line; frees the value. */
void json_print(FILE *out, json_t *value);
/* Adds and takes over; a NULL value (no memory) aborts the program. */
void json_set(json_t *object, const char *key, json_t *value);
void json_append(json_t *list, json_t *value);

#endif
