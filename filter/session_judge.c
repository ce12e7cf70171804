#include "filter/session_internal.h"

#include <stdatomic.h>

#include "filter/base/clock.h"
#include "filter/base/log.h"
#include "filter/feedback.h"
#include "filter/journal.h"
#include "filter/recorder.h"
#include "filter/report.h"

/*
 * The end of a message: examination, verdict, what the MTA is told, and the
 * note of all that. The answer is made in an arena of its own, so that a
 * message that used its own up still gets one.
 */

#define WORK_BYTES ((size_t)64 * 1024 * 1024)

static struct log_limit missed_limit;

struct judgement {
	struct examination examination;
	struct policy_facts facts;
	struct verdict verdict;
	struct enacted enacted;
	bool seen; /* false: memory ended before the scan did */
	int64_t started;
};

static const char *const lost_memory[] = {"memory"};

static void
on_progress(void *arg)
{
	struct session *s = arg;

	s->mta.progress(s->mta.ctx);
}

static bool
examine(struct session *s, struct examination *ret)
{
	struct examine_options options = {0};
	struct scan *scan = s->t.scan;

	if (!scan)
		return false;
	message_done(s->t.message);
	scan->progress = on_progress;
	scan->progress_arg = s;
	scan_body_done(scan);
	session_stage(s, SCAN_EOM);
	return examine_run(s->snapshot->engine, scan, &options, ret);
}

static void
decide(struct session *s, struct judgement *j)
{
	const struct settings *settings = &s->snapshot->settings;
	struct verdict *v = &j->verdict;

	policy_merge(settings, s->t.policies.v, s->t.policies.n, &j->facts, v);
	if (v->action != ACTION_TEMPFAIL || !v->failure)
		return;
	if (!stats_defer_over(
		&s->daemon->stats, v->failure, settings->defer_max_ms))
		return;
	log_error("%s: degraded=%s has deferred mail for policy.defer_max,"
		  " letting it through",
	    s->t.ref, v->failure);
	j->facts.defer_over = true;
	policy_merge(settings, s->t.policies.v, s->t.policies.n, &j->facts, v);
}

static void
judge(struct session *s, struct judgement *j)
{
	j->seen = examine(s, &j->examination);
	if (j->seen)
		policy_facts_of(s->t.scan, &j->examination, &j->facts);
	if (!j->seen || arena_failed(s->arena)) {
		j->facts = (struct policy_facts){
		    .direction = session_direction(s),
		    .score_milli = j->examination.score_milli,
		    .degraded = lost_memory,
		    .n_degraded = 1,
		};
	}
	decide(s, j);
}

static struct span
message_id(struct session *s)
{
	const struct header *h =
	    header_first(message_headers(s->t.message), SPAN("Message-ID"));
	struct span id;

	if (!h || !s->work)
		return SPAN_NONE;
	id = span_trim(header_unfold(h->raw, s->work));
	if (id.len >= 2 && id.p[0] == '<' && span_ends(id, SPAN(">")))
		id = span_make(id.p + 1, id.len - 2);
	return id;
}

/* Into the verdict log; what does not fit there is counted there. */
static void
record(struct session *s, const struct judgement *j,
    const struct journal_entry *entry)
{
	struct recorder_request request = {
	    .entry = entry,
	    .settings = &s->snapshot->settings,
	    .facts = &j->facts,
	    .reply = j->enacted.replied ? &j->enacted.reply : NULL,
	    .id = s->t.ref_number,
	    .time = clock_wall(),
	    .scan = j->seen ? s->t.scan : NULL,
	};
	struct record record;

	if (s->daemon->log && s->work &&
	    recorder_make(&request, s->work, &record))
		(void)verdictlog_append(s->daemon->log, &record);
}

static void
note(struct session *s, const struct judgement *j, int64_t ms)
{
	struct journal_entry entry = {
	    .queue_id = s->t.envelope.queue_id,
	    .ref = s->t.ref,
	    .verdict = &j->verdict,
	    .direction = j->facts.direction,
	    .envelope = &s->t.envelope,
	    .first_rcpt = s->t.first_rcpt,
	    .n_rcpts = s->t.n_rcpts,
	    .degraded = j->facts.degraded,
	    .n_degraded = j->facts.n_degraded,
	    .ms = ms,
	};

	if (s->t.message)
		entry.size = message_size(s->t.message);
	if (j->seen) {
		entry.from_domain = scan_from_domain(s->t.scan);
		entry.message_id = message_id(s);
		entry.spf = scan_spf(s->t.scan);
		entry.dkim = scan_dkim(s->t.scan);
		entry.dmarc = scan_dmarc(s->t.scan);
		entry.arc = scan_arc(s->t.scan);
		entry.hits = &j->examination.hits;
	}
	journal_write(&entry);
	record(s, j, &entry);
	if (j->seen) {
		feedback_note(s->t.scan, &j->examination, &j->verdict);
		report_note(s->daemon->reports, &s->snapshot->settings,
		    s->t.scan, &j->verdict);
		failure_note(s->daemon->failures, &s->snapshot->settings,
		    &s->daemon->refs.key, s->t.scan, &j->verdict);
	}
	for (size_t i = 0; i < j->facts.n_degraded; i++)
		stats_degraded(&s->daemon->stats, j->facts.degraded[i]);
	stats_message(&s->daemon->stats, j->facts.direction, &j->verdict, ms);
}

static void
note_missed(struct session *s, unsigned missed)
{
	uint64_t held_back;

	if (missed == 0)
		return;
	atomic_fetch_add(&s->daemon->stats.unedited, missed);
	if (log_limited(&missed_limit, &held_back))
		log_warn("%s: the MTA did not take %u of our edits,"
			 " the message goes on without them, missed=%llu",
		    s->t.ref, missed, (unsigned long long)held_back);
}

static void
enact(struct session *s, struct judgement *j)
{
	struct fields_request fields = {
	    .arena = s->work,
	    .settings = &s->snapshot->settings,
	    .scan = j->seen && s->work ? s->t.scan : NULL,
	    .examination = &j->examination,
	    .verdict = &j->verdict,
	    .ref = s->t.ref,
	    .signing = s->t.signing,
	    .keyring = s->snapshot->keyring,
	    .leading_space = s->mta.can & MTA_LEADING_SPACE,
	};

	enact_verdict(&s->mta, &fields, &j->verdict, &j->enacted);
	note_missed(s, j->enacted.missed);
}

enum answer
session_judge(struct session *s)
{
	struct judgement j = {.started = clock_mono_ms()};

	if (!s->work)
		s->work = arena_new(WORK_BYTES);
	judge(s, &j);
	enact(s, &j);
	note(s, &j, clock_mono_ms() - j.started);
	return j.enacted.answer;
}
