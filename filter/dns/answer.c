#include "filter/dns/answer.h"

#include <assert.h>
#include <stdlib.h>

#include "filter/base/unconst.h"
#include "filter/dns/draft.h"

/*
 * Answers: counted blocks, shared by all threads. Parsed forms are a list that
 * is only pushed to until the last reference goes, so reading it takes no
 * lock. What records look like is draft.c's matter.
 */

struct answer_form {
	struct answer_form *next;
	const void *kind;
	void *form;
	dns_drop_fn *drop;
};

/* --- answers ------------------------------------------------------------------ */

struct answer *
answer_new(struct span folded, enum dns_type type, enum dns_status status,
    const struct answer_draft *draft)
{
	size_t n = draft ? draft->n : 0;
	size_t len = draft ? draft->bytes.len : 0;
	size_t records_size = n * sizeof(struct dns_record);
	/* One byte more: data of length 0 points into the block as well. */
	size_t size =
	    sizeof(struct answer) + records_size + folded.len + len + 1;
	struct answer *a = malloc(size);

	if (!a)
		return NULL;
	struct dns_record *records = (struct dns_record *)(void *)(a + 1);
	char *name = (char *)(a + 1) + records_size;
	char *bytes = name + folded.len;
	*a = (struct answer){
	    .pub = {.status = status, .n = n, .records = records},
	    .size = size,
	    .hash = answer_hash(folded, type),
	    .name = span_make(name, folded.len),
	    .type = type,
	};
	atomic_init(&a->refs, 1);
	atomic_init(&a->forms, NULL);
	if (folded.len)
		memcpy(name, folded.p, folded.len);
	if (len)
		memcpy(bytes, draft->bytes.p, len);
	bytes[len] = '\0';
	for (size_t i = 0; i < n; i++)
		records[i] =
		    (struct dns_record){span_make(bytes + draft->record[i].at,
					    draft->record[i].len),
			draft->record[i].preference};
	return a;
}

void
answer_ref(struct answer *answer)
{
	if (!answer->fixed)
		atomic_fetch_add_explicit(
		    &answer->refs, 1, memory_order_relaxed);
}

void
answer_drop_forms(struct answer *answer)
{
	struct answer_form *f = atomic_exchange(&answer->forms, NULL);

	while (f) {
		struct answer_form *next = f->next;
		f->drop(f->form);
		free(f);
		f = next;
	}
}

void
answer_unref(struct answer *answer)
{
	if (!answer || answer->fixed)
		return;
	uint32_t was =
	    atomic_fetch_sub_explicit(&answer->refs, 1, memory_order_acq_rel);
	assert(was > 0);
	if (was > 1)
		return;
	answer_drop_forms(answer);
	free(answer);
}

/* --- parsed forms --------------------------------------------------------------- */

static const void *
find_form(const struct answer_form *from, const struct answer_form *until,
    const void *kind)
{
	for (; from != until; from = from->next)
		if (from->kind == kind)
			return from->form;
	return NULL;
}

/* Pushes `mine` unless somebody else's form of that kind came first. */
static const void *
publish(
    struct answer *answer, struct answer_form *mine, struct answer_form *seen)
{
	mine->next = seen;
	while (
	    !atomic_compare_exchange_weak(&answer->forms, &mine->next, mine)) {
		const void *theirs = find_form(mine->next, seen, mine->kind);
		if (theirs) {
			mine->drop(mine->form);
			free(mine);
			return theirs;
		}
		seen = mine->next;
	}
	return mine->form;
}

const void *
dns_parsed(const struct dns_answer *pub, const void *kind, dns_make_fn *make,
    dns_drop_fn *drop, void *arg)
{
	/* Ours was not made const; only what it says is. */
	struct answer *answer = unconst(pub);

	if (answer->fixed)
		return NULL;
	struct answer_form *seen = atomic_load(&answer->forms);
	const void *there = find_form(seen, NULL, kind);
	if (there)
		return there;
	void *form = make(pub, arg);
	if (!form)
		return NULL;
	struct answer_form *mine = malloc(sizeof *mine);
	if (!mine) {
		drop(form);
		return NULL;
	}
	*mine = (struct answer_form){.kind = kind, .form = form, .drop = drop};
	return publish(answer, mine, seen);
}

/* --- words ---------------------------------------------------------------------- */

static const struct {
	enum dns_type type;
	const char *name;
} types[] = {
    {DNS_A, "A"},
    {DNS_AAAA, "AAAA"},
    {DNS_CNAME, "CNAME"},
    {DNS_MX, "MX"},
    {DNS_NS, "NS"},
    {DNS_PTR, "PTR"},
    {DNS_SOA, "SOA"},
    {DNS_TXT, "TXT"},
};

const char *
dns_type_name(enum dns_type type)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (types[i].type == type)
			return types[i].name;
	return "?";
}

enum dns_type
dns_type_of(struct span name)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (span_caseis(name, types[i].name))
			return types[i].type;
	return (enum dns_type)0;
}

const char *
dns_status_name(enum dns_status status)
{
	switch (status) {
	case DNS_OK:
		return "OK";
	case DNS_NXDOMAIN:
		return "NXDOMAIN";
	case DNS_NODATA:
		return "NODATA";
	case DNS_TIMEOUT:
		return "TIMEOUT";
	case DNS_SERVFAIL:
		return "SERVFAIL";
	}
	return "?";
}
