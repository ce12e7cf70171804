#ifndef FILTER_SCAN_SCAN_INTERNAL_H
#define FILTER_SCAN_SCAN_INTERNAL_H

#include "filter/scan/scan.h"

/* Between the files of facts about one message. */

/* True where who sent the message is to be proved: not of outgoing mail, and
 * not without a network, which is not to say that DNS failed. */
bool scan_authenticates(const struct scan *scan);

/* After dkim_begin(): wants what scan_dmarc() will ask. Never waits. */
void scan_want_dmarc(struct scan *scan);

#endif
