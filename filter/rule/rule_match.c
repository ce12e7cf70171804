#include "filter/rule/rule_match.h"

#include "filter/base/clock.h"

/*
 * The matching loop. Without `multiple` the first match ends it; with it every
 * match that does not overlap counts, as Perl's //g finds them. A rule has a
 * time of its own on each message: PCRE2's limit bounds one call, the clock the
 * sum of them.
 */

/* Calls and KiB of subject between two looks at the clock. */
#define WORK_PER_LOOK 64

static bool
time_left(struct match_job *job, size_t bytes)
{
	job->work += 1 + (unsigned)(bytes < 1u << 30 ? bytes / 1024 : 1u << 20);
	if (job->work < WORK_PER_LOOK)
		return true;
	job->work = 0;
	if (!job->alive(job->arg))
		return false;
	job->limited = clock_mono_us() >= job->until_us;
	return !job->limited;
}

bool
match_text(struct match_job *job, struct span text)
{
	bool multiple = job->symbol->flags & SYMBOL_MULTIPLE;
	unsigned most = multiple ? job->symbol->maxhits : 1;
	struct regex_hit hit = {0};
	bool at_empty = false, more = false;

	for (size_t from = 0;; from = hit.to) {
		if (!time_left(job, from == 0 || more ? text.len : 0))
			return false;
		more = false;
		switch (regex_match(job->body->regex, job->slot,
		    job->match_limit, text, from, at_empty, &hit)) {
		case REGEX_NO:
			return true;
		case REGEX_LIMIT:
			job->limited = true;
			return false;
		case REGEX_MORE:
			more = true;
			at_empty = false;
			hit.to = hit.from;
			continue;
		case REGEX_YES:
			break;
		}
		if (job->count++ == 0)
			job->first =
			    span_make(text.p + hit.from, hit.to - hit.from);
		if (most && job->count >= (int64_t)most)
			return false;
		at_empty = hit.from == hit.to;
	}
}
