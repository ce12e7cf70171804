/* Any text gives a tree or errors with a place, and a tree can be typed. */
#include <stdint.h>

#include "filter/conf/option.h"

static const struct option options[] = {
    {"list", OPTION_LIST, "{ a }", 0, 0, NULL, "", 0},
    {"time", OPTION_TIME, "5s", 0, 0, NULL, "", 0},
    {"score", OPTION_SCORE_OFF, "off", 0, 0, NULL, "", 0},
    {"word", OPTION_WORD, "a", 0, 0, "a b", "", 0},
    OPTION_END,
};
static const struct option_section kind = {"s", "", options, true};
static const struct option_section *const kinds[] = {&kind};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf *conf = conf_new();
	struct section *sections;
	size_t n;

	if (!conf)
		return 0;
	if (conf_read_text(conf, "fuzz", span_make((const char *)data, size)) ==
	    0) {
		option_check_names(conf, kinds, 1);
		if (option_read(conf, &kind, NULL, &sections, &n) == 0)
			for (size_t i = 0; i < sections[0].n; i++)
				(void)option_format(
				    &sections[0].values[i], conf->arena);
	} else if (conf->errors.n == 0 && !arena_failed(conf->arena)) {
		__builtin_trap();
	}
	conf_free(conf);
	return 0;
}
