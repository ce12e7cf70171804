/* Private keys: what is taken, what is refused, what they sign. */
#include "filter/auth/sign_key.h"

#include <pthread.h>

#include "tests/unit/signkit.h"

#define THREADS 4

/* RFC 8463 appendix A.2: the private key there, as PKCS#8. */
#define RFC8463_KEY                                                            \
	"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g"
#define RFC8463_PUBLIC "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

/* Made by openssl for this test, of no use to anybody: an elliptic curve, RSA
 * of 512 bits. */
#define EC_KEY                                                                 \
	"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgKig5oa6lqyfg9AOIJ2Xz" \
	"kplXwQt//yM61FCnSU5//J6hRANCAARckrWUybxsv9wao4Q6Bhd/hTz0zZADxwAY4Z7A" \
	"CDE+bYpbd3683hG89eVOS4oGRKGEz9rYH4Pa3CuDhhjl+5hJ"
#define SMALL_KEY                                                              \
	"MIIBVQIBADANBgkqhkiG9w0BAQEFAASCAT8wggE7AgEAAkEAsEoW84McyY/VBdFjyili" \
	"qqqnyfPhbwszdUp2mroIJQoxc577Ev84GFyXzllBBTuCDrmENLWCeEY1N27VcTyEcQID" \
	"AQABAkEAn/K5HDxLtD3CI8M17Ujbcsnf7wZN9fiNuc/UCNLdbOxvDt7++PwiSWpYoHeb" \
	"9sKn+B6nXWt5ZHSszuauIphnoQIhANndPsPeeh50YASEoQZt8opGCu5b30C8WzmtOGW6" \
	"G/t9AiEAzyXTxRBcB/ByDHyHiM65w0psROhZellCDjfNqKsn9wUCIHf14PeM6wUV40DZ" \
	"nqihpakJhD9XCwjkLf8GKEWrQnkpAiBC+UL30us+ceId4WFcvSHYX0aUHN9ZLGSr/iTT" \
	"JMteFQIhAIpaHsUnVUq+FLQvp8PLzT8se1+/NSMDLhEkgQm4vFz8"

static int
parse(const char *text, struct err *err)
{
	struct sign_key *key = NULL;
	int rc = sign_key_parse(span_of(text), &key, err);

	sign_key_free(key);
	return rc;
}

