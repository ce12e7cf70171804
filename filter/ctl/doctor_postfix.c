#include "filter/ctl/doctor.h"
#include "filter/ctl/place.h"
#include "filter/ctl/postconf.h"

/*
 * Postfix: does each smtpd hand its mail to our socket, can it reach it, and
 * does what happens without us fit the mode? Of two services with the same
 * mistake from one line of main.cf one finding is made.
 */

#define MIN_PROTOCOL 6 /* leading blanks of fields, replies waived */
#define SPARE_MS 5000  /* on top of limits.message_time */
#define COMMAND_MIN_MS 5000

struct look {
	struct doctor *d;
	struct postconf conf;
	struct place ours;
	struct span queue; /* queue_directory */
	bool named;        /* some smtpd hands its mail to us */
	bool nearly;       /* some tries to */
};

static struct doctor_where
value_where(const struct look *l, const struct postconf_value *v)
{
	return v->line ? (struct doctor_where){v->file, v->line}
		       : (struct doctor_where){l->conf.main_path, 0};
}

static struct doctor_where
service_where(const struct look *l, const struct postconf_service *s)
{
	return (struct doctor_where){l->conf.master_path, s->line};
}

static bool
is_one_of(struct span s, const char *const *names)
{
	for (; *names; names++)
		if (span_caseis(s, *names))
			return true;
	return false;
}

/* The port or its name out of "smtp", "25", "127.0.0.1:10026". */
static struct span
service_port(const struct postconf_service *s)
{
	size_t colon = span_rfind_char(s->name, ':');

	return colon == SPAN_NPOS ? s->name : span_skip(s->name, colon + 1);
}

/* The port for mail from other servers; postscreen hands over by "pass". */
static bool
is_public(const struct postconf_service *s)
{
	static const char *const ports[] = {"smtp", "25", NULL};
	size_t colon = span_rfind_char(s->name, ':');

	if (colon != SPAN_NPOS && place_is_loopback(span_head(s->name, colon)))
		return false;
	return span_is(s->type, "pass") || is_one_of(service_port(s), ports);
}

static bool
is_submission(const struct postconf_service *s)
{
	static const char *const ports[] = {
	    "submission", "587", "submissions", "smtps", "465", NULL};

	return span_is(s->type, "inet") && is_one_of(service_port(s), ports);
}

/* Bound to loopback: where a content filter gives mail back. */
static bool
is_inner(const struct postconf_service *s)
{
	size_t colon = span_rfind_char(s->name, ':');

	return colon != SPAN_NPOS &&
	       place_is_loopback(span_head(s->name, colon));
}

/* --- where a milter's entry leads ------------------------------------------------- */

/* The absolute path that a service opens: a relative one starts at the queue,
 * and so does every path in a chroot. */
static struct place
resolve(const struct look *l, struct span spec, bool chrooted)
{
	struct place p = place_of_postfix(spec);

	if (p.kind == PLACE_UNIX &&
	    (chrooted || !span_starts(p.path, SPAN("/"))))
		p.path = place_join(l->queue, p.path, l->d->arena);
	return p;
}

/* How main.cf would name our socket; empty: a chroot cannot reach it. */
static struct span
our_spec(const struct look *l, bool chrooted)
{
	struct arena *arena = l->d->arena;
	struct span below;

	if (l->ours.kind == PLACE_INET)
		return arena_printf(arena, "inet:%.*s:%.*s",
		    SPAN_ARG(place_is_loopback(l->ours.host)
				 ? l->ours.host
				 : SPAN("127.0.0.1")),
		    SPAN_ARG(l->ours.port));
	if (l->ours.kind != PLACE_UNIX)
		return SPAN_NONE;
	below = place_below(l->ours.path, l->queue, arena);
	if (below.len)
		return arena_printf(arena, "unix:%.*s", SPAN_ARG(below));
	if (chrooted)
		return SPAN_NONE;
	return arena_printf(arena, "unix:%.*s", SPAN_ARG(l->ours.path));
}

