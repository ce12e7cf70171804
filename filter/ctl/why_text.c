#include "filter/ctl/why.h"

#include "filter/ctl/ctl.h"
#include "filter/ctl/when.h"

/*
 * One message's verdict in words: the headline and who wrote what to whom;
 * then facts, points and decision of the other files, and what was answered.
 */

#define RCPTS_SHOWN 3
#define RCPTS_LISTED 50 /* where they differ */

struct action_text {
	const char *action, *title, *word;
};

static const struct action_text actions[] = {
    [ACTION_ACCEPT] = {"accept", "ACCEPTED", "accepted"},
    [ACTION_TAG] = {"tag", "TAGGED", "tagged"},
    [ACTION_QUARANTINE] = {"quarantine", "HELD", "held"},
    [ACTION_REJECT] = {"reject", "REFUSED", "refused"},
    [ACTION_TEMPFAIL] = {"tempfail", "DEFERRED", "deferred"},
};
#define ACTIONS (sizeof actions / sizeof *actions)

static const struct action_text *
find_action(struct span action)
{
	for (size_t i = 0; i < ACTIONS; i++)
		if (span_is(action, actions[i].action))
			return &actions[i];
	return NULL;
}

/* --- the headline ------------------------------------------------------------ */

/* The enhanced status of a reply says what class of thing was wrong. */
static const char *
class_of_reply(struct span reply)
{
	static const struct {
		const char *status, *class;
	} classes[] = {
	    {"5.7.1", "content"},
	    {"5.7.26", "DMARC"},
	    {"5.7.23", "SPF"},
	    {"5.7.20", "DKIM"},
	    {"4.4.3", "DNS"},
	    {"4.3.0", "a failure of ours"},
	    {"4.3.2", "overload"},
	    {"4.5.3", "recipients of different policies"},
	    {"4.7.1", "greylisting or a limit"},
	};
	(void)span_word(&reply);
	struct span status = span_word(&reply);

	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		if (span_is(status, classes[i].status))
			return classes[i].class;
	return NULL;
}

static const char *
class_of(const struct record *r)
{
	const char *class = class_of_reply(r->reply);

	if (class)
		return class;
	if (span_is(r->by, "dmarc"))
		return "DMARC";
	if (span_is(r->by, "failure"))
		return "a check that did not run";
	return span_is(r->by, "score") ? "content" : NULL;
}

static void
add_class(struct buf *out, const struct record *r)
{
	const char *class = class_of(r);

	if (class)
		buf_printf(out, " (%s)", class);
	else if (r->by.len) {
		buf_add_str(out, " (");
		ctl_add_safe(out, r->by);
		buf_add_char(out, ')');
	}
}

static void
add_action(struct buf *out, const struct record *r)
{
	const struct action_text *done = find_action(r->action);
	const struct action_text *would = find_action(r->would);
	bool differs = r->would.len && !span_eq(r->would, r->action);

	if (done)
		buf_add_str(out, done->title);
	else
		ctl_add_safe(out, r->action.len ? r->action : SPAN("?"));
	if (!span_is(r->action, "accept"))
		add_class(out, r);
	if (!differs)
		return;
	buf_printf(
	    out, ", would be %s", would ? would->title : "something else");
	if (!span_is(r->would, "accept"))
		add_class(out, r);
}

static void
add_named(struct buf *out, const char *name, struct span value)
{
	if (!value.len)
		return;
	buf_printf(out, "   %s", name);
	ctl_add_safe(out, value);
}

static void
add_headline(
    struct buf *out, const struct why_view *view, const struct record *r)
{
	char ref[REF_TEXT_SIZE], when[WHEN_TEXT_SIZE];
	struct log_view shown = {.key = view->key};

	log_ref(&shown, r->id, ref);
	when_local_zone(r->time, when);
	buf_printf(out, "%s  ", ref);
	add_action(out, r);
	buf_printf(out, "   %s", when);
	add_named(out, "", r->node);
	add_named(out, "queue id ", r->queue_id);
	add_named(out, "policy ", r->policy);
	buf_add_char(out, '\n');
}

/* --- who wrote what to whom -------------------------------------------------- */

static void
add_size(struct buf *out, int64_t size)
{
	static const char *const units[] = {"bytes", "KB", "MB", "GB"};
	unsigned unit = 0;

	while (size >= 10000 && unit < 3) {
		size = size / 1024 + (size % 1024 >= 512);
		unit++;
	}
	buf_printf(out, "    %lld %s", (long long)size, units[unit]);
}

static void
add_from(struct buf *out, const struct record *r)
{
	why_label(out, "From");
	ctl_add_safe(out, r->header_from.len ? r->header_from : SPAN("-"));
	buf_add_str(out, "    envelope <");
	ctl_add_safe(out, r->mail_from);
	buf_add_str(out, ">\n");
}

