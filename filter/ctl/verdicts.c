#include "filter/ctl/verdicts.h"

#include "filter/state.h"

/*
 * Opening the verdict log from the command line. Rules are read only to
 * describe symbols; when they cannot be, that is no reason to say nothing.
 */

static void
quiet(void *arg, bool warning, const char *text)
{
	(void)arg;
	(void)warning;
	(void)text;
}

static struct snapshot *
load(const struct ctl *ctl, bool rules)
{
	struct settings_source source = ctl_source(ctl);
	struct snapshot *snapshot =
	    rules ? snapshot_load(&source, quiet, NULL) : NULL;

	if (snapshot)
		return snapshot;
	source.no_rules = true;
	return snapshot_load(&source, ctl_report, NULL);
}

int
verdicts_open(const struct ctl *ctl, bool rules, struct verdicts *ret)
{
	struct verdicts v = {.arena = arena_new(0)};

	*ret = v;
	if (!v.arena)
		return ctl_fail(ctl, EX_OSERR, "out of memory");
	ret->snapshot = load(ctl, rules);
	if (!ret->snapshot)
		return EX_CONFIG;
	const struct settings *settings = &ret->snapshot->settings;
	const char *state = arena_cstr(ret->arena, settings->state);
	ret->folder = state_path(settings, STATE_VERDICTS, ret->arena);
	if (!state || !ret->folder)
		return ctl_fail(ctl, EX_OSERR, "out of memory");
	if (ref_key_read(state, &ret->key_room, &ret->key_err) == 0)
		ret->key = &ret->key_room;
	return EX_OK;
}

void
verdicts_close(struct verdicts *v)
{
	snapshot_unref(v->snapshot);
	arena_free(v->arena);
}

static int
status_of(int rc)
{
	switch (rc) {
	case 0:
		return EX_OK;
	case ERR_ACCESS:
		return EX_NOPERM;
	case ERR_INVALID:
		return EX_DATAERR;
	case ERR_NOMEM:
		return EX_OSERR;
	default:
		return EX_IOERR;
	}
}

int
verdicts_read(const struct ctl *ctl, struct verdicts *v,
    const struct verdictlog_query *query, verdictlog_fn *fn, void *arg)
{
	struct err err;
	int rc = verdictlog_read(v->folder, query, fn, arg, &err);

	if (rc && !v->told)
		(void)ctl_fail(ctl, EX_OK, "%s%s", err.text,
		    rc == ERR_ACCESS ? "; root and the group " ASSAY_USER
				       " may read the log"
				     : "");
	v->told = v->told || rc;
	return status_of(rc);
}
