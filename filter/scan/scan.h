#ifndef FILTER_SCAN_SCAN_H
#define FILTER_SCAN_SCAN_H

#include "filter/auth/arc.h"
#include "filter/auth/dkim.h"
#include "filter/auth/dmarc.h"
#include "filter/auth/iprev.h"
#include "filter/auth/spf.h"
#include "filter/base/arena.h"
#include "filter/base/ip.h"
#include "filter/base/span.h"
#include "filter/base/vec.h"
#include "filter/dns/dns.h"
#include "filter/dns/dnslist.h"
#include "filter/learn/bayes.h"
#include "filter/learn/repute.h"
#include "filter/mail/message.h"
#include "filter/rule/rule.h"
#include "filter/scan/direction.h"

/*
 * Everything true about one message, on demand. A scan is pointers to what
 * others own and the facts asked for so far; each fact is computed at the
 * first question and kept. Owned by one session (or one job of `assay check`);
 * all memory is in the message's arena.
 */

/* Whether a fact could be had. */
enum fact_state {
	FACT_DONE,
	FACT_LATER,  /* temporary: deadline, DNS */
	FACT_OFF,    /* does not apply: outgoing mail, --local */
	FACT_BROKEN, /* our own failure */
};

/* The SMTP envelope as the MTA told it. Empty or p == NULL: not known. */
struct envelope {
	struct ip client_ip; /* family 0: no network client or unknown */
	bool has_client;     /* false: local submission (Unix socket, none) */
	struct span client_name; /* verified host name, or empty */
	struct span helo;
	struct span mail_from; /* without brackets; empty: <> */
	bool mail_from_known;
	struct span_vec VEC(struct span) rcpts; /* without brackets */
	/* All whose {rcpt_mailer} was looked at are of auth.local_mailers. */
	bool stays_local;
	struct span auth_user;            /* {auth_authen} */
	struct span auth_type;            /* {auth_type}: "PLAIN" */
	struct span daemon_name;          /* {daemon_name} */
	struct span queue_id;             /* i */
	struct span mta_name;             /* j */
	struct span tls_version;          /* {tls_version} */
	struct span tls_cipher, tls_bits; /* {cipher}, {cipher_bits} */
	/* {cert_subject} of a certificate that the MTA verified */
	struct span tls_subject;
	bool smtputf8;
};

/* Who handed the message to us or, behind relays of ours, to the outermost. */
struct scan_client {
	struct ip ip;     /* family 0: not known */
	struct span name; /* verified host name, or empty */
	struct span helo;
};

/* The DNS lists in use. */
struct scan_lists {
	const struct dnslist *v;
	size_t n;
	unsigned domains_max;    /* of one message, asked of each list */
	const struct span *skip; /* never asked, nor what is below */
	size_t n_skip;
};

/* Settings that facts need; part of the immutable snapshot. */
struct scan_config {
	struct span authserv_id; /* also %{r} of SPF */
	struct direction_config direction;
	int64_t dns_message_ms;
	unsigned dns_questions_max;
	int64_t message_ms; /* limits.message_time */
	bool network;       /* false: --local, nobody is authenticated */
	int64_t store_ms;   /* store.timeout: for one message, all in all */
	struct bayes_config bayes;
	struct scan_lists lists;
	const struct span *sealers; /* auth.sealers, A-labels */
	size_t n_sealers;
	struct span seal; /* auth.seal, A-labels; empty: mail is not sealed */
	/* Some message's headers will show iprev: its names are asked early. */
	bool iprev;
};

enum scan_stage { SCAN_MAIL, SCAN_RCPT, SCAN_EOH, SCAN_EOM };

struct spf_facts {
	enum fact_state state;
	struct spf_answer
	    mail;     /* MAIL FROM, or HELO as postmaster@HELO for <> */
	bool of_helo; /* `mail` speaks of HELO since MAIL FROM is <> */
};

struct scan_dkim_facts {
	enum fact_state state;
	const struct dkim_facts
	    *dkim; /* never NULL when state is DONE or LATER */
};

struct scan_dmarc_facts {
	enum fact_state state;
	struct dmarc_facts dmarc;
	/* On fail: scan_arc()'s `trusted`, whose word makes up for it. */
	struct span rescuer;
};

struct scan_arc_facts {
	enum fact_state state;
	const struct arc_facts *arc; /* never NULL when DONE or LATER */
	/* A pass, all seals are of auth.sealers or ours (one at least is of
	 * auth.sealers), no field that people see was multiplied since, and the
	 * first sealer did not say dmarc=fail: the newest's domain. p NULL:
	 * nobody we trust vouches for it. */
	struct span trusted;
	bool may_be_trusted; /* all that, but a key could not be had now */
};

struct iprev_facts {
	enum fact_state state; /* OFF: outgoing mail, no client */
	struct iprev_answer iprev;
};

struct learn_facts {
	enum fact_state state; /* OFF: no store, or too few trained */
	struct bayes_result bayes;
};

struct repute_facts {
	enum fact_state state; /* OFF: no store, outgoing mail */
	struct repute_sender sender;
	struct repute_result repute;
};

/* What was listed, and the answer that said so. */
struct list_hit {
	unsigned symbol; /* index in the list */
	struct span key; /* the address or domain */
	uint8_t answer[4];
};

struct list_facts {
	enum fact_state state; /* OFF: nothing to ask; LATER: not all known */
	struct list_hits VEC(struct list_hit) hits;
};

