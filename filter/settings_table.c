#include "filter/settings.h"

#include "filter/settings_internal.h"

/*
 * The options of daemon and command: the only place where a name, a default
 * and a range stand. assay.conf(5) is checked against these tables by
 * `make lint`. Scorers bring tables of their own.
 */

static const struct option top_options[] = {
    {"state", OPTION_TEXT, "", 0, 0, NULL,
	"folder of store, log, spool and site key", OPTION_RESTART},
    {"control", OPTION_TEXT, "", 0, 0, NULL, "path of the control socket",
	OPTION_RESTART},
    {"node", OPTION_TEXT, "", 0, 0, NULL,
	"name of this machine in logs; empty: the host name", OPTION_RESTART},
    OPTION_END,
};

static const struct option milter_options[] = {
    {"socket", OPTION_TEXT, "\"unix:" ASSAY_RUNDIR "/milter.sock\"", 0, 0, NULL,
	"where the MTA connects", OPTION_RESTART},
    {"socket_mode", OPTION_MODE, "0660", 0, 0777, NULL, "mode of a Unix socket",
	OPTION_RESTART},
    {"socket_group", OPTION_TEXT, "", 0, 0, NULL,
	"group of a Unix socket; empty: the daemon's", OPTION_RESTART},
    {"authserv_id", OPTION_TEXT, "", 0, 0, NULL,
	"our name in Authentication-Results; empty: the host name", 0},
    {"internal", OPTION_LIST, "{ 127.0.0.0/8, ::1 }", 0, 0, NULL,
	"clients whose mail is outgoing", 0},
    {"originating", OPTION_LIST, "{ ORIGINATING, MSA }", 0, 0, NULL,
	"values of {daemon_name} that mean submission", 0},
    {"headers", OPTION_WORD, "auto", 0, 0, "auto none own full",
	"which fields are added; auto: own in observe, full in enforce", 0},
    {"relays", OPTION_LIST, "{ }", 0, 0, NULL,
	"relays of ours: mail is judged by the client before them", 0},
    {"forwarders", OPTION_LIST, "{ }", 0, 0, NULL,
	"clients that auth.dmarc = reject spares", 0},
    {"trusted_ids", OPTION_LIST, "{ }", 0, 0, NULL,
	"authserv-ids of relays of ours, kept behind them", 0},
    OPTION_END,
};

static const struct option dns_options[] = {
    {"nameservers", OPTION_LIST, "{ }", 0, 0, NULL,
	"resolvers, ADDRESS or ADDRESS@PORT; none: /etc/resolv.conf",
	OPTION_RESTART},
    {"recursive", OPTION_BOOL, "no", 0, 0, NULL,
	"ask the root servers instead of a resolver", OPTION_RESTART},
    {"dnssec", OPTION_BOOL, "no", 0, 0, NULL, "validate answers",
	OPTION_RESTART},
    {"timeout", OPTION_TIME, "5s", 100, 60000, NULL, "time for one name",
	OPTION_RESTART},
    {"message_time", OPTION_TIME, "10s", 100, 120000, NULL,
	"time that one message may wait for DNS", 0},
    {"questions", OPTION_INT, "300", 10, 10000, NULL,
	"names that one message may ask", 0},
    {"zone", OPTION_TEXT, "", 0, 0, NULL,
	"answer everything from this file (tests, demonstrations)",
	OPTION_RESTART},
    OPTION_END,
};

static const struct option auth_options[] = {
    {"dmarc", OPTION_WORD, "tag", 0, 0, "score tag reject",
	"what a DMARC failure does beside its score", 0},
    {"keys", OPTION_TEXT, "", 0, 0, NULL,
	"folder of private keys, DOMAIN/SELECTOR.pem", 0},
    {"key_table", OPTION_TEXT, "", 0, 0, NULL,
	"a KeyTable of OpenDKIM; empty: none", 0},
    {"signing_table", OPTION_TEXT, "", 0, 0, NULL,
	"its SigningTable, file:PATH or refile:PATH; empty: none", 0},
    {"sign", OPTION_BOOL, "yes", 0, 0, NULL,
	"sign outgoing mail of domains that have a key", 0},
    {"sign_as", OPTION_LIST, "{ }", 0, 0, NULL,
	"LOGIN:DOMAIN pairs that may sign, * for any login", 0},
    {"sign_local", OPTION_LIST, "{ }", 0, 0, NULL,
	"domains signed for clients of milter.internal", 0},
    {"sign_inet", OPTION_BOOL, "no", 0, 0, NULL, "sign on inet: sockets too",
	0},
    {"sign_headers", OPTION_LIST, "{ }", 0, 0, NULL,
	"fields to sign; empty: those of RFC 6376", 0},
    {"sign_expires", OPTION_TIME, "0s", 0, INT64_C(365) * 86400000, NULL,
	"x= of signatures, counted from t=; 0: none", 0},
    {"sealers", OPTION_LIST, "{ }", 0, 0, NULL,
	"domains whose ARC seal may rescue a DMARC failure", 0},
    {"seal", OPTION_TEXT, "", 0, 0, NULL,
	"domain whose key seals incoming mail (ARC); empty: none", 0},
    {"received_spf", OPTION_BOOL, "no", 0, 0, NULL, "add Received-SPF", 0},
    {"local_mailers", OPTION_LIST, "{ }", 0, 0, NULL,
	"values of {rcpt_mailer} whose mail gets auth=", 0},
    OPTION_END,
};

