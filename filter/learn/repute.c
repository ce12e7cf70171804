#include "filter/learn/repute.h"

#include <math.h>

#include "filter/mail/domain.h"

/*
 * Each message leaves one mark, bad or good, with each subject of its sender.
 * Marks are pairs of counts under a key that ends with the number of its week,
 * so that decay is a matter of reading: a week counts half as much as the one
 * four weeks after it. What follows from bad marks is an opinion and the
 * scorer's.
 */

#define HALF_LIFE_WEEKS 4.0
#define PRIOR 1.0      /* marks of either kind that everybody begins with */
#define FULL_TRUST 5.0 /* marks at which confidence is one half */
#define KEY_TEXT_MAX 320
#define GOOD_CONFIDENCE 0.6
#define GOOD_BADNESS 0.1
#define PREFIX4 24
#define PREFIX6 64

/* The first byte of a key, and what people call it. */
static const struct {
	char letter;
	const char *name;
} subjects[REPUTE_SUBJECTS] = {
    [REPUTE_ADDRESS] = {'a', "address"},
    [REPUTE_PREFIX] = {'p', "prefix"},
    [REPUTE_SPF] = {'s', "spf"},
    [REPUTE_ALIGNED] = {'d', "aligned"},
};

const char *
repute_subject_name(enum repute_subject subject)
{
	return subjects[subject].name;
}

static uint64_t
period_of(int64_t now)
{
	return now > 0 ? (uint64_t)now / REPUTE_PERIOD_S : 0;
}

/* --- keys -------------------------------------------------------------------------- */

