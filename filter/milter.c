#include "filter/milter.h"

#include <errno.h>
#include <fcntl.h>
#include <libmilter/mfapi.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/base/clock.h"
#include "filter/base/log.h"
#include "filter/base/unconst.h"
#include "filter/reply.h"
#include "filter/session.h"
#include "filter/socket.h"

/*
 * Translation only: libmilter's callbacks to calls of a session, and what a
 * session asks of its MTA to smfi_*. This is the one file that knows
 * libmilter. Replies to HELO, headers, end of headers and body chunks are
 * waived (a third of the CPU of a message); DATA and unknown commands are not
 * even sent. Never waived are CONNECT, MAIL and RCPT: a refusal would be lost
 * and the message delivered.
 */

#define NAME "assay"
#define BACKLOG 1024    /* an MTA may open hundreds at once */
#define STOP_STEP_MS 20 /* between looks whether all have left */

/* What is waived, in one place; each of these callbacks ends with waived(). */
#define WAIVED (SMFIP_NR_HELO | SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY)
#define EDITS                                                                  \
	((unsigned long)(SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_QUARANTINE))
#define ACTIONS (EDITS | SMFIF_SETSYMLIST)

static const struct {
	int stage;
	const char *macros;
} macro_lists[] = {
    {SMFIM_CONNECT, "j _ {daemon_name} {client_addr}"},
    {SMFIM_HELO,
	"{tls_version} {cipher} {cipher_bits} {cert_subject} {verify}"},
    {SMFIM_ENVFROM, "i {auth_authen} {auth_type} {daemon_name} {tls_version}"
		    " {cipher} {cipher_bits} {cert_subject} {verify}"},
    {SMFIM_ENVRCPT, "i {rcpt_mailer}"},
    {SMFIM_EOH, "i"},
    {SMFIM_EOM, "i"},
};

static const struct {
	unsigned long flag;
	unsigned can;
	const char *without;
} abilities[] = {
    {SMFIF_ADDHDRS, MTA_ADD_HEADER, "no header field is added"},
    {SMFIF_CHGHDRS, MTA_CHANGE_HEADER, "forged header fields stay"},
    {SMFIF_QUARANTINE, MTA_QUARANTINE, "mail to be held is tagged"},
};

static struct {
	struct daemon *daemon; /* immutable while serving */
	void (*on_end)(void *arg);
	void *on_end_arg;
	_Atomic bool ended;
	_Atomic int inside; /* callbacks that run now */
	/* What the last negotiation gave: libmilter passes a second connection
	 * over one socket (SMFIC_QUIT_NC) without a negotiation of its own. */
	_Atomic unsigned last_can;
	_Atomic bool said_less;
	int listener;            /* libmilter's, or -1 */
	bool inherited;          /* it is the service manager's too */
	struct socket_file file; /* of a Unix socket */
} milter = {.listener = -1};

/* --- struct mta by smfi_* ------------------------------------------------------------- */

static const char *
mta_macro(void *ctx, const char *name)
{
	return smfi_getsymval(ctx, unconst(name));
}

static int
mta_insert_header(void *ctx, const char *name, const char *value)
{
	return smfi_insheader(ctx, 0, unconst(name), unconst(value)) ==
		       MI_SUCCESS
		   ? 0
		   : ERR_STATE;
}

static int
mta_change_header(void *ctx, const char *name, unsigned nth, const char *value)
{
	return smfi_chgheader(ctx, unconst(name), (int)nth, unconst(value)) ==
		       MI_SUCCESS
		   ? 0
		   : ERR_STATE;
}

static int
mta_quarantine(void *ctx, const char *reason)
{
	return smfi_quarantine(ctx, unconst(reason)) == MI_SUCCESS ? 0
								   : ERR_STATE;
}

static int
mta_set_reply(void *ctx, const char *code, const char *status, const char *text)
{
	char escaped[2 * REPLY_TEXT_SIZE];

	reply_escape(text, escaped, sizeof escaped);
	return smfi_setreply(ctx, unconst(code), unconst(status), escaped) ==
		       MI_SUCCESS
		   ? 0
		   : ERR_STATE;
}

static void
mta_progress(void *ctx)
{
	(void)smfi_progress(ctx);
}

/* --- callbacks ---------------------------------------------------------------------------- */

