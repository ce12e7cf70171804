#include "filter/mail/addr.h"

#include "filter/base/buf.h"
#include "filter/mail/addr_spec.h"
#include "filter/mail/word.h"

/*
 * Addresses. The parser reads what RFC 5322 allows, including its obsolete
 * forms, and goes on where a mail program would; what it meets on the way that
 * another program may read differently makes the list ambiguous. One pass over
 * words, without recursion: an element collects a phrase, a comment, a bare
 * address and one in angle brackets until a comma ends it.
 */

struct parser {
	struct addr_reader in;
	struct arena *arena;
	struct addr_list *list;
	/* One element, up to a comma: */
	struct buf phrase;     /* words before the angle bracket */
	struct addr_spec bare; /* the last address among those words; behind an
			       angle bracket, among the words that follow */
	size_t phrase_bare;    /* where `bare` begins in the phrase */
	struct span last;      /* the last word */
	struct addr_spec angle;
	bool has_angle;
	struct span open;    /* an address in the phrase before the bracket */
	struct span comment; /* the first one */
	struct span aside;   /* an address in a comment */
	/* The list: */
	bool in_group, after_group;
	size_t alone; /* items at its end that are words only */
};

/* True when a name holds another address than `spec` in angle brackets: then
 * a reader who does not know quotes sees that one. */
static bool
has_angle_address(struct span name, struct span spec)
{
	struct span rest = name;

	span_cut(&rest, '<');
	while (rest.p) {
		struct span inside = span_cut(&rest, '<');
		inside = span_cut(&inside, '>');
		struct span found = addr_find(inside);
		if (found.len && !span_caseeq(found, spec))
			return true;
	}
	return false;
}

/* --- items ---------------------------------------------------------------- */

static void
set_ambiguous(struct parser *p)
{
	p->list->ambiguous = true;
}

static struct addr *
push(struct parser *p)
{
	if (p->list->items.n >= ADDR_MAX) {
		p->list->truncated = true;
		p->in.i = p->in.s.len;
		return NULL;
	}
	struct addr *a = VEC_PUSH(p->arena, &p->list->items);
	if (a)
		*a = (struct addr){.name = SPAN("")};
	return a;
}

static void
set_name(struct parser *p, struct addr *a, struct span raw)
{
	a->raw_name = arena_span(p->arena, raw);
	a->name = span_trim(word_decode(a->raw_name, p->arena));
}

/* The first `len` bytes of the phrase, else the comment. */
static struct span
name_of(const struct parser *p, size_t len)
{
	struct span phrase = span_trim(span_head(buf_span(&p->phrase), len));

	return phrase.len ? phrase : span_trim(p->comment);
}

static void
add_spec(struct parser *p, const struct addr_spec *sp, struct span name)
{
	struct span text = addr_spec_span(sp);
	bool at = sp->at != SPAN_NPOS;
	struct addr *a = push(p);

	if (!a)
		return;
	set_name(p, a, name);
	a->spec = arena_span(p->arena, text);
	a->local = sp->many ? span_head(a->spec, sp->at)
			    : arena_span(p->arena, buf_span(&sp->local));
	if (at)
		a->domain = span_skip(a->spec, sp->at + 1);
	a->quoted = sp->quoted;
	if (sp->odd || (at && !a->domain.len) || !span_is_utf8(text) ||
	    span_find(text, SPAN("=?"), 0) != SPAN_NPOS ||
	    (p->aside.len && !span_caseeq(p->aside, text)) ||
	    has_angle_address(a->name, text))
		set_ambiguous(p);
}

/* The words `Doe` of `Doe, Joe <joe@x>` became items: they are the name's. */
static void
join_alone(struct parser *p)
{
	struct addr_items *items = &p->list->items;
	size_t first = items->n - 1 - p->alone;
	struct addr a = items->v[items->n - 1];
	struct buf raw;

	buf_init(&raw, p->arena, SIZE_MAX);
	for (size_t i = first; i < items->n - 1; i++) {
		const struct addr *word = &items->v[i];
		buf_add_span(
		    &raw, word->spec.len ? word->spec : word->raw_name);
		buf_add_str(&raw, ", ");
	}
	if (a.raw_name.len)
		buf_add_span(&raw, a.raw_name);
	else if (raw.len >= 2)
		buf_truncate(&raw, raw.len - 2);
	set_name(p, &a, buf_span(&raw));
	items->v[first] = a;
	items->n = first + 1;
	set_ambiguous(p);
}

