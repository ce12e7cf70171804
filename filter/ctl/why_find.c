#include "filter/ctl/why.h"

#include "filter/mail/message.h"

/*
 * Finding what names a message. Bounces quote our reply in many ways: wrapped,
 * quoted-printable, base64, in lower case, without dashes. So everything that
 * could be a ref is tried, and the check character and the log say which one
 * is. One pass over the text for each kind; the work at one place is bounded.
 */

#define SYMBOLS 12
#define GROUP 4
#define QUEUE_ID_MIN 5
#define QUEUE_ID_MAX 40
#define MESSAGE_ID_MAX 998 /* RFC 5322 section 2.1.1 */
#define PARTS_MAX 32       /* MIME parts looked into */

static void
add(struct why_terms *terms, struct arena *arena, enum why_kind kind,
    uint64_t id, struct span text)
{
	size_t same = 0;

	for (size_t i = 0; i < terms->n; i++) {
		const struct why_term *t = &terms->v[i];
		if (t->kind != kind)
			continue;
		if (kind == WHY_REF ? t->id == id : span_eq(t->text, text))
			return;
		same++;
	}
	struct why_term *term =
	    same < WHY_TERMS_MAX ? VEC_PUSH(arena, terms) : NULL;
	if (term)
		*term = (struct why_term){kind, id, text};
}

/* --- refs -------------------------------------------------------------------- */

/* Bytes of a dash at the start: "-", or U+2010 to U+2015 of word processors. */
static size_t
dash_len(struct span s)
{
	if (s.len && s.p[0] == '-')
		return 1;
	if (s.len >= 3 && s.p[0] == '\xe2' && s.p[1] == '\x80' &&
	    (unsigned char)s.p[2] >= 0x90 && (unsigned char)s.p[2] <= 0x95)
		return 3;
	return 0;
}

/*
 * Twelve letters or digits at the start of `s`; behind the fourth and the
 * eighth may stand a dash or (`blanks`) a blank. Returns the bytes taken, or 0.
 */
static size_t
ref_shape(struct span s, bool blanks, char symbols[SYMBOLS])
{
	size_t i = 0;

	for (size_t n = 0; n < SYMBOLS; n++) {
		if (n == GROUP || n == 2 * GROUP) {
			size_t gap = dash_len(span_skip(s, i));
			if (!gap && blanks && i < s.len && s.p[i] == ' ')
				gap = 1;
			i += gap;
		}
		if (i >= s.len || !ascii_is_alnum(s.p[i]))
			return 0;
		symbols[n] = s.p[i++];
	}
	return i < s.len && ascii_is_alnum(s.p[i]) ? 0 : i;
}

static void
find_refs(struct span text, const struct ref_key *key, bool blanks,
    struct arena *arena, struct why_terms *terms)
{
	char symbols[SYMBOLS];
	uint64_t id;

	for (size_t i = 0; i < text.len; i++) {
		if (!ascii_is_alnum(text.p[i]) ||
		    (i > 0 && ascii_is_alnum(text.p[i - 1])))
			continue;
		size_t n = ref_shape(span_skip(text, i), blanks, symbols);
		if (n && ref_parse(key, span_make(symbols, SYMBOLS), &id) == 0)
			add(terms, arena, WHY_REF, id,
			    span_make(text.p + i, n));
	}
}

bool
why_is_misread_ref(struct span text, const struct ref_key *key)
{
	char symbols[SYMBOLS];
	uint64_t id;

	text = span_trim(text);
	return dash_len(span_skip(text, GROUP)) &&
	       ref_shape(text, false, symbols) == text.len &&
	       ref_parse(key, span_make(symbols, SYMBOLS), &id) != 0;
}

/* --- queue ids --------------------------------------------------------------- */

static bool
is_queue_id(struct span s)
{
	if (s.len < QUEUE_ID_MIN || s.len > QUEUE_ID_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_alnum(s.p[i]))
			return false;
	return true;
}

/* The words behind "id" (Received fields), "as" ("queued as") and the name
 * of Postfix's field. */
static void
find_queue_ids(struct span text, struct arena *arena, struct why_terms *terms)
{
	struct span word, last = SPAN_NONE;

	while ((word = span_word(&text)).len) {
		struct span bare = word;
		while (bare.len && strchr(";,.()<>", bare.p[bare.len - 1]))
			bare.len--;
		if ((span_caseis(last, "id") || span_caseis(last, "as") ||
			span_caseis(last, "X-Postfix-Queue-ID:")) &&
		    is_queue_id(bare))
			add(terms, arena, WHY_QUEUE_ID, 0, bare);
		last = word;
	}
}

