#include "tests/conformance/opendkim_whole.h"

#include <stdlib.h>

#include <opendkim/dkim.h>

#include "filter/base/buf.h"
#include "filter/base/unconst.h"

static DKIM_LIB *library;

struct job {
	struct dns_batch *dns;
	struct arena *arena;
	struct whole *whole;
	DKIM_SIGINFO *sigs[WHOLE_SIGNATURES_MAX];
	size_t n_late;
};

const char *
whole_result_name(enum whole_result result)
{
	static const char *const names[] = {
	    [WHOLE_ABSENT] = "absent",
	    [WHOLE_PASS] = "pass",
	    [WHOLE_FAIL] = "fail",
	    [WHOLE_PERMERROR] = "permerror",
	    [WHOLE_TEMPERROR] = "temperror",
	};

	return names[result];
}

/* The first record of the key's name, cut to the library's buffer. */
static DKIM_CBSTAT
find_key(DKIM *dkim, DKIM_SIGINFO *sig, unsigned char *buf, size_t buflen)
{
	struct job *job = dkim_get_user_context(dkim);
	struct span name = arena_printf(job->arena, "%s._domainkey.%s",
	    (char *)dkim_sig_getselector(sig), (char *)dkim_sig_getdomain(sig));
	const struct dns_answer *answer = dns_get(job->dns, name, DNS_TXT);

	if (answer->status == DNS_NXDOMAIN || answer->status == DNS_NODATA)
		return DKIM_CBSTAT_NOTFOUND;
	if (answer->status != DNS_OK) {
		if (job->n_late < WHOLE_SIGNATURES_MAX)
			job->sigs[job->n_late++] = sig;
		return DKIM_CBSTAT_TRYAGAIN;
	}
	struct span text = span_head(answer->records[0].data, buflen - 1);
	memcpy(buf, text.p, text.len);
	buf[text.len] = '\0';
	return DKIM_CBSTAT_CONTINUE;
}

void
whole_open(void)
{
	/* Without it one key that does not come spoils the other signatures. */
	unsigned flags = DKIM_LIBFLAGS_DELAYSIGPROC;

	library = dkim_init(NULL, NULL);
	if (!library ||
	    dkim_options(library, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags,
		sizeof flags) != DKIM_STAT_OK ||
	    dkim_set_key_lookup(library, find_key) != DKIM_STAT_OK)
		abort();
}

void
whole_close(void)
{
	dkim_close(library);
}

static void
feed(DKIM *dkim, const struct header *h, struct job *job)
{
	struct buf buf;
	bool is_signature = span_caseis(span_trim(h->name), DKIM_SIGNHEADER);

	buf_init(&buf, job->arena, SIZE_MAX / 2);
	buf_add_span(&buf, h->name);
	buf_add_char(&buf, ':');
	for (struct span rest = h->raw; rest.p;) {
		struct span line = span_cut(&rest, '\n');
		if (rest.p && span_ends(line, SPAN("\r")))
			line.len--;
		buf_add_span(&buf, line);
		if (rest.p)
			buf_add_str(&buf, "\r\n");
	}
	struct span text = buf_span(&buf);
	DKIM_STAT status = dkim_header(dkim, unconst(text.p), text.len);
	if (!is_signature || job->whole->n == WHOLE_SIGNATURES_MAX)
		return;
	job->whole->verdicts[job->whole->n++] = (struct whole_verdict){
	    .result = status == DKIM_STAT_OK ? WHOLE_PERMERROR : WHOLE_ABSENT,
	    .field = h,
	};
}

static enum whole_result
result_of(const struct job *job, DKIM_SIGINFO *sig)
{
	int error = dkim_sig_geterror(sig);

	for (size_t i = 0; i < job->n_late; i++)
		if (job->sigs[i] == sig)
			return WHOLE_TEMPERROR;
	if (DKIM_SIG_CHECK(sig))
		return WHOLE_PASS;
	if (error == DKIM_SIGERROR_OK || error == DKIM_SIGERROR_BADSIG)
		return WHOLE_FAIL;
	return WHOLE_PERMERROR;
}

/* The library's list is of those that it took, in the header's order. */
static bool
take_results(DKIM *dkim, struct job *job)
{
	DKIM_SIGINFO **sigs = NULL;
	int n = 0, at = 0;

	if (dkim_getsiglist(dkim, &sigs, &n) != DKIM_STAT_OK)
		n = 0;
	for (size_t i = 0; i < job->whole->n; i++) {
		struct whole_verdict *v = &job->whole->verdicts[i];
		if (v->result == WHOLE_ABSENT)
			continue;
		if (at == n)
			return false;
		v->error = dkim_sig_geterror(sigs[at]);
		v->result = result_of(job, sigs[at++]);
	}
	return at == n;
}

bool
whole_verify(const struct header_list *headers, struct span body,
    struct dns_batch *dns, struct arena *arena, struct whole *ret)
{
	static const unsigned char id[] = "test";
	struct job job = {.dns = dns, .arena = arena, .whole = ret};
	DKIM_STAT status;
	DKIM *dkim = dkim_verify(library, id, NULL, &status);

	ret->n = 0;
	if (!dkim || dkim_set_user_context(dkim, &job) != DKIM_STAT_OK)
		abort();
	for (size_t i = 0; i < headers->fields.n; i++)
		feed(dkim, &headers->fields.v[i], &job);
	ret->at_headers = dkim_eoh(dkim);
	if (body.len)
		(void)dkim_body(dkim, unconst(body.p), body.len);
	ret->at_end = dkim_eom(dkim, NULL);
	bool done = take_results(dkim, &job);
	dkim_free(dkim);
	return done;
}
