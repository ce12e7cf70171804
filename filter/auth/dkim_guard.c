#include "filter/auth/dkim_internal.h"

#include "filter/auth/dkim.h"
#include "filter/base/codec.h"
#include "filter/mail/domain.h"

/*
 * The guard in front of libopendkim: a DKIM-Signature field read by the
 * grammar of RFC 6376 section 3.5 and the checks of section 6.1.1. What does
 * not pass here never reaches the library, which reads past the end of an i=
 * of 257 bytes and of a truncated "=X", takes the last of repeated tags and
 * lets unknown query methods pass. Each tag has a function that returns what
 * is wrong with it.
 */

#define DKIM_L_DIGITS 76    /* section 3.5, l= */
#define DKIM_TIME_DIGITS 12 /* section 3.5, t=: longer ones are infinite */

typedef const char *read_fn(
    struct dkim_tags *tags, const struct tag_list *list, struct arena *arena);

/* --- pieces -------------------------------------------------------------------- */

/* Text without the white space that folding may have put into it. */
static struct span
unspaced(const struct tag_list *list, const char *name, struct arena *arena)
{
	struct span value = taglist_get(list, name);

	return value.p ? taglist_unspaced(value, arena) : value;
}

static bool
all_digits(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_digit(s.p[i]))
			return false;
	return s.len > 0;
}

static struct span
decode_base64(struct span text, struct arena *arena)
{
	struct buf buf;

	buf_init(&buf, arena, DKIM_FIELD_MAX);
	if (!text.p || codec_base64_strict(&buf, text) || !buf.len)
		return SPAN_NONE;
	return buf_span(&buf);
}

/* Letters, digits, '-', '_' in every label: what a domain or a selector is
 * once its U-labels are A-labels (RFC 8616). */
static bool
read_name(struct span text, struct arena *arena, struct span *ret)
{
	if (span_ends(text, SPAN(".")) || domain_normalise(text, arena, ret))
		return false;
	for (size_t i = 0; i < ret->len; i++) {
		char c = ret->p[i];
		if (!ascii_is_alnum(c) && c != '-' && c != '_' && c != '.')
			return false;
	}
	return true;
}

/* --- tags, in the order in which faults are told ------------------------------- */

static const char *
read_version(
    struct dkim_tags *tags, const struct tag_list *list, struct arena *arena)
{
	struct span v = taglist_get(list, "v");

	(void)tags;
	(void)arena;
	if (!v.p)
		return "v= is missing";
	return span_is(v, "1") ? NULL : "v= is not 1";
}

static const char *
read_domain(
    struct dkim_tags *tags, const struct tag_list *list, struct arena *arena)
{
	struct span d = taglist_get(list, "d");
	struct span name;

	if (!d.p)
		return "d= is missing";
	if (!read_name(d, arena, &name) || domain_labels(name) < 2)
		return "d= is not a domain";
	tags->domain = name;
	return NULL;
}

static const char *
read_selector(
    struct dkim_tags *tags, const struct tag_list *list, struct arena *arena)
{
	struct span s = taglist_get(list, "s");
	struct span name;

	if (!s.p)
		return "s= is missing";
	if (!read_name(s, arena, &name))
		return "s= is not a selector";
	tags->selector = name;
	tags->key_name = arena_printf(arena, "%.*s._domainkey.%.*s",
	    SPAN_ARG(name), SPAN_ARG(tags->domain));
	return tags->key_name.len > DOMAIN_MAX ? "the key's name is too long"
					       : NULL;
}

static const char *
read_algorithm(
    struct dkim_tags *tags, const struct tag_list *list, struct arena *arena)
{
	static const struct {
		const char *name;
		enum dkim_algorithm algorithm;
		enum bodyhash_digest digest;
	} known[] = {
	    {"rsa-sha256", DKIM_RSA, BODYHASH_SHA256},
	    {"ed25519-sha256", DKIM_ED25519, BODYHASH_SHA256}, /* RFC 8463 */
	    {"rsa-sha1", DKIM_RSA, BODYHASH_SHA1},
	};
	struct span a = taglist_get(list, "a");

	if (!a.p)
		return "a= is missing";
	tags->algorithm_name = arena_lower(arena, a);
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (!span_caseis(a, known[i].name))
			continue;
		tags->algorithm = known[i].algorithm;
		tags->digest = known[i].digest;
		return NULL;
	}
	return "a= is not known";
}

static bool
read_canon(struct span text, enum bodyhash_canon *ret)
{
	if (!span_caseis(text, "simple") && !span_caseis(text, "relaxed"))
		return false;
	*ret = span_caseis(text, "simple") ? BODYHASH_SIMPLE : BODYHASH_RELAXED;
	return true;
}

