#include "filter/ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/auth/keyring.h"
#include "filter/ctl/dkim.h"
#include "filter/mail/domain.h"
#include "filter/socket.h"

/*
 * assay dkim: keys. A new key goes to auth.keys/DOMAIN/SELECTOR.pem by way of
 * a file beside it, so that nobody finds half a key, and the DNS record to
 * standard output, where nothing else is printed.
 */

#define FOLDER_MODE 0750
#define BITS_DEFAULT 2048
#define STRING_MAX 255 /* of a TXT record, RFC 1035 section 3.3.14 */

/* --- what the commands share ---------------------------------------------------------- */

int
ctl_dkim_names(struct ctl *ctl, const char *domain, const char *selector,
    struct arena *arena, struct signer *ret)
{
	if (!domain || !selector)
		return ctl_fail(
		    ctl, EX_USAGE, "--domain and --selector are needed");
	if (domain_normalise(span_of(domain), arena, &ret->domain) ||
	    !keyring_is_selector(ret->domain))
		return ctl_fail(
		    ctl, EX_USAGE, "--domain: no domain name: %s", domain);
	if (!keyring_is_selector(span_of(selector)))
		return ctl_fail(
		    ctl, EX_USAGE, "--selector: no selector: %s", selector);
	ret->selector = arena_span(arena, span_of(selector));
	return EX_OK;
}

const char *
ctl_dkim_path(const struct settings *settings, const struct signer *of,
    struct arena *arena)
{
	return arena_cstr(
	    arena, arena_printf(arena, "%.*s/%.*s/%.*s.pem",
		       SPAN_ARG(settings->sign.keys), SPAN_ARG(of->domain),
		       SPAN_ARG(of->selector)));
}

struct snapshot *
ctl_dkim_settings(struct ctl *ctl, bool keys)
{
	struct settings_source source = ctl_source(ctl);

	source.no_rules = true;
	source.keys = keys;
	return snapshot_load(&source, ctl_report, NULL);
}

/* --- keygen: the file -------------------------------------------------------------------- */

enum { GEN_DOMAIN, GEN_SELECTOR, GEN_TYPE, GEN_BITS, GEN_FORCE };

static const struct ctl_option keygen_options[] = {
    [GEN_DOMAIN] = {"domain", 'd', "DOMAIN", "whose mail it shall sign"},
    [GEN_SELECTOR] = {"selector", 's', "NAME", "the key's name in the DNS"},
    [GEN_TYPE] = {"type", 't', "TYPE", "rsa (default) or ed25519"},
    [GEN_BITS] = {"bits", 'b', "N", "of RSA: 1024 to 8192, by default 2048"},
    [GEN_FORCE] = {"force", 0, NULL, "replace a key that is there"},
    {0},
};

struct keygen {
	const char *domain, *selector;
	enum sign_algorithm algorithm;
	uint64_t bits;
	bool force;
	struct signer names;
	struct sign_key *key;
	struct arena *arena;
};

static int
take_keygen(void *arg, int index, const char *value)
{
	struct keygen *k = arg;

	if (index == GEN_DOMAIN) {
		k->domain = value;
	} else if (index == GEN_SELECTOR) {
		k->selector = value;
	} else if (index == GEN_FORCE) {
		k->force = true;
	} else if (index == GEN_TYPE) {
		k->algorithm = strcmp(value, "ed25519") == 0
				   ? SIGN_ED25519_SHA256
				   : SIGN_RSA_SHA256;
		if (k->algorithm == SIGN_RSA_SHA256 && strcmp(value, "rsa")) {
			fprintf(stderr, "--type is rsa or ed25519\n");
			return EX_USAGE;
		}
	} else if (span_to_u64(span_of(value), &k->bits) ||
		   k->bits < SIGN_KEY_BITS_MIN || k->bits > SIGN_KEY_BITS_MAX) {
		fprintf(stderr, "--bits is a number from %d to %d\n",
		    SIGN_KEY_BITS_MIN, SIGN_KEY_BITS_MAX);
		return EX_USAGE;
	}
	return 0;
}

/* 0640 for a group that may read keys, else for the owner alone. */
static void
set_rights(int fd)
{
	struct stat st;
	gid_t gid;
	bool known = socket_find_group(SPAN(ASSAY_USER), &gid, NULL) == 0;

	if (known && fchown(fd, (uid_t)-1, gid) != 0)
		known = false;
	if (fstat(fd, &st) == 0 && (known || st.st_gid == 0))
		(void)fchmod(fd, 0640);
}

static int
write_all(int fd, struct span text)
{
	while (text.len) {
		ssize_t n = write(fd, text.p, text.len);
		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0)
			text = span_skip(text, (size_t)n);
	}
	return fsync(fd);
}

/* A folder of ours, and the one above it. */
static int
make_folders(const char *path, struct arena *arena)
{
	struct span folder = span_of(path);
	size_t last = span_rfind_char(folder, '/');
	const char *domain = arena_cstr(arena, span_head(folder, last));

	folder = span_head(folder, last);
	const char *keys =
	    arena_cstr(arena, span_head(folder, span_rfind_char(folder, '/')));
	if (!domain || !keys)
		return -1;
	const char *folders[] = {keys, domain};
	for (size_t i = 0; i < 2; i++) {
		if (*folders[i] == '\0' ||
		    mkdir(folders[i], FOLDER_MODE) == 0) {
			int fd = *folders[i]
				     ? open(folders[i],
					   O_RDONLY | O_DIRECTORY | O_CLOEXEC)
				     : -1;
			gid_t gid;
			if (fd < 0)
				continue;
			if (socket_find_group(SPAN(ASSAY_USER), &gid, NULL) ==
				0 &&
			    fchown(fd, (uid_t)-1, gid) != 0)
				errno = 0; /* the owner's group stays */
			close(fd);
		} else if (errno != EEXIST) {
			return -1;
		}
	}
	return 0;
}

