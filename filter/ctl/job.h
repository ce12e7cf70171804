#ifndef FILTER_CTL_JOB_H
#define FILTER_CTL_JOB_H

#include "filter/ctl/ctl.h"
#include "filter/examine.h"
#include "filter/policy.h"
#include "filter/scan/slots.h"

/*
 * One message through a scan without an MTA: what `check` and `auth` share.
 */

/* The envelope that options give; what lacks is read off the message. */
struct job_envelope {
	const char *ip, *helo, *from, *rcpt, *auth;
	int64_t time; /* --time, or -1 */
	bool inbound; /* never mail that leaves; with `ip`, of that client */
};
#define JOB_ENVELOPE_OPTIONS                                                   \
	{"ip", 0, "ADDRESS", "the client's address"},                          \
	    {"helo", 0, "NAME", "the client's HELO name"},                     \
	    {"from", 0, "ADDRESS", "MAIL FROM, without brackets"},             \
	    {"rcpt", 0, "ADDRESS", "RCPT TO"},                                 \
	    {"auth", 0, "USER", "the authenticated user"},                     \
	    {"time", 0, "UNIX", "the time to judge by"},                       \
	    {"dns", 0, "FILE", "answer DNS from a zone file"},                 \
	{                                                                      \
		"nameserver", 0, "ADDRESS@PORT", "ask this resolver"           \
	}

/* What all jobs of a run share. */
struct job_engine {
	struct snapshot *snapshot;
	struct dns *dns;
	struct scan_slots *slots;
	struct store *store; /* for reading, or NULL */
	bool store_lost;     /* there is one that cannot be read */
};

struct job_options {
	struct job_envelope envelope;
	struct settings_source source;
	const char *nameserver;
	const char *assignments[CTL_ASSIGNMENTS_MAX + 1];
	char nameserver_option[128];
};

/* Takes an option of JOB_ENVELOPE_OPTIONS by its name: 0, EX_USAGE, or -1 when
 * the name is none of them. */
int job_take(struct job_options *job, const char *name, const char *value);

/* Loads settings and rules, opens DNS: EX_OK or an exit status. */
int job_open(
    const struct ctl *ctl, struct job_options *options, struct job_engine *ret);
void job_close(struct job_engine *engine);

/* A scan over a message's bytes, ready to be asked. NULL: no memory. */
struct scan *job_scan(const struct job_engine *engine,
    const struct job_envelope *envelope, struct span text, struct arena *arena);

#endif
