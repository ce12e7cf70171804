#include "tests/conformance/dkim_classes.h"

#include <stdio.h>

#include <opendkim/dkim.h>

#include "filter/auth/taglist.h"
#include "filter/base/clock.h"

#define LIBRARY_DRIFT 300    /* seconds that a clock may be off */
#define LIBRARY_KEY_MAX 1024 /* bytes of a record that it looks at */

static uint64_t agreed, guarded;

/* --- what we refuse and the library passes ------------------------------------- */

/* By what we say; each stands in a suite or in a unit test too. */
static const struct {
	const char *problem, *name;
} too_lenient[] = {
    {"rsa-sha1 is not accepted", "passes rsa-sha1 (RFC 8301 section 3.1)"},
    {"l= leaves text of the body unsigned", "passes text behind l="},
    {"not a list of tags", "takes a lone CR in a signature"},
    {"a tag twice", "takes a tag twice (RFC 6376 section 3.2)"},
    {"the key record is malformed", "takes a tag of the key twice"},
    {"b= is not base64", "skips what is not base64 in b="},
    {"d= is not a domain", "takes a space out of d="},
    {"l= is not a usable number", "takes an empty l= for 0"},
    {"q= has no known method", "passes an unknown q="},
    {"the key's t=s does not allow i= below d=", "passes in spite of t=s"},
    {"the key's v= is not DKIM1", "takes v= of a key anywhere"},
    {"p= is not an Ed25519 key", "takes an RSA key for k=ed25519"},
    {"p= is not an RSA key", "takes an Ed25519 key without k="},
};
#define TOO_LENIENT (sizeof too_lenient / sizeof *too_lenient)

static uint64_t lenient_met[TOO_LENIENT];

static bool
take_lenient(const struct dkim_pair *p)
{
	if (p->theirs->result != WHOLE_PASS ||
	    (p->ours->result != DKIM_PERMERROR &&
		p->ours->result != DKIM_POLICY))
		return false;
	for (size_t i = 0; i < TOO_LENIENT; i++) {
		if (!span_is(p->ours->problem, too_lenient[i].problem))
			continue;
		lenient_met[i]++;
		return true;
	}
	return false;
}

/* --- what the library gets wrong otherwise ------------------------------------- */

static bool
has_lone_line_ends(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		bool before = i && s.p[i - 1] == '\r';
		bool behind = i + 1 < s.len && s.p[i + 1] == '\n';
		if ((s.p[i] == '\n' && !before) || (s.p[i] == '\r' && !behind))
			return true;
	}
	return false;
}

static bool
is_cut_body(const struct dkim_pair *p)
{
	return p->body.len && (!span_ends(p->body, SPAN("\r\n")) ||
				  has_lone_line_ends(p->body));
}

/* name@domain, at most with a name before it in front of <>. */
static bool
is_plain_address(struct span s)
{
	size_t open = span_find_char(s, '<'), ats = 0;

	if (has_lone_line_ends(s) || span_find_char(s, '\0') != SPAN_NPOS)
		return false;
	if (open != SPAN_NPOS && span_ends(s, SPAN(">")))
		s = span_head(span_skip(s, open + 1), s.len - open - 2);
	for (size_t i = 0; i < s.len; i++) {
		ats += s.p[i] == '@';
		if (!ascii_is_alnum(s.p[i]) && !strchr("@.-_", s.p[i]))
			return false;
	}
	return ats == 1 && ascii_is_alnum(s.p[0]) &&
	       ascii_is_alnum(s.p[s.len - 1]);
}

/* dkim_eoh() says "syntax": nothing of the message is judged. */
static bool
unreadable_from(const struct dkim_pair *p)
{
	const struct header *from = header_first(p->headers, SPAN("From"));

	return p->gave_up && p->whole->at_headers == DKIM_STAT_SYNTAX &&
	       (header_count(p->headers, SPAN("From")) != 1 || from->odd ||
		   !is_plain_address(span_trim(from->raw)));
}

/* dkim_eom() says "syntax". */
static bool
no_final_line_end(const struct dkim_pair *p)
{
	return p->theirs->error == DKIM_SIGERROR_UNKNOWN &&
	       p->whole->at_end == DKIM_STAT_SYNTAX && is_cut_body(p);
}

static bool
lone_line_ends(const struct dkim_pair *p)
{
	return is_cut_body(p) &&
	       (p->theirs->result == WHOLE_PASS ||
		   p->theirs->result == WHOLE_FAIL ||
		   p->theirs->error == DKIM_SIGERROR_TOOLARGE_L);
}