static struct span
prefix_text(struct ip ip, unsigned bits, struct arena *arena)
{
	char text[IP_TEXT_SIZE];

	for (unsigned i = bits; i < sizeof ip.bytes * 8; i++)
		ip.bytes[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
	ip_format(&ip, text);
	return arena_printf(arena, "%s/%u", text, bits);
}

struct span
repute_text(const struct repute_sender *sender, enum repute_subject subject,
    struct arena *arena)
{
	char text[IP_TEXT_SIZE];

	switch (subject) {
	case REPUTE_ADDRESS:
		if (!sender->ip.family)
			return SPAN_NONE;
		ip_format(&sender->ip, text);
		return arena_span(arena, span_of(text));
	case REPUTE_PREFIX:
		if (!sender->ip.family)
			return SPAN_NONE;
		return prefix_text(sender->ip,
		    sender->ip.family == 4 ? PREFIX4 : PREFIX6, arena);
	case REPUTE_SPF:
		return arena_lower(arena, sender->spf_domain);
	case REPUTE_ALIGNED:
		return arena_lower(arena, sender->aligned_domain);
	case REPUTE_SUBJECTS:
		break;
	}
	return SPAN_NONE;
}

static struct store_key
key_of(enum repute_subject subject, struct span text, uint64_t period,
    struct arena *arena)
{
	return (struct store_key){
	    .kind = STORE_REPUTE,
	    .name =
		arena_printf(arena, "%c:%.*s:%llu", subjects[subject].letter,
		    SPAN_ARG(span_head(text, KEY_TEXT_MAX)),
		    (unsigned long long)period),
	};
}

/* Keys of the periods looked at, this week first. False: no memory. */
static bool
keys_of(enum repute_subject subject, struct span text, int64_t now,
    struct arena *arena, struct store_key *ret)
{
	uint64_t period = period_of(now);

	for (uint64_t i = 0; i < REPUTE_PERIODS; i++) {
		ret[i] =
		    key_of(subject, text, period >= i ? period - i : 0, arena);
		if (!ret[i].name.p)
			return false;
	}
	return true;
}

/* --- reading -------------------------------------------------------------------------- */

static double
at_least_zero(int64_t count)
{
	return count > 0 ? (double)count : 0;
}

static void
weigh(
    const struct store_counts counts[REPUTE_PERIODS], struct repute_standing *s)
{
	s->bad = s->good = 0;
	for (int i = 0; i < REPUTE_PERIODS; i++) {
		double weight = exp2(-i / HALF_LIFE_WEEKS);
		s->bad += weight * at_least_zero(counts[i].v[0]);
		s->good += weight * at_least_zero(counts[i].v[1]);
	}
	double n = s->bad + s->good;
	s->confidence = n / (n + FULL_TRUST);
	s->badness = (s->bad + PRIOR) / (n + 2 * PRIOR);
}

bool
repute_is_good(const struct repute_standing *standing)
{
	return standing->known && standing->confidence >= GOOD_CONFIDENCE &&
	       standing->badness < GOOD_BADNESS;
}

static void
combine(struct repute_result *r)
{
	double sum = 0, weights = 0;

	r->confidence = 0;
	for (int i = 0; i < REPUTE_SUBJECTS; i++) {
		const struct repute_standing *s = &r->v[i];
		if (!s->known)
			continue;
		sum += s->confidence * s->badness;
		weights += s->confidence;
		r->confidence = fmax(r->confidence, s->confidence);
	}
	r->badness = weights > 0 ? sum / weights : 0.5;
}

int
repute_judge(struct store *store, const struct repute_sender *sender,
    int64_t now, int64_t deadline, struct arena *arena,
    struct repute_result *ret, struct err *err)
{
	struct store_key keys[REPUTE_SUBJECTS * REPUTE_PERIODS];
	struct store_counts counts[REPUTE_SUBJECTS * REPUTE_PERIODS];
	struct repute_result result = {0};
	size_t n = 0;

	for (int i = 0; i < REPUTE_SUBJECTS; i++) {
		struct repute_standing *s = &result.v[i];
		s->key = repute_text(sender, (enum repute_subject)i, arena);
		s->known = s->key.len > 0;
		if (!s->known)
			continue;
		if (!keys_of(
			(enum repute_subject)i, s->key, now, arena, &keys[n]))
			return err_set(err, ERR_NOMEM, "out of memory");
		n += REPUTE_PERIODS;
	}
	int rc =
	    n ? store_get(store, keys, n, now, deadline, arena, counts, err)
	      : 0;
	if (rc)
		return rc;
	n = 0;
	for (int i = 0; i < REPUTE_SUBJECTS; i++) {
		if (!result.v[i].known)
			continue;
		weigh(&counts[n], &result.v[i]);
		n += REPUTE_PERIODS;
	}
	combine(&result);
	*ret = result;
	return 0;
}

int
repute_show(struct store *store, enum repute_subject subject, struct span key,
    int64_t now, int64_t deadline, struct arena *arena,
    struct repute_week ret_weeks[REPUTE_PERIODS], struct repute_standing *ret,
    struct err *err)
{
	struct store_key keys[REPUTE_PERIODS];
	struct store_counts counts[REPUTE_PERIODS];

	if (!keys_of(subject, key, now, arena, keys))
		return err_set(err, ERR_NOMEM, "out of memory");
	int rc = store_get(
	    store, keys, REPUTE_PERIODS, now, deadline, arena, counts, err);
	if (rc)
		return rc;
	for (int i = 0; i < REPUTE_PERIODS; i++)
		ret_weeks[i] = (struct repute_week){
		    .begins = ((int64_t)period_of(now) - i) * REPUTE_PERIOD_S,
		    .bad = counts[i].v[0],
		    .good = counts[i].v[1],
		};
	*ret = (struct repute_standing){.known = true, .key = key};
	weigh(counts, ret);
	return 0;
}

/* --- writing ---------------------------------------------------------------------------- */

void
repute_note(struct store *store, const struct repute_sender *sender, bool bad,
    bool good, int64_t now, struct arena *arena)
{
	struct store_op ops[REPUTE_SUBJECTS];
	uint64_t period = period_of(now);
	size_t n = 0;

	for (int i = 0; i < REPUTE_SUBJECTS; i++) {
		enum repute_subject subject = (enum repute_subject)i;
		struct span text = repute_text(sender, subject, arena);
		if (!text.len)
			continue;
		ops[n] = (struct store_op){
		    .verb = STORE_ADD,
		    .key = key_of(subject, text, period, arena),
		    .add = {{bad, good}},
		    .expires =
			(int64_t)(period + REPUTE_PERIODS) * REPUTE_PERIOD_S,
		};
		n += ops[n].key.name.p != NULL;
	}
	if (n)
		store_later(store, ops, n);
}

/* --- what people write ---------------------------------------------------------------------- */

int
repute_key_parse(struct span text, struct arena *arena, struct repute_key *ret,
    struct err *err)
{
	struct ip_net net;
	struct ip ip;

	if (ip_parse(text, &ip) == 0) {
		struct repute_sender sender = {.ip = ip};
		ret->subject = REPUTE_ADDRESS;
		ret->text = repute_text(&sender, REPUTE_ADDRESS, arena);
		return 0;
	}
	if (ip_net_parse(text, &net) == 0) {
		unsigned bits = net.ip.family == 4 ? PREFIX4 : PREFIX6;
		if (net.bits != bits)
			return err_set(err, ERR_SYNTAX,
			    "prefixes are kept as /%d and /%d", PREFIX4,
			    PREFIX6);
		ret->subject = REPUTE_PREFIX;
		ret->text = prefix_text(net.ip, bits, arena);
		return 0;
	}
	ret->subject = REPUTE_ALIGNED;
	if (domain_normalise(text, arena, &ret->text) ||
	    !domain_is_fqdn(ret->text))
		return err_set(err, ERR_SYNTAX,
		    "no address, prefix or domain: %.*s", SPAN_ARG(text));
	return 0;
}
