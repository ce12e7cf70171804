#include "filter/auth/dmarc_internal.h"

#include "filter/auth/taglist.h"

/*
 * DMARC policy records (RFC 9989 sections 4.7 and 4.8). What decides whether a
 * text is a record at all, its version tag, is read strictly; in the rest of
 * it faults are dropped and defaults take their place. A repeated tag makes
 * the list void (RFC 6376 section 3.2, whose syntax this is).
 */

static bool
is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

static struct span
trim_wsp(struct span s)
{
	while (s.len && is_wsp(s.p[0]))
		s = span_skip(s, 1);
	while (s.len && is_wsp(s.p[s.len - 1]))
		s.len--;
	return s;
}

/* "v" equals %s"DMARC1", at the very start. */
bool
dmarc_has_version(struct span text)
{
	struct span value = text;
	struct span first = span_cut(&value, ';');
	struct span name = span_cut(&first, '=');

	if (!first.p || !name.len || is_wsp(name.p[0]))
		return false;
	return span_is(trim_wsp(name), "v") &&
	       span_is(trim_wsp(first), "DMARC1");
}

static bool
read_policy(struct span value, enum dmarc_policy *ret)
{
	static const enum dmarc_policy all[] = {
	    DMARC_POLICY_NONE, DMARC_POLICY_QUARANTINE, DMARC_POLICY_REJECT};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		if (span_caseis(value, dmarc_policy_name(all[i]))) {
			*ret = all[i];
			return true;
		}
	}
	return false;
}

/* --- rua: does it hold one valid URI? -------------------------------------------- */

static size_t
scheme_len(struct span uri)
{
	size_t n = 0;

	while (n < uri.len && (ascii_is_alnum(uri.p[n]) || uri.p[n] == '+' ||
				  uri.p[n] == '-' || uri.p[n] == '.'))
		n++;
	return n && ascii_is_alpha(uri.p[0]) ? n : 0;
}

static bool
is_uri(struct span uri)
{
	size_t n = scheme_len(uri);

	if (!n || n >= uri.len || uri.p[n] != ':')
		return false;
	struct span rest = span_skip(uri, n + 1);
	for (size_t i = 0; i < rest.len; i++)
		if (ascii_is_control(rest.p[i]) || ascii_is_8bit(rest.p[i]) ||
		    span_find_char(SPAN(" \"<>\\^`{|}"), rest.p[i]) !=
			SPAN_NPOS)
			return false;
	if (!span_caseis(span_head(uri, n), "mailto"))
		return rest.len > 0;
	size_t at = span_find_char(rest, '@');
	return at != SPAN_NPOS && at > 0 && at + 1 < rest.len;
}

/* obs-dmarc-report-size: "!10m" behind a URI. */
static bool
has_uri(struct span list)
{
	while (list.p) {
		struct span uri = trim_wsp(span_cut(&list, ','));
		if (is_uri(span_cut(&uri, '!')))
			return true;
	}
	return false;
}

/* --- the record -------------------------------------------------------------------- */

/*
 * p, sp and np with their defaults. False when p is missing or one of them is
 * not valid. A p that is missing is no better than one that is wrong: section
 * 4.10.1 treats both alike.
 */
static bool
read_policies(struct dmarc_record *record, const struct tag_list *list)
{
	struct span p = taglist_get(list, "p");
	struct span sp = taglist_get(list, "sp");
	struct span np = taglist_get(list, "np");

	if (!p.p || !read_policy(p, &record->p))
		return false;
	record->sp = record->p;
	if (sp.p && !read_policy(sp, &record->sp))
		return false;
	record->np = record->sp;
	return !np.p || read_policy(np, &record->np);
}

static char
read_psd(struct span value)
{
	if (span_caseis(value, "y"))
		return 'y';
	return span_caseis(value, "n") ? 'n' : 'u';
}

int
dmarc_parse(struct dmarc_record *ret, struct span text, struct arena *arena)
{
	struct dmarc_record record = {.text = text};
	struct tag_list list;

	if (!dmarc_has_version(text) ||
	    taglist_parse_lenient(&list, text, arena))
		return ERR_SYNTAX;
	record.adkim_strict = span_caseis(taglist_get(&list, "adkim"), "s");
	record.aspf_strict = span_caseis(taglist_get(&list, "aspf"), "s");
	record.testing = span_caseis(taglist_get(&list, "t"), "y");
	record.psd = read_psd(taglist_get(&list, "psd"));
	record.rua = taglist_get(&list, "rua");
	record.ruf = taglist_get(&list, "ruf");
	record.fo = taglist_get(&list, "fo");
	bool usable = read_policies(&record, &list);
	if (!usable) {
		record.p = record.sp = record.np = DMARC_POLICY_NONE;
		usable = record.rua.p && has_uri(record.rua);
	}
	*ret = record;
	return usable ? 0 : ERR_INVALID;
}