/* The address in angle brackets, and what follows it. */
static void
end_angle(struct parser *p)
{
	struct span name = name_of(p, p->phrase.len);
	size_t n = p->list->items.n;

	if (p->angle.text.len || name.len)
		add_spec(p, &p->angle, name);
	if (p->open.len && !span_caseeq(p->open, addr_spec_span(&p->angle)))
		set_ambiguous(p);
	if (p->alone && p->list->items.n > n)
		join_alone(p);
	p->alone = 0;
	if (p->bare.text.len)
		set_ambiguous(p);
	if (p->bare.at != SPAN_NPOS)
		add_spec(p, &p->bare, SPAN_NONE);
}

/*
 * Words without an address: one that shows when quotes and encoded words are
 * undone; else a local part, if it is one word; else a name.
 */
static void
end_words(struct parser *p)
{
	struct span phrase = span_trim(buf_span(&p->phrase));
	struct span hidden = addr_find(word_decode(phrase, p->arena));

	if (!hidden.len && p->phrase_bare == 0 && !p->bare.quoted) {
		add_spec(p, &p->bare, span_trim(p->comment));
		p->alone++;
		return;
	}
	set_ambiguous(p);
	struct addr *a = push(p);
	if (!a)
		return;
	set_name(p, a, phrase);
	p->alone = hidden.len ? 0 : p->alone + 1;
	struct span rest = arena_span(p->arena, hidden);
	a->spec = rest;
	a->local = span_cut(&rest, '@');
	a->domain = rest;
}

static void
reset_element(struct parser *p)
{
	buf_truncate(&p->phrase, 0);
	p->phrase_bare = SPAN_NPOS;
	p->has_angle = false;
	p->open = p->last = p->comment = p->aside = SPAN_NONE;
	addr_spec_reset(&p->bare);
	addr_spec_reset(&p->angle);
}

/* Ends the element before a comma, a semicolon or the end. */
static void
end_element(struct parser *p)
{
	if (p->has_angle) {
		end_angle(p);
	} else if (p->bare.at != SPAN_NPOS) {
		if (p->phrase_bare != 0 || p->bare.over)
			set_ambiguous(p); /* `Joe joe@x`, `joe@x Joe` */
		add_spec(p, &p->bare, name_of(p, p->phrase_bare));
		p->alone = 0;
	} else if (p->phrase.len) {
		end_words(p);
	} else if (p->aside.len) {
		set_ambiguous(p);
	}
	reset_element(p);
}

/* --- the words of the field ----------------------------------------------- */

static void
take_comment(struct parser *p, const struct addr_token *t)
{
	struct span found = addr_find(t->text);

	if (!p->comment.len)
		p->comment = t->text;
	if (!found.len)
		return;
	if (p->aside.len && !span_caseeq(found, p->aside))
		set_ambiguous(p);
	p->aside = found;
	struct span after =
	    span_skip(t->text, (size_t)(found.p - t->text.p) + found.len);
	if (addr_find(after).len)
		set_ambiguous(p);
}

static void
add_phrase(struct parser *p, const struct addr_token *t, bool begins)
{
	if (p->has_angle)
		return;
	if (t->spaced && p->phrase.len)
		buf_add_char(&p->phrase, ' ');
	if (begins)
		p->phrase_bare = p->phrase.len;
	buf_add_span(&p->phrase, t->text);
}

static void
take_word(struct parser *p, const struct addr_token *t)
{
	if (p->after_group)
		set_ambiguous(p);
	add_phrase(p, t, addr_spec_word(&p->bare, t));
	p->last = t->text;
}

/* `@` in the open. Behind a complete address it shows that there are two, the
 * second of which begins with the last word. */
static void
take_at(struct parser *p, const struct addr_token *t)
{
	if (p->bare.over) {
		struct addr_token word = {ADDR_TOKEN_ATOM, p->last, false};
		set_ambiguous(p);
		add_spec(p, &p->bare, SPAN_NONE);
		addr_spec_reset(&p->bare);
		addr_spec_word(&p->bare, &word);
	}
	add_phrase(p, t, p->phrase_bare == SPAN_NPOS);
	addr_spec_at(&p->bare, t->spaced);
}