/* An entry that means us: our very path, or one called so (assay/x, assay.x). */
static bool
looks_like_us(const struct place *theirs, const struct place *ours)
{
	struct span file = theirs->path;

	if (theirs->kind != PLACE_UNIX)
		return false;
	if (ours->kind == PLACE_UNIX && place_same_path(file, ours->path))
		return true;
	size_t slash = span_rfind_char(file, '/');
	struct span folder =
	    slash == SPAN_NPOS ? SPAN_NONE : span_head(file, slash);
	if (slash != SPAN_NPOS)
		file = span_skip(file, slash + 1);
	return span_is(folder, "assay") || span_ends(folder, SPAN("/assay")) ||
	       span_starts(file, SPAN("assay"));
}

/* The milters of a list but those that mean us, each with ", " behind it. */
static struct span
others(const struct look *l, const struct postconf_milters *list)
{
	struct span text = SPAN("");

	for (size_t i = 0; i < list->n; i++) {
		struct place place = place_of_postfix(list->v[i].spec);
		if (!looks_like_us(&place, &l->ours))
			text = arena_printf(l->d->arena, "%.*s%.*s, ",
			    SPAN_ARG(text), SPAN_ARG(list->v[i].entry));
	}
	return text;
}

/* What to paste so that Postfix finds us, beside the milters that it has. */
static void
paste_spec(struct look *l, struct finding *f,
    const struct postconf_milters *list, bool chrooted)
{
	struct arena *arena = l->d->arena;
	struct span spec = our_spec(l, chrooted), before = others(l, list);

	struct span more = SPAN("");

	/* A chroot reaches nothing outside: the socket has to move. */
	if (!spec.len) {
		spec = SPAN("unix:assay/milter.sock");
		more = arena_printf(arena,
		    "# and into assay.conf:\n"
		    "# milter { socket ="
		    " \"unix:%.*s/assay/milter.sock\" }\n",
		    SPAN_ARG(l->queue));
	}
	f->into = "main.cf";
	f->paste = arena_printf(arena,
	    "smtpd_milters = %.*s%.*s\n"
	    "non_smtpd_milters = $smtpd_milters\n"
	    "milter_default_action = %s\n%.*s",
	    SPAN_ARG(before), SPAN_ARG(spec),
	    doctor_enforces(l->d) ? "tempfail" : "accept", SPAN_ARG(more));
}

/* An entry that means us and leads elsewhere. */
static void
say_elsewhere(struct look *l, const struct postconf_service *s,
    struct doctor_where where, const struct postconf_milters *list,
    const struct postconf_milter *m)
{
	bool chrooted = postconf_is_chrooted(&l->conf, s);
	struct span spec = m->spec;
	struct place reached = resolve(l, spec, chrooted);
	struct place written = place_of_postfix(spec);
	struct finding *f;

	l->nearly = true;
	if (chrooted && l->ours.kind == PLACE_UNIX &&
	    place_same_path(written.path, l->ours.path)) {
		f = doctor_add(l->d, DOCTOR_PROBLEM, "postfix.chroot", where,
		    "%.*s runs in a chroot, where %.*s means %.*s",
		    SPAN_ARG(s->command), SPAN_ARG(spec),
		    SPAN_ARG(reached.path));
		f->why = "it finds no socket there: milter_default_action"
			 " decides on all mail";
	} else {
		f = doctor_add(l->d, DOCTOR_PROBLEM, "postfix.milters", where,
		    "%.*s leads to %.*s, but milter.socket is %.*s",
		    SPAN_ARG(spec), SPAN_ARG(reached.path),
		    SPAN_ARG(l->d->settings->socket));
		f->why = "nobody of ours listens there, unless systemd holds"
			 " it: name the same place twice";
	}
	paste_spec(l, f, list, chrooted);
}

/* --- what holds for an entry that is ours ------------------------------------------ */