static const char *
read_canons(
    struct dkim_tags *tags, const struct tag_list *list, struct arena *arena)
{
	struct span rest = taglist_get(list, "c");

	(void)arena;
	tags->header_canon = tags->body_canon = BODYHASH_SIMPLE;
	if (!rest.p)
		return NULL;
	struct span header = span_cut(&rest, '/');
	if (!read_canon(header, &tags->header_canon) ||
	    (rest.p && !read_canon(rest, &tags->body_canon)))
		return "c= is not known";
	return NULL;
}

static const char *
read_query(
    struct dkim_tags *tags, const struct tag_list *list, struct arena *arena)
{
	struct span q = taglist_get(list, "q");

	(void)tags;
	(void)arena;
	return !q.p || taglist_has_item(q, "dns/txt")
		   ? NULL
		   : "q= has no known method";
}

/* One name of h=. It may hold all that a field's name may, but ';'. */
static bool
is_field_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (ascii_is_control(name.p[i]) || ascii_is_8bit(name.p[i]) ||
		    name.p[i] == ' ')
			return false;
	return name.len > 0;
}

static const char *
read_names(
    struct dkim_tags *tags, const struct tag_list *list, struct arena *arena)
{
	struct span rest = taglist_get(list, "h");
	bool from = false;

	if (!rest.p)
		return "h= is missing";
	tags->names_len = rest.len;
	while (rest.p) {
		struct span name = taglist_item(&rest, ':');
		if (!is_field_name(name))
			return "h= is not a list of names";
		if (tags->names.n == DKIM_SIGNED_MAX)
			return "h= has too many names";
		struct span *to = VEC_PUSH(arena, &tags->names);
		if (!to)
			return "out of memory";
		*to = name;
		from |= span_caseis(name, "from");
	}
	return from ? NULL : "h= does not name From"; /* section 5.4 */
}

/* dkim-quoted-printable (section 2.11), without white space. */
static bool
decode_qp(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];
		if (c == '=') {
			int high =
			    i + 1 < text.len ? ascii_hex(text.p[i + 1]) : -1;
			int low =
			    i + 2 < text.len ? ascii_hex(text.p[i + 2]) : -1;
			if (high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		/* No local part has controls, quoted or not (RFC 5321). */
		if (ascii_is_control(c))
			return false;
		buf_add_char(out, c);
	}
	return !buf_failed(out);
}

static const char *
read_identity(
    struct dkim_tags *tags, const struct tag_list *list, struct arena *arena)
{
	struct span text = unspaced(list, "i", arena);
	struct buf buf;

	tags->identity_domain = tags->domain;
	if (!text.p) {
		tags->identity =
		    arena_printf(arena, "@%.*s", SPAN_ARG(tags->domain));
		return NULL;
	}
	buf_init(&buf, arena, DKIM_IDENTITY_MAX);
	if (!decode_qp(&buf, text))
		return "i= is malformed or too long";
	struct span whole = buf_span(&buf);
	size_t at = span_rfind_char(whole, '@');
	if (at == SPAN_NPOS ||
	    !read_name(span_skip(whole, at + 1), arena, &tags->identity_domain))
		return "i= is not an address";
	if (!domain_is_below(tags->identity_domain, tags->domain))
		return "i= is not below d=";
	tags->identity = whole;
	return NULL;
}

/*
 * libopendkim takes the value out by looking for a 'b' before a '=': it misses
 * "b =", takes "xb=" for it, and keeps white space between value and ';'.
 */
static bool
b_is_plain(const struct tag_list *list, const struct tag *b)
{
	for (size_t i = 0; i < list->tags.n; i++) {
		struct span name = list->tags.v[i].name;
		if (name.len > 1 && name.p[name.len - 1] == 'b')
			return false;
	}
	return b->name.p + b->name.len + 1 == b->whole.p &&
	       b->value.p + b->value.len == b->whole.p + b->whole.len;
}

static const char *
read_signature(
    struct dkim_tags *tags, const struct tag_list *list, struct arena *arena)
{
	const struct tag *b = taglist_find(list, "b");

	if (!b)
		return "b= is missing";
	tags->b = taglist_unspaced(b->value, arena);
	tags->b_whole = b->whole;
	tags->b_plain = b_is_plain(list, b);
	tags->signature = decode_base64(tags->b, arena);
	return tags->signature.p ? NULL : "b= is not base64";
}