static void
test_forms(struct arena *a)
{
	struct sign_key *key = NULL;
	struct err err;

	TAP_CASE("the key of RFC 8463 appendix A gives its public key")
	CHECK_INT(sign_key_parse(SPAN(RFC8463_KEY), &key, &err), 0);
	CHECK_STR(kit_public(a, key), RFC8463_PUBLIC);
	CHECK_INT(sign_key_algorithm(key), SIGN_ED25519_SHA256);
	sign_key_free(key);

	TAP_CASE("what is written in PEM is read again, both kinds")
	for (enum sign_algorithm i = 0; i <= SIGN_ED25519_SHA256; i++) {
		struct span pem = kit_pem(a, i);
		CHECK(span_starts(pem, SPAN("-----BEGIN PRIVATE KEY-----\n")));
		CHECK_INT(sign_key_parse(pem, &key, &err), 0);
		CHECK_SPAN(kit_public(a, key), kit_public(a, kit_key(i)));
		CHECK_INT(sign_key_bits(key), i ? 256 : 1024);
		sign_key_free(key);
	}

	TAP_CASE("base64 of the DER is read, in one line or folded")
	for (enum sign_algorithm i = 0; i <= SIGN_ED25519_SHA256; i++) {
		CHECK_INT(sign_key_parse(kit_base64(a, i), &key, &err), 0);
		sign_key_free(key);
		struct span text = kit_base64(a, i);
		CHECK_INT(sign_key_parse(arena_printf(a, "%.*s\n %.*s\n",
					     SPAN_ARG(span_head(text, 20)),
					     SPAN_ARG(span_skip(text, 20))),
			      &key, &err),
		    0);
		sign_key_free(key);
	}

	TAP_CASE("junk is no key")
	CHECK_INT(parse("", &err), ERR_INVALID);
	CHECK_INT(parse("hello\n", &err), ERR_INVALID);
	CHECK_INT(parse("AAAA", &err), ERR_INVALID);
	CHECK_INT(parse("-----BEGIN PRIVATE KEY-----\n", &err), ERR_INVALID);
	CHECK_INT(parse("-----BEGIN PRIVATE KEY-----\nAAAA\n"
			"-----END PRIVATE KEY-----\n",
		      &err),
	    ERR_INVALID);

	TAP_CASE("an encrypted key is refused without a question")
	CHECK_INT(parse("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n"
			"-----END ENCRYPTED PRIVATE KEY-----\n",
		      &err),
	    ERR_INVALID);
	CHECK(strstr(err.text, "encrypted") != NULL);

	TAP_CASE("a kind that DKIM does not know is refused")
	CHECK_INT(parse(EC_KEY, &err), ERR_INVALID);
	CHECK(strstr(err.text, "neither RSA nor Ed25519") != NULL);

	TAP_CASE("RSA has 1024 to 8192 bits")
	CHECK_INT(parse(SMALL_KEY, &err), ERR_INVALID);
	CHECK(strstr(err.text, "512 bits") != NULL);
	CHECK_INT(
	    sign_key_make(SIGN_RSA_SHA256, 1023, &key, &err), ERR_INVALID);
	CHECK_INT(
	    sign_key_make(SIGN_RSA_SHA256, 8193, &key, &err), ERR_INVALID);
}

struct mode_case {
	mode_t mode;
	int rc;
};

static void
test_files(struct arena *a)
{
	static const struct mode_case cases[] = {
	    {0400, 0},
	    {0600, 0},
	    {0640, 0},
	    {0440, 0},
	    {0644, ERR_ACCESS},
	    {0604, ERR_ACCESS},
	    {0602, ERR_ACCESS},
	    {0666, ERR_ACCESS},
	    {0777, ERR_ACCESS},
	};
	struct sign_key *key = NULL;
	struct err err;

	TAP_CASE("a file that others can read or write is refused")
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *path = kit_write(
		    a, "mode.pem", kit_pem(a, SIGN_RSA_SHA256), cases[i].mode);
		CHECK_INT(sign_key_load(path, &key, &err), cases[i].rc);
		if (cases[i].rc == 0)
			sign_key_free(key);
		else
			CHECK(strstr(err.text, path) != NULL);
	}

	TAP_CASE("a group that is neither ours nor root's must not read it")
	const char *path =
	    kit_write(a, "group.pem", kit_pem(a, SIGN_RSA_SHA256), 0640);
	if (geteuid() != 0)
		tap_skip("a foreign group", "needs root");
	else if (chown(path, (uid_t)-1, 54321) == 0 && chmod(path, 0640) == 0)
		CHECK_INT(sign_key_load(path, &key, &err), ERR_ACCESS);

	TAP_CASE("a file of another user is refused")
	if (geteuid() != 0)
		tap_skip("a foreign owner", "needs root");
	else if (chown(path, 54321, 0) == 0 && chmod(path, 0600) == 0)
		CHECK_INT(sign_key_load(path, &key, &err), ERR_ACCESS);

	TAP_CASE("no file, a folder, a FIFO, a large file: each its error")
	CHECK_INT(
	    sign_key_load(kit_path(a, "none.pem"), &key, &err), ERR_NOTFOUND);
	CHECK_INT(sign_key_load(kit_folder, &key, &err), ERR_ACCESS);
	CHECK_INT(mkfifo(kit_path(a, "fifo"), 0600), 0);
	CHECK_INT(sign_key_load(kit_path(a, "fifo"), &key, &err), ERR_ACCESS);
	char *large = arena_calloc(a, 1, 70000);
	memset(large, 'A', 70000);
	path = kit_write(a, "large.pem", span_make(large, 70000), 0600);
	CHECK_INT(sign_key_load(path, &key, &err), ERR_LIMIT);
}

