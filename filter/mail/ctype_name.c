#include "filter/mail/ctype_name.h"

#include "filter/base/buf.h"
#include "filter/mail/word.h"

/*
 * One file name out of the many ways to write it. Senders of malware give two
 * names and hope that the filter reads the other one than the victim's
 * program; so all readings are made and the one with the more dangerous
 * extension is returned. Parameters are read in one pass; at most
 * CTYPE_PIECES_MAX pieces are kept.
 */

/* --- how dangerous -------------------------------------------------------- */

/* Run or opened as a program by a click on common systems. */
static const char *const programs[] = {"ade", "adp", "apk", "app", "appref-ms",
    "appx", "application", "bat", "chm", "cmd", "com", "cpl", "crt", "dll",
    "dmg", "exe", "gadget", "hta", "img", "inf", "ins", "iso", "isp", "jar",
    "js", "jse", "lib", "library-ms", "lnk", "mde", "msc", "msh", "msi", "msix",
    "msp", "mst", "nsh", "pif", "pkg", "ps1", "ps2", "psc1", "reg", "scf",
    "scr", "sct", "search-ms", "settingcontent-ms", "sh", "shb", "sys", "url",
    "vb", "vbe", "vbs", "vhd", "vhdx", "vxd", "wsc", "wsf", "wsh", "xll"};

/* Carry programs, or lead to them. */
static const char *const carriers[] = {"7z", "ace", "arj", "bz2", "cab", "doc",
    "docm", "docx", "dotm", "eml", "gz", "htm", "html", "lzh", "mht", "mhtml",
    "msg", "one", "pdf", "potm", "ppam", "ppsm", "ppt", "pptm", "pptx", "r00",
    "rar", "rtf", "shtm", "shtml", "sldm", "svg", "tar", "tgz", "uue", "xhtml",
    "xlam", "xls", "xlsb", "xlsm", "xlsx", "xltm", "xml", "xz", "z", "zip",
    "zipx"};

static bool
listed(struct span extension, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (span_caseis(extension, list[i]))
			return true;
	return false;
}

/* 0 nothing, 1 a name, 2 a carrier, 3 a program. */
static unsigned
danger(struct span name)
{
	/* Windows drops final dots and blanks. */
	while (name.len && (name.p[name.len - 1] == '.' ||
			       ascii_is_space(name.p[name.len - 1]) ||
			       name.p[name.len - 1] == '\0'))
		name.len--;
	if (name.len == 0)
		return 0;
	size_t dot = span_rfind_char(name, '.');
	if (dot == SPAN_NPOS)
		return 1;
	struct span extension = span_skip(name, dot + 1);
	if (listed(extension, programs, sizeof programs / sizeof *programs))
		return 3;
	if (listed(extension, carriers, sizeof carriers / sizeof *carriers))
		return 2;
	return 1;
}

static void
prefer(struct span *best, struct span name)
{
	if (danger(name) > danger(*best))
		*best = name;
}

/* --- values to UTF-8 ------------------------------------------------------ */

static void
add_percent(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		int high = -1, low = -1;
		if (s.p[i] == '%' && s.len - i >= 3) {
			high = ascii_hex(s.p[i + 1]);
			low = ascii_hex(s.p[i + 2]);
		}
		if (high >= 0 && low >= 0) {
			buf_add_char(out, (char)(high << 4 | low));
			i += 2;
		} else {
			buf_add_char(out, s.p[i]);
		}
	}
}

/* Takes `charset'language'` off the front; without it nothing is taken. */
static struct span
take_charset(struct span *s)
{
	struct span rest = *s, charset = span_cut(&rest, '\'');

	if (!rest.p)
		return SPAN("utf-8");
	span_cut(&rest, '\'');
	if (!rest.p)
		return SPAN("utf-8");
	*s = rest;
	return charset.len ? charset : SPAN("utf-8");
}

/* RFC 2231 section 4: `charset'language'percent-text`. */
static struct span
extended_text(struct span s, struct arena *arena)
{
	struct span charset = take_charset(&s);
	struct buf bytes;

	buf_init(&bytes, arena, s.len);
	add_percent(&bytes, s);
	return word_utf8(buf_span(&bytes), charset, false, arena);
}