static const char *
read_body_hash(
    struct dkim_tags *tags, const struct tag_list *list, struct arena *arena)
{
	struct span bh = taglist_get(list, "bh");

	if (!bh.p)
		return "bh= is missing";
	tags->body_hash = decode_base64(bh, arena);
	if (!tags->body_hash.p)
		return "bh= is not base64";
	size_t want = tags->digest == BODYHASH_SHA1 ? 20 : 32;
	return tags->body_hash.len == want ? NULL : "bh= has the wrong length";
}

static const char *
read_limit(
    struct dkim_tags *tags, const struct tag_list *list, struct arena *arena)
{
	struct span l = taglist_get(list, "l");

	(void)arena;
	tags->limit = BODYHASH_NO_LIMIT;
	if (!l.p)
		return NULL;
	if (!all_digits(l) || l.len > DKIM_L_DIGITS ||
	    span_to_u64(l, &tags->limit) || tags->limit == BODYHASH_NO_LIMIT)
		return "l= is not a usable number";
	return NULL;
}

/* A time. One of more digits than anybody needs is infinite, as section 3.5
 * suggests: no overflow. */
static bool
read_time(struct span text, int64_t *ret)
{
	*ret = -1;
	if (!text.p)
		return true;
	if (!all_digits(text))
		return false;
	if (text.len > DKIM_TIME_DIGITS)
		*ret = INT64_MAX;
	else if (span_to_i64(text, ret))
		return false;
	return true;
}

static const char *
read_times(
    struct dkim_tags *tags, const struct tag_list *list, struct arena *arena)
{
	(void)arena;
	if (!read_time(taglist_get(list, "t"), &tags->time))
		return "t= is not a time";
	if (!read_time(taglist_get(list, "x"), &tags->expires))
		return "x= is not a time";
	if (tags->time >= 0 && tags->expires >= 0 &&
	    tags->expires <= tags->time)
		return "x= is not behind t=";
	return NULL;
}

/* ------------------------------------------------------------------------------- */

static const char *
check_times(const struct dkim_tags *tags, int64_t now)
{
	if (tags->expires >= 0 && tags->expires < now - DKIM_CLOCK_SKEW)
		return "expired";
	if (tags->time > now + DKIM_CLOCK_SKEW)
		return "signed in the future";
	return NULL;
}

static const char *
list_problem(int rc)
{
	switch (rc) {
	case 0:
		return NULL;
	case ERR_INVALID:
		return "a tag twice";
	case ERR_LIMIT:
		return "too many tags";
	case ERR_NOMEM:
		return "out of memory";
	default:
		return "not a list of tags";
	}
}

/* Body hash after algorithm, selector and identity after domain. */
static read_fn *const signature_readers[] = {read_version, read_domain,
    read_selector, read_algorithm, read_signature, read_body_hash, read_names,
    read_canons, read_identity, read_query, read_limit, read_times, NULL};
static read_fn *const ams_readers[] = {read_domain, read_selector,
    read_algorithm, read_signature, read_body_hash, read_names, read_canons,
    read_query, read_limit, read_times, NULL};
static read_fn *const seal_readers[] = {read_domain, read_selector,
    read_algorithm, read_signature, read_times, NULL};

const char *
dkim_guard_form(enum dkim_form form, struct dkim_tags *ret, struct span raw,
    int64_t now, struct arena *arena, struct tag_list *ret_list)
{
	static read_fn *const *const readers[] = {
	    [DKIM_FORM_SIGNATURE] = signature_readers,
	    [DKIM_FORM_AMS] = ams_readers,
	    [DKIM_FORM_SEAL] = seal_readers,
	};

	*ret = (struct dkim_tags){
	    .time = -1, .expires = -1, .limit = BODYHASH_NO_LIMIT};
	*ret_list = (struct tag_list){0};
	if (raw.len > DKIM_FIELD_MAX)
		return "the field is too long";
	const char *problem = list_problem(taglist_parse(ret_list, raw, arena));
	for (read_fn *const *read = readers[form]; !problem && *read; read++)
		problem = (*read)(ret, ret_list, arena);
	/* Without an identity it is the domain's own. */
	if (form != DKIM_FORM_SIGNATURE)
		ret->identity_domain = ret->domain;
	if (!problem && arena_failed(arena))
		problem = "out of memory";
	return problem ? problem : check_times(ret, now);
}

const char *
dkim_guard(
    struct dkim_tags *ret, struct span raw, int64_t now, struct arena *arena)
{
	struct tag_list list;

	return dkim_guard_form(
	    DKIM_FORM_SIGNATURE, ret, raw, now, arena, &list);
}