static int
save(struct ctl *ctl, struct keygen *k, const char *path)
{
	const char *temp =
	    arena_cstr(k->arena, arena_printf(k->arena, "%s.new", path));
	struct buf pem;

	buf_init(&pem, k->arena, (size_t)64 * 1024);
	if (!temp || sign_key_pem(k->key, &pem))
		return ctl_fail(ctl, EX_OSERR, "out of memory");
	if (make_folders(path, k->arena))
		return ctl_fail(ctl, EX_CANTCREAT, "%s: %m", path);
	(void)unlink(temp); /* of a try that was cut short */
	int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return ctl_fail(ctl, EX_CANTCREAT, "%s: %m", temp);
	set_rights(fd);
	bool done = write_all(fd, buf_span(&pem)) == 0;
	if (close(fd) != 0)
		done = false;
	/* link() refuses a name that is taken, rename() replaces it. */
	if (done && k->force)
		done = rename(temp, path) == 0;
	else if (done)
		done = link(temp, path) == 0;
	int error = errno;
	(void)unlink(temp);
	if (!done && error == EEXIST)
		return ctl_fail(ctl, EX_CANTCREAT,
		    "%s: there is a key; --force replaces it", path);
	errno = error;
	return done ? EX_OK : ctl_fail(ctl, EX_CANTCREAT, "%s: %m", path);
}

/* --- keygen: the record ------------------------------------------------------------------- */

/* In strings of 255 bytes, one to a line, in parentheses when there are more
 * than one (RFC 1035 section 5.1). */
static bool
print_record(const struct keygen *k)
{
	struct buf text;

	buf_init(&text, k->arena, (size_t)16 * 1024);
	buf_printf(&text, "v=DKIM1; k=%s; p=",
	    k->algorithm == SIGN_RSA_SHA256 ? "rsa" : "ed25519");
	if (sign_key_public(k->key, &text))
		return false;
	struct span rest = buf_span(&text);
	bool many = rest.len > STRING_MAX;
	printf("%.*s._domainkey.%.*s. IN TXT%s", SPAN_ARG(k->names.selector),
	    SPAN_ARG(k->names.domain), many ? " (" : "");
	while (rest.len) {
		struct span part = span_head(rest, STRING_MAX);
		printf("%s\"%.*s\"", many ? "\n\t" : " ", SPAN_ARG(part));
		rest = span_skip(rest, part.len);
	}
	puts(many ? " )" : "");
	return true;
}

static int
keygen(struct ctl *ctl, struct keygen *k)
{
	struct err err;
	int status =
	    ctl_dkim_names(ctl, k->domain, k->selector, k->arena, &k->names);

	if (status)
		return status;
	struct snapshot *snapshot = ctl_dkim_settings(ctl, false);
	if (!snapshot)
		return EX_CONFIG;
	const char *path =
	    ctl_dkim_path(&snapshot->settings, &k->names, k->arena);
	snapshot_unref(snapshot);
	if (!path)
		return ctl_fail(ctl, EX_OSERR, "out of memory");
	if (!k->force && access(path, F_OK) == 0)
		return ctl_fail(ctl, EX_CANTCREAT,
		    "%s: there is a key; --force replaces it", path);
	if (sign_key_make(k->algorithm, (unsigned)k->bits, &k->key, &err))
		return ctl_fail(ctl, EX_OSERR, "%s", err.text);
	status = save(ctl, k, path);
	if (status)
		return status;
	fprintf(stderr,
	    "%s is written. Publish this record, try it with \"assay dkim"
	    " testkey\",\nthen have assayd take the key with \"assay"
	    " reload\".\n",
	    path);
	if (!print_record(k) || fflush(stdout) != 0)
		return ctl_fail(ctl, EX_IOERR, "the record was not written");
	return EX_OK;
}

static int
run_keygen(struct ctl *ctl, int argc, char **argv)
{
	struct keygen k = {.bits = BITS_DEFAULT, .arena = arena_new(0)};
	int status, n;

	if (!k.arena)
		return ctl_fail(ctl, EX_OSERR, "out of memory");
	n = ctl_options(ctl, argc, argv, take_keygen, &k, &status);
	if (n > 1)
		status = ctl_usage(ctl);
	else if (n >= 0)
		status = keygen(ctl, &k);
	sign_key_free(k.key);
	arena_free(k.arena);
	return status;
}

const struct ctl_command ctl_dkim_commands[] = {
    {"keygen", "--domain=DOMAIN --selector=NAME",
	"make a key, print the record to publish", keygen_options, run_keygen,
	NULL},
    {"sign", NULL, NULL, NULL, NULL, &ctl_dkim_sign_command},
    {"testkey", NULL, NULL, NULL, NULL, &ctl_dkim_testkey_command},
    {0},
};
