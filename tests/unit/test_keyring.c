/* Keys of a folder and of OpenDKIM's tables, and whose mail each signs. */
#include "filter/auth/keyring.h"

#include "filter/auth/sign_table.h"
#include "tests/unit/signkit.h"

/* What was complained of, one line each, the folder's path as "@". */
static struct buf said;

static void
complain(void *arg, bool warning, const char *text)
{
	(void)arg;
	struct span rest = span_of(text);

	buf_add_str(&said, warning ? "warning: " : "");
	while (rest.len) {
		size_t at = span_find(rest, span_of(kit_folder), 0);
		buf_add_span(&said, span_head(rest, at));
		if (at == SPAN_NPOS)
			break;
		buf_add_char(&said, '@');
		rest = span_skip(rest, at + strlen(kit_folder));
	}
	buf_add_char(&said, '\n');
}

struct source {
	const char *folder, *keys, *senders;
};

static struct keyring *
load(struct arena *a, const struct source *from)
{
	struct keyring *keyring = NULL;
	struct keyring_source source = {
	    .folder = span_of(from->folder),
	    .folder_named = true,
	    .key_table = span_of(from->keys),
	    .signing_table = span_of(from->senders),
	};

	(void)a;
	buf_truncate(&said, 0);
	if (keyring_load(&source, complain, NULL, &keyring))
		return NULL;
	return keyring;
}

/* "d/s[/i] ..." of a sender. */
static struct span
who(const struct keyring *keyring, const char *local, const char *domain,
    struct arena *a)
{
	struct signer signers[KEYRING_SIGNERS_MAX];
	size_t n =
	    keyring_find(keyring, span_of(local), span_of(domain), a, signers);
	struct buf out;

	buf_init(&out, a, 65536);
	for (size_t i = 0; i < n; i++) {
		buf_printf(&out, "%s%.*s/%.*s", i ? " " : "",
		    SPAN_ARG(signers[i].domain), SPAN_ARG(signers[i].selector));
		if (signers[i].identity.len)
			buf_printf(
			    &out, "/%.*s", SPAN_ARG(signers[i].identity));
		CHECK(signers[i].key != NULL);
	}
	return buf_span(&out);
}

static void
put_key(struct arena *a, const char *name, enum sign_algorithm algorithm)
{
	(void)kit_write(a, name, kit_pem(a, algorithm), 0600);
}

static void
test_folder(struct arena *a)
{
	struct source from = {.folder = kit_path(a, "keys")};
	struct signer signers[KEYRING_SIGNERS_MAX];

	put_key(a, "keys/example.com/rsa.pem", SIGN_RSA_SHA256);
	put_key(a, "keys/example.com/ed.pem", SIGN_ED25519_SHA256);
	put_key(a, "keys/example.com/.hidden.pem", SIGN_ED25519_SHA256);
	put_key(a, "keys/example.com/note.txt", SIGN_ED25519_SHA256);
	put_key(a, "keys/M\xc3\xbcnchen.example/s.pem", SIGN_RSA_SHA256);
	put_key(a, "keys/*.example.com/wild.pem", SIGN_RSA_SHA256);
	put_key(a, "keys/*.b.example.com/near.pem", SIGN_RSA_SHA256);
	put_key(a, "keys/README", SIGN_RSA_SHA256);
	struct keyring *keyring = load(a, &from);
	CHECK(keyring && said.len == 0);

	TAP_CASE("all keys of a domain sign, in order of their names")
	CHECK_STR(who(keyring, "joe", "example.com", a),
	    "example.com/ed example.com/rsa");
	TAP_CASE("a domain without a folder has no key, nor has its parent")
	CHECK_STR(who(keyring, "joe", "example.org", a), "");
	CHECK_STR(who(keyring, "joe", "com", a), "");
	CHECK_STR(who(keyring, "joe", "badexample.com", a), "");
	CHECK_STR(who(keyring, "joe", "example.com.evil.example", a), "");
	TAP_CASE("*.DOMAIN signs what is below as DOMAIN, the nearest one")
	CHECK_STR(who(keyring, "joe", "a.example.com", a), "example.com/wild");
	CHECK_STR(
	    who(keyring, "joe", "x.y.example.com", a), "example.com/wild");
	CHECK_STR(who(keyring, "joe", "b.example.com", a), "example.com/wild");
	CHECK_STR(
	    who(keyring, "joe", "a.b.example.com", a), "b.example.com/near");
	TAP_CASE("a folder with a name in Unicode is its A-labels")
	CHECK_STR(who(keyring, "joe", "xn--mnchen-3ya.example", a),
	    "xn--mnchen-3ya.example/s");
	TAP_CASE("keys by their d=, for seals")
	CHECK_INT(keyring_domain(keyring, SPAN("example.com"), signers), 2);
	CHECK_INT(keyring_domain(keyring, SPAN("b.example.com"), signers), 1);
	CHECK_INT(keyring_domain(keyring, SPAN("a.example.com"), signers), 0);
	keyring_free(keyring);

	TAP_CASE("no keyring, an empty folder and no folder have no keys")
	CHECK(keyring_is_empty(NULL));
	CHECK_INT(mkdir(kit_path(a, "empty"), 0700), 0);
	from.folder = kit_path(a, "empty");
	keyring = load(a, &from);
	CHECK(keyring && keyring_is_empty(keyring) && said.len == 0);
	keyring_free(keyring);
	from.folder = kit_path(a, "nowhere");
	keyring = load(a, &from);
	CHECK(keyring && keyring_is_empty(keyring));
	CHECK(span_starts(buf_span(&said), SPAN("warning: auth.keys: ")));
	keyring_free(keyring);
}

