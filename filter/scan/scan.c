#include "filter/scan/scan.h"

#include <stdarg.h>
#include <stdio.h>

#include "filter/base/clock.h"
#include "filter/base/lock.h"
#include "filter/mail/domain.h"
#include "filter/scan/scan_arc.h"
#include "filter/scan/scan_client.h"
#include "filter/scan/scan_internal.h"
#include "filter/scan/scan_iprev.h"
#include "filter/scan/scan_list.h"
#include "filter/scan/slots.h"

/*
 * Facts about one message, memoised. The first asker pays; DNS names are
 * wanted at MAIL FROM and at the end of the headers, so that answers are
 * mostly there when the body has come. While a scan waits for DNS its slot is
 * lent to others.
 */

#define PROGRESS_MS 5000 /* smfi_progress while we work; MTAs wait for more */
#define EVIDENCE_MAX 200

/* Where too many wait already, this scan takes only what is there. */
static void
yield_waiting(struct scan *scan)
{
	if (!scan->slots || !scan_slots_crowded(scan->slots))
		return;
	dns_batch_no_wait(scan->dns);
	if (scan->lists)
		dns_batch_no_wait(scan->lists->dns);
}

static void
before_wait(void *arg)
{
	struct scan *scan = arg;

	lock_blocking();
	if (!scan->slots)
		return;
	if (scan->slot) {
		scan_slots_give(scan->slots, scan->slot);
		scan->slot = NULL;
	}
	scan_slots_waiting(scan->slots, 1);
}

static void
after_wait(void *arg)
{
	struct scan *scan = arg;

	if (scan->slots) {
		scan_slots_waiting(scan->slots, -1);
		yield_waiting(scan);
	}
	(void)scan_tick(scan);
}

struct scan *
scan_new(struct arena *arena, const struct scan_config *config,
    struct envelope *envelope, struct message *message, struct dns *dns)
{
	struct scan *scan = arena_zalloc(arena, sizeof *scan);

	if (!scan)
		return NULL;
	scan->arena = arena;
	scan->config = config;
	scan->message = message;
	scan->envelope = envelope;
	scan_direct(scan, direction_of(&config->direction, envelope));
	scan->now = clock_wall();
	scan->deadline = CLOCK_NEVER;
	scan->next_progress = CLOCK_NEVER;
	scan->seal_job = -1;
	scan->dns = dns_batch_new(config->network ? dns : NULL, arena,
	    config->dns_message_ms, config->dns_questions_max);
	scan->hashes = bodyhash_new(arena);
	if (!scan->dns || !scan->hashes)
		return NULL;
	dns_batch_on_wait(scan->dns, before_wait, after_wait, scan);
	scan->lists = scan_lists_new(scan, dns);
	if (scan->lists)
		dns_batch_on_wait(
		    scan->lists->dns, before_wait, after_wait, scan);
	return scan;
}

/* --- what may fail, and how it is said -------------------------------------------- */

void
scan_degrade(struct scan *scan, const char *what)
{
	for (size_t i = 0; i < scan->degraded.n; i++)
		if (strcmp(scan->degraded.v[i], what) == 0)
			return;
	const char **entry = VEC_PUSH(scan->arena, &scan->degraded);
	if (entry)
		*entry = what;
}

void
scan_evidence_span(struct scan *scan, struct span text)
{
	if (scan->run)
		rule_run_evidence(scan->run, text);
}

void
scan_evidence(struct scan *scan, const char *fmt, ...)
{
	char text[EVIDENCE_MAX + 1];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	scan_evidence_span(scan, span_of(text));
}

bool
scan_tick(struct scan *scan)
{
	int64_t now;

	if (scan->deadline == CLOCK_NEVER && !scan->progress)
		return true;
	now = clock_mono_ms();
	if (scan->progress && now >= scan->next_progress) {
		scan->next_progress = now + PROGRESS_MS;
		scan->progress(scan->progress_arg);
	}
	return now < scan->deadline;
}

/* --- stages -------------------------------------------------------------------------- */

bool
scan_authenticates(const struct scan *scan)
{
	return scan->direction != DIRECTION_OUT && scan->config->network;
}

static void
spf_request_of(const struct scan *scan, struct spf_request *ret)
{
	*ret = (struct spf_request){
	    .ip = scan->client.ip,
	    .helo = scan->client.helo,
	    .mail_from = scan->envelope->mail_from,
	    .receiver = scan->config->authserv_id,
	    .time = scan->now,
	};
}