static struct span
record(struct arena *a, const char *before, enum sign_algorithm algorithm)
{
	return arena_printf(
	    a, "%s%.*s", before, SPAN_ARG(kit_public(a, kit_key(algorithm))));
}

static void
test_published(struct arena *a)
{
	const struct sign_key *rsa = kit_key(SIGN_RSA_SHA256);
	const struct sign_key *ed = kit_key(SIGN_ED25519_SHA256);
	const struct {
		const struct sign_key *key;
		struct span record;
		const char *in; /* of the reason; NULL: right */
	} cases[] = {
	    {rsa, record(a, "v=DKIM1; k=rsa; p=", SIGN_RSA_SHA256), NULL},
	    {rsa, record(a, "p=", SIGN_RSA_SHA256), NULL},
	    {ed, record(a, "k=ed25519; p=", SIGN_ED25519_SHA256), NULL},
	    {rsa, record(a, "v=DKIM1; t=y; p=", SIGN_RSA_SHA256), "t=y"},
	    {rsa, record(a, "v=DKIM1; h=sha1; p=", SIGN_RSA_SHA256), "h="},
	    {rsa, record(a, "s=tlsrpt; p=", SIGN_RSA_SHA256), "not for mail"},
	    {rsa, record(a, "k=ed25519; p=", SIGN_ED25519_SHA256), "Ed25519"},
	    {ed, record(a, "k=rsa; p=", SIGN_RSA_SHA256), "RSA"},
	    {ed, SPAN("k=ed25519; p=" RFC8463_PUBLIC), "another key"},
	    {rsa, SPAN("v=DKIM1; p="), "revoked"},
	    {rsa, SPAN("v=DKIM1"), "no p="},
	    {rsa, SPAN("v=DKIM1; p=!"), "base64"},
	    {rsa, SPAN("v=spf1 -all"), "not DKIM1"},
	    {rsa, SPAN(""), ""},
	};

	TAP_CASE("a published record is judged by what verifiers do with it")
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *got =
		    sign_key_refuses(cases[i].key, cases[i].record, a);
		CHECK(!got == !cases[i].in);
		if (got && cases[i].in && !strstr(got, cases[i].in))
			CHECK_STR(span_of(got), cases[i].in);
	}
}

static void *
sign_many(void *arg)
{
	unsigned char digest[32] = {1, 2, 3};
	const struct span *want = arg;
	intptr_t bad = 0;

	for (int i = 0; i < 200; i++) {
		struct buf out;
		buf_init(&out, NULL, 4096);
		bad += sign_key_digest(
			   kit_key(SIGN_RSA_SHA256), digest, &out) != 0 ||
		       !span_eq(buf_span(&out), *want);
		buf_done(&out);
	}
	return (void *)bad;
}

static void
test_threads(struct arena *a)
{
	unsigned char digest[32] = {1, 2, 3};
	pthread_t threads[THREADS];
	struct span want;
	struct buf out;

	TAP_CASE("one key signs in many threads at once")
	buf_init(&out, a, 4096);
	CHECK_INT(sign_key_digest(kit_key(SIGN_RSA_SHA256), digest, &out), 0);
	want = buf_span(&out);
	CHECK_INT(want.len, 172); /* 128 bytes */
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, sign_many, &want);
	for (int i = 0; i < THREADS; i++) {
		void *bad;
		pthread_join(threads[i], &bad);
		CHECK_INT((intptr_t)bad, 0);
	}
}

int
main(void)
{
	struct arena *a = arena_new(0);

	kit_begin();
	test_forms(a);
	test_files(a);
	test_published(a);
	test_threads(a);
	kit_end();
	arena_free(a);
	return tap_done();
}
