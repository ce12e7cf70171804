#include "filter/ctl/postconf.h"

#include "filter/base/buf.h"

/*
 * main.cf and master.cf to lines, parameters and services. A line that begins
 * with white space goes on with the one before, comments and blank lines in
 * between do not count. Values are expanded in postconf_expand.c.
 */

#define FIELDS 8 /* of a service, with its command */

void
postconf_init(struct postconf *conf, struct arena *arena, const char *main_path,
    const char *master_path)
{
	*conf = (struct postconf){
	    .arena = arena,
	    .main_path = main_path,
	    .master_path = master_path,
	};
}

/* --- lines -------------------------------------------------------------------- */

struct lines {
	struct arena *arena;
	struct span rest;
	unsigned line; /* of the last one taken off `rest` */
};

static bool
is_empty(struct span line)
{
	struct span text = span_trim_left(line);

	return text.len == 0 || text.p[0] == '#';
}

/* The next logical line and the number of its first one; false at the end. */
static bool
next_line(struct lines *l, struct span *ret, unsigned *ret_line)
{
	struct span line, peek;
	struct buf joined;

	do {
		if (!span_line(&l->rest, &line))
			return false;
		l->line++;
	} while (is_empty(line));
	*ret_line = l->line;
	buf_init(&joined, l->arena, SIZE_MAX / 2);
	for (;;) {
		struct span before = l->rest;
		if (!span_line(&l->rest, &peek))
			break;
		if (!is_empty(peek) && !ascii_is_blank(peek.p[0])) {
			l->rest = before;
			break;
		}
		l->line++;
		if (is_empty(peek))
			continue;
		if (!joined.len)
			buf_add_span(&joined, line);
		buf_add_span(&joined, peek);
	}
	*ret = joined.len && !buf_failed(&joined) ? buf_span(&joined) : line;
	return true;
}

static void
add_param(struct postconf_params *params, struct span text, unsigned line,
    struct arena *arena)
{
	size_t equals = span_find_char(text, '=');
	struct postconf_param *param;

	if (equals == SPAN_NPOS || !(param = VEC_PUSH(arena, params)))
		return;
	param->name = span_trim(span_head(text, equals));
	param->value = span_trim(span_skip(text, equals + 1));
	param->line = line;
}

void
postconf_read_main(struct postconf *conf, struct span text)
{
	struct lines lines = {conf->arena, text, 0};
	struct span line;
	unsigned number;

	while (next_line(&lines, &line, &number))
		add_param(&conf->params, line, number, conf->arena);
}

/* --- services ------------------------------------------------------------------- */

/* The offset behind the brace that closes the one at 0, or the end. */
static size_t
brace_end(struct span text)
{
	size_t depth = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '{')
			depth++;
		else if (text.p[i] == '}' && --depth == 0)
			return i + 1;
	}
	return text.len;
}

/* The next word of a command's arguments, or what stands in braces. */
static struct span
next_argument(struct span *rest)
{
	*rest = span_trim_left(*rest);
	if (!span_starts(*rest, SPAN("{")))
		return span_word(rest);
	size_t end = brace_end(*rest);
	struct span inner = span_skip(span_head(*rest, end), 1);
	*rest = span_skip(*rest, end);
	if (span_ends(inner, SPAN("}")))
		inner = span_head(inner, inner.len - 1);
	return span_trim(inner);
}

static void
add_overrides(struct postconf_service *service, struct span rest, unsigned line,
    struct arena *arena)
{
	for (;;) {
		struct span word = next_argument(&rest);
		if (!word.len && !rest.len)
			return;
		if (span_is(word, "-o"))
			word = next_argument(&rest);
		else if (span_starts(word, SPAN("-o")))
			word = span_skip(word, 2);
		else
			continue;
		add_param(&service->overrides, word, line, arena);
	}
}

static void
add_service(struct postconf *conf, struct span line, unsigned number)
{
	struct span fields[FIELDS];
	struct postconf_service *service;

	for (size_t i = 0; i < FIELDS; i++) {
		fields[i] = span_word(&line);
		if (!fields[i].len)
			return;
	}
	service = VEC_PUSH(conf->arena, &conf->services);
	if (!service)
		return;
	*service = (struct postconf_service){
	    .name = fields[0],
	    .type = fields[1],
	    .command = fields[7],
	    .chroot = fields[4].p[0],
	    .line = number,
	};
	add_overrides(service, line, number, conf->arena);
}