static sfsistat
answered(enum answer answer)
{
	static const sfsistat answers[] = {
	    [ANSWER_CONTINUE] = SMFIS_CONTINUE,
	    [ANSWER_ACCEPT] = SMFIS_ACCEPT,
	    [ANSWER_REJECT] = SMFIS_REJECT,
	    [ANSWER_TEMPFAIL] = SMFIS_TEMPFAIL,
	};

	atomic_fetch_sub(&milter.inside, 1);
	return answers[answer];
}

static sfsistat
waived(void)
{
	atomic_fetch_sub(&milter.inside, 1);
	return SMFIS_NOREPLY;
}

/* The session of a callback; NULL when none could be made. */
static struct session *
enter(SMFICTX *ctx)
{
	atomic_fetch_add(&milter.inside, 1);
	return smfi_getpriv(ctx);
}

static struct session *
make_session(SMFICTX *ctx, unsigned can)
{
	struct mta mta = {
	    .can = can,
	    .ctx = ctx,
	    .macro = mta_macro,
	    .insert_header = mta_insert_header,
	    .change_header = mta_change_header,
	    .quarantine = mta_quarantine,
	    .set_reply = mta_set_reply,
	    .progress = mta_progress,
	};
	struct session *session = session_new(milter.daemon, &mta);

	if (session && smfi_setpriv(ctx, session) != MI_SUCCESS) {
		session_free(session);
		return NULL;
	}
	return session;
}

/* An MTA that offers less than we use is served with less; said once. */
static void
say_less(unsigned long offered)
{
	if ((offered & EDITS) == EDITS ||
	    atomic_exchange(&milter.said_less, true))
		return;
	for (size_t i = 0; i < sizeof abilities / sizeof *abilities; i++)
		if (!(offered & abilities[i].flag))
			log_warn("milter: the MTA does not offer all that we"
				 " use: %s",
			    abilities[i].without);
}

static sfsistat
on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
    unsigned long more1, unsigned long more2, unsigned long *ret_actions,
    unsigned long *ret_steps, unsigned long *ret_more1,
    unsigned long *ret_more2)
{
	unsigned can = steps & SMFIP_HDR_LEADSPC ? MTA_LEADING_SPACE : 0;

	(void)more1;
	(void)more2;
	(void)enter(ctx);
	for (size_t i = 0; i < sizeof abilities / sizeof *abilities; i++)
		if (actions & abilities[i].flag)
			can |= abilities[i].can;
	say_less(actions);
	*ret_actions = actions & ACTIONS;
	/* DATA and unknown commands have no callback: libmilter's own bits. */
	*ret_steps = (*ret_steps & steps) |
		     (steps & (WAIVED | SMFIP_HDR_LEADSPC | SMFIP_NODATA |
				  SMFIP_NOUNKNOWN));
	*ret_steps &= ~(unsigned long)SMFIP_SKIP;
	*ret_more1 = *ret_more2 = 0;
	for (size_t i = 0; actions & SMFIF_SETSYMLIST &&
			   i < sizeof macro_lists / sizeof *macro_lists;
	     i++)
		(void)smfi_setsymlist(
		    ctx, macro_lists[i].stage, unconst(macro_lists[i].macros));
	atomic_store(&milter.last_can, can);
	session_free(smfi_getpriv(ctx));
	(void)smfi_setpriv(ctx, NULL);
	/* Without memory for a session there is nothing to serve. */
	bool good = make_session(ctx, can) != NULL;
	atomic_fetch_sub(&milter.inside, 1);
	return good ? SMFIS_CONTINUE : SMFIS_REJECT;
}

static sfsistat
on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *sa)
{
	struct session *session = enter(ctx);

	if (!session)
		session = make_session(ctx, atomic_load(&milter.last_can));
	if (!session)
		return answered(ANSWER_TEMPFAIL);
	return answered(session_connect(session, host, sa));
}

static sfsistat
on_helo(SMFICTX *ctx, char *name)
{
	struct session *session = enter(ctx);

	if (session)
		session_helo(session, name);
	return waived();
}

/* libmilter's argument vector is only read. */
static const char *const *
read_only(char **argv)
{
	return (const char *const *)argv;
}

static sfsistat
on_mail(SMFICTX *ctx, char **argv)
{
	struct session *session = enter(ctx);

	if (!session)
		return answered(ANSWER_TEMPFAIL);
	return answered(session_mail(session, read_only(argv)));
}

static sfsistat
on_rcpt(SMFICTX *ctx, char **argv)
{
	struct session *session = enter(ctx);

	if (!session)
		return answered(ANSWER_TEMPFAIL);
	return answered(session_rcpt(session, read_only(argv)));
}

