#include "filter/mail/domain.h"

#include <idn2.h>
#include <libpsl.h>

/*
 * Domain names as text: one form to compare and to ask for, parents, and the
 * registrable domain. The only file that names libidn2 and libpsl. Nearly all
 * names are plain ASCII and never reach libidn2; the Public Suffix List is the
 * one that libpsl carries, so no file is read and nothing is shared but
 * constant data.
 */

/* A name in UTF-8 that is longer cannot have an A-label form that fits. */
#define DOMAIN_UTF8_MAX (4 * DOMAIN_MAX)

/* One label of printable ASCII, 1 to 63 bytes. */
static bool
is_label(struct span label)
{
	if (label.len == 0 || label.len > DOMAIN_LABEL_MAX)
		return false;
	for (size_t i = 0; i < label.len; i++)
		if (label.p[i] <= ' ' || label.p[i] >= 0x7f)
			return false;
	return true;
}

static bool
is_name(struct span name)
{
	struct span rest = name;

	if (name.len == 0 || name.len > DOMAIN_MAX)
		return false;
	while (rest.p)
		if (!is_label(span_cut(&rest, '.')))
			return false;
	return true;
}

static struct span
without_dot(struct span name)
{
	if (name.len && name.p[name.len - 1] == '.')
		name.len--;
	return name;
}

/* U-labels to A-labels; `ret` is lower case and may still be no name. */
static int
to_alabels(struct span name, struct arena *arena, struct span *ret)
{
	char text[DOMAIN_UTF8_MAX + 1];
	char *ascii = NULL;

	if (name.len > DOMAIN_UTF8_MAX || !span_is_utf8(name) ||
	    !span_copy(name, text, sizeof text))
		return ERR_SYNTAX;
	for (size_t i = 0; i < name.len; i++)
		if (ascii_is_control(text[i]) || text[i] == ' ')
			return ERR_SYNTAX;
	/* UTS 46 maps case and the other full stops (U+3002 ...); RFC 5891
	 * section 5 is then checked label by label. */
	int rc = idn2_to_ascii_8z(
	    text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (rc != IDN2_OK)
		return rc == IDN2_MALLOC ? ERR_NOMEM : ERR_SYNTAX;
	*ret = arena_lower(arena, without_dot(span_of(ascii)));
	idn2_free(ascii);
	return ret->p ? 0 : ERR_NOMEM;
}

int
domain_normalise(struct span name, struct arena *arena, struct span *ret)
{
	struct span out = without_dot(name);

	if (span_is_ascii(out)) {
		if (!is_name(out))
			return ERR_SYNTAX;
		out = arena_lower(arena, out);
		if (!out.p)
			return ERR_NOMEM;
	} else {
		int rc = to_alabels(out, arena, &out);
		if (rc)
			return rc;
		if (!is_name(out))
			return ERR_SYNTAX;
	}
	*ret = out;
	return 0;
}

bool
domain_is_fqdn(struct span name)
{
	if (!is_name(name) || span_find_char(name, '.') == SPAN_NPOS)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.p[i];
		if (!ascii_is_alnum(c) && c != '-' && c != '_' && c != '.')
			return false;
	}
	return true;
}

size_t
domain_labels(struct span name)
{
	size_t n = name.len > 0;

	for (size_t i = 0; i < name.len; i++)
		n += name.p[i] == '.';
	return n;
}

struct span
domain_suffix(struct span name, size_t n)
{
	if (n == 0)
		return span_skip(name, name.len);
	for (size_t i = name.len; i > 0; i--)
		if (name.p[i - 1] == '.' && --n == 0)
			return span_skip(name, i);
	return name;
}

struct span
domain_parent(struct span name)
{
	size_t dot = span_find_char(name, '.');

	return span_skip(name, dot == SPAN_NPOS ? name.len : dot + 1);
}

bool
domain_is_below(struct span name, struct span parent)
{
	if (parent.len == 0 || !span_caseends(name, parent))
		return false;
	return name.len == parent.len ||
	       name.p[name.len - parent.len - 1] == '.';
}

/* A last label of digits only: the name is an address, or nonsense. */
static bool
is_numeric(struct span name)
{
	struct span last = domain_suffix(name, 1);

	for (size_t i = 0; i < last.len; i++)
		if (!ascii_is_digit(last.p[i]))
			return false;
	return true;
}

struct span
domain_registrable(struct span name)
{
	struct span none = span_skip(name, name.len);
	char text[DOMAIN_MAX + 1];

	if (!is_name(name) || is_numeric(name))
		return none;
	for (size_t i = 0; i < name.len; i++)
		text[i] = ascii_lower(name.p[i]);
	text[name.len] = '\0';
	const char *at = psl_registrable_domain(psl_builtin(), text);
	return at ? span_skip(name, (size_t)(at - text)) : none;
}

bool
domain_tld_known(struct span tld)
{
	char text[DOMAIN_LABEL_MAX + 1];

	if (!is_name(tld) || tld.len > DOMAIN_LABEL_MAX || is_numeric(tld))
		return false;
	for (size_t i = 0; i < tld.len; i++)
		text[i] = ascii_lower(tld.p[i]);
	text[tld.len] = '\0';
	/* Of South Africa the list has only the names below. */
	return span_caseis(tld, "za") ||
	       psl_is_public_suffix2(
		   psl_builtin(), text, PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE);
}