static struct span
own_or(struct span own, struct span general)
{
	return own.p ? own : general;
}

static void
check_action(struct look *l, struct doctor_where where, struct span action)
{
	bool enforce = doctor_enforces(l->d);
	const char *want = enforce ? "tempfail" : "accept";
	struct finding *f;

	if (span_caseis(action, want) ||
	    (enforce && span_caseis(action, "shutdown"))) {
		doctor_add(l->d, DOCTOR_OK, "postfix.default_action", where,
		    "milter_default_action = %.*s fits mode = %s",
		    SPAN_ARG(action), enforce ? "enforce" : "observe");
		return;
	}
	f = doctor_add(l->d, DOCTOR_PROBLEM, "postfix.default_action", where,
	    "milter_default_action = %.*s does not fit mode = %s",
	    SPAN_ARG(action), enforce ? "enforce" : "observe");
	f->why = "while assayd does not run, mail is deferred, though it only"
		 " observes";
	if (span_caseis(action, "reject"))
		f->why = "while assayd does not run, all mail is refused for"
			 " good";
	else if (enforce && span_caseis(action, "accept"))
		f->why = "while assayd does not run, all mail passes"
			 " unchecked";
	else if (span_caseis(action, "quarantine"))
		f->why = "while assayd does not run, all mail is put on hold";
	f->into = "main.cf";
	f->paste =
	    arena_printf(l->d->arena, "milter_default_action = %s\n", want);
}

static void
check_time(struct look *l, struct doctor_where where, const char *name,
    struct span text, int64_t least_ms)
{
	struct finding *f;
	int64_t ms;

	if (postconf_time(text, &ms)) {
		doctor_add(l->d, DOCTOR_NOTE, "postfix.timeouts", where,
		    "%s = %.*s is not understood", name, SPAN_ARG(text));
		return;
	}
	if (ms >= least_ms)
		return;
	f = doctor_add(l->d, DOCTOR_PROBLEM, "postfix.timeouts", where,
	    "%s = %.*s is shorter than assayd may take", name, SPAN_ARG(text));
	f->why = "Postfix gives up before the answer comes, and"
		 " milter_default_action decides";
	f->into = "main.cf";
	f->paste = arena_printf(l->d->arena, "%s = %llds\n", name,
	    (long long)(least_ms + 999) / 1000);
}

static void
check_times(struct look *l, const struct postconf_service *s,
    const struct postconf_milter *m)
{
	const struct {
		const char *name;
		struct span own;
		int64_t least_ms;
	} times[] = {
	    {"milter_connect_timeout", m->connect_timeout, COMMAND_MIN_MS},
	    {"milter_command_timeout", m->command_timeout, COMMAND_MIN_MS},
	    {"milter_content_timeout", m->content_timeout,
		l->d->settings->message_ms + SPARE_MS},
	};

	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		struct postconf_value v =
		    postconf_get(&l->conf, s, times[i].name);
		check_time(l, value_where(l, &v), times[i].name,
		    own_or(times[i].own, v.text), times[i].least_ms);
	}
}

static void
check_protocol(struct look *l, const struct postconf_service *s)
{
	struct postconf_value v = postconf_get(&l->conf, s, "milter_protocol");
	uint64_t n;

	/* Old notes: "6", "2 no_header". The number comes first. */
	struct span rest = v.text;
	if (span_to_u64(span_word(&rest), &n) || n >= MIN_PROTOCOL)
		return;
	struct finding *f = doctor_add(l->d, DOCTOR_PROBLEM, "postfix.protocol",
	    value_where(l, &v), "milter_protocol = %.*s is too old",
	    SPAN_ARG(v.text));
	f->why = "header fields come without their leading blanks, so that"
		 " genuine DKIM signatures fail";
	f->into = "main.cf";
	f->paste = SPAN("milter_protocol = 6\n");
}

/* --- who sends ----------------------------------------------------------------------- */