static void
test_bad_folder(struct arena *a)
{
	struct source from = {.folder = kit_path(a, "bad")};
	struct span key = kit_pem(a, SIGN_RSA_SHA256);

	(void)kit_write(a, "bad/example.com/open.pem", key, 0644);
	(void)kit_write(a, "bad/example.com/junk.pem", SPAN("junk"), 0600);
	(void)kit_write(a, "bad/example.com/bad name.pem", key, 0600);
	(void)kit_write(a, "bad/no..domain/s.pem", key, 0600);
	(void)kit_write(a, "bad/Twice.example/s.pem", key, 0600);
	(void)kit_write(a, "bad/twice.example/s.pem", key, 0600);
	(void)kit_write(a, "bad/open.example/s.pem", key, 0600);
	CHECK_INT(chmod(kit_path(a, "bad/open.example"), 0777), 0);
	TAP_CASE("all that is wrong with a folder is said at once")
	CHECK(load(a, &from) == NULL);
	static const char *const want[] = {
	    "@/bad/example.com/open.pem: others can read it",
	    "@/bad/example.com/junk.pem: no private key",
	    "@/bad/example.com/bad name.pem: the file's name is no selector",
	    "@/bad/no..domain: the folder's name is no domain name",
	    "@/bad/twice.example: another folder stands for twice.example",
	    "@/bad/open.example: others can write this folder",
	};
	for (size_t i = 0; i < sizeof want / sizeof *want; i++)
		if (span_find(buf_span(&said), span_of(want[i]), 0) ==
		    SPAN_NPOS)
			CHECK_STR(buf_span(&said), want[i]);

	TAP_CASE("more keys than a message may have signatures are refused")
	for (int i = 0; i < KEYRING_SIGNERS_MAX + 1; i++) {
		char name[64];
		snprintf(name, sizeof name, "many/example.com/s%02d.pem", i);
		(void)kit_write(a, name, key, 0600);
	}
	from.folder = kit_path(a, "many");
	CHECK(load(a, &from) == NULL);
	CHECK(span_find(buf_span(&said), SPAN("s16.pem: more than 16"), 0) !=
	      SPAN_NPOS);
}

static const char *
table(struct arena *a, const char *kind, const char *name, const char *text)
{
	return arena_cstr(a, arena_printf(a, "%s%s", kind,
				 kit_write(a, name, span_of(text), 0600)));
}

