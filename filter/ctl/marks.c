#include "filter/ctl/marks.h"

#include <stdlib.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/ctl/call.h"
#include "filter/privilege.h"
#include "filter/ref.h"
#include "filter/state.h"

/*
 * See the header. Who else has the store open decides who writes: each change
 * asks for assayd anew, since it may be started or stopped meanwhile.
 */

#define LOCK_WAIT_MS 5000
#define BOUNCE_TRIES 10

static int
status_of(int rc)
{
	return rc == ERR_ACCESS ? EX_NOPERM : EX_UNAVAILABLE;
}

/* --- changing ---------------------------------------------------------------------- */

static int
set_by_daemon(
    const struct marks *marks, const struct report_mark *mark, bool *ret_done)
{
	json_t *request = json_pack("{s:s, s:s, s:s, s:I}", "request", "mark",
	    "name", mark->name, "to", mark->to, "expires",
	    (json_int_t)mark->expires);
	json_t *reply;

	json_object_set_new(
	    request, "from", mark->had ? json_string(mark->from) : json_null());
	char *line = json_dumps(request, JSON_COMPACT | JSON_ENSURE_ASCII);
	struct buf text;
	buf_init(&text, NULL, 4096);
	buf_add_str(&text, line ? line : "");
	buf_add_char(&text, '\n');
	free(line);
	json_decref(request);
	int status = call_daemon(marks->ctl, marks->settings->control,
	    buf_str(&text), -1, true, &reply);
	buf_done(&text);
	if (status)
		return status;
	status = call_error(marks->ctl, reply);
	*ret_done = json_is_true(json_object_get(reply, "done"));
	json_decref(reply);
	/* That it listens and cannot do it is no reason to do it beside it. */
	return status == EX_UNAVAILABLE ? EX_TEMPFAIL : status;
}

static int
set_locked(const struct settings *settings, const struct report_mark *mark,
    bool *ret_done, struct err *err)
{
	struct store *store;
	int lock;
	int rc = state_lock(settings, LOCK_WAIT_MS, &lock, err);

	if (rc)
		return rc;
	rc = state_open_store(settings, false, &store, err);
	if (rc == 0) {
		rc = report_mark_set(store, mark, clock_wall(), ret_done, err);
		store_close(store);
	}
	close(lock);
	return rc;
}

static int
set_by_ourselves(
    const struct marks *marks, const struct report_mark *mark, bool *ret_done)
{
	char path[4096];
	struct err err;
	int rc = state_make(marks->settings, &err);

	if (rc == 0) {
		if (span_copy(marks->settings->state, path, sizeof path))
			privilege_borrow(path);
		rc = set_locked(marks->settings, mark, ret_done, &err);
		privilege_return();
	}
	return rc ? ctl_fail(marks->ctl, status_of(rc), "%s", err.text) : EX_OK;
}

int
marks_set(
    const struct marks *marks, const struct report_mark *mark, bool *ret_done)
{
	int status = set_by_daemon(marks, mark, ret_done);

	return status == EX_UNAVAILABLE
		   ? set_by_ourselves(marks, mark, ret_done)
		   : status;
}

/* --- reading ----------------------------------------------------------------------- */

int
marks_open_store(const struct marks *marks, struct store **ret)
{
	struct err err;
	int rc = state_open_store(marks->settings, true, ret, &err);

	if (rc == 0)
		return EX_OK;
	*ret = NULL;
	if (rc == ERR_NOTFOUND)
		return EX_OK;
	return ctl_fail(marks->ctl, status_of(rc), "%s", err.text);
}

struct reading {
	struct arena *arena;
	struct map *map;
	bool failed;
};

static bool
take_mark(void *arg, const struct store_entry *entry)
{
	struct reading *r = arg;
	struct span *value = arena_alloc(r->arena, sizeof *value);
	struct span name = arena_span(r->arena, entry->name);

	if (!value || !name.p) {
		r->failed = true;
		return false;
	}
	*value = arena_span(r->arena, entry->value);
	r->failed = !value->p || map_put(r->map, name, value);
	return !r->failed;
}

int
marks_read(const struct marks *marks, struct span prefix, struct arena *arena,
    struct map *ret)
{
	struct reading reading = {arena, ret, false};
	struct store *store;
	struct err err;
	int status = marks_open_store(marks, &store);

