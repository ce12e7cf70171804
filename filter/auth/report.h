#ifndef FILTER_AUTH_REPORT_H
#define FILTER_AUTH_REPORT_H

#include "filter/base/arena.h"
#include "filter/base/buf.h"
#include "filter/base/err.h"
#include "filter/base/span.h"
#include "filter/base/vec.h"

/*
 * A DMARC aggregate report (RFC 9990) as data: what is written for others and
 * what is read from them. Texts are UTF-8 as in the XML, entities undone; who
 * shows them escapes them. p == NULL: the element was not there.
 */
struct report_reason {
	struct span
	    type; /* local_policy, trusted_forwarder, mailing_list ... */
	struct span comment;
};

struct report_dkim {
	struct span domain, selector, result, human;
};

struct report_spf {
	struct span domain, scope, result, human;
};

struct report_row {
	struct span source_ip;
	uint64_t count;
	struct span disposition; /* none, quarantine, reject, pass */
	struct span dkim, spf;   /* DMARC's: pass, fail */
	struct report_reasons VEC(struct report_reason) reasons;
	struct span header_from, envelope_from, envelope_to;
	struct report_dkims VEC(struct report_dkim) dkim_results;
	struct report_spfs VEC(struct report_spf) spf_results;
};

struct report {
	struct span version; /* "1.0" or lacking */
	bool rfc9990; /* the namespace urn:ietf:params:xml:ns:dmarc-2.0 */
	/* report_metadata */
	struct span org_name, email, extra_contact, report_id, generator;
	int64_t begin, end; /* Unix time, both inside; -1: lacking */
	struct report_errors VEC(struct span) errors;
	/* policy_published */
	struct span domain, discovery; /* psl, treewalk */
	struct span p, sp, np, adkim, aspf, fo, testing;
	struct report_rows VEC(struct report_row) rows;
};

/*
 * Writes the XML (UTF-8, RFC 9990 appendix A, the order of the schema). What
 * XML cannot hold (controls, no UTF-8) is replaced by '?'. ERR_LIMIT when
 * `out` is full. Memory: that of `out`.
 */
int report_write(const struct report *report, struct buf *out) MUST_USE;

/* Limits of what is read from others (they are strangers). */
#define REPORT_PACKED_MAX ((size_t)32 * 1024 * 1024) /* the file */
#define REPORT_XML_MAX ((size_t)128 * 1024 * 1024)   /* unpacked */
#define REPORT_ROWS_MAX 500000
#define REPORT_TEXT_MAX 1024 /* bytes of one element; longer ones are cut */
#define REPORT_DEPTH_MAX 16
#define REPORT_FILES_MAX 16 /* in one archive or mail */

/*
 * Reads one report's XML, of RFC 7489 or RFC 9990. No entity is expanded but
 * the five of XML and character references; a document type is refused; no
 * file and no network is touched. ERR_SYNTAX with "line N: ..." in err;
 * ERR_LIMIT; ERR_NOMEM. Memory: arena. Thread: any.
 */
int report_read(struct report *ret, struct span xml, struct arena *arena,
    struct err *err) MUST_USE;

/*
 * Takes what a file holds, zip, gzip, XML or a mail with one of them in it,
 * apart: the XML texts. ERR_SYNTAX: none of these; ERR_LIMIT: past a limit
 * above. Memory: arena. Thread: any.
 */
struct report_texts VEC(struct span);
int report_unpack(struct report_texts *ret, struct span file,
    struct arena *arena, struct err *err) MUST_USE;

#endif