static const struct option report_options[] = {
    {"dmarc", OPTION_BOOL, "no", 0, 0, NULL,
	"gather what DMARC aggregate reports need", 0},
    {"failures", OPTION_BOOL, "no", 0, 0, NULL,
	"send DMARC failure reports, redacted", 0},
    {"from", OPTION_TEXT, "", 0, 0, NULL,
	"address that reports come from; its domain must be signed for", 0},
    {"org_name", OPTION_TEXT, "", 0, 0, NULL,
	"name of who reports; empty: the domain of report.from", 0},
    {"contact", OPTION_TEXT, "", 0, 0, NULL,
	"extra contact information, an address of a web page", 0},
    {"bounces", OPTION_TEXT, "", 0, 0, NULL,
	"envelope sender of reports; empty: <>", 0},
    {"max_size", OPTION_SIZE, "10M", 4096, 1 << 30, NULL,
	"bytes of one report's mail", 0},
    {"exclude", OPTION_LIST, "{ }", 0, 0, NULL, "domains that get no reports",
	0},
    {"sendmail", OPTION_TEXT, "/usr/sbin/sendmail", 0, 0, NULL,
	"program that takes the mail, called as sendmail(1)", 0},
    OPTION_END,
};

static const struct option rules_options[] = {
    {"path", OPTION_LIST, "{ }", 0, 0, NULL,
	"rule files and folders, in order; empty: ours, then the site's", 0},
    OPTION_END,
};

static const struct option limits_options[] = {
    {"message_time", OPTION_TIME, "20s", 100, 600000, NULL,
	"time for one message at its end", 0},
    {"message_size", OPTION_SIZE, "50M", 65536, INT64_C(1) << 40, NULL,
	"bytes of a body that are kept", 0},
    {"message_memory", OPTION_SIZE, "128M", 1 << 20, INT64_C(1) << 40, NULL,
	"memory for one message, its body aside", 0},
    {"memory", OPTION_SIZE, "512M", 1 << 20, INT64_C(1) << 40, NULL,
	"body bytes of all sessions in memory", 0},
    {"sessions", OPTION_INT, "500", 1, 100000, NULL, "sessions at once",
	OPTION_RESTART},
    {"waiting", OPTION_INT, "0", 0, 100000, NULL,
	"scans that may wait for DNS at once; 0: 4 x cores + 64",
	OPTION_RESTART},
    OPTION_END,
};

static const struct option policy_options[] = {
    {"mode", OPTION_WORD, "observe", 0, 0, "observe enforce",
	"observe: change nothing, say what would be done", 0},
    {"tag", OPTION_SCORE_OFF, "5", 0, 0, NULL,
	"points from which a message is tagged", 0},
    {"quarantine", OPTION_SCORE_OFF, "off", 0, 0, NULL,
	"points from which a message is held", 0},
    {"reject", OPTION_SCORE_OFF, "15", 0, 0, NULL,
	"points from which a message is refused", 0},
    {"subject_mark", OPTION_TEXT, "", 0, 0, NULL,
	"text put before the Subject of tagged mail; empty: none", 0},
    {"help_url", OPTION_TEXT, "", 0, 0, NULL,
	"address shown in refusals; %{ref} is the message's ref", 0},
    {"reply_detail", OPTION_WORD, "class", 0, 0, "class rules",
	"rules: name the rules that hit in a refusal", 0},
    {"recipients", OPTION_LIST, "{ }", 0, 0, NULL,
	"whom it is for: address, @domain, .domain, file:PATH", 0},
    OPTION_END,
};

