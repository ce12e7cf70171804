#include "tests/lib/fake_mta.h"

#include <assert.h>
#include <stdio.h>

/*
 * Checks on the way what every session must keep: values are ASCII, LF stands
 * before a blank only, replies are one line.
 */

void
fake_mta_init(struct fake_mta *fake)
{
	memset(fake, 0, sizeof *fake);
	buf_init(&fake->said, NULL, (size_t)16 * 1024 * 1024);
}

void
fake_mta_done(struct fake_mta *fake)
{
	buf_done(&fake->said);
}

void
fake_mta_forget(struct fake_mta *fake)
{
	buf_truncate(&fake->said, 0);
}

void
fake_mta_macro(struct fake_mta *fake, const char *name, const char *value)
{
	size_t free_slot = FAKE_MACROS, slot = FAKE_MACROS;

	for (size_t i = 0; i < FAKE_MACROS; i++) {
		if (!fake->macros[i].set)
			free_slot = i;
		else if (strcmp(fake->macros[i].name, name) == 0)
			slot = i;
	}
	if (slot == FAKE_MACROS)
		slot = free_slot;
	if (slot == FAKE_MACROS)
		return;
	fake->macros[slot].set = value != NULL;
	snprintf(fake->macros[slot].name, sizeof fake->macros[slot].name, "%s",
	    name);
	if (value)
		snprintf(fake->macros[slot].value,
		    sizeof fake->macros[slot].value, "%s", value);
}

static const char *
get_macro(void *ctx, const char *name)
{
	const struct fake_mta *fake = ctx;

	for (size_t i = 0; i < FAKE_MACROS; i++)
		if (fake->macros[i].set &&
		    strcmp(fake->macros[i].name, name) == 0)
			return fake->macros[i].value;
	return NULL;
}

static bool
is_clean(const char *text, bool folds)
{
	for (; *text; text++) {
		if (folds && *text == '\n' && ascii_is_blank(text[1]))
			continue;
		if (*text != '\t' &&
		    (ascii_is_control(*text) || ascii_is_8bit(*text)))
			return false;
	}
	return true;
}

static int
insert_header(void *ctx, const char *name, const char *value)
{
	struct fake_mta *fake = ctx;

	assert(is_clean(name, false) && is_clean(value, true));
	if (fake->refuse)
		return ERR_STATE;
	buf_printf(&fake->said, "insert %s:%s\n", name, value);
	return 0;
}

static int
change_header(void *ctx, const char *name, unsigned nth, const char *value)
{
	struct fake_mta *fake = ctx;

	assert(nth > 0 && (!value || is_clean(value, true)));
	if (fake->refuse)
		return ERR_STATE;
	if (value)
		buf_printf(&fake->said, "change %s %u:%s\n", name, nth, value);
	else
		buf_printf(&fake->said, "remove %s %u\n", name, nth);
	return 0;
}

static int
quarantine(void *ctx, const char *reason)
{
	struct fake_mta *fake = ctx;

	assert(is_clean(reason, false));
	if (fake->refuse)
		return ERR_STATE;
	buf_printf(&fake->said, "hold %s\n", reason);
	return 0;
}

static int
set_reply(void *ctx, const char *code, const char *status, const char *text)
{
	struct fake_mta *fake = ctx;

	assert(strlen(code) == 3 && code[0] == status[0]);
	assert(is_clean(text, false) && strlen(text) <= REPLY_TEXT_MAX);
	buf_printf(&fake->said, "reply %s %s %s\n", code, status, text);
	return 0;
}

static void
progress(void *ctx)
{
	((struct fake_mta *)ctx)->progress++;
}

struct mta
fake_mta_mta(struct fake_mta *fake, unsigned can)
{
	return (struct mta){
	    .can = can,
	    .ctx = fake,
	    .macro = get_macro,
	    .insert_header = insert_header,
	    .change_header = change_header,
	    .quarantine = quarantine,
	    .set_reply = set_reply,
	    .progress = progress,
	};
}