/* --- Message-IDs ------------------------------------------------------------- */

static struct span
unbracket(struct span s)
{
	s = span_trim(s);
	if (s.len >= 2 && s.p[0] == '<' && s.p[s.len - 1] == '>')
		return span_make(s.p + 1, s.len - 2);
	return s;
}

static void
find_message_ids(struct span text, struct arena *arena, struct why_terms *terms)
{
	struct span found[WHY_TERMS_MAX], word, last = SPAN_NONE;
	size_t n = 0;

	while ((word = span_word(&text)).len) {
		if ((span_caseis(last, "Message-ID:") ||
			span_caseis(last, "In-Reply-To:")) &&
		    word.len <= MESSAGE_ID_MAX && word.len > 2) {
			/* The last ones are kept: a bounce's own is on top. */
			found[n % WHY_TERMS_MAX] = unbracket(word);
			n++;
		}
		last = word;
	}
	for (size_t i = 0; i < n && i < WHY_TERMS_MAX; i++)
		add(terms, arena, WHY_MESSAGE_ID, 0,
		    found[(n - 1 - i) % WHY_TERMS_MAX]);
}

/* --- a text ------------------------------------------------------------------ */

/* Joins the lines that quoted-printable cut. */
static struct span
join_lines(struct span text, struct arena *arena)
{
	struct buf out;

	buf_init(&out, arena, text.len);
	while (text.len) {
		size_t at = span_find_char(text, '=');
		buf_add_span(&out, span_head(text, at));
		if (at == SPAN_NPOS)
			break;
		text = span_skip(text, at);
		if (span_starts(text, SPAN("=\r\n"))) {
			text = span_skip(text, 3);
		} else if (span_starts(text, SPAN("=\n"))) {
			text = span_skip(text, 2);
		} else {
			buf_add_char(&out, '=');
			text = span_skip(text, 1);
		}
	}
	return buf_span(&out);
}

/* The texts of the message's parts, decoded, one behind the other. */
static struct span
part_texts(struct span text, struct arena *arena)
{
	struct message_options options = message_options_default();
	struct message *m = message_new(arena, &options);
	struct buf out;

	buf_init(&out, arena, SIZE_MAX / 2);
	if (!m || message_read(m, text))
		return SPAN_NONE;
	const struct mime_tree *tree = message_tree(m);
	for (size_t i = 0; tree && i < tree->parts.n && i < PARTS_MAX; i++) {
		if (!tree->parts.v[i]->leaf)
			continue;
		buf_add_span(&out, message_part_text(m, tree->parts.v[i]));
		buf_add_char(&out, '\n');
	}
	return buf_span(&out);
}

void
why_terms_in(struct span text, const struct ref_key *key, struct arena *arena,
    struct why_terms *ret)
{
	struct span joined = join_lines(text, arena);
	struct span parts = part_texts(text, arena);

	*ret = (struct why_terms){0};
	if (key) {
		find_refs(joined, key, false, arena, ret);
		find_refs(parts, key, false, arena, ret);
		find_refs(joined, key, true, arena, ret);
		find_refs(parts, key, true, arena, ret);
	}
	find_queue_ids(joined, arena, ret);
	find_queue_ids(parts, arena, ret);
	find_message_ids(joined, arena, ret);
	find_message_ids(parts, arena, ret);
}

void
why_terms_of(struct span text, const struct ref_key *key, struct arena *arena,
    struct why_terms *ret)
{
	char symbols[SYMBOLS];
	uint64_t id;

	text = span_trim(text);
	*ret = (struct why_terms){0};
	if (key && ref_shape(text, true, symbols) == text.len && text.len &&
	    ref_parse(key, span_make(symbols, SYMBOLS), &id) == 0)
		add(ret, arena, WHY_REF, id, text);
	if (is_queue_id(text))
		add(ret, arena, WHY_QUEUE_ID, 0, text);
	struct span bare = unbracket(text);
	if (bare.len && !(key && why_is_misread_ref(text, key)) &&
	    (bare.p != text.p || ret->n == 0 ||
		span_find_char(bare, '@') != SPAN_NPOS))
		add(ret, arena, WHY_MESSAGE_ID, 0, bare);
}