static bool
is_originating(const struct look *l, struct span name)
{
	const struct option_value *list =
	    section_get(&l->d->settings->groups[SETTINGS_MILTER].sections[0],
		"originating");

	for (size_t i = 0; i < list->n; i++)
		if (span_caseeq(list->items[i], name))
			return true;
	return false;
}

static void
check_daemon_name(struct look *l, const struct postconf_service *s)
{
	struct postconf_value name =
	    postconf_get(&l->conf, s, "milter_macro_daemon_name");
	struct postconf_value sasl =
	    postconf_get(&l->conf, s, "smtpd_sasl_auth_enable");
	bool originating = is_originating(l, name.text);
	struct finding *f;

	if (is_public(s) && originating) {
		f = doctor_add(l->d, DOCTOR_PROBLEM, "postfix.daemon_name",
		    value_where(l, &name),
		    "mail from other servers has milter_macro_daemon_name ="
		    " %.*s",
		    SPAN_ARG(name.text));
		f->why = "it counts as outgoing: SPF, DMARC and lists are not"
			 " asked, nothing is tagged";
		f->into = "master.cf, below submission alone";
		f->paste = SPAN("  -o milter_macro_daemon_name=ORIGINATING\n");
	} else if (is_submission(s) && !originating &&
		   !span_caseis(sasl.text, "yes")) {
		f = doctor_add(l->d, DOCTOR_NOTE, "postfix.daemon_name",
		    service_where(l, s),
		    "%.*s: mail from clients that do not log in counts as"
		    " incoming",
		    SPAN_ARG(s->name));
		f->why = "submitted mail is scored like a stranger's";
		f->into = "master.cf, below this service";
		f->paste = SPAN("  -o milter_macro_daemon_name=ORIGINATING\n");
	}
}

/* --- services -------------------------------------------------------------------------- */

/* What an entry of the list is to us. */
enum fit { FIT_NOT, FIT_NEARLY, FIT_OURS };

static enum fit
fit_of(const struct look *l, struct span spec, bool chrooted)
{
	struct place place = resolve(l, spec, chrooted);
	struct place written = place_of_postfix(spec);
	bool like = looks_like_us(&written, &l->ours);

	if (place_meets(&place, &l->ours))
		return FIT_OURS;
	/* Where a descriptor leads is not known: by its name. */
	if (l->ours.kind == PLACE_FD)
		return like ? FIT_OURS : FIT_NOT;
	return like ? FIT_NEARLY : FIT_NOT;
}

/* Our entry in a service's list, also when it leads elsewhere, which is said;
 * or NULL. */
static const struct postconf_milter *
find_us(struct look *l, const struct postconf_service *s, const char *name)
{
	struct postconf_value v = postconf_get(&l->conf, s, name);
	bool chrooted = postconf_is_chrooted(&l->conf, s);
	const struct postconf_milter *nearly = NULL;
	struct postconf_milters list = {0};

	if (v.odd)
		doctor_add(l->d, DOCTOR_NOTE, "postfix.syntax",
		    value_where(l, &v),
		    "%s has an expression that is not understood here", name);
	postconf_split_milters(v.text, l->d->arena, &list);
	for (size_t i = 0; i < list.n; i++) {
		enum fit fit = fit_of(l, list.v[i].spec, chrooted);
		if (fit == FIT_OURS) {
			l->named = true;
			doctor_add(l->d, DOCTOR_OK, "postfix.milters",
			    value_where(l, &v), "%s names %.*s", name,
			    SPAN_ARG(list.v[i].spec));
			return &list.v[i];
		}
		if (fit == FIT_NEARLY)
			nearly = &list.v[i];
	}
	if (nearly)
		say_elsewhere(l, s, value_where(l, &v), &list, nearly);
	return nearly;
}

