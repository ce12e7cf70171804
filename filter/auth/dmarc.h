#ifndef FILTER_AUTH_DMARC_H
#define FILTER_AUTH_DMARC_H

#include "filter/auth/dkim.h"
#include "filter/auth/spf.h"
#include "filter/base/arena.h"
#include "filter/base/span.h"
#include "filter/dns/dns.h"
#include "filter/mail/addr.h"

enum dmarc_result {
	DMARC_NONE,
	DMARC_PASS,
	DMARC_FAIL,
	DMARC_TEMPERROR,
	DMARC_PERMERROR,
};
const char *dmarc_result_name(enum dmarc_result result);

enum dmarc_policy {
	DMARC_POLICY_NONE,
	DMARC_POLICY_QUARANTINE,
	DMARC_POLICY_REJECT,
	DMARC_POLICY_UNKNOWN, /* no record, or not on fail or pass */
};
const char *dmarc_policy_name(enum dmarc_policy policy);

/* A policy record, or as much of it as holds (RFC 9989 section 4.7). */
struct dmarc_record {
	enum dmarc_policy p, sp, np; /* sp and np resolved to their defaults */
	bool adkim_strict, aspf_strict;
	bool testing;     /* t=y */
	char psd;         /* 'y', 'n', 'u' */
	struct span text; /* as published */
	struct span rua, ruf;
	struct span fo;
};

struct dmarc_request {
	const struct addr_list *from; /* addresses of all From fields */
	size_t from_fields;           /* number of From fields */
	bool from_lookalike;     /* a field that some programs take for From */
	struct span from_domain; /* used instead of `from` when p != NULL */
	/* what passed */
	const struct span *spf_domains; /* domains with spf=pass (MAIL FROM) */
	size_t n_spf;
	const struct span *dkim_domains; /* d= with dkim=pass */
	size_t n_dkim;
	/* What might have passed: not decided, for a reason that will go away.
	 * Unaligned ones do not matter. */
	const struct span *unsure_spf, *unsure_dkim;
	size_t n_unsure_spf, n_unsure_dkim;
	/* The same where the domain is not known. */
	bool spf_temperror, dkim_temperror;
};

struct dmarc_facts {
	enum dmarc_result result;
	/* After sp, np and t, on fail; NONE on pass; UNKNOWN else. */
	enum dmarc_policy disposition;
	enum dmarc_policy published; /* p, sp or np that applied, before t */
	struct span from_domain;     /* A-labels; empty: none usable */
	/* Where the record was found; p NULL: none. */
	struct span record_domain;
	struct span org_domain; /* of from_domain; p NULL: not known */
	struct dmarc_record record;
	bool spf_aligned, dkim_aligned;
	/* That made it pass: of DKIM where a signature is aligned, the From
	 * domain's own before one below its organisation; else of SPF. A-labels;
	 * p NULL: nothing is aligned. */
	struct span aligned_domain;
	struct span problem; /* for people; p == NULL */
};

#define DMARC_QUERIES_MAX 8 /* of one tree walk, RFC 9989 section 4.10 */
#define DMARC_DOMAINS_MAX 4 /* different domains in From that are judged */

/*
 * Evaluates RFC 9989: finds the record by tree walk, alignment, disposition.
 *
 * Exactly one domain in one From field is judged by the RFC. Of several the
 * worst outcome counts (section 11.5: each is judged, and the strictest policy
 * of those that fail is taken). A message without a usable domain is
 * DMARC_PERMERROR, and so is one that would be a pass or none but has several
 * From fields, more domains than are judged, or a From that programs may read
 * in several ways.
 *
 * Memory: arena. Thread: any; may block on DNS. Never fails.
 */
void dmarc_check(const struct dmarc_request *request, struct dns_batch *dns,
    struct arena *arena, struct dmarc_facts *ret);

/* Begins to ask for the records of the From domain; never waits. */
void dmarc_want(
    struct span from_domain, struct dns_batch *dns, struct arena *arena);

/*
 * The same for a domain that SPF or DKIM may authenticate, where a relaxed
 * alignment will ask for its organisation: not for the From domain itself, nor
 * for one that is nobody's neighbour. (What makes neighbours here, the Public
 * Suffix List, decides only how early the questions are asked.)
 */
void dmarc_want_aligned(struct span from_domain, struct span domain,
    struct dns_batch *dns, struct arena *arena);

/*
 * Reads one record's text. ERR_SYNTAX: not a DMARC record, or a tag is there
 * twice. ERR_INVALID: one without a valid p, sp or np, and without rua that
 * would make it p=none: no policy applies (section 4.10.1); the other fields
 * of `ret` are set.
 */
int dmarc_parse(
    struct dmarc_record *ret, struct span text, struct arena *arena) MUST_USE;

/* The organisational domain by tree walk (section 4.10.2), a view into
 * `domain` or its copy; empty on temperror and for what is no domain. */
struct span dmarc_org_domain(
    struct span domain, struct dns_batch *dns, struct arena *arena);

#endif
