#include "filter/stats.h"

#include <stdio.h>

#include "filter/registry.h"
#include "tests/lib/tap.h"

static void
test_causes(void)
{
	static struct stats stats;
	struct stats_cause causes[STATS_CAUSES];
	char name[100];

	stats_init(&stats, 1000);
	TAP_CASE("causes are counted by name")
	stats_degraded(&stats, "dns");
	stats_degraded(&stats, "dnsbl:zen");
	stats_degraded(&stats, "dns");
	CHECK_INT(stats_causes(&stats, causes), 2);
	CHECK_STR(span_of(causes[0].name), "dns");
	CHECK_INT(causes[0].count, 2);
	CHECK_INT(causes[1].count, 1);

	TAP_CASE("more causes than there is room for are counted together")
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "cause%d", i);
		stats_degraded(&stats, name);
	}
	CHECK_INT(stats_causes(&stats, causes), STATS_CAUSES);
	CHECK_STR(span_of(causes[STATS_CAUSES - 1].name), "other");
	CHECK_INT(causes[STATS_CAUSES - 1].count, 100 - (STATS_CAUSES - 3));

	TAP_CASE("a name longer than its room is cut, and is still itself")
	stats_done(&stats);
	stats = (struct stats){0};
	stats_init(&stats, 0);
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	stats_degraded(&stats, name);
	stats_degraded(&stats, name);
	CHECK_INT(stats_causes(&stats, causes), 1);
	CHECK_INT(causes[0].count, 2);

	TAP_CASE("deferring ends once its time is over")
	CHECK(!stats_defer_over(&stats, "clamav", 3600000));
	CHECK(!stats_defer_over(&stats, "clamav", 3600000));
	CHECK(stats_defer_over(&stats, "clamav", 0));
	stats_done(&stats);
}

static void
test_messages(void)
{
	static struct stats stats;
	struct verdict v = {.action = ACTION_ACCEPT, .would = ACTION_REJECT};

	stats_init(&stats, 0);
	TAP_CASE("messages are counted by direction, action and what would be")
	stats_message(&stats, DIRECTION_IN, &v, 0);
	stats_message(&stats, DIRECTION_OUT, &v, 5);
	v.would = ACTION_ACCEPT;
	stats_message(&stats, DIRECTION_IN, &v, INT64_C(1) << 40);
	CHECK_INT(stats.actions[0][ACTION_ACCEPT], 2);
	CHECK_INT(stats.actions[1][ACTION_ACCEPT], 1);
	CHECK_INT(stats.would[ACTION_REJECT], 2);

	TAP_CASE("times fall into buckets of doubling width")
	CHECK_INT(stats.latency[0], 1);
	CHECK_INT(stats.latency[3], 1);
	CHECK_INT(stats.latency[STATS_BUCKETS - 1], 1);
	CHECK_INT(stats_bucket_ms(0), 1);
	CHECK_INT(stats_bucket_ms(3), 8);
	CHECK_INT(stats_bucket_ms(STATS_BUCKETS - 1), 0);
	stats_done(&stats);
}

static void
test_registry(void)
{
	static struct registry registry;
	struct registry_link a, b, c;

	registry_init(&registry);
	TAP_CASE("no more than the limit are admitted")
	CHECK(registry_admit(&registry, 2));
	CHECK(registry_admit(&registry, 2));
	CHECK(!registry_admit(&registry, 2));
	CHECK_INT(registry.turned_away, 1);
	CHECK_INT(registry.sessions, 2);
	registry_leave(&registry);
	CHECK(registry_admit(&registry, 2));
	CHECK_INT(registry.sessions_max, 2);
	CHECK_INT(registry.admitted, 3);

	TAP_CASE("sessions are found until they go, in any order")
	registry_add(&registry, &a);
	registry_add(&registry, &b);
	registry_add(&registry, &c);
	CHECK(
	    registry.all.next == &a && a.next == &b && c.next == &registry.all);
	registry_remove(&registry, &b);
	CHECK(a.next == &c && c.prev == &a);
	registry_remove(&registry, &a);
	registry_remove(&registry, &c);
	CHECK(registry.all.next == &registry.all);
	registry_done(&registry);
}

int
main(void)
{
	test_causes();
	test_messages();
	test_registry();
	return tap_done();
}