static bool
old_time(const struct dkim_pair *p)
{
	return p->theirs->error == DKIM_SIGERROR_FUTURE && p->tags.time >= 0 &&
	       p->tags.time < LIBRARY_DRIFT;
}

/* An '@' more, or hexadecimal digits in lower case. */
static bool
odd_identity(const struct dkim_pair *p)
{
	struct span identity = p->tags.identity, raw = p->ours->field->raw;

	if (p->theirs->error != DKIM_SIGERROR_DOMAIN)
		return false;
	for (size_t i = 0; i + 2 < raw.len; i++)
		if (raw.p[i] == '=' && ascii_hex(raw.p[i + 1]) >= 0 &&
		    (raw.p[i + 2] >= 'a' && raw.p[i + 2] <= 'f'))
			return true;
	return span_find_char(identity, '@') != span_rfind_char(identity, '@');
}

static const struct dns_answer *
key_of(const struct dkim_pair *p)
{
	return dns_get(p->dns, p->tags.key_name, DNS_TXT);
}

static bool
long_key(const struct dkim_pair *p)
{
	return p->theirs->error == DKIM_SIGERROR_DNSSYNTAX &&
	       key_of(p)->status == DNS_OK &&
	       key_of(p)->records[0].data.len >= LIBRARY_KEY_MAX;
}

/* Its first bytes: SEQUENCE, then INTEGER and not SEQUENCE. */
static bool
bare_key(const struct dkim_pair *p)
{
	struct dkim_key key;

	if (p->theirs->error != DKIM_SIGERROR_KEYDECODE ||
	    key_of(p)->status != DNS_OK)
		return false;
	dkim_key_read(&key, key_of(p)->records[0].data, p->arena);
	bool usable = !key.problem;
	dkim_key_drop(&key);
	return usable;
}

static bool
several_keys(const struct dkim_pair *p)
{
	return p->theirs->result == WHOLE_FAIL && key_of(p)->n > 1;
}

/* White space around the value or before '='; another tag that ends in b. */
static bool
odd_b(const struct dkim_pair *p)
{
	return p->theirs->result == WHOLE_FAIL && p->tags.b_whole.p &&
	       !p->tags.b_plain;
}

static bool
names_itself(const struct dkim_pair *p)
{
	for (size_t i = 0; i < p->tags.names.n; i++)
		if (span_caseis(p->tags.names.v[i], DKIM_SIGNHEADER))
			return p->theirs->result == WHOLE_FAIL;
	return false;
}

/* Blanks, controls or 8-bit bytes in the name of a field that is signed; or
 * line ends that are no folds in one: a lone CR is white space to it. */
static bool
odd_field(const struct dkim_pair *p)
{
	if (p->theirs->result != WHOLE_FAIL && p->theirs->result != WHOLE_PASS)
		return false;
	for (size_t i = 0; i < p->headers->fields.n; i++) {
		const struct header *h = &p->headers->fields.v[i];
		if (h->odd || has_lone_line_ends(h->raw) ||
		    span_find_char(h->raw, '\0') != SPAN_NPOS)
			return true;
	}
	return false;
}

/* UTF-8 in a value (RFC 8616 section 5), or in or around the field's name. */
static bool
not_ascii(const struct dkim_pair *p)
{
	const struct header *field = p->ours->field;
	bool found = field->odd;

	for (size_t i = 0; i < field->raw.len; i++)
		found |= ascii_is_8bit(field->raw.p[i]);
	return found && p->theirs->result == WHOLE_ABSENT;
}

/* We say what is malformed, and the library goes on and finds something else;
 * or the key is late, and the library looks at l= first. */
static bool
other_reason(const struct dkim_pair *p)
{
	if (p->ours->result == DKIM_TEMPERROR)
		return p->theirs->error == DKIM_SIGERROR_TOOLARGE_L;
	return p->ours->result == DKIM_PERMERROR &&
	       p->theirs->result != WHOLE_PASS;
}

static bool
beyond_cap(const struct dkim_pair *p)
{
	return p->ours->result == DKIM_POLICY &&
	       span_is(p->ours->problem, "too many signatures");
}

static struct class
{
	const char *name;
	bool (*is)(const struct dkim_pair *p);
	uint64_t met;
} classes[] = {
    {"has no cap on signatures", beyond_cap, 0},
    {"both refuse, by other reasons", other_reason, 0},
    {"refuses UTF-8 in a signature, an odd name of its field", not_ascii, 0},
    {"judges nothing where it cannot read From", unreadable_from, 0},
    {"relaxed body without a final CRLF: no result", no_final_line_end, 0},
    {"t= of 1970's first minutes is the future to it", old_time, 0},
    {"i= with an '@' more, or hexadecimal in lower case", odd_identity, 0},
    {"a long key record is cut", long_key, 0},
    {"a bare RSAPublicKey is refused", bare_key, 0},
    {"of several key records it sees one", several_keys, 0},
    {"white space or a like name around b=", odd_b, 0},
    {"h= names DKIM-Signature", names_itself, 0},
    {"a name with blanks, a line end that is no fold", odd_field, 0},
    {"lone CR or LF, or no final CRLF, in the body", lone_line_ends, 0},
};
#define CLASSES (sizeof classes / sizeof *classes)