static void
test_tables(struct arena *a)
{
	struct source from = {.folder = kit_path(a, "keys")};
	struct keyring *keyring;

	/* the folder's own name, for "../" */
	from.keys = table(a, "file:", "KeyTable",
	    arena_cstr(
		a, arena_printf(a,
		       "# names\n"
		       "one  example.com:s1:./keys/example.com/rsa.pem\r\n"
		       "two\texample.com:s2:../%s/keys/example.com/ed.pem # x\n"
		       "\n"
		       "any  %%:mail:%s/keys/example.com/rsa.pem\n",
		       strrchr(kit_folder, '/') + 1, kit_folder)));
	from.senders = table(a, "", "SigningTable",
	    "joe@example.com one\n"
	    "joe@example.com two:joe@sub.example.com\n"
	    "example.com two:%\n"
	    "ann@.example.com one:ann@other.example\n"
	    ".example.com two:@%\n"
	    "root@* any\n"
	    "example.net any:postmaster@%\n"
	    "m\xc3\xbcnchen.example any\n");
	keyring = load(a, &from);
	CHECK_STR(buf_span(&said), "");

	TAP_CASE("exact senders are looked up in OpenDKIM's order")
	CHECK_STR(who(keyring, "joe", "example.com", a),
	    "example.com/s1 example.com/s2/joe@sub.example.com");
	CHECK_STR(who(keyring, "JOE", "example.com", a),
	    "example.com/s1 example.com/s2/joe@sub.example.com");
	CHECK_STR(who(keyring, "eve", "example.com", a), "example.com/s2");
	CHECK_STR(who(keyring, "ann", "a.b.example.com", a), "example.com/s1");
	CHECK_STR(who(keyring, "eve", "a.b.example.com", a),
	    "example.com/s2/@a.b.example.com");
	TAP_CASE("% of the KeyTable is the sender's domain")
	CHECK_STR(who(keyring, "root", "whatever.example", a),
	    "whatever.example/mail");
	CHECK_STR(who(keyring, "x", "example.net", a),
	    "example.net/mail/postmaster@example.net");
	TAP_CASE("names in Unicode are compared as A-labels")
	CHECK_STR(who(keyring, "x", "xn--mnchen-3ya.example", a),
	    "xn--mnchen-3ya.example/mail");
	TAP_CASE("who is not in the table is looked up in the folder")
	CHECK_STR(who(keyring, "eve", "example.org", a), "");
	keyring_free(keyring);
	from.senders = table(a, "", "SigningTable", "joe@example.com one\n");
	keyring = load(a, &from);
	CHECK_STR(who(keyring, "eve", "example.com", a),
	    "example.com/ed example.com/rsa");
	keyring_free(keyring);

	TAP_CASE("* is everybody, at the end")
	from.senders = table(a, "file:", "SigningTable", "* one\nroot@* two\n");
	keyring = load(a, &from);
	CHECK_STR(who(keyring, "eve", "x.example", a), "example.com/s1");
	CHECK_STR(who(keyring, "root", "x.example", a), "example.com/s2");
	keyring_free(keyring);

	TAP_CASE("refile: patterns over the whole address, the first counts")
	from.senders = table(a, "refile:", "SigningTable",
	    "joe*@example.com one\n"
	    "*@*.example.com two\n"
	    "*@example.com any\n"
	    "joe*@example.com two\n");
	keyring = load(a, &from);
	CHECK_STR(who(keyring, "joe", "example.com", a),
	    "example.com/s1 example.com/s2");
	CHECK_STR(who(keyring, "Joe+x", "example.com", a),
	    "example.com/s1 example.com/s2");
	CHECK_STR(who(keyring, "eve", "example.com", a), "example.com/mail");
	CHECK_STR(who(keyring, "eve", "a.example.com", a), "example.com/s2");
	CHECK_STR(who(keyring, "eve", "example.com.evil.example", a), "");
	keyring_free(keyring);
}

static void
test_templates(struct arena *a)
{
	struct source from = {.folder = kit_path(a, "empty")};
	struct keyring *keyring;

	put_key(a, "tree/example.com/mail.private", SIGN_RSA_SHA256);
	put_key(a, "tree/example.org/mail.private", SIGN_ED25519_SHA256);
	put_key(a, "tree/example.net/other", SIGN_RSA_SHA256);
	put_key(a, "tree/pre-a.example.key", SIGN_RSA_SHA256);
	from.keys = table(a, "refile:", "KeyTable",
	    arena_cstr(a, arena_printf(a,
			      "*.example %%:file:%s/tree/pre-%%.key\n"
			      "* %%:mail:%s/tree/%%/mail.private\n",
			      kit_folder, kit_folder)));
	from.senders = table(a, "refile:", "SigningTable", "*@* %\n");
	keyring = load(a, &from);
	CHECK_STR(buf_span(&said), "");
	TAP_CASE("a path with % has a key for each domain with a file")
	CHECK_STR(who(keyring, "x", "example.com", a), "example.com/mail");
	CHECK_STR(who(keyring, "x", "example.org", a), "example.org/mail");
	CHECK_STR(who(keyring, "x", "example.net", a), "");
	CHECK_STR(who(keyring, "x", "..", a), "");
	CHECK_STR(who(keyring, "x", "a.example", a), "a.example/file");
	CHECK_STR(who(keyring, "x", "b.example", a), "");
	keyring_free(keyring);

	TAP_CASE("a bad file under such a path is an error at once")
	(void)kit_write(
	    a, "tree/bad.example.com/mail.private", SPAN("junk"), 0600);
	CHECK(load(a, &from) == NULL);
	CHECK(span_starts(buf_span(&said),
	    SPAN("@/KeyTable:2: @/tree/bad.example.com/mail.private: ")));
	(void)unlink(kit_path(a, "tree/bad.example.com/mail.private"));

	TAP_CASE("a key in the table itself, if others cannot read the table")
	struct span text = arena_printf(a, "k example.com:s:%.*s\n",
	    SPAN_ARG(kit_base64(a, SIGN_ED25519_SHA256)));
	from.keys = kit_write(a, "KeyTable", text, 0600);
	from.senders = table(a, "", "SigningTable", "* k\n");
	keyring = load(a, &from);
	CHECK_STR(who(keyring, "x", "y.example", a), "example.com/s");
	keyring_free(keyring);
	from.keys = kit_write(a, "KeyTable", text, 0644);
	CHECK(load(a, &from) == NULL);
	CHECK(span_find(buf_span(&said), SPAN("others can read it"), 0) !=
	      SPAN_NPOS);
}

