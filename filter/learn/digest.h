#ifndef FILTER_LEARN_DIGEST_H
#define FILTER_LEARN_DIGEST_H

#include "filter/mail/message.h"

#define DIGEST_SIZE 32 /* characters, hexadecimal */

/*
 * The same for a message wherever it is met: as the MTA gives it, in a mailbox,
 * with the fields that deliveries and filters add, with LF or CRLF. From the
 * beginning of the body and the first From, To, Date and Message-ID.
 */
void digest_message(struct message *m, char ret[DIGEST_SIZE]);

#endif