static void
check_smtpd(struct look *l, const struct postconf_service *s)
{
	const struct postconf_milter *m = find_us(l, s, "smtpd_milters");
	struct postconf_value list = postconf_get(&l->conf, s, "smtpd_milters");
	struct postconf_value action =
	    postconf_get(&l->conf, s, "milter_default_action");

	check_daemon_name(l, s);
	if (!m) {
		/* Where a content filter gives mail back it is wanted so. */
		if (!is_inner(s) && list.line &&
		    span_eq(span_of(list.file), span_of(l->conf.master_path)))
			doctor_add(l->d, DOCTOR_NOTE, "postfix.milters",
			    service_where(l, s),
			    "%.*s does not hand its mail to assayd",
			    SPAN_ARG(s->name));
		return;
	}
	check_action(
	    l, value_where(l, &action), own_or(m->default_action, action.text));
	check_times(l, s, m);
	check_protocol(l, s);
}

static void
check_smtpds(struct look *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->conf.services.n; i++)
		if (span_is(l->conf.services.v[i].command, "smtpd")) {
			check_smtpd(l, &l->conf.services.v[i]);
			n++;
		}
	if (n == 0) {
		doctor_add(l->d, DOCTOR_PROBLEM, "postfix.milters",
		    (struct doctor_where){l->conf.master_path, 0},
		    "no smtpd service: Postfix takes no mail by SMTP");
		return;
	}
	if (l->named || l->nearly)
		return;
	struct postconf_value v = postconf_get(&l->conf, NULL, "smtpd_milters");
	bool chrooted = false;
	for (size_t i = 0; i < l->conf.services.n; i++)
		chrooted |=
		    span_is(l->conf.services.v[i].command, "smtpd") &&
		    postconf_is_chrooted(&l->conf, &l->conf.services.v[i]);
	struct finding *f = doctor_add(l->d, DOCTOR_PROBLEM, "postfix.milters",
	    value_where(l, &v), "smtpd_milters does not name assayd's socket");
	f->why = "no mail is examined";
	struct postconf_milters list = {0};
	postconf_split_milters(v.text, l->d->arena, &list);
	paste_spec(l, f, &list, chrooted);
}

/* Mail of sendmail(1): cleanup hands it over. */
static void
check_local_mail(struct look *l)
{
	const struct postconf_service *cleanup = NULL;

	for (size_t i = 0; i < l->conf.services.n; i++)
		if (span_is(l->conf.services.v[i].command, "cleanup"))
			cleanup = &l->conf.services.v[i];
	if (!cleanup || find_us(l, cleanup, "non_smtpd_milters"))
		return;
	struct postconf_value v =
	    postconf_get(&l->conf, cleanup, "non_smtpd_milters");
	struct finding *f = doctor_add(l->d, DOCTOR_NOTE, "postfix.local_mail",
	    value_where(l, &v),
	    "mail of sendmail(1), cron and bounces does not pass assayd");
	f->why = "it is not in the log";
	f->into = "main.cf";
	f->paste = SPAN("non_smtpd_milters = $smtpd_milters\n");
}

/* --- the socket as Postfix's user sees it ------------------------------------------------- */

/* A folder for the socket that Postfix may enter: the socket's own when it lies
 * in the queue; else one there, since other users need the folder that it has
 * now. */
static void
paste_folder(struct look *l, struct finding *f, const struct who *who)
{
	struct arena *arena = l->d->arena;
	struct span path = l->ours.path;
	size_t slash = span_rfind_char(path, '/');

	f->into = "a root shell";
	if (place_below(path, l->queue, arena).len) {
		f->paste = arena_printf(arena,
		    "install -d -o %s -g %s -m 2750 %.*s\n"
		    "# and restart assayd, so that its socket gets the"
		    " folder's group\n",
		    ASSAY_USER, who->name, SPAN_ARG(span_head(path, slash)));
		return;
	}
	f->into = "a root shell, and the two files";
	f->paste = arena_printf(arena,
	    "install -d -o %s -g %s -m 2750 %.*s/assay\n"
	    "# assay.conf:\n"
	    "milter { socket = \"unix:%.*s/assay/milter.sock\" }\n"
	    "# main.cf:\n"
	    "smtpd_milters = unix:assay/milter.sock\n",
	    ASSAY_USER, who->name, SPAN_ARG(l->queue), SPAN_ARG(l->queue));
}

