#ifndef FILTER_POLICY_H
#define FILTER_POLICY_H

#include "filter/examine.h"

/*
 * What to do with a message: a pure function of settings, hits and facts. It
 * asks nobody and changes nothing.
 */
enum action {
	ACTION_ACCEPT,
	ACTION_TAG,
	ACTION_QUARANTINE,
	ACTION_REJECT,
	ACTION_TEMPFAIL,
};
const char *action_name(enum action action); /* "accept" ... */

/* Which class of reply a refusal gets (product.md, replies). */
enum reply_class {
	REPLY_CONTENT,  /* 550 5.7.1 */
	REPLY_DMARC,    /* 550 5.7.26 */
	REPLY_SPF,      /* 550 5.7.23 */
	REPLY_DKIM,     /* 550 5.7.20 */
	REPLY_DNS,      /* 451 4.4.3 */
	REPLY_FAILURE,  /* 451 4.3.0 */
	REPLY_OVERLOAD, /* 421 4.3.2 */
	REPLY_SPLIT,    /* 452 4.5.3 */
};

struct verdict {
	enum action action; /* what happens: accept in observe; behind a relay
			       of ours a refusal is a tag */
	enum action would;  /* what enforce would do, relay or not */
	const char *by;     /* "score", "dmarc", "failure" */
	enum reply_class reply;
	const struct policy_settings *policy; /* that decided */
	int64_t score_milli;
	int64_t threshold_milli; /* the reject threshold, OPTION_OFF */
	bool tag_headers;        /* X-Spam-Flag: YES and the Subject mark,
				     where such fields are written */
	/* Why DMARC did less than the domain's policy asks for, in the words of
	 * RFC 9990: "mailing_list", "trusted_forwarder", "local_policy"; and
	 * more about it, ASCII, or NULL. It stands whatever decided in the end.
	 */
	const char *dmarc_reason, *dmarc_comment;
	const char *failure; /* the degraded check that decided; NULL */
};

/*
 * The facts that policies look at, so that a record can be replayed without a
 * scan. policy_facts_of() reads them off a finished scan.
 */
struct policy_facts {
	enum direction direction;
	int64_t score_milli;
	bool dmarc_fail;               /* result is fail, not temperror */
	enum dmarc_policy disposition; /* after sp, np, t */
	/* What speaks for an indirect flow. Texts are comments for the owner of
	 * the domain; NULL: it does not apply. */
	bool list;      /* List-Id or List-Post */
	bool forwarder; /* the client is in milter.forwarders */
	const char
	    *rescue;      /* a trusted ARC sealer: DMARC does nothing at all */
	const char *seal; /* it may be one, for the time being not known */
	const char *signer; /* a DKIM pass of a domain with good reputation */
	enum reply_class heaviest; /* class of the heaviest symbol */
	const char *const *degraded;
	size_t n_degraded;
	bool defer_over; /* a cause has deferred mail for policy.defer_max */
};

void policy_facts_of(struct scan *scan, const struct examination *examination,
    struct policy_facts *ret);

/* One policy's verdict. */
void policy_decide(const struct settings *settings,
    const struct policy_settings *policy, const struct policy_facts *facts,
    struct verdict *ret);

/*
 * All recipients' verdicts merged (policy.split = lenient): refused only when
 * every recipient's policy refuses, tagged when any tags. `policies` are the
 * indexes of the recipients' policies, n of them (0: default).
 */
void policy_merge(const struct settings *settings, const size_t *policies,
    size_t n, const struct policy_facts *facts, struct verdict *ret);

#endif
