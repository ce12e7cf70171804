#include "filter/learn/token_set.h"

#include "filter/learn/token_words.h"
#include "filter/mail/text.h"

/*
 * A message to the set of its tokens. Regions (header, text, links, structure)
 * have bounds of their own, so that padding one cannot crowd out another, and
 * of a text only the beginning counts: a reader of spam must find the offer
 * there. Decoding is the message's; each word is looked at once.
 */

#define TEXT_WORDS 1000 /* read of all texts together */
#define TEXT_TOKENS 2000
#define LINKS_READ 100
#define LINK_TOKENS 400
#define LINK_PATH_WORDS 4
#define PARTS_READ 50
#define PART_TOKENS 200
#define PREFIX_MAX 48 /* bytes of "hdr:name=" */
#define ROOM (PREFIX_MAX + 2 * TOKEN_MAX_BYTES + 1)

/* --- the set --------------------------------------------------------------------- */

void
token_region(struct token_set *set, size_t n)
{
	set->region_end = set->list->n + n;
	if (set->region_end > TOKENS_MAX)
		set->region_end = TOKENS_MAX;
}

static size_t
put(char *to, size_t at, struct span s, size_t max)
{
	for (size_t i = 0; i < s.len && i < max; i++)
		to[at++] = ascii_is_control(s.p[i]) ? '?' : s.p[i];
	return at;
}

static void
add(struct token_set *set, struct span token)
{
	if (set->list->n >= set->region_end || map_get(&set->seen, token))
		return;
	token = arena_span(set->arena, token);
	struct span *to = VEC_PUSH(set->arena, set->list);
	if (!token.p || !to)
		return;
	*to = token;
	/* The value only says that the key is there. */
	if (map_put(&set->seen, token, set))
		arena_fail(set->arena);
}

void
token_add(struct token_set *set, struct span prefix, struct span word)
{
	char text[ROOM];
	size_t n = put(text, 0, prefix, PREFIX_MAX);

	n = put(text, n, word, TOKEN_MAX_BYTES);
	add(set, span_make(text, n));
}

void
token_add_pair(struct token_set *set, struct span prefix, struct span first,
    struct span second)
{
	char text[ROOM];
	size_t n = put(text, 0, prefix, PREFIX_MAX);

	n = put(text, n, first, TOKEN_MAX_BYTES);
	text[n++] = ' ';
	n = put(text, n, second, TOKEN_MAX_BYTES);
	add(set, span_make(text, n));
}

/* --- texts ------------------------------------------------------------------------ */

static void
read_text(struct token_set *set, struct span text, size_t *left)
{
	struct token_words words;
	struct span word, before = SPAN_NONE;

	token_words_init(&words, text, true);
	while (*left && token_words_next(&words, &word)) {
		--*left;
		token_add(set, SPAN(""), word);
		if (before.len)
			token_add_pair(set, SPAN(""), before, word);
		before = word;
	}
}

static void
read_texts(struct token_set *set, struct message *m)
{
	const struct mime_tree *tree = message_tree(m);
	size_t left = TEXT_WORDS;

	token_region(set, TEXT_TOKENS);
	for (size_t i = 0; i < tree->parts.n && left; i++) {
		struct mime_part *part = tree->parts.v[i];
		if (!text_is_shown(part) || part->attachment)
			continue;
		const struct html *html = message_part_html(m, part);
		read_text(set,
		    html ? html->visible : message_part_text(m, part), &left);
	}
}

/* --- links ------------------------------------------------------------------------- */

static void
read_link_path(struct token_set *set, struct span text)
{
	struct token_words words;
	struct span word;
	size_t at = span_find(text, SPAN("//"), 0);

	text = span_skip(text, at == SPAN_NPOS ? 0 : at + 2);
	at = span_find_any(text, "/?#");
	if (at == SPAN_NPOS)
		return;
	token_words_init(&words, span_skip(text, at), true);
	for (int i = 0; i < LINK_PATH_WORDS; i++) {
		if (!token_words_next(&words, &word))
			return;
		token_add(set, SPAN("path:"), word);
	}
}

static void
read_link(struct token_set *set, const struct url *url)
{
	if (!url->host.len)
		return;
	token_add(set, SPAN("url:"), url->host);
	if (url->registrable.len && !span_eq(url->registrable, url->host))
		token_add(set, SPAN("url:"), url->registrable);
	if (url->ip.family)
		token_add(set, SPAN("url:"), SPAN("address"));
	if (url->userinfo)
		token_add(set, SPAN("url:"), SPAN("user@"));
	if (span_is(url->scheme, "mailto"))
		return;
	read_link_path(set, url->text);
}

static void
read_links(struct token_set *set, struct message *m)
{
	const struct url_list *urls = message_urls(m);

	token_region(set, LINK_TOKENS);
	for (size_t i = 0; i < urls->n && i < LINKS_READ; i++)
		read_link(set, &urls->v[i]);
}

/* --- structure ----------------------------------------------------------------------- */

static void
read_html(struct token_set *set, const struct html *html)
{
	const struct {
		bool is;
		struct span mark;
	} marks[] = {
	    {html->has_script, SPAN("script")},
	    {html->has_form, SPAN("form")},
	    {html->has_iframe, SPAN("iframe")},
	    {html->invisible_bytes > 0, SPAN("hidden")},
	    {html->bare_anchor, SPAN("bare-anchor")},
	    {html->links.n > 0, SPAN("links")},
	};

	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
		if (marks[i].is)
			token_add(set, SPAN("html:"), marks[i].mark);
}

static void
read_part(struct token_set *set, struct message *m, struct mime_part *part)
{
	static const struct span encodings[] = {
	    [MIME_IDENTITY] = {"plain", 5},
	    [MIME_BASE64] = {"base64", 6},
	    [MIME_QP] = {"qp", 2},
	};
	const struct ctype *ctype = &part->ctype;

	token_add(set, SPAN("mime:"), ctype->type);
	if (ctype->charset.len)
		token_add(set, SPAN("charset:"), ctype->charset);
	if (part->leaf)
		token_add(set, SPAN("encoding:"), encodings[part->encoding]);
	if (ctype->name.len) {
		size_t dot = span_rfind_char(ctype->name, '.');
		token_add(set, SPAN("file:"), ctype->name);
		if (dot != SPAN_NPOS)
			token_add(set, SPAN("file:"),
			    arena_lower(
				set->arena, span_skip(ctype->name, dot)));
	}
	const struct html *html = message_part_html(m, part);
	if (html)
		read_html(set, html);
}

static void
read_structure(struct token_set *set, struct message *m)
{
	const struct mime_tree *tree = message_tree(m);

	token_region(set, PART_TOKENS);
	for (size_t i = 0; i < tree->parts.n && i < PARTS_READ; i++)
		read_part(set, m, tree->parts.v[i]);
}

int
token_read(struct message *m, struct arena *arena, struct token_list *ret)
{
	struct token_set set = {.arena = arena, .list = ret};

	*ret = (struct token_list){0};
	map_init(&set.seen, arena, false);
	token_read_headers(&set, m);
	read_texts(&set, m);
	read_links(&set, m);
	read_structure(&set, m);
	return arena_failed(arena) ? ERR_NOMEM : 0;
}
