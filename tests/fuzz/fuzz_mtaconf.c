/*
 * The MTAs' configurations as assay doctor reads them: whatever the text,
 * reading ends, what is found points into the arena, and values keep to their
 * limit. The first byte chooses the file.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "filter/ctl/place.h"
#include "filter/ctl/postconf.h"
#include "filter/ctl/sendmailcf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_value(const struct postconf *conf, const struct postconf_service *service,
    const char *name)
{
	struct postconf_value v = postconf_get(conf, service, name);
	struct postconf_milters milters = {0};
	int64_t ms;

	assert(v.text.len <= POSTCONF_VALUE_MAX);
	assert(v.file);
	postconf_split_milters(v.text, conf->arena, &milters);
	for (size_t i = 0; i < milters.n; i++) {
		struct span spec = milters.v[i].spec;
		assert(spec.len <= v.text.len);
		struct place place = place_of_postfix(spec);
		struct place ours = place_of_libmilter(spec);
		(void)place_meets(&place, &ours);
		assert(place_same_path(place.path, place.path));
		struct span whole =
		    place_join(SPAN("/q"), place.path, conf->arena);
		assert(!whole.p || span_starts(whole, SPAN("/q")));
	}
	if (postconf_time(v.text, &ms) == 0)
		assert(ms >= 0);
}

static void
read_postfix(struct span text, struct arena *arena)
{
	static const char *const names[] = {"smtpd_milters",
	    "non_smtpd_milters", "milter_default_action",
	    "milter_macro_daemon_name", "milter_content_timeout", "a"};
	struct postconf conf;

	postconf_init(&conf, arena, "main.cf", "master.cf");
	postconf_read_main(&conf, text);
	postconf_read_master(&conf, text);
	for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
		read_value(&conf, NULL, names[k]);
		for (size_t i = 0; i < conf.services.n && i < 8; i++)
			read_value(&conf, &conf.services.v[i], names[k]);
	}
	for (size_t i = 0; i < conf.services.n && i < 8; i++)
		(void)postconf_is_chrooted(&conf, &conf.services.v[i]);
}

static void
look_at(const struct sendmail_conf *conf)
{
	static const char letters[] = {'C', 'S', 'R', 'E'};
	int64_t ms;

	for (size_t i = 0; i < conf->filters.n; i++) {
		const struct sendmail_filter *x = &conf->filters.v[i];
		struct place place = place_of_libmilter(x->socket);
		(void)place_is_public(&place);
		assert(x->line > 0);
		for (size_t k = 0; k < sizeof letters; k++)
			if (sendmail_timeout(x->timeouts, letters[k], &ms) == 0)
				assert(ms >= 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(0);
	struct sendmail_conf conf;

	if (!arena || size == 0) {
		arena_free(arena);
		return 0;
	}
	struct span text = span_make((const char *)data + 1, size - 1);
	if (data[0] == 'p') {
		read_postfix(text, arena);
	} else if (data[0] == 'm') {
		sendmail_read_mc(text, arena, &conf);
		look_at(&conf);
	} else {
		sendmail_read_cf(text, arena, &conf);
		look_at(&conf);
	}
	arena_free(arena);
	return 0;
}