static void
say_reach(struct look *l, enum reach reach, const char *path, const char *at,
    const struct who *who)
{
	static const char check[] = "postfix.reach";
	struct doctor_where where = {at, 0};
	bool at_end = span_eq(span_of(at), span_of(path));
	struct finding *f;

	if (reach == REACH_OK) {
		doctor_add(l->d, DOCTOR_OK, check, where, "user %s can connect",
		    who->name);
		return;
	}
	if (reach == REACH_UNKNOWN) {
		doctor_add(l->d, DOCTOR_NOTE, check, where,
		    "cannot be looked at by this user: run it as root");
		return;
	}
	if (reach == REACH_MISSING && at_end) {
		doctor_add(
		    l->d, DOCTOR_NOTE, check, where, "there is no socket")
		    ->why = "assayd does not run, or listens elsewhere";
		return;
	}
	if (reach == REACH_MISSING) {
		f = doctor_add(l->d, DOCTOR_PROBLEM, check, where,
		    "the socket's folder is missing");
		f->why = "assayd cannot make its socket";
	} else {
		f = doctor_add(l->d, DOCTOR_PROBLEM, check, where,
		    "user %s may not %s", who->name,
		    at_end ? "connect to it" : "enter it");
		f->why = "Postfix cannot connect: milter_default_action"
			 " decides on all mail";
	}
	paste_folder(l, f, who);
}

static void
check_reach(struct look *l)
{
	struct postconf_value owner =
	    postconf_get(&l->conf, NULL, "mail_owner");
	char *name = arena_cstr(l->d->arena, owner.text);
	char *path = arena_cstr(l->d->arena, l->ours.path);
	const char *at;
	struct who who;

	if (l->ours.kind != PLACE_UNIX || !name || !path)
		return;
	if (!who_find(name, &who)) {
		doctor_add(l->d, DOCTOR_NOTE, "postfix.reach",
		    value_where(l, &owner), "there is no user %s", name);
		return;
	}
	enum reach reach = reach_socket(path, &who, l->d->arena, &at);
	say_reach(l, reach, path, at, &who);
}

/* --- all ------------------------------------------------------------------------------------ */

/* Reads one of the two files; false when it cannot be had, which is said. */
static bool
read_one(struct look *l, const char *path,
    void (*take)(struct postconf *, struct span))
{
	struct span text;
	struct err err;

	if (doctor_read(l->d, path, &text, &err)) {
		doctor_add(l->d, DOCTOR_PROBLEM, "postfix.files",
		    (struct doctor_where){path, 0}, "cannot be read: %s",
		    err.text);
		return false;
	}
	take(&l->conf, text);
	return true;
}

void
doctor_postfix(struct doctor *doctor, const char *folder)
{
	struct arena *arena = doctor->arena;
	struct span main_cf = arena_printf(arena, "%s/main.cf", folder);
	struct span master_cf = arena_printf(arena, "%s/master.cf", folder);
	struct look l = {
	    .d = doctor,
	    .ours = place_of_libmilter(doctor->settings->socket),
	};
	const char *main_path = arena_cstr(arena, main_cf);
	const char *master_path = arena_cstr(arena, master_cf);

	if (!main_path || !master_path)
		return;
	postconf_init(&l.conf, arena, main_path, master_path);
	if (!read_one(&l, main_path, postconf_read_main) ||
	    !read_one(&l, master_path, postconf_read_master))
		return;
	l.queue = postconf_get(&l.conf, NULL, "queue_directory").text;
	check_smtpds(&l);
	if (l.named)
		check_local_mail(&l);
	if (l.named || l.nearly)
		check_reach(&l);
}