static sfsistat
on_header(SMFICTX *ctx, char *name, char *value)
{
	struct session *session = enter(ctx);

	if (session)
		session_header(session, name, value);
	return waived();
}

static sfsistat
on_end_of_headers(SMFICTX *ctx)
{
	struct session *session = enter(ctx);

	if (session)
		session_end_of_headers(session);
	return waived();
}

static sfsistat
on_body(SMFICTX *ctx, unsigned char *chunk, size_t len)
{
	struct session *session = enter(ctx);

	if (session)
		session_body(session, span_make((const char *)chunk, len));
	return waived();
}

static sfsistat
on_end_of_message(SMFICTX *ctx)
{
	struct session *session = enter(ctx);

	if (!session)
		return answered(ANSWER_TEMPFAIL);
	return answered(session_end_of_message(session));
}

static sfsistat
on_abort(SMFICTX *ctx)
{
	struct session *session = enter(ctx);

	if (session)
		session_abort(session);
	return answered(ANSWER_CONTINUE);
}

/* May run in libmilter's controller with its lock held, and without any
 * callback before: frees memory, nothing else. */
static sfsistat
on_close(SMFICTX *ctx)
{
	struct session *session = enter(ctx);

	(void)smfi_setpriv(ctx, NULL);
	session_free(session);
	return answered(ANSWER_CONTINUE);
}

/* --- the socket ---------------------------------------------------------------------------- */

static bool
is_listening(int fd)
{
	int on = 0;
	socklen_t len = sizeof on;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on;
}

/* N of "fd:N", or -1. */
static int
inherited_fd(const char *text)
{
	uint64_t fd;
	struct span name = span_of(text);

	if (!span_starts(name, SPAN("fd:")) ||
	    span_to_u64(span_skip(name, 3), &fd) || fd > INT_MAX)
		return -1;
	return (int)fd;
}

/*
 * Opens the listener. libmilter does not say which descriptor it is: as no
 * other thread runs yet, it is the lowest free one.
 */
static int
listen_with_mask(mode_t mask)
{
	int probe = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (probe >= 0)
		close(probe);
	mask = umask(mask);
	int rc = smfi_opensocket(false);
	int error = errno;
	umask(mask);
	if (rc == MI_SUCCESS && probe >= 0 && is_listening(probe))
		milter.listener = probe;
	errno = error;
	return rc;
}

static int
open_socket(const char *text, const char *path, const struct settings *settings,
    struct err *err)
{
	int inherited = inherited_fd(text);

	if (inherited >= 0 && !is_listening(inherited))
		return err_set(err, ERR_STATE,
		    "milter.socket: %s is no listening socket", text);
	/* Nobody connects before mode and group are right. */
	if (listen_with_mask(path ? 0177 : 0077) != MI_SUCCESS)
		return err_set_errno(
		    err, errno, "milter.socket: cannot listen on %s", text);
	if (inherited >= 0)
		milter.listener = inherited;
	milter.inherited = inherited >= 0;
	socket_send_at_once(milter.listener);
	if (!path)
		return 0;
	socket_remember(path, &milter.file);
	int rc = socket_set_group(path, settings->socket_group, err);
	if (rc == 0 && chmod(path, settings->socket_mode) != 0)
		rc = err_set_errno(err, errno, "%s: mode", path);
	return rc;
}

static int
register_milter(const char *text, struct err *err)
{
	struct smfiDesc description = {
	    .xxfi_name = unconst(NAME),
	    .xxfi_version = SMFI_VERSION,
	    .xxfi_flags = ACTIONS,
	    .xxfi_connect = on_connect,
	    .xxfi_helo = on_helo,
	    .xxfi_envfrom = on_mail,
	    .xxfi_envrcpt = on_rcpt,
	    .xxfi_header = on_header,
	    .xxfi_eoh = on_end_of_headers,
	    .xxfi_body = on_body,
	    .xxfi_eom = on_end_of_message,
	    .xxfi_abort = on_abort,
	    .xxfi_close = on_close,
	    .xxfi_negotiate = on_negotiate,
	};

	if (smfi_setconn(unconst(text)) != MI_SUCCESS)
		return err_set(err, ERR_SYNTAX,
		    "milter.socket: \"%s\" is no unix:PATH, inet:PORT@HOST,"
		    " inet6:PORT@HOST or fd:N",
		    text);
	(void)smfi_setbacklog(BACKLOG);
	if (smfi_register(description) != MI_SUCCESS)
		return err_set(err, ERR_STATE, "libmilter refuses us");
	return 0;
}