	if (status || !store)
		return status;
	int rc = store_each(store, STORE_MARK, prefix, clock_wall(),
	    clock_deadline(MARKS_STORE_MS), take_mark, &reading, &err);
	if (rc)
		status = ctl_fail(marks->ctl, status_of(rc), "%s", err.text);
	else if (reading.failed)
		status = ctl_fail(marks->ctl, EX_OSERR, "out of memory");
	store_close(store);
	return status;
}

struct span
marks_get(const struct map *map, struct span name)
{
	const struct span *value = map_get(map, name);

	return value ? *value : SPAN_NONE;
}

static int
read_one(const struct marks *marks, const char *name, struct arena *arena,
    struct span *ret)
{
	struct map map;

	map_init(&map, arena, false);
	int status = marks_read(marks, span_of(name), arena, &map);
	*ret = marks_get(&map, span_of(name));
	return status;
}

/* --- the secret ---------------------------------------------------------------------- */

static bool
parse_secret(struct span text, struct report_secret *ret)
{
	if (text.len != 2 * (size_t)REPORT_SECRET_SIZE)
		return false;
	for (size_t i = 0; i < REPORT_SECRET_SIZE; i++) {
		int high = ascii_hex(text.p[2 * i]);
		int low = ascii_hex(text.p[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		ret->bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static int
keep_secret(const struct marks *marks, const struct ref_key *random)
{
	struct report_mark mark = {.name = "secret"};
	struct buf hex;
	bool done;

	buf_init(&hex, NULL, REPORT_MARK_VALUE_MAX);
	for (size_t i = 0; i < sizeof random->bytes; i++)
		buf_printf(&hex, "%02x", random->bytes[i]);
	(void)span_copy(buf_span(&hex), mark.to, sizeof mark.to);
	buf_done(&hex);
	/* Not done: another one was quicker, and its secret is ours. */
	return marks_set(marks, &mark, &done);
}

_Static_assert(REPORT_SECRET_SIZE == REF_KEY_SIZE, "one source of secrets");

int
marks_secret(const struct marks *marks, bool make, struct arena *arena,
    struct report_secret *ret)
{
	struct ref_key random;
	struct span text;
	struct err err;
	int status = read_one(marks, "secret", arena, &text);

	if (status == EX_OK && !text.p) {
		if (ref_key_random(&random, &err))
			return ctl_fail(marks->ctl, EX_OSERR, "%s", err.text);
		memcpy(ret->bytes, random.bytes, sizeof ret->bytes);
		if (!make)
			return EX_OK;
		status = keep_secret(marks, &random);
		if (status == EX_OK)
			status = read_one(marks, "secret", arena, &text);
	}
	if (status == EX_OK && !parse_secret(text, ret))
		status = ctl_fail(marks->ctl, EX_DATAERR,
		    "the store's secret of reports is damaged");
	return status;
}

/* --- bounces ------------------------------------------------------------------------- */

static int
add_bounce(const struct marks *marks, struct span address, int64_t now,
    struct span before, const char *name, uint64_t *ret_n, bool *ret_done)
{
	struct report_mark mark = {.had = before.p != NULL,
	    .expires = now + INT64_C(86400) * REPORT_BOUNCE_DAYS};
	struct report_bounces bounces = {0};

	if (before.p && report_bounces_read(&bounces, before))
		bounces.n = 0;
	bounces.n++;
	bounces.time = now;
	bounces.address = address;
	report_bounces_write(&bounces, mark.to);
	(void)span_copy(span_of(name), mark.name, sizeof mark.name);
	(void)span_copy(before, mark.from, sizeof mark.from);
	*ret_n = bounces.n;
	return marks_set(marks, &mark, ret_done);
}

int
marks_bounce(const struct marks *marks, struct span address,
    struct arena *arena, int64_t now, uint64_t *ret_n)
{
	char digest[REPORT_ADDRESS_SIZE], name[REPORT_ADDRESS_SIZE + 2];
	struct span before;
	bool done = false;
	int status = EX_OK;

	report_address_name(address, digest);
	snprintf(name, sizeof name, "b:%s", digest);
	for (int i = 0; i < BOUNCE_TRIES && !done && status == EX_OK; i++) {
		status = read_one(marks, name, arena, &before);
		if (status == EX_OK)
			status = add_bounce(
			    marks, address, now, before, name, ret_n, &done);
	}
	if (status == EX_OK && !done)
		status = ctl_fail(marks->ctl, EX_TEMPFAIL,
		    "the bounces of %.*s change too fast", SPAN_ARG(address));
	return status;
}
