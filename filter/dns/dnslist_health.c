#include "filter/dns/dnslist.h"

#include <stdlib.h>

/*
 * What the process knows of each list's honesty. A list is on; or off until a
 * time; or off and due to be tried. Off lists cost nothing: a dead one its
 * timeout three times, one that refuses a single message. After that time the
 * next message carries the questions for its test points, waits for neither,
 * and the list is on again once they are right. One that has none is asked
 * about that message itself.
 *
 * The off time doubles while a list fails soon after it came back, and starts
 * anew when it was good for twice as long as it had been off.
 */

#define FAILURES_MAX 3 /* in a row, over all messages */
#define OFF_MAX_MS ((int64_t)4 * 3600 * 1000)
#define TEST_EVERY_MS ((int64_t)3600 * 1000) /* while all is well */

struct dnslist_health {
	struct dnslist_health *next;
	struct dnslist_table *table; /* whose lock guards what follows */
	bool has_test;
	int64_t retry_ms;
	int64_t off_until; /* 0: on */
	int64_t off_ms;    /* the last length */
	int64_t on_since;  /* since it came back */
	int64_t test_at;   /* 0: as soon as possible */
	unsigned failures;
	enum dnslist_event cause;
	size_t name_len;
	size_t key_len;
	char key[]; /* the name, a blank, the zone */
};

void
dnslist_table_init(struct dnslist_table *table)
{
	lock_init(&table->lock, LOCK_DNS_CACHE);
	table->first = NULL;
}

void
dnslist_table_done(struct dnslist_table *table)
{
	while (table->first) {
		struct dnslist_health *health = table->first;
		table->first = health->next;
		free(health);
	}
	lock_done(&table->lock);
}

static bool
is_of(const struct dnslist_health *health, const struct dnslist *list)
{
	struct span name = span_make(health->key, health->name_len);
	struct span zone = span_skip(
	    span_make(health->key, health->key_len), health->name_len + 1);

	return span_eq(name, list->name) && span_eq(zone, list->zone);
}

static struct dnslist_health *
add(struct dnslist_table *table, const struct dnslist *list)
{
	size_t len = list->name.len + 1 + list->zone.len;
	struct dnslist_health *health = calloc(1, sizeof *health + len);

	if (!health)
		return NULL;
	health->table = table;
	health->name_len = list->name.len;
	health->key_len = len;
	memcpy(health->key, list->name.p, list->name.len);
	health->key[list->name.len] = ' ';
	memcpy(health->key + list->name.len + 1, list->zone.p, list->zone.len);
	health->next = table->first;
	table->first = health;
	return health;
}

struct dnslist_health *
dnslist_health(struct dns *dns, const struct dnslist *list)
{
	struct dnslist_table *table = dns_lists(dns);
	struct dnslist_health *health;

	lock_take(&table->lock);
	for (health = table->first; health && !is_of(health, list);)
		health = health->next;
	if (!health)
		health = add(table, list);
	if (health) { /* a reload may have changed these */
		health->has_test =
		    list->test_listed.len || list->test_clean.len;
		health->retry_ms = list->retry_ms;
	}
	lock_drop(&table->lock);
	return health;
}

struct dnslist_turn
dnslist_begin(struct dnslist_health *health, int64_t now)
{
	struct dnslist_turn turn = {false, false};

	lock_take(&health->table->lock);
	if (health->off_until <= now) {
		turn.ask = health->off_until == 0 || !health->has_test;
		turn.test = health->has_test && health->test_at <= now;
	}
	lock_drop(&health->table->lock);
	return turn;
}

static int64_t
turn_off(struct dnslist_health *health, enum dnslist_event cause, int64_t now)
{
	bool flaps =
	    health->off_ms &&
	    (health->off_until || now - health->on_since < 2 * health->off_ms);
	int64_t ms = flaps ? 2 * health->off_ms : health->retry_ms;

	health->off_ms = ms < OFF_MAX_MS ? ms : OFF_MAX_MS;
	health->off_until = now + health->off_ms;
	health->test_at = 0;
	health->failures = 0;
	health->cause = cause;
	return health->off_ms;
}

static void
turn_on(struct dnslist_health *health, int64_t now)
{
	health->off_until = 0;
	health->on_since = now;
}

/* Under the lock; an event of a list that is off came too late to count. */
static int64_t
note(struct dnslist_health *health, enum dnslist_event event, int64_t now)
{
	bool trial = health->off_until != 0;

	switch (event) {
	case DNSLIST_EVENT_GOOD:
		health->failures = 0;
		if (trial && !health->has_test)
			turn_on(health, now);
		return 0;
	case DNSLIST_EVENT_TEST_GOOD:
		health->failures = 0;
		health->test_at = now + TEST_EVERY_MS;
		if (trial)
			turn_on(health, now);
		return 0;
	case DNSLIST_EVENT_FAILED:
		health->failures++;
		if (trial || health->failures >= FAILURES_MAX)
			return turn_off(health, event, now);
		/* The cache has the failed test points for a while: they would
		 * count for each message. */
		health->test_at = now + health->retry_ms;
		return 0;
	case DNSLIST_EVENT_REFUSED:
	case DNSLIST_EVENT_EVERYTHING:
	case DNSLIST_EVENT_NOTHING:
	case DNSLIST_EVENT_FOREIGN:
		return turn_off(health, event, now);
	}
	return 0;
}

int64_t
dnslist_tell(
    struct dnslist_health *health, enum dnslist_event event, int64_t now)
{
	int64_t off_ms = 0;

	lock_take(&health->table->lock);
	if (health->off_until <= now)
		off_ms = note(health, event, now);
	lock_drop(&health->table->lock);
	return off_ms;
}

const char *
dnslist_event_name(enum dnslist_event event)
{
	static const char *const names[] = {
	    [DNSLIST_EVENT_GOOD] = "good",
	    [DNSLIST_EVENT_FAILED] = "no-answer",
	    [DNSLIST_EVENT_TEST_GOOD] = "good",
	    [DNSLIST_EVENT_REFUSED] = "refused",
	    [DNSLIST_EVENT_EVERYTHING] = "lists-everything",
	    [DNSLIST_EVENT_NOTHING] = "lists-nothing",
	    [DNSLIST_EVENT_FOREIGN] = "foreign-answer",
	};

	return names[event];
}

size_t
dnslist_states(
    struct dns *dns, int64_t now, struct dnslist_state *ret, size_t max)
{
	struct dnslist_table *table = dns_lists(dns);
	size_t n = 0;

	lock_take(&table->lock);
	for (struct dnslist_health *h = table->first; h && n < max;
	     h = h->next) {
		struct dnslist_state *state = &ret[n++];
		*state = (struct dnslist_state){.cause = h->cause};
		(void)span_copy(span_make(h->key, h->name_len), state->name,
		    sizeof state->name);
		if (h->off_until)
			state->off_ms =
			    h->off_until > now ? h->off_until - now : 1;
	}
	lock_drop(&table->lock);
	return n;
}
