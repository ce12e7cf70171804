#ifndef FILTER_LEARN_REPUTE_H
#define FILTER_LEARN_REPUTE_H

#include "filter/base/ip.h"
#include "filter/store/store.h"

/*
 * Decaying evidence about senders: per address, prefix (/24, /64), SPF domain
 * and aligned domain. Bad and good evidence is added to the period (week) it
 * came in; the reader weights the last periods, older ones less.
 */
enum repute_subject {
	REPUTE_ADDRESS,
	REPUTE_PREFIX,
	REPUTE_SPF,     /* domain of a passing MAIL FROM or HELO */
	REPUTE_ALIGNED, /* From domain under a DMARC pass */
	REPUTE_SUBJECTS,
};
const char *repute_subject_name(enum repute_subject subject);

#define REPUTE_PERIOD_S (7 * 86400)
#define REPUTE_PERIODS 9 /* looked at: this week and eight before */

/* Who sent a message; what is not known is empty. */
struct repute_sender {
	struct ip ip;
	struct span spf_domain, aligned_domain; /* A-labels, lower case */
};

struct repute_standing {
	bool known;        /* the subject applies to this message */
	double bad, good;  /* decayed messages */
	double confidence; /* 0..1 */
	double badness;    /* share of bad, shrunk to the middle, 0..1 */
	struct span key;   /* "192.0.2.1", "192.0.2.0/24", "example.org" */
};

struct repute_result {
	struct repute_standing v[REPUTE_SUBJECTS];
	double badness; /* of all, by confidence, 0 good .. 1 bad; .5 unknown */
	double confidence;
};

/* Known well (some eight messages at least) and nearly all of it good. */
bool repute_is_good(const struct repute_standing *standing);

/* The text of a sender's key of that subject: empty when it does not apply. */
struct span repute_text(const struct repute_sender *sender,
    enum repute_subject subject, struct arena *arena);

/* Reads all subjects of a sender in one call. Memory: arena. */
int repute_judge(struct store *store, const struct repute_sender *sender,
    int64_t now, int64_t deadline, struct arena *arena,
    struct repute_result *ret, struct err *err) MUST_USE;

/* Adds one message's evidence (0 or 1 each) to the queue. Never waits. */
void repute_note(struct store *store, const struct repute_sender *sender,
    bool bad, bool good, int64_t now, struct arena *arena);

/* A key as people write it: address, prefix or domain. ERR_SYNTAX. */
struct repute_key {
	enum repute_subject subject;
	struct span text; /* normalised, arena */
};
int repute_key_parse(struct span text, struct arena *arena,
    struct repute_key *ret, struct err *err) MUST_USE;

/* One subject and key, week by week, newest first. */
struct repute_week {
	int64_t begins; /* Unix time */
	int64_t bad, good;
};
int repute_show(struct store *store, enum repute_subject subject,
    struct span key, int64_t now, int64_t deadline, struct arena *arena,
    struct repute_week ret_weeks[REPUTE_PERIODS], struct repute_standing *ret,
    struct err *err) MUST_USE;

#endif
