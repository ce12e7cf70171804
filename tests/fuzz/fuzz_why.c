/* What `assay why` reads from people and bounces: refs, ids, times; and what a
 * record's texts come out as. */
#include <assert.h>

#include "filter/ctl/when.h"
#include "filter/ctl/why.h"
#include "tests/unit/recordkit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ref_key key = {{7, 7, 7}};

static void
check_terms(const struct why_terms *terms, size_t most)
{
	uint64_t id;

	assert(terms->n <= most);
	for (size_t i = 0; i < terms->n; i++) {
		const struct why_term *t = &terms->v[i];
		assert(t->text.len > 0);
		assert(t->kind != WHY_REF || t->id >> REF_BITS == 0);
		/* What is taken for an ASCII ref is one. */
		if (t->kind == WHY_REF && span_is_ascii(t->text))
			assert(
			    ref_parse(&key, t->text, &id) == 0 && id == t->id);
	}
}

static void
check_clean(const struct buf *out, bool lines)
{
	assert(!buf_failed(out) && span_is_utf8(buf_span(out)));
	for (size_t i = 0; i < out->len; i++)
		assert(!ascii_is_control(out->p[i]) || out->p[i] == '\n' ||
		       (!lines && out->p[i] == '\r'));
}

static void
check_record(struct span text, struct arena *arena)
{
	struct record r = kit_record();
	struct log_view view = {LOG_TEXT, false, &key, arena};
	struct why_view words = {&key, arena, NULL, NULL};
	struct buf out;

	for (const struct record_field *f = record_fields; f->name; f++)
		if (f->type == RECORD_TEXT)
			record_set_text(&r, f, text);
	for (int form = LOG_TEXT; form <= LOG_CSV; form++) {
		view.form = (enum log_form)form;
		buf_init(&out, NULL, (size_t)1 << 24);
		log_format(&out, &view, &r);
		check_clean(&out, form != LOG_CSV);
		if (form == LOG_CSV)
			assert(span_find_char(buf_span(&out), '\n') ==
			       out.len - 1);
		buf_done(&out);
	}
	buf_init(&out, NULL, (size_t)1 << 24);
	why_text(&out, &words, &r);
	check_clean(&out, true);
	buf_done(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(0);
	struct span text = span_make((const char *)data, size);
	struct why_terms terms;
	int64_t time;

	if (!arena)
		return 0;
	why_terms_in(text, &key, arena, &terms);
	check_terms(&terms, 3 * WHY_TERMS_MAX);
	why_terms_in(text, NULL, arena, &terms);
	check_terms(&terms, 2 * WHY_TERMS_MAX);
	why_terms_of(text, &key, arena, &terms);
	check_terms(&terms, 3);
	(void)why_is_misread_ref(text, &key);
	if (when_parse(text, KIT_TIME, &time, NULL) != 0)
		time = 0;
	check_record(span_head(text, 2000), arena);
	arena_free(arena);
	return 0;
}
