#ifndef FILTER_SETTINGS_H
#define FILTER_SETTINGS_H

#include "filter/base/log.h"
#include "filter/conf/option.h"
#include "filter/scan/scan.h"

/*
 * All options of daemon and command as typed values, and the immutable,
 * counted snapshot of everything a message needs: settings, scorers, rules.
 */
enum policy_mode { MODE_OBSERVE, MODE_ENFORCE };
enum headers_mode { HEADERS_AUTO, HEADERS_NONE, HEADERS_OWN, HEADERS_FULL };
enum dmarc_mode { DMARC_MODE_SCORE, DMARC_MODE_TAG, DMARC_MODE_REJECT };
enum split_mode { SPLIT_LENIENT, SPLIT_DEFER };
enum failure_action { FAILURE_ACCEPT, FAILURE_TAG, FAILURE_TEMPFAIL };

/* `policy TITLE { }`; "default" and "outbound" always exist. */
struct policy_settings {
	struct span title;
	enum policy_mode mode;
	int64_t tag, quarantine, reject; /* milli; OPTION_OFF */
	struct span help_url;            /* may hold %{ref} */
	struct span subject_mark;        /* empty: off */
	bool reply_rules;                /* reply_detail = rules */
	/* who it is for: addresses, @domain, .domain; none for the two fixed */
	const struct span *recipients;
	size_t n_recipients;
};

/* policy.on_failure: what a degraded check means. */
struct failure_rule {
	struct span name; /* "dns", "time", "dnsbl:" prefix... */
	enum failure_action action;
};

/* auth.sign_as: a login that may sign for a domain not its own. */
struct sign_pair {
	struct span login;  /* as the MTA tells it; "*", "*@DOMAIN" */
	struct span domain; /* A-labels, or "*" */
};

/* auth: outgoing signatures and seals. Domains are A-labels. */
struct sign_settings {
	bool on;          /* auth.sign */
	bool inet;        /* on inet: sockets too */
	struct span keys; /* folder */
	bool keys_named;  /* not the default one */
	struct span key_table, signing_table;
	const struct sign_pair *as;
	size_t n_as;
	const struct span *local; /* domains of internal clients */
	size_t n_local;
	const struct span *headers; /* n 0: the default */
	size_t n_headers;
	int64_t expires_s; /* 0: no x= */
	struct span seal;  /* domain; empty: no seals */
};

/* The section `report`. */
struct report_settings {
	bool dmarc, failures;
	struct span from, org_name, contact, bounces, sendmail;
	const struct span *exclude;
	size_t n_exclude;
	size_t max_size;
};

/* The sections of one kind that a configuration has. */
struct settings_group {
	const struct option_section *kind;
	struct section *sections;
	size_t n;
};

struct settings {
	struct conf *conf; /* owns all memory here */
	/* milter */
	struct span socket;
	unsigned socket_mode;
	struct span socket_group; /* empty: leave */
	struct span authserv_id;
	enum headers_mode headers;
	/* dns */
	struct dns_options dns;
	/* auth */
	enum dmarc_mode dmarc;
	bool received_spf;
	const struct span *trusted_ids; /* of milter, A-labels */
	size_t n_trusted_ids;
	const struct span *local_mailers;
	size_t n_local_mailers;
	struct sign_settings sign;
	struct report_settings report;
	/* rules */
	const struct span *rule_paths;
	size_t n_rule_paths;
	/* limits */
	int64_t message_ms;
	size_t message_size, memory, message_memory;
	unsigned sessions, waiting;
	/* store */
	struct store_options store; /* folder and read_only are the opener's */
	/* learn */
	const struct span *trainers; /* users and groups that may train */
	size_t n_trainers;
	/* policy */
	struct policy_settings *policies; /* [0] default, [1] outbound */
	size_t n_policies;
	const struct failure_rule *failures;
	size_t n_failures;
	int64_t defer_max_ms;
	enum split_mode split;
	/* other */
	struct span state;   /* folder: site.key, spool */
	struct span control; /* the control socket's path */
	enum log_level log_level;
	int64_t log_retain_days, log_max_size; /* of verdicts */
	struct span node;
	/* all sections: enum settings_kind, then the scorers' */
	struct settings_group *groups;
	size_t n_groups;
};

/* Where settings come from. */
struct settings_source {
	const char *path; /* NULL: the default file, which may be missing */
	const char *const *assignments; /* -o */
	size_t n_assignments;
	/* `assay check`: replace rules.path, no network */
	const char *const *rules;
	size_t n_rules;
	const char *dns_zone;
	bool local;
	bool no_rules; /* read none at all */
	bool lint;     /* say also what only lint says */
	bool keys;     /* read the private keys too */
};

#define POLICY_DEFAULT 0
#define POLICY_OUTBOUND 1

struct keyring;
struct engine; /* rule set and scorers' states, see examine.h */

struct snapshot {
	_Atomic unsigned refs;
	struct settings settings;
	struct scan_config scan;
	struct engine *engine;
	struct keyring *keyring; /* NULL: source.keys was not set */
	uint64_t number;         /* 1 at start, up with each reload */
};

/* Called for each error ("file:line:column: text") and warning. */
typedef void settings_report_fn(void *arg, bool warning, const char *text);

/*
 * Reads configuration and rules, opens scorers. All errors are reported, not
 * only the first. Returns a snapshot with one reference, or NULL.
 * Thread: any; touches nothing shared.
 */
struct snapshot *snapshot_load(const struct settings_source *source,
    settings_report_fn *report, void *arg);
struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot *snapshot);

/*
 * Names options with OPTION_RESTART that differ between the snapshots, as
 * "section.key, ..." in `arena`; the new snapshot keeps the old values of them
 * in force. Empty when there are none.
 */
struct span snapshot_keep_restart_only(
    const struct snapshot *old, struct snapshot *fresh, struct arena *arena);

/* The daemon's own kinds of sections; those of scorers come after them in
 * settings.groups. */
enum settings_kind {
	SETTINGS_TOP,
	SETTINGS_MILTER,
	SETTINGS_DNS,
	SETTINGS_AUTH,
	SETTINGS_REPORT,
	SETTINGS_RULES,
	SETTINGS_LIMITS,
	SETTINGS_POLICY_ALL, /* `policy { }` without a title */
	SETTINGS_POLICY,
	SETTINGS_QUARANTINE,
	SETTINGS_LOG,
	SETTINGS_STORE,
	SETTINGS_LEARN,
	SETTINGS_LISTS_ALL, /* `lists { }` without a title */
	SETTINGS_LISTS,
	SETTINGS_KINDS,
};
extern const struct option_section *const settings_kinds[SETTINGS_KINDS];

/* The policy that a recipient gets: index into policies. Addresses compare
 * without case; the most special entry wins (address, @domain, .domain). */
size_t settings_policy_of(const struct settings *settings,
    enum direction direction, struct span recipient);

/*
 * Types all sections of settings->conf and fills `settings` and `scan`. Errors
 * are added to the tree. For snapshot.c; ERR_SYNTAX when there were any.
 */
int settings_read(struct settings *settings, struct scan_config *scan) MUST_USE;
/* Fills them again after a value of a section was changed. */
int settings_fill(struct settings *settings, struct scan_config *scan) MUST_USE;
/* The section `NAME { }` of a scorer; NULL when it has no options. */
const struct section *settings_scorer(
    const struct settings *settings, const struct option *options);

/* True when the program runs from a build folder (config.status beside it). */
bool settings_in_build_tree(void);

#endif