/* RFC 2231 section 3; `to_gap`: as programs read it that stop at a gap. */
static struct span
joined_text(const struct ctype_family *f, bool to_gap, struct arena *arena)
{
	struct span charset = SPAN("utf-8");
	struct buf bytes;

	buf_init(&bytes, arena, SIZE_MAX);
	for (size_t i = 0; i < f->n; i++) {
		struct span text = f->pieces[i].text;
		if (!text.p && to_gap)
			break;
		if (i == 0 && f->pieces[i].coded)
			charset = take_charset(&text);
		if (f->pieces[i].coded)
			add_percent(&bytes, text);
		else
			buf_add_span(&bytes, text);
	}
	struct span all = buf_span(&bytes);
	/* Pieces of an encoded word are against the RFC, and read so. */
	return word_decode(word_utf8(all, charset, false, arena), arena);
}

/* --- parameters ----------------------------------------------------------- */

struct param {
	struct span name;
	struct span value; /* quotes and quoted pairs undone */
};

struct reader {
	struct span rest;
	struct arena *arena;
	bool malformed;
	bool no_comments; /* an unclosed one was met: parentheses are text */
};

/* Blanks, `;` and comments (nested) before a parameter. */
static void
skip_between(struct reader *r)
{
	struct span s = r->rest;
	size_t i = 0, start = 0;
	unsigned depth = 0;

	for (; i < s.len; i++) {
		char c = s.p[i];
		if (c == '(' && !r->no_comments) {
			start = depth++ ? start : i;
			r->malformed = true;
		} else if (depth) {
			if (c == '\\')
				i++;
			else if (c == ')')
				depth--;
		} else if (!ascii_is_space(c) && c != ';') {
			break;
		}
	}
	if (depth) {
		r->no_comments = true;
		i = start;
	}
	r->rest = span_skip(s, i);
}

/* The inside of a quoted string at rest[0]; `rest` moves behind it. */
static struct span
take_quoted(struct reader *r)
{
	struct span s = span_skip(r->rest, 1);
	size_t end = 0, n = 0;
	bool pairs = false;

	while (end < s.len && s.p[end] != '"') {
		pairs = pairs || s.p[end] == '\\';
		end += s.p[end] == '\\' ? 2 : 1;
	}
	if (end >= s.len) {
		end = s.len;
		r->malformed = true;
	}
	r->rest = span_skip(s, end + 1);
	s = span_head(s, end);
	char *to = pairs ? arena_alloc(r->arena, s.len) : NULL;
	if (!to)
		return s;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\\' && i + 1 < s.len)
			i++;
		to[n++] = s.p[i];
	}
	return span_make(to, n);
}

/* What follows a quoted value up to `;` is junk, unless it is a comment. */
static void
skip_tail(struct reader *r)
{
	struct span tail = span_trim(span_cut(&r->rest, ';'));

	if (tail.len)
		r->malformed = true;
}

static bool
next_param(struct reader *r, struct param *ret)
{
	for (skip_between(r); r->rest.len; skip_between(r)) {
		struct span s = r->rest;
		size_t i = 0;
		while (i < s.len && s.p[i] != '=' && s.p[i] != ';')
			i++;
		if (i == s.len || s.p[i] == ';') {
			r->malformed = true;
			r->rest = span_skip(s, i);
			continue;
		}
		ret->name = span_trim(span_head(s, i));
		r->rest = span_trim_left(span_skip(s, i + 1));
		if (r->rest.len && r->rest.p[0] == '"') {
			ret->value = take_quoted(r);
			skip_tail(r);
			return true;
		}
		/* Blanks in a name without quotes are common, and shown. */
		ret->value = span_trim(span_cut(&r->rest, ';'));
		if (span_find_any(ret->value, " \t\"(),/:<=>?@[\\]") !=
		    SPAN_NPOS)
			r->malformed = true;
		return true;
	}
	return false;
}

/* --- the two families of names -------------------------------------------- */

static void
add_piece(struct ctype_names *names, struct ctype_family *f, struct span number,
    struct span value)
{
	bool coded = span_ends(number, SPAN("*"));
	uint64_t n;

	if (coded)
		number.len--;
	if (span_to_u64(number, &n) || n >= CTYPE_PIECES_MAX) {
		names->malformed = true;
		return;
	}
	/* Twice the same piece: the last one, as SpamAssassin has it. */
	if (f->pieces[n].text.p)
		names->malformed = true;
	f->pieces[n] = (struct ctype_piece){value, coded};
	if (n >= f->n)
		f->n = (size_t)n + 1;
}