/* `name:` opens a group. */
static void
take_colon(struct parser *p)
{
	if (p->in_group || p->after_group || p->has_angle || p->alone ||
	    p->bare.at != SPAN_NPOS || !p->phrase.len)
		set_ambiguous(p);
	p->list->group = true;
	p->in_group = true;
	p->alone = 0;
	reset_element(p);
}

static void
take_semicolon(struct parser *p)
{
	if (!p->in_group) /* as Outlook shows lists */
		set_ambiguous(p);
	end_element(p);
	p->alone = 0;
	p->after_group = p->in_group;
	p->in_group = false;
}

/* A character between angle brackets; false at the closing one. */
static bool
angle_char(struct parser *p, const struct addr_token *t)
{
	char c = t->text.p[0];

	if (c == '>')
		return false;
	if (c == '@') {
		addr_spec_at(&p->angle, t->spaced);
		return true;
	}
	/* Commas part the names of a route, or two addresses. A colon ends a
	 * route, or `mailto`. The rest is junk. */
	set_ambiguous(p);
	if (c == ',' && p->angle.at != SPAN_NPOS && p->angle.at > 0)
		add_spec(p, &p->angle, name_of(p, p->phrase.len));
	addr_spec_reset(&p->angle);
	return true;
}

static void
angle_word(struct parser *p, const struct addr_token *t)
{
	bool had = p->angle.text.len > 0;

	if ((addr_spec_word(&p->angle, t) && had) || p->angle.over)
		set_ambiguous(p); /* `<joe doe@x>`, `<doe@x y>` */
}

static void
take_angle(struct parser *p)
{
	struct addr_token t;

	if (p->after_group)
		set_ambiguous(p);
	if (p->has_angle) { /* a second one: two elements without a comma */
		set_ambiguous(p);
		end_angle(p);
		reset_element(p);
	}
	p->has_angle = true;
	if (p->bare.at != SPAN_NPOS)
		p->open = arena_span(p->arena, addr_spec_span(&p->bare));
	addr_spec_reset(&p->bare);
	while (addr_token_next(&p->in, &t)) {
		if (t.kind == ADDR_TOKEN_COMMENT) {
			set_ambiguous(p);
			take_comment(p, &t);
		} else if (t.kind != ADDR_TOKEN_CHAR) {
			angle_word(p, &t);
		} else if (!angle_char(p, &t)) {
			return;
		}
	}
	set_ambiguous(p);
}

static void
take_char(struct parser *p, const struct addr_token *t)
{
	switch (t->text.p[0]) {
	case '<':
		take_angle(p);
		break;
	case '@':
		take_at(p, t);
		break;
	case ',':
		end_element(p);
		p->after_group = false;
		break;
	case ';':
		take_semicolon(p);
		break;
	case ':':
		take_colon(p);
		break;
	default:
		set_ambiguous(p);
		break;
	}
}

/* Bytes that end a text for some programs and not for others. */
static bool
has_odd_bytes(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];
		if (!ascii_is_control(c) || c == '\t')
			continue;
		bool last = i + 1 == s.len;
		if (c == '\r' && !last && s.p[i + 1] == '\n')
			continue;
		if (c != '\n' || (!last && !ascii_is_blank(s.p[i + 1])))
			return true;
	}
	return false;
}

void
addr_parse(struct addr_list *ret, struct span text, struct arena *arena)
{
	struct parser p = {.arena = arena, .list = ret};
	struct addr_token t;

	*ret = (struct addr_list){.truncated = text.len > ADDR_BYTES_MAX};
	text = span_head(text, ADDR_BYTES_MAX);
	ret->ambiguous = ret->truncated || has_odd_bytes(text);
	p.in = (struct addr_reader){.s = text, .arena = arena};
	buf_init(&p.phrase, arena, SIZE_MAX);
	addr_spec_init(&p.bare, arena);
	addr_spec_init(&p.angle, arena);
	reset_element(&p);
	while (addr_token_next(&p.in, &t)) {
		if (t.kind == ADDR_TOKEN_COMMENT)
			take_comment(&p, &t);
		else if (t.kind == ADDR_TOKEN_CHAR)
			take_char(&p, &t);
		else
			take_word(&p, &t);
	}
	end_element(&p);
	if (p.in.ambiguous || p.in_group)
		ret->ambiguous = true;
}