static const struct option policy_all_options[] = {
    {"on_failure", OPTION_LIST, "{ memory:tempfail }", 0, 0, NULL,
	"NAME:ACTION for checks that could not run", 0},
    {"defer_max", OPTION_TIME, "4h", 0, INT64_C(7) * 86400000, NULL,
	"longest time that one cause defers mail", 0},
    {"split", OPTION_WORD, "lenient", 0, 0, "lenient defer",
	"recipients of several policies: one verdict, or one by one", 0},
    OPTION_END,
};

static const struct option quarantine_options[] = {
    {"where", OPTION_WORD, "hold", 0, 0, "hold", "hold: the MTA's hold queue",
	0},
    OPTION_END,
};

static const struct option store_options[] = {
    {"url", OPTION_TEXT, "\"lmdb:\"", 0, 0, NULL,
	"lmdb:FOLDER, redis://HOST:PORT/DB, redis+unix:PATH or memory:",
	OPTION_RESTART},
    {"namespace", OPTION_TEXT, "assay", 0, 0, NULL,
	"keeps two sites apart in one server", OPTION_RESTART},
    {"password_file", OPTION_TEXT, "", 0, 0, NULL,
	"file whose first line is the server's password; empty: none",
	OPTION_RESTART},
    {"timeout", OPTION_TIME, "200ms", 1, 10000, NULL,
	"time that one message may wait for the store", 0},
    {"queue", OPTION_SIZE, "16M", 65536, INT64_C(1) << 32, NULL,
	"bytes of changes that wait to be written", OPTION_RESTART},
    OPTION_END,
};

static const struct option learn_options[] = {
    {"min_spam", OPTION_INT, "10", 1, 1000000, NULL,
	"messages trained as spam before BAYES_* say anything", 0},
    {"min_ham", OPTION_INT, "10", 1, 1000000, NULL,
	"messages trained as ham before BAYES_* say anything", 0},
    {"trainers", OPTION_LIST, "{ }", 0, 0, NULL,
	"users and @groups that may train over the control socket", 0},
    OPTION_END,
};

static const struct option log_options[] = {
    {"level", OPTION_WORD, "info", 0, 0, "error warn info debug",
	"most talkative level that is logged", 0},
    {"retain", OPTION_TIME, "30d", INT64_C(86400000), INT64_C(3650) * 86400000,
	NULL, "how long verdicts are kept", OPTION_RESTART},
    {"max_size", OPTION_SIZE, "4G", 1 << 20, INT64_C(1) << 50, NULL,
	"bytes of all verdicts; past it the oldest day goes", OPTION_RESTART},
    OPTION_END,
};

static const struct option_section top_kind = {
    "", "outside of sections", top_options, false};
static const struct option_section milter_kind = {
    "milter", "the socket to the MTA, and who is who", milter_options, false};
static const struct option_section dns_kind = {
    "dns", "the resolver", dns_options, false};
static const struct option_section auth_kind = {
    "auth", "SPF, DKIM, DMARC, ARC, signing", auth_options, false};
static const struct option_section report_kind = {
    "report", "DMARC reports to others", report_options, false};
static const struct option_section rules_kind = {
    "rules", "rule files", rules_options, false};
static const struct option_section limits_kind = {
    "limits", "sizes and times", limits_options, false};
static const struct option_section policy_all_kind = {
    "policy", "what holds for all policies", policy_all_options, false};
static const struct option_section policy_kind = {
    "policy", "what to do with a message", policy_options, true};
static const struct option_section quarantine_kind = {
    "quarantine", "held messages", quarantine_options, false};
static const struct option_section store_kind = {
    "store", "reputation, learned counts, state", store_options, false};
static const struct option_section learn_kind = {
    "learn", "training", learn_options, false};
static const struct option_section log_kind = {
    "log", "the operator's log and the verdict log", log_options, false};

const struct option_section *const settings_kinds[SETTINGS_KINDS] = {
    [SETTINGS_TOP] = &top_kind,
    [SETTINGS_MILTER] = &milter_kind,
    [SETTINGS_DNS] = &dns_kind,
    [SETTINGS_AUTH] = &auth_kind,
    [SETTINGS_REPORT] = &report_kind,
    [SETTINGS_RULES] = &rules_kind,
    [SETTINGS_LIMITS] = &limits_kind,
    [SETTINGS_POLICY_ALL] = &policy_all_kind,
    [SETTINGS_POLICY] = &policy_kind,
    [SETTINGS_QUARANTINE] = &quarantine_kind,
    [SETTINGS_LOG] = &log_kind,
    [SETTINGS_STORE] = &store_kind,
    [SETTINGS_LEARN] = &learn_kind,
    [SETTINGS_LISTS_ALL] = &settings_lists_all_kind,
    [SETTINGS_LISTS] = &settings_lists_kind,
};
