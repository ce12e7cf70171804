#ifndef FILTER_CTL_POSTCONF_H
#define FILTER_CTL_POSTCONF_H

#include "filter/base/arena.h"
#include "filter/base/span.h"
#include "filter/base/vec.h"

/*
 * Postfix's main.cf and master.cf, read as text: postconf(1) need not be there,
 * nothing is executed, and the lines at which values stand are known. Memory:
 * the arena, in which the texts have to live too.
 */
struct postconf_param {
	struct span name, value; /* unexpanded, continuation lines joined */
	unsigned line;
};
struct postconf_params VEC(struct postconf_param);

struct postconf_service {
	struct span name, type, command; /* "smtp", "inet", "smtpd" */
	char chroot;                     /* 'y', 'n', '-' */
	unsigned line;
	struct postconf_params overrides; /* -o; the last of a name counts */
};

struct postconf {
	struct arena *arena;
	const char *main_path, *master_path; /* for where a value stands */
	struct postconf_params params;
	struct postconf_services VEC(struct postconf_service) services;
};

void postconf_init(struct postconf *conf, struct arena *arena,
    const char *main_path, const char *master_path);
/* Adds what stands in a text. Lines that are none are passed over. */
void postconf_read_main(struct postconf *conf, struct span text);
void postconf_read_master(struct postconf *conf, struct span text);

struct postconf_value {
	struct span text; /* expanded */
	const char *file; /* where it stands; main.cf for a default */
	unsigned line;    /* 0: Postfix's default, or not set at all */
	bool odd; /* has an expression that is not understood, left out */
};

/*
 * A parameter as a service sees it; `service` NULL: as main.cf has it. The
 * defaults of those that concern milters are known, others are empty. At most
 * POSTCONF_VALUE_MAX bytes.
 */
struct postconf_value postconf_get(const struct postconf *conf,
    const struct postconf_service *service, const char *name);
#define POSTCONF_VALUE_MAX 16384

/* Whether a service runs in a chroot; what '-' means depends on
 * compatibility_level. */
bool postconf_is_chrooted(
    const struct postconf *conf, const struct postconf_service *service);

/* One entry of smtpd_milters; unset options have p NULL. */
struct postconf_milter {
	struct span entry; /* as it stands in the list */
	struct span spec;  /* "unix:PATH", "inet:HOST:PORT" */
	struct span default_action, connect_timeout, command_timeout,
	    content_timeout;
};
struct postconf_milters VEC(struct postconf_milter);
/* Takes a list apart: words, or { word, option = value, ... }. */
void postconf_split_milters(
    struct span list, struct arena *arena, struct postconf_milters *ret);

/* "30s", "5m", "300": seconds without a unit; in ms. ERR_SYNTAX, ERR_LIMIT. */
int postconf_time(struct span text, int64_t *ret_ms) MUST_USE;

#endif