static void
want_spf(struct scan *scan)
{
	struct spf_request request;

	if (!scan_authenticates(scan) || !scan->client.ip.family)
		return;
	spf_request_of(scan, &request);
	spf_want(&request, scan->dns, scan->arena);
}

static void
at_mail(struct scan *scan)
{
	want_spf(scan);
}

static void
at_end_of_headers(struct scan *scan)
{
	scan_client_find(scan);
	if (!scan_authenticates(scan))
		return;
	if (scan->direction == DIRECTION_RELAY)
		want_spf(scan);
	scan->dkim = dkim_begin(message_headers(scan->message), scan->dns,
	    scan->hashes, scan->now, scan->arena);
	scan_want_dmarc(scan);
}

void
scan_stage(struct scan *scan, enum scan_stage stage)
{
	if (stage == SCAN_MAIL)
		at_mail(scan);
	else if (stage == SCAN_EOH) {
		at_end_of_headers(scan);
		scan_arc_begin(scan);
	}
	if (stage != SCAN_EOM)
		scan_iprev_stage(scan);
	scan_lists_stage(scan, stage);
}

void
scan_body(struct scan *scan, struct span chunk)
{
	bodyhash_update(scan->hashes, chunk);
}

void
scan_body_done(struct scan *scan)
{
	static const struct {
		unsigned lack;
		const char *name;
	} names[] = {
	    {MESSAGE_LACK_SIZE, "size"},
	    {MESSAGE_LACK_MEMORY, "memory"},
	    {MESSAGE_LACK_DISK, "disk"},
	};

	bodyhash_final(scan->hashes);
	yield_waiting(scan);
	scan->deadline = clock_deadline(scan->config->message_ms);
	scan->next_progress = clock_deadline(PROGRESS_MS);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (message_lacks(scan->message) & names[i].lack)
			scan_degrade(scan, names[i].name);
}

/* --- facts ---------------------------------------------------------------------------- */

struct span
scan_from_domain(struct scan *scan)
{
	const struct addr_list *from = message_from(scan->message);
	struct span domain;

	if (from->items.n == 0)
		return SPAN_NONE;
	/* One that is no name is shown as it stands. */
	if (domain_normalise(from->items.v[0].domain, scan->arena, &domain))
		return from->items.v[0].domain;
	return domain;
}

bool
scan_is_list(const struct scan *scan)
{
	const struct header_list *headers = message_headers(scan->message);

	return header_first(headers, SPAN("List-Id")) ||
	       header_first(headers, SPAN("List-Post"));
}

/* A fact that every field of says "does not apply" or "no memory". */
static const struct spf_facts spf_off = {.state = FACT_OFF};
static const struct spf_facts spf_broken = {.state = FACT_BROKEN};
static const struct scan_dkim_facts dkim_off = {.state = FACT_OFF};
static const struct scan_dkim_facts dkim_broken = {.state = FACT_BROKEN};

const struct spf_facts *
scan_spf(struct scan *scan)
{
	struct spf_request request;

	if (scan->spf)
		return scan->spf;
	if (!scan_authenticates(scan))
		return &spf_off;
	struct spf_facts *facts = arena_zalloc(scan->arena, sizeof *facts);
	if (!facts)
		return &spf_broken;
	scan->spf = facts;
	spf_request_of(scan, &request);
	facts->of_helo = request.mail_from.len == 0;
	spf_check(&request, scan->dns, scan->arena, &facts->mail);
	facts->state =
	    facts->mail.result == SPF_TEMPERROR ? FACT_LATER : FACT_DONE;
	if (facts->state == FACT_LATER)
		scan_degrade(scan, "dns");
	return facts;
}

const struct scan_dkim_facts *
scan_dkim(struct scan *scan)
{
	if (scan->dkim_facts)
		return scan->dkim_facts;
	if (!scan_authenticates(scan))
		return &dkim_off;
	struct scan_dkim_facts *facts =
	    arena_zalloc(scan->arena, sizeof *facts);
	if (!facts)
		return &dkim_broken;
	scan->dkim_facts = facts;
	facts->state = FACT_BROKEN;
	facts->dkim = dkim_end(scan->dkim, scan->arena);
	if (!facts->dkim)
		return facts;
	facts->state = FACT_DONE;
	for (size_t i = 0; i < facts->dkim->n; i++)
		if (facts->dkim->signatures[i].result == DKIM_TEMPERROR)
			facts->state = FACT_LATER;
	if (facts->state == FACT_LATER)
		scan_degrade(scan, "dns");
	return facts;
}