static void
add_param(struct ctype_names *names, const struct param *p, struct arena *arena)
{
	struct span rest = p->name, base = span_cut(&rest, '*');
	struct ctype_family *f = &names->family[span_caseis(base, "name")];

	if (!span_caseis(base, "name") && !span_caseis(base, "filename"))
		return;
	if (!rest.p) {
		names->malformed |= f->plain.p != NULL;
		prefer(&f->plain, word_decode(p->value, arena));
	} else if (rest.len == 0) {
		names->malformed |= f->extended.p != NULL;
		prefer(&f->extended, extended_text(p->value, arena));
	} else {
		add_piece(names, f, rest, p->value);
	}
}

void
ctype_names_read(
    struct ctype_names *ret, struct span value, struct arena *arena)
{
	struct reader r = {.rest = value, .arena = arena};
	struct param p;

	memset(ret, 0, sizeof *ret);
	/* A type or kind comes first, unless the sender forgot it. */
	if (span_find_char(span_cut(&r.rest, ';'), '=') != SPAN_NPOS)
		r.rest = value;
	while (next_param(&r, &p))
		add_param(ret, &p, arena);
	ret->malformed |= r.malformed;
}

struct span
ctype_names_choose(
    const struct ctype_names *names, struct span loose, struct arena *arena)
{
	struct span best = SPAN("");

	for (size_t i = 0; i < 2; i++) {
		const struct ctype_family *f = &names->family[i];
		prefer(&best, f->extended);
		if (f->n) {
			prefer(&best, joined_text(f, true, arena));
			prefer(&best, joined_text(f, false, arena));
		}
		prefer(&best, f->plain);
	}
	prefer(&best, word_decode(loose, arena));
	return best;
}

/* --- SpamAssassin's reading ----------------------------------------------- */

/* `name` at s[i], or `filename`, at the border of a word; its length or 0. */
static size_t
loose_key(struct span s, size_t i)
{
	struct span at = span_skip(s, i);

	if (i && (ascii_is_alnum(s.p[i - 1]) || s.p[i - 1] == '_'))
		return 0;
	if (span_casestarts(at, SPAN("name")))
		return 4;
	return span_casestarts(at, SPAN("filename")) ? 8 : 0;
}

static size_t
skip_space(struct span s, size_t i)
{
	while (i < s.len && ascii_is_space(s.p[i]))
		i++;
	return i;
}

struct span
ctype_value_loose(struct span s, size_t at)
{
	struct span v = span_skip(s, skip_space(s, at));

	v = span_cut(&v, ';');
	if (v.len && (v.p[0] == '"' || v.p[0] == '\''))
		v = span_skip(v, 1);
	if (v.len && (v.p[v.len - 1] == '"' || v.p[v.len - 1] == '\''))
		v.len--;
	return v;
}

/* Keeps the piece whose number is at s[i]; returns where to go on. */
static size_t
loose_piece(struct ctype_family *f, struct span s, size_t i)
{
	size_t to = i;
	uint64_t n;

	while (to < s.len && ascii_is_digit(s.p[to]))
		to++;
	size_t equals = skip_space(s, to);
	if (equals == s.len || s.p[equals] != '=' ||
	    span_to_u64(span_make(s.p + i, to - i), &n))
		return i;
	struct span text = ctype_value_loose(s, equals + 1);
	if (n < CTYPE_PIECES_MAX) {
		f->pieces[n].text = text;
		if (n >= f->n)
			f->n = (size_t)n + 1;
	}
	return (size_t)(text.p - s.p) + text.len;
}

struct span
ctype_name_loose(struct span s, struct arena *arena)
{
	struct ctype_family f = {.n = 0};
	struct span name = SPAN_NONE;
	struct buf joined;

	for (size_t i = 0; i < s.len && name.len == 0; i++) {
		size_t key = loose_key(s, i);
		if (!key)
			continue;
		size_t to = skip_space(s, i + key);
		if (to < s.len && s.p[to] == '=' && !name.p)
			name = ctype_value_loose(s, to + 1);
		else if (i + key < s.len && s.p[i + key] == '*')
			i = loose_piece(&f, s, i + key + 1) - 1;
	}
	if (name.len || !f.pieces[0].text.p)
		return name;
	buf_init(&joined, arena, s.len);
	for (size_t i = 0; i < f.n; i++)
		buf_add_span(&joined, f.pieces[i].text);
	return buf_failed(&joined) ? SPAN_NONE : buf_span(&joined);
}