static void
test_bad_tables(struct arena *a)
{
	static const struct {
		const char *claim, *keys, *senders, *want;
	} cases[] = {
	    {"a key without a value", "one\n", "* one\n",
		"@/KeyTable:1: a key without a value"},
	    {"two parts are too few", "# x\none example.com:s\n", "* one\n",
		"@/KeyTable:2: not DOMAIN:SELECTOR:KEY"},
	    {"an empty part", "one example.com::./k\n", "* one\n",
		"@/KeyTable:1: not DOMAIN:SELECTOR:KEY"},
	    {"no domain", "one exa mple:s:./k\n", "* one\n",
		"@/KeyTable:1: no domain name, nor %"},
	    {"no selector", "one example.com:a/b:./k\n", "* one\n",
		"@/KeyTable:1: no selector"},
	    {"no such file", "one example.com:s:./none\n", "* one\n",
		"@/KeyTable:1: @/./none: No such file"},
	    {"no key in the table", "one example.com:s:AAAA\n", "* one\n",
		"@/KeyTable:1: no private key"},
	    {"a key twice",
		"one example.com:s:./keys/example.com/rsa.pem\n"
		"ONE example.com:t:./keys/example.com/ed.pem\n",
		"* one\n",
		"@/KeyTable:1: the same key stands in another line too"},
	    {"an unknown key", "one example.com:s:./keys/example.com/rsa.pem\n",
		"a@example.com one\nb@example.com two\n",
		"@/SigningTable:2: no key \"two\" in @/KeyTable"},
	    {"a sender without a key",
		"one example.com:s:./keys/example.com/rsa.pem\n",
		"a@example.com\n", "@/SigningTable:1: a key without a value"},
	    {"two % in one part of a path", "one %:s:./%-%/x\n", "* one\n",
		"@/KeyTable:1: more than one %"},
	};
	struct source from = {.folder = kit_path(a, "empty")};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE(cases[i].claim)
		from.keys = table(a, "", "KeyTable", cases[i].keys);
		from.senders = table(a, "", "SigningTable", cases[i].senders);
		CHECK(load(a, &from) == NULL);
		if (!span_starts(buf_span(&said), span_of(cases[i].want)))
			CHECK_STR(buf_span(&said), cases[i].want);
	}

	TAP_CASE("one table without the other, and other kinds, are errors")
	from.keys = NULL;
	CHECK(load(a, &from) == NULL);
	CHECK(said.len > 0);
	from.keys = "mysql://x";
	CHECK(load(a, &from) == NULL);
	CHECK(span_find(buf_span(&said), SPAN("refile:PATH"), 0) != SPAN_NPOS);
}

static void
test_match(void)
{
	static const struct {
		const char *pattern, *text;
		bool want;
	} cases[] = {
	    {"", "", true},
	    {"*", "", true},
	    {"*", "anything", true},
	    {"**", "x", true},
	    {"a*c", "abc", true},
	    {"a*c", "ac", true},
	    {"a*c", "abcd", false},
	    {"a*b*c", "axxbyybzzc", true},
	    {"a*b*c", "axxcyyb", false},
	    {"*@example.com", "joe@EXAMPLE.com", true},
	    {"*@example.com", "joe@example.com.evil", false},
	    {"*@example.com", "joe@examplexcom", false},
	    {"joe", "joe2", false},
	    {"[a-z]", "b", false},
	    {".", "x", false},
	};

	TAP_CASE("* is any text, everything else itself, in any case")
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (sign_table_match(span_of(cases[i].pattern),
			span_of(cases[i].text)) != cases[i].want)
			CHECK_STR(span_of(cases[i].pattern), cases[i].text);
}

int
main(void)
{
	struct arena *a = arena_new(0);

	kit_begin();
	buf_init(&said, NULL, 65536);
	test_folder(a);
	test_bad_folder(a);
	test_tables(a);
	test_templates(a);
	test_bad_tables(a);
	test_match();
	buf_done(&said);
	arena_free(a);
	kit_end();
	return tap_done();
}
