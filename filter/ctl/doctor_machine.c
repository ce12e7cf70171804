#include "filter/ctl/doctor.h"

#include <sys/timex.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/ref.h"
#include "filter/service.h"

/* The machine: its clock, its resolver, and the threads that systemd allows. */

#define DNS_MS 3000
#define ASKED "com" /* its servers are known to every resolver */
#define UNIT "/sys/fs/cgroup/system.slice/assayd.service"
#define TASKS_OTHER 32

static void
check_clock(struct doctor *d)
{
	struct timex state = {.modes = 0};
	int64_t now = clock_wall();
	struct finding *f;

	if (now < REF_EPOCH || now >= REF_EPOCH + (INT64_C(1) << 31)) {
		f = doctor_add(d, DOCTOR_PROBLEM, "machine.clock", NOWHERE,
		    "the clock says %lld, which is not today", (long long)now);
		f->why = "refs, expiry of signatures and of all that is"
			 " remembered go by it";
		return;
	}
	if (adjtimex(&state) >= 0 && (state.status & STA_UNSYNC)) {
		f = doctor_add(d, DOCTOR_NOTE, "machine.clock", NOWHERE,
		    "nothing keeps the clock right (no NTP)");
		f->why = "signatures expire by it, and several machines agree"
			 " by it";
		return;
	}
	doctor_add(
	    d, DOCTOR_OK, "machine.clock", NOWHERE, "the clock is kept right");
}

static void
say_dns(struct doctor *d, enum dns_status status)
{
	if (status != DNS_TIMEOUT && status != DNS_SERVFAIL) {
		doctor_add(d, DOCTOR_OK, "machine.dns", NOWHERE,
		    "the resolver answers");
		return;
	}
	struct finding *f = doctor_add(d, DOCTOR_PROBLEM, "machine.dns",
	    NOWHERE, "the resolver gives no answer (%s for %s NS)",
	    dns_status_name(status), ASKED);
	f->why = "SPF, DKIM and DMARC end as temperror";
	f->into = "assay.conf";
	f->paste = SPAN("dns { nameservers = { 127.0.0.1 } }"
			"\t# one that is reachable\n");
}

static void
check_dns(struct doctor *d)
{
	struct dns_options options = d->settings->dns;
	struct dns *dns = NULL;
	struct err err;

	if (options.zone) {
		doctor_add(d, doctor_enforces(d) ? DOCTOR_PROBLEM : DOCTOR_NOTE,
		    "machine.dns", (struct doctor_where){options.zone, 0},
		    "all DNS answers come from this file")
		    ->why = "it is for tests: no sender is authenticated by"
			    " it";
		return;
	}
	options.timeout_ms = DNS_MS;
	if (dns_open(&options, &dns, &err)) {
		doctor_add(d, DOCTOR_PROBLEM, "machine.dns", NOWHERE,
		    "the resolver cannot be opened: %s", err.text);
		return;
	}
	/* A batch has to end before its resolver, hence an arena for it. */
	struct arena *arena = arena_new(0);
	struct dns_batch *batch =
	    arena ? dns_batch_new(dns, arena, DNS_MS, 1) : NULL;
	enum dns_status status = DNS_TIMEOUT;
	if (batch)
		status = dns_get(batch, SPAN(ASKED), DNS_NS)->status;
	say_dns(d, status);
	arena_free(arena);
	dns_close(dns);
}

static void
check_tasks(struct doctor *d)
{
	int64_t tasks = service_tasks_max_of(UNIT);
	unsigned sessions = d->settings->sessions;
	struct finding *f;

	if (access(UNIT, X_OK) != 0)
		return;
	if (tasks - TASKS_OTHER >= (int64_t)sessions) {
		doctor_add(d, DOCTOR_OK, "machine.tasks",
		    (struct doctor_where){"assayd.service", 0},
		    "threads for limits.sessions = %u", sessions);
		return;
	}
	f = doctor_add(d, DOCTOR_PROBLEM, "machine.tasks",
	    (struct doctor_where){"assayd.service", 0},
	    "TasksMax = %lld is too little for limits.sessions = %u",
	    (long long)tasks, sessions);
	f->why = "a session whose thread cannot be made hangs for ever";
	f->into = "systemctl edit assayd";
	f->paste = arena_printf(
	    d->arena, "[Service]\nTasksMax=%u\n", sessions + 2 * TASKS_OTHER);
}

void
doctor_machine(struct doctor *d)
{
	check_clock(d);
	check_dns(d);
	check_tasks(d);
}
