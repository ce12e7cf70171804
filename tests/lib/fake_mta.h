#ifndef TESTS_LIB_FAKE_MTA_H
#define TESTS_LIB_FAKE_MTA_H

#include "filter/base/buf.h"
#include "filter/mta.h"
#include "filter/session.h"

/* An MTA in memory: answers macros from a table and writes down what it is
 * told, one line each:
 *
 *	insert NAME: VALUE	change NAME NTH: VALUE	remove NAME NTH
 *	hold REASON		reply CODE STATUS TEXT
 */
#define FAKE_MACROS 16

struct fake_mta {
	struct {
		char name[64];
		char value[70000];
		bool set;
	} macros[FAKE_MACROS];
	struct buf said; /* heap */
	bool refuse;     /* edits fail */
	unsigned progress;
};

void fake_mta_init(struct fake_mta *fake);
void fake_mta_done(struct fake_mta *fake);
/* `value` NULL removes it. */
void fake_mta_macro(struct fake_mta *fake, const char *name, const char *value);
/* Forgets what was written down. */
void fake_mta_forget(struct fake_mta *fake);
struct mta fake_mta_mta(struct fake_mta *fake, unsigned can);

#endif