/* A list that this message found out about, for the log. */
struct list_news {
	const struct dnslist *list;
	enum dnslist_event cause;
	int64_t off_ms;
};
struct list_news_list VEC(struct list_news);

struct degraded_list VEC(const char *);

struct scan {
	struct arena *arena;
	const struct scan_config *config;
	struct message *message;
	struct envelope *envelope;
	struct dns_batch *dns;
	struct bodyhash_set *hashes; /* fed by scan_body() */
	struct dkim *dkim;
	struct arc *arc;
	int seal_job; /* body hash for our own seal; negative: none */
	/* That counts for SPF, lists, reputation: of the envelope; behind
	 * relays read from Received at SCAN_EOH, unknown before. */
	struct scan_client client;
	/* Received lines on top that our own MTA wrote: 1 in stored mail; set
	 * by whoever reads such, before SCAN_EOH. */
	unsigned own_received;
	/* Behind relays: Received lines above the first that is not theirs. */
	unsigned relay_received;
	struct rule_run *run;     /* while rules run */
	struct store *store;      /* or NULL: no state */
	struct scan_slots *slots; /* the pool, or NULL */
	struct rule_slot *slot;   /* lent now, or NULL */
	enum direction direction; /* final at SCAN_EOH: out may become relay */
	int64_t deadline;
	int64_t now;      /* Unix time that the scan judges by */
	int64_t store_us; /* spent on the store so far */
	struct degraded_list
	    degraded; /* each name once, in order of discovery */
	/* Keeps the MTA waiting (smfi_progress); called from scan_tick(). */
	void (*progress)(void *arg);
	void *progress_arg;
	int64_t next_progress;
	/* memoised facts, NULL until asked */
	struct spf_facts *spf;
	struct scan_dkim_facts *dkim_facts;
	struct scan_dmarc_facts *dmarc;
	struct scan_arc_facts *arc_facts;
	struct iprev_facts *iprev;
	struct learn_facts *learned;
	struct repute_facts *reputation;
	struct scan_list_runs *lists; /* NULL: none in use */
	struct list_news_list list_news;
};

/*
 * Begins at MAIL FROM. `dns` may be NULL (no resolver or --local).
 * NULL when the arena failed.
 */
struct scan *scan_new(struct arena *arena, const struct scan_config *config,
    struct envelope *envelope, struct message *message, struct dns *dns);

/* Another direction than the envelope's, and its client; before SCAN_MAIL. */
void scan_direct(struct scan *scan, enum direction direction);

/* Tells the stage: wants early what will be asked late. Never waits. After
 * SCAN_EOH headers are frozen and body bytes may come. */
void scan_stage(struct scan *scan, enum scan_stage stage);
/* Each body chunk, before or after message_body(). */
void scan_body(struct scan *scan, struct span chunk);
/* After the last body byte: ends the hashes, fixes the deadline's start. */
void scan_body_done(struct scan *scan);

/* The facts. Never NULL; look at `state` first. May block on DNS. */
const struct spf_facts *scan_spf(struct scan *scan);
const struct scan_dkim_facts *scan_dkim(struct scan *scan);
const struct scan_dmarc_facts *scan_dmarc(struct scan *scan);
const struct scan_arc_facts *scan_arc(struct scan *scan);
/* The body's hash for a seal of ours, or NULL where none was planned. */
const struct bodyhash_value *scan_seal_body(const struct scan *scan);
/* The client's name: information for a header field, waited for a second. */
const struct iprev_facts *scan_iprev(struct scan *scan);
/* These ask the store, for store_ms at most in all. */
const struct learn_facts *scan_learned(struct scan *scan);
const struct repute_facts *scan_reputation(struct scan *scan);
/* A domain with a good reputation whose DKIM signature passes, be it aligned
 * or not; p NULL: none, or not known. */
struct span scan_good_signer(struct scan *scan);

/* `list` is an index of config->lists. Waits for it until timeout_ms after it
 * was asked: about the client at SCAN_MAIL, about links at SCAN_EOM. */
const struct list_facts *scan_list(struct scan *scan, unsigned list);
/* The first hit of a list that means the symbol, or NULL; asks scan_list(). */
const struct list_hit *scan_listed(
    struct scan *scan, const struct dnslist_symbol *symbol);
/* Milliseconds spent waiting for lists. */
int64_t scan_lists_waited_ms(const struct scan *scan);
/* Asks the test points of all lists, so that the first message finds their
 * answers in the cache. Never waits. */
void scan_lists_start(const struct scan_lists *lists, struct dns *dns);

/* Around a call to the store: the deadline for it; and its result (0 or ERR_*),
 * which becomes degraded= where it failed. */
int64_t scan_store_begin(struct scan *scan);
void scan_store_end(struct scan *scan, int rc);

/* The domain of the first From address, as A-labels where it is a name, or
 * empty: for log, replies and comparison. */
struct span scan_from_domain(struct scan *scan);
/* True when a List-Id or List-Post says that a list sent it. */
bool scan_is_list(const struct scan *scan);

/* Notes that a check could not run (degraded=); `what` is a constant. */
void scan_degrade(struct scan *scan, const char *what);
/* Why the symbol that is being computed hit. Network text is welcome. */
void scan_evidence(struct scan *scan, const char *fmt, ...) PRINTF(2, 3);
void scan_evidence_span(struct scan *scan, struct span text);
/* False when the message's time is over. Calls progress when due. */
bool scan_tick(struct scan *scan);

#endif
