#include "filter/ctl/postconf.h"

#include "filter/base/buf.h"

/*
 * The values of Postfix's parameters with $name, ${name}, $(name) and the
 * forms ${name?text}, ${name:text} and ${name?{text}:{text}} expanded. What
 * compares (${{a} == {b} ? ...}) is left out and said so. Depth and steps are
 * bounded: a value may name itself.
 */

#define DEPTH_MAX 8
#define STEPS_MAX 2000

static const struct {
	const char *name, *value;
} defaults[] = {
    {"compatibility_level", "0"},
    {"mail_owner", "postfix"},
    {"milter_command_timeout", "30s"},
    {"milter_connect_timeout", "30s"},
    {"milter_content_timeout", "300s"},
    {"milter_default_action", "tempfail"},
    {"milter_macro_daemon_name", "$myhostname"},
    {"milter_protocol", "6"},
    {"myhostname", "localhost"},
    {"queue_directory", "/var/spool/postfix"},
    {"smtpd_sasl_auth_enable", "no"},
};

struct expander {
	const struct postconf *conf;
	const struct postconf_service *service;
	struct buf out;
	unsigned steps;
	bool odd;
};

static const struct postconf_param *
find(const struct postconf_params *params, struct span name)
{
	for (size_t i = params->n; i > 0; i--)
		if (span_eq(params->v[i - 1].name, name))
			return &params->v[i - 1];
	return NULL;
}

/* The text of a parameter as it stands, and in `ret` where. */
static struct span
look_up(const struct postconf *conf, const struct postconf_service *service,
    struct span name, struct postconf_value *ret)
{
	const struct postconf_param *param =
	    service ? find(&service->overrides, name) : NULL;

	ret->file = param ? conf->master_path : conf->main_path;
	if (!param)
		param = find(&conf->params, name);
	ret->line = param ? param->line : 0;
	if (param)
		return param->value;
	for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
		if (span_is(name, defaults[i].name))
			return span_of(defaults[i].value);
	return SPAN_NONE;
}

static size_t
name_len(struct span text)
{
	size_t n = 0;

	while (n < text.len && (ascii_is_alnum(text.p[n]) || text.p[n] == '_'))
		n++;
	return n;
}

/* The length of what stands between the bracket at 0 and its partner; SIZE_MAX
 * when that is missing. */
static size_t
inner_len(struct span text)
{
	char open = text.p[0], close = open == '{' ? '}' : ')';
	size_t depth = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == open)
			depth++;
		else if (text.p[i] == close && --depth == 0)
			return i - 1;
	}
	return SPAN_NPOS;
}

/* The text that ?A, :A, ?{A} or ?{A}:{B} gives; `set`: the name has a value. */
static struct span
choose(struct span form, bool set)
{
	bool want_set = form.p[0] == '?';
	struct span text = span_skip(form, 1);

	if (!span_starts(span_trim_left(text), SPAN("{")))
		return want_set == set ? text : SPAN_NONE;
	text = span_trim_left(text);
	size_t len = inner_len(text);
	if (len == SPAN_NPOS)
		return SPAN_NONE;
	struct span first = span_trim(span_head(span_skip(text, 1), len));
	if (want_set == set)
		return first;
	text = span_trim_left(span_skip(text, len + 2));
	if (!span_starts(text, SPAN(":")))
		return SPAN_NONE;
	text = span_trim_left(span_skip(text, 1));
	len = span_starts(text, SPAN("{")) ? inner_len(text) : SPAN_NPOS;
	return len == SPAN_NPOS ? text
				: span_trim(span_head(span_skip(text, 1), len));
}

/* Takes one reference, behind its $, off the text: the piece to expand. */
static struct span
reference(struct expander *x, struct span *text)
{
	struct postconf_value where;
	struct span inner;
	size_t len;

	if (text->len && (text->p[0] == '{' || text->p[0] == '(')) {
		len = inner_len(*text);
		if (len == SPAN_NPOS) {
			x->odd = true;
			*text = SPAN_NONE;
			return SPAN_NONE;
		}
		inner = span_trim(span_head(span_skip(*text, 1), len));
		*text = span_skip(*text, len + 2);
	} else {
		len = name_len(*text);
		inner = span_head(*text, len);
		*text = span_skip(*text, len);
	}
	len = name_len(inner);
	struct span value =
	    look_up(x->conf, x->service, span_head(inner, len), &where);
	struct span form = span_trim_left(span_skip(inner, len));
	if (len && form.len == 0)
		return value;
	if (len && (form.p[0] == '?' || form.p[0] == ':'))
		return choose(form, value.len > 0);
	x->odd = true;
	return SPAN_NONE;
}

static void
expand(struct expander *x, struct span text, unsigned depth)
{
	if (text.len > POSTCONF_VALUE_MAX) {
		x->odd = true;
		text = span_head(text, POSTCONF_VALUE_MAX);
	}
	while (text.len) {
		size_t dollar = span_find_char(text, '$');
		buf_add_span(&x->out, span_head(text, dollar));
		if (dollar == SPAN_NPOS)
			return;
		text = span_skip(text, dollar + 1);
		if (span_starts(text, SPAN("$"))) {
			buf_add_char(&x->out, '$');
			text = span_skip(text, 1);
			continue;
		}
		struct span piece = reference(x, &text);
		if (depth == DEPTH_MAX || x->steps >= STEPS_MAX) {
			x->odd = true;
			return;
		}
		x->steps++;
		expand(x, piece, depth + 1);
	}
}

struct postconf_value
postconf_get(const struct postconf *conf,
    const struct postconf_service *service, const char *name)
{
	struct postconf_value value = {0};
	struct expander x = {.conf = conf, .service = service};

	buf_init(&x.out, conf->arena, POSTCONF_VALUE_MAX);
	expand(&x, look_up(conf, service, span_of(name), &value), 0);
	value.odd = x.odd || buf_failed(&x.out);
	value.text = span_trim(buf_span(&x.out));
	return value;
}
