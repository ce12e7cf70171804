#include "filter/rule/rule_impl.h"

/*
 * `if` and `ifplugin` (rule language, section 1.2). What a plugin of
 * SpamAssassin can do, a part of Assay does or does not: the answer is no
 * until the functions that its rules call are bound. Then blocks written for
 * both cases take the right branch, and a rule never calls what is not there.
 */

/* The version of the language that we speak, and of the Perl it means. */
#define PERL_VERSION 5.036

static const struct {
	const char *class;
	const char *marker; /* the eval that shows it is there; NULL: always */
} plugins[] = {
    {"Check", NULL},
    {"AskDNS", "askdns"},
    {"BodyEval", "check_stock_info"},
    {"Bayes", "check_bayes"},
    {"DKIM", "check_dkim_signed"},
    {"DMARC", "check_dmarc_reject"},
    {"DNSEval", "check_rbl"},
    {"FreeMail", "check_freemail_from"},
    {"FromNameSpoof", "check_fromname_spoof"},
    {"HashBL", "check_hashbl_emails"},
    {"HeaderEval", "check_for_missing_to_header"},
    {"HTMLEval", "html_tag_balance"},
    {"HTTPSMismatch", "check_https_http_mismatch"},
    {"ImageInfo", "image_count"},
    {"MIMEEval", "check_for_mime"},
    {"PDFInfo", "pdf_count"},
    {"RelayEval", "check_for_numeric_helo"},
    {"SPF", "check_for_spf_pass"},
    {"TextCat", "check_body_8bits"},
    {"URIDNSBL", "check_uridnsbl"},
    {"URIEval", "check_for_http_redirector"},
    {"VBounce", "check_whitelist_bounce_relays"},
    {"WLBLEval", "check_from_in_whitelist"},
};

/* Answers of has() and can(); a name that is not here is "no". */
static const char *const features[] = {
    "Conf::feature_registryboundaries",
    "Conf::feature_welcomelist_blocklist",
    "Conf::feature_yesno_takes_args",
    "Conf::perl_min_version_5010000",
    "Conf::feature_bug6558_free",
};

static struct span
without_prefix(struct span name)
{
	struct span prefix = SPAN("Mail::SpamAssassin::");

	return span_starts(name, prefix) ? span_skip(name, prefix.len) : name;
}

/* The entry of a class, with its aliases. */
static size_t
find_plugin(struct span name)
{
	size_t n = sizeof plugins / sizeof *plugins;

	name = without_prefix(name);
	if (!span_starts(name, SPAN("Plugin::")))
		return n;
	name = span_skip(name, strlen("Plugin::"));
	if (span_is(name, "Dmarc"))
		name = SPAN("DMARC");
	for (size_t i = 0; i < n; i++)
		if (span_is(name, plugins[i].class))
			return i;
	return n;
}

bool
rule_cond_plugin_known(struct span name)
{
	return find_plugin(name) < sizeof plugins / sizeof *plugins;
}

bool
rule_cond_plugin(struct rule_set *set, struct span name)
{
	size_t i = find_plugin(name);

	if (i == sizeof plugins / sizeof *plugins)
		return false;
	return !plugins[i].marker ||
	       map_get(&set->evals, span_of(plugins[i].marker));
}

static bool
has_feature(struct span name)
{
	name = without_prefix(name);
	for (size_t i = 0; i < sizeof features / sizeof *features; i++)
		if (span_is(name, features[i]))
			return true;
	return false;
}

/* Names of conditions. A class may be quoted. */
static int
cond_name(void *ctx, struct span name, struct span arg, struct expr_op *ret_op,
    struct err *err)
{
	struct rule_set *set = ctx;
	double value;

	if (arg.len > 1 && (arg.p[0] == '\'' || arg.p[0] == '"') &&
	    arg.p[arg.len - 1] == arg.p[0])
		arg = span_make(arg.p + 1, arg.len - 2);
	if (span_is(name, "plugin"))
		value = rule_cond_plugin(set, arg);
	else if (span_is(name, "can") || span_is(name, "has"))
		value = has_feature(arg);
	else if (span_is(name, "version"))
		value = RULE_VERSION;
	else if (span_is(name, "perl_version"))
		value = PERL_VERSION;
	else if (span_is(name, "local_tests_only"))
		value = !set->options.network;
	else
		return err_set(err, ERR_SYNTAX, "unknown word \"%.*s\"",
		    SPAN_ARG(span_head(name, 80)));
	*ret_op = (struct expr_op){.code = EXPR_NUM, .num = value};
	return 0;
}

int
rule_cond_eval(
    struct rule_set *set, struct span text, bool *ret, struct err *err)
{
	struct expr expr;
	int rc = expr_compile(set->arena, text, cond_name, set, &expr, err);

	if (rc)
		return rc;
	if (expr.ops.n == 0)
		return err_set(err, ERR_SYNTAX, "a condition is missing");
	double *stack = arena_calloc(set->arena, expr.depth + 1, sizeof *stack);
	if (!stack)
		return err_set(err, ERR_NOMEM, "out of memory");
	uint32_t pc = 0;
	size_t top = 0;
	while (pc < expr.ops.n)
		expr_step(&expr, &pc, stack, &top);
	*ret = stack[0] != 0;
	return 0;
}