int
milter_listen(const struct settings *settings, int inherited, struct err *err)
{
	struct arena *arena = arena_new(0);
	int rc = ERR_NOMEM;

	if (!arena)
		return err_set(err, ERR_NOMEM, "out of memory");
	struct span socket = inherited >= 0
				 ? arena_printf(arena, "fd:%d", inherited)
				 : settings->socket;
	const char *text = arena_cstr(arena, socket);
	struct span path_span = socket_unix_path(socket);
	const char *path = path_span.len ? arena_cstr(arena, path_span) : NULL;
	if (!text || (path_span.len && !path))
		err_set(err, rc, "out of memory");
	else
		rc = path ? socket_clear(path, err) : 0;
	if (rc == 0)
		rc = register_milter(text, err);
	if (rc == 0)
		rc = open_socket(text, path, settings, err);
	arena_free(arena);
	return rc;
}

/* --- signals --------------------------------------------------------------------------------- */

/*
 * libmilter's own: a thread of it waits here for SIGHUP, SIGTERM and SIGINT and
 * ends the daemon at each. The kernel hands signals to the main thread as long
 * as that has none pending, so most of the time ours came first; in a storm, or
 * on a busy machine, one did not. The dynamic linker finds this function before
 * the C library's: libmilter waits for good, and signals are the main thread's.
 */
int
sigwait(const sigset_t *set, int *sig)
{
	(void)set;
	(void)sig;
	for (;;)
		(void)pause();
}

/* --- the thread ------------------------------------------------------------------------------ */

static void *
serve(void *arg)
{
	int rc = smfi_main();

	(void)arg;
	if (rc != MI_SUCCESS)
		log_error("milter: libmilter gave up serving");
	atomic_store(&milter.ended, true);
	milter.on_end(milter.on_end_arg);
	return NULL;
}

int
milter_start(struct daemon *daemon, void (*on_end)(void *arg), void *arg,
    struct err *err)
{
	milter.daemon = daemon;
	milter.on_end = on_end;
	milter.on_end_arg = arg;
	pthread_t thread;
	int rc = pthread_create(&thread, NULL, serve, NULL);
	if (rc)
		return err_set_errno(err, rc, "milter thread");
	(void)pthread_detach(thread);
	return 0;
}

/* The listener waits for connections with a lock held that smfi_stop() needs:
 * its caller would wait for seconds. */
static void *
ask_to_stop(void *arg)
{
	(void)smfi_stop();
	return arg;
}

void
milter_nudge(void)
{
	if (!atomic_load(&milter.ended))
		socket_wake(milter.listener);
}

/*
 * libmilter cannot be told to stop accepting and go on otherwise. So its
 * descriptor gets a socket that only milter_nudge() ever connects to. A poll()
 * that libmilter is in sleeps on at the old one, up to 5 s; woken there, it looks
 * at what the descriptor is now: so that has a connection before the old one
 * gets its last.
 */
bool
milter_leave(void)
{
	struct sockaddr_un nowhere = {.sun_family = AF_UNIX};
	bool left = false;

	if (!milter.inherited)
		return false;
	int old = fcntl(milter.listener, F_DUPFD_CLOEXEC, 0);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* No path: the kernel gives it a name of its own. */
	if (fd >= 0 &&
	    bind(fd, (const struct sockaddr *)&nowhere,
		sizeof nowhere.sun_family) == 0 &&
	    listen(fd, 1) == 0)
		left = dup3(fd, milter.listener, O_CLOEXEC) >= 0;
	if (fd >= 0)
		close(fd);
	if (left) {
		socket_wake(milter.listener);
		socket_wake(old);
	}
	if (old >= 0)
		close(old);
	return left;
}

bool
milter_stop(int64_t wait_ms)
{
	int64_t deadline = clock_deadline(wait_ms);
	const struct timespec step = {.tv_nsec = STOP_STEP_MS * 1000000L};
	pthread_t stopper;

	if (pthread_create(&stopper, NULL, ask_to_stop, NULL) != 0)
		(void)smfi_stop();
	else
		(void)pthread_detach(stopper);
	while (!atomic_load(&milter.ended) || atomic_load(&milter.inside) > 0) {
		if (clock_left(deadline) == 0)
			break;
		if (!atomic_load(&milter.ended))
			socket_wake(milter.listener);
		nanosleep(&step, NULL);
	}
	socket_remove(&milter.file);
	/* Workers begin no callback once libmilter is told to stop. */
	return atomic_load(&milter.ended) && atomic_load(&milter.inside) == 0;
}