void
postconf_read_master(struct postconf *conf, struct span text)
{
	struct lines lines = {conf->arena, text, 0};
	struct span line;
	unsigned number;

	while (next_line(&lines, &line, &number))
		add_service(conf, line, number);
}

bool
postconf_is_chrooted(
    const struct postconf *conf, const struct postconf_service *service)
{
	if (service->chroot != '-')
		return service->chroot == 'y';
	/* The default was y, and is where nobody said that it shall be new. */
	struct span level =
	    postconf_get(conf, NULL, "compatibility_level").text;
	return level.len == 0 || span_is(level, "0");
}

/* --- values of milters ---------------------------------------------------------- */

static bool
is_separator(char c)
{
	return ascii_is_space(c) || c == ',';
}

static struct span
skip_separators(struct span text)
{
	while (text.len && is_separator(text.p[0]))
		text = span_skip(text, 1);
	return text;
}

/* The next word, up to a separator, or a group in braces, with them. */
static struct span
next_entry(struct span *rest)
{
	size_t n = 0;

	*rest = skip_separators(*rest);
	if (span_starts(*rest, SPAN("{")))
		n = brace_end(*rest);
	else
		while (n < rest->len && !is_separator(rest->p[n]))
			n++;
	struct span entry = span_head(*rest, n);
	*rest = span_skip(*rest, n);
	return entry;
}

static void
take_option(struct postconf_milter *milter, struct span text)
{
	const struct {
		const char *name;
		struct span *to;
	} options[] = {
	    {"default_action", &milter->default_action},
	    {"connect_timeout", &milter->connect_timeout},
	    {"command_timeout", &milter->command_timeout},
	    {"content_timeout", &milter->content_timeout},
	};
	struct span name = span_trim(span_cut(&text, '='));

	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (text.p && span_is(name, options[i].name))
			*options[i].to = span_trim(text);
}

/* "{ unix:x, command_timeout = 30s }": blanks around = are allowed, so that
 * options are told apart by commas, or by blanks where there is no =. */
static void
take_group(struct postconf_milter *milter, struct span group)
{
	group = span_skip(group, 1);
	if (span_ends(group, SPAN("}")))
		group = span_head(group, group.len - 1);
	milter->spec = next_entry(&group);
	while ((group = skip_separators(group)).len) {
		struct span option = group;
		struct span word = next_entry(&group);
		if (span_find_char(word, '=') == SPAN_NPOS ||
		    span_ends(word, SPAN("="))) {
			/* NAME = VALUE, NAME= VALUE, NAME =VALUE */
			struct span more = next_entry(&group);
			if (span_is(more, "="))
				(void)next_entry(&group);
			option =
			    span_head(option, (size_t)(group.p - option.p));
		} else {
			option = word;
		}
		take_option(milter, option);
	}
}

void
postconf_split_milters(
    struct span list, struct arena *arena, struct postconf_milters *ret)
{
	for (;;) {
		struct span entry = next_entry(&list);
		if (!entry.len)
			return;
		struct postconf_milter *milter = VEC_PUSH(arena, ret);
		if (!milter)
			return;
		*milter =
		    (struct postconf_milter){.entry = entry, .spec = entry};
		if (entry.p[0] == '{')
			take_group(milter, entry);
	}
}

int
postconf_time(struct span text, int64_t *ret_ms)
{
	static const struct {
		char unit;
		int64_t ms;
	} units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000},
	    {'w', 604800000}};
	int64_t ms = 1000;
	uint64_t n;

	text = span_trim(text);
	if (text.len == 0)
		return ERR_SYNTAX;
	char last = ascii_lower(text.p[text.len - 1]);
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (units[i].unit == last) {
			ms = units[i].ms;
			text = span_head(text, text.len - 1);
			break;
		}
	int rc = span_to_u64(text, &n);
	if (rc)
		return rc;
	return n > INT64_MAX || __builtin_mul_overflow((int64_t)n, ms, ret_ms)
		   ? ERR_LIMIT
		   : 0;
}