/* ------------------------------------------------------------------------------- */

/* Same words for the same finding. */
static enum whole_result
word_of(const struct dkim_signature *ours)
{
	static const enum whole_result words[] = {
	    [DKIM_NONE] = WHOLE_ABSENT,
	    [DKIM_PASS] = WHOLE_PASS,
	    [DKIM_FAIL] = WHOLE_FAIL,
	    [DKIM_POLICY] = WHOLE_PASS, /* right, see take_lenient() */
	    [DKIM_NEUTRAL] = WHOLE_FAIL,
	    [DKIM_TEMPERROR] = WHOLE_TEMPERROR,
	    [DKIM_PERMERROR] = WHOLE_PERMERROR,
	};

	return words[ours->result];
}

static bool
agree(const struct dkim_pair *p)
{
	enum whole_result theirs = p->theirs->result;

	return word_of(p->ours) ==
	       (theirs == WHOLE_ABSENT ? WHOLE_PERMERROR : theirs);
}

bool
dkim_classes_take(struct dkim_pair *pair)
{
	if (take_lenient(pair))
		return true;
	if (!pair->gave_up && agree(pair)) {
		agreed++;
		return true;
	}
	/* A faulty one is read up to the fault. */
	(void)dkim_guard(
	    &pair->tags, pair->ours->field->raw, clock_wall(), pair->arena);
	for (size_t i = 0; i < CLASSES; i++) {
		if (!classes[i].is(pair))
			continue;
		classes[i].met++;
		return true;
	}
	return false;
}

/* A value of i= on which the library's decoder or its copy of the result runs
 * over the end: a "=" without two digits, more than 255 bytes. */
static bool
is_deadly_identity(struct span value)
{
	for (size_t i = 0; i < value.len; i++)
		if (value.p[i] == '=' &&
		    (i + 2 >= value.len || ascii_hex(value.p[i + 1]) < 0 ||
			ascii_hex(value.p[i + 2]) < 0))
			return true;
	return value.len > DKIM_IDENTITY_MAX;
}

/*
 * A list of names on which it writes a NULL behind its array: all fields that
 * it has are chosen, the signature itself by "DKIM-Signature", and one name
 * more is looked for.
 */
static bool
is_deadly_list(struct span value, size_t fields, struct arena *arena)
{
	struct span names = taglist_unspaced(value, arena);
	size_t n = 1;

	for (size_t i = 0; i < names.len; i++)
		n += names.p[i] == ':';
	return n > fields &&
	       span_casefind(names, SPAN(DKIM_SIGNHEADER), 0) != SPAN_NPOS;
}

static bool
is_deadly(struct span raw, size_t fields, struct arena *arena)
{
	while (raw.p) {
		struct span value = span_cut(&raw, ';');
		struct span name = span_trim(span_cut(&value, '='));
		if (span_ends(name, SPAN("i")) && is_deadly_identity(value))
			return true;
		if (span_ends(name, SPAN("h")) &&
		    is_deadly_list(value, fields, arena))
			return true;
	}
	return false;
}

bool
dkim_classes_guarded(const struct header_list *headers, struct arena *arena)
{
	size_t fields = 0;

	for (size_t i = 0; i < headers->fields.n; i++)
		fields += !headers->fields.v[i].odd;
	for (size_t i = 0; i < headers->fields.n; i++) {
		const struct header *h = &headers->fields.v[i];
		if (!span_caseis(span_trim(h->name), DKIM_SIGNHEADER) ||
		    !is_deadly(h->raw, fields, arena))
			continue;
		guarded++;
		return true;
	}
	return false;
}

void
dkim_classes_print(void)
{
	printf("# %10llu agree\n", (unsigned long long)agreed);
	printf(
	    "# %10llu messages not shown: the library would read or write astray\n",
	    (unsigned long long)guarded);
	for (size_t i = 0; i < TOO_LENIENT; i++)
		printf("# %10llu %s\n", (unsigned long long)lenient_met[i],
		    too_lenient[i].name);
	for (size_t i = 0; i < CLASSES; i++)
		printf("# %10llu %s\n", (unsigned long long)classes[i].met,
		    classes[i].name);
}