static void
add_to(struct buf *out, const struct record *r)
{
	size_t n = r->nrcpt > 0 ? (size_t)r->nrcpt : 0, shown = 0;

	why_label(out, "To");
	for (; shown < r->rcpts.n && shown < RCPTS_SHOWN; shown++) {
		buf_add_str(out, shown ? ", <" : "<");
		ctl_add_safe(out, r->rcpts.v[shown].addr);
		buf_add_char(out, '>');
	}
	if (shown == 0)
		buf_add_str(out, "-");
	if (n > shown && shown)
		buf_printf(out, " +%zu", n - shown);
	if (r->message_id.len) {
		buf_add_str(out, "    Message-ID <");
		ctl_add_safe(out, r->message_id);
		buf_add_char(out, '>');
	}
	add_size(out, r->size);
	buf_add_char(out, '\n');
}

/* Recipients' policies that asked for different things. */
static void
add_rcpts(struct buf *out, const struct record *r)
{
	if (!log_rcpts_differ(r))
		return;
	for (size_t i = 0; i < r->rcpts.n && i < RCPTS_LISTED; i++) {
		why_label(out, i ? "" : "Policies");
		buf_add_char(out, '<');
		ctl_add_safe(out, r->rcpts.v[i].addr);
		buf_add_str(out, "> asks for ");
		ctl_add_safe(out, r->rcpts.v[i].action);
		buf_add_char(out, '\n');
	}
	if (r->rcpts.n > RCPTS_LISTED) {
		why_label(out, "");
		buf_printf(out, "+%zu\n", r->rcpts.n - RCPTS_LISTED);
	}
}

static void
add_host(struct buf *out, struct span name, struct span ip)
{
	ctl_add_safe(out, name.len ? name : SPAN("unknown"));
	buf_add_str(out, " [");
	ctl_add_safe(out, ip);
	buf_add_char(out, ']');
}

/* By whom mail of a relay was judged; records of before relays do not tell. */
static void
add_judged(struct buf *out, const struct record *r)
{
	if (!span_is(r->dir, "relay") || !r->judged_ip.p)
		return;
	why_label(out, "Judged by");
	if (r->judged_ip.len)
		add_host(out, r->judged_name, r->judged_ip);
	else
		buf_add_str(out, "nobody's address: the relay's Received field "
				 "names none");
	buf_add_char(out, '\n');
}

static void
add_client(struct buf *out, const struct record *r)
{
	why_label(out, "Client");
	if (!r->client_ip.len && !r->client_name.len)
		buf_add_str(out, "local");
	else
		add_host(out, r->client_name, r->client_ip);
	if (r->helo.len && !span_caseeq(r->helo, r->client_name)) {
		buf_add_str(out, ", HELO ");
		ctl_add_safe(out, r->helo);
	}
	if (r->tls.len) {
		buf_add_str(out, ", ");
		ctl_add_safe(out, r->tls);
	}
	if (r->auth.len) {
		buf_add_str(out, ", authenticated as ");
		ctl_add_safe(out, r->auth);
	}
	if (span_is(r->dir, "out"))
		buf_add_str(out, "; outgoing mail");
	else if (span_is(r->dir, "relay"))
		buf_add_str(out, "; a relay of ours");
	buf_add_char(out, '\n');
	add_judged(out, r);
}

/* --- what came of it --------------------------------------------------------- */

static void
add_outcome(struct buf *out, const struct record *r)
{
	const struct action_text *would = find_action(r->would);

	if (r->reply.len) {
		why_label(out, "Replied");
		ctl_add_safe(out, r->reply);
		buf_add_char(out, '\n');
	}
	if (!would || span_eq(r->would, r->action))
		return;
	bool observed = span_is(r->mode, "observe");
	why_label(out, observed ? "Observed" : "Kept back");
	if (span_is(r->dir, "relay") && observed)
		buf_printf(out,
		    "nothing was done; from another client mode = enforce "
		    "would have %s it\n",
		    would->word);
	else if (span_is(r->dir, "relay"))
		buf_printf(out,
		    "a relay is never refused: from another client it would "
		    "have been %s\n",
		    would->word);
	else
		buf_printf(out,
		    observed
			? "nothing was done; mode = enforce would have %s it\n"
			: "the policy alone would have %s it\n",
		    would->word);
}

void
why_text(struct buf *out, const struct why_view *view, const struct record *r)
{
	add_headline(out, view, r);
	add_from(out, r);
	add_to(out, r);
	add_rcpts(out, r);
	add_client(out, r);
	why_facts(out, view, r);
	why_points(out, view, r);
	add_outcome(out, r);
}
