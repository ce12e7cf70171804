/* Encoded words and charsets come out as UTF-8, as SpamAssassin has them. */
#include "filter/mail/word.h"

#include "filter/base/buf.h"
#include "tests/lib/tap.h"

#define FFFD "\xef\xbf\xbd"

static void
test_rfc2047(struct arena *a)
{
	static const struct {
		const char *claim, *text, *want;
	} cases[] = {
	    {"one word (RFC 2047 section 8)", "(=?ISO-8859-1?Q?a?=)", "(a)"},
	    {"a word and text keep the blank", "(=?ISO-8859-1?Q?a?= b)",
		"(a b)"},
	    {"between two words the blank goes",
		"(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"},
	    {"so do many blanks",
		"(=?ISO-8859-1?Q?a?=   \t  =?ISO-8859-1?Q?b?=)", "(ab)"},
	    {"an underscore is a blank", "(=?ISO-8859-1?Q?a_b?=)", "(a b)"},
	    {"a blank of its own word stays",
		"(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"},
	    {"Q of Latin-1 (section 8)",
		"=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?=",
		"Keld J\xc3\xb8rn Simonsen"},
	    {"B of Latin-1 (section 8)",
		"=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?= "
		"=?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
		"If you can read this you understand the example."},
	    {"Latin-8 (section 8)", "=?iso-8859-8?b?7eXs+SDv4SDp7Oj08A==?=",
		"\xd7\x9d\xd7\x95\xd7\x9c\xd7\xa9 \xd7\x9f\xd7\x91 "
		"\xd7\x99\xd7\x9c\xd7\x98\xd7\xa4\xd7\xa0"},
	    {"a language is passed over (RFC 2231 section 5)",
		"=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore"},
	    {"encoding and charset in any case",
		"=?uTf-8?q?=c3=A9?=", "\xc3\xa9"},
	    {"a character split between words is joined",
		"=?utf-8?q?=c3?= =?UTF-8?B?qQ==?=", "\xc3\xa9"},
	    {"between different charsets it is not",
		"=?utf-8?q?=c3?= =?iso-8859-1?q?=a9?=", FFFD "\xc2\xa9"},
	    {"a word inside other text", "a=?utf-8?q?b?=c", "abc"},
	    {"a word in quotes", "\"=?utf-8?q?b?=\"", "\"b\""},
	    {"blanks inside a word", "=?utf-8?q?a b?=", "a b"},
	    {"an unterminated word stays (row 20)", "=?utf-8?q?abc",
		"=?utf-8?q?abc"},
	    {"one without text stays", "=?utf-8?q", "=?utf-8?q"},
	    {"a missing charset stays", "=??q?a?=", "=??q?a?="},
	    {"an unknown encoding stays", "=?utf-8?x?a?=", "=?utf-8?x?a?="},
	    {"a question mark in the text ends the word",
		"=?utf-8?q?a?b?=", "=?utf-8?q?a?b?="},
	    {"a word of nothing is nothing", "a=?utf-8?q?\?=b", "ab"},
	    {"what is no word, between words",
		"=?utf-8?q?a?= =?x =?utf-8?q?b?=", "a =?x b"},
	    {"wrong charset: its reading is insisted on (row 20)",
		"=?koi8-r?q?=C3=A9?=", "\xd1\x86\xe2\x95\x98"},
	    {"broken UTF-8 is replaced (row 20)",
		"=?utf-8?q?a=ffb=c3?=", "a" FFFD "b" FFFD},
	    {"overlong forms and surrogates are replaced (row 23)",
		"=?utf-8?q?=c0=af=ed=a0=80?=", FFFD FFFD FFFD FFFD FFFD},
	    {"a cut sequence is one replacement",
		"=?utf-8?q?=f0=9f=98.=e2=82?=", FFFD "." FFFD},
	    {"an unknown charset reads as Windows-1252 (row 24)",
		"=?nonsense?q?=e9=80=81?=", "\xc3\xa9\xe2\x82\xac" FFFD},
	    {"8-bit text that is UTF-8 stays",
		"\xc3\xa9 =?utf-8?q?x?=", "\xc3\xa9 x"},
	    {"other 8-bit text reads as Windows-1252 (row 23)",
		"\xe9 =?utf-8?q?x?=", "\xc3\xa9 x"},
	    {"plain text stays", "a = b ?= c", "a = b ?= c"},
	    {"nothing stays nothing", "", ""},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE(cases[i].claim)
		CHECK_STR(
		    word_decode(span_of(cases[i].text), a), cases[i].want);
	}
}

static void
test_many(struct arena *a)
{
	static const char *const words[] = {"=?utf-8?q?=c3=a9?= ",
	    "=?koi8-r?q?=C1?= ", "=?cp866?q?=80?= ", "=?utf-8?q?", "=?utf-8?b?",
	    "=? ", "=", "=?iso-2022-jp?q?=1b$B?= "};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		struct buf text;
		TAP_CASE("50,000 words, whole or not, are linear (row 20)")
		buf_init(&text, NULL, 1 << 22);
		for (unsigned k = 0; k < 50000; k++) {
			buf_add_str(&text, words[i]);
			if (k & 1)
				buf_add_str(&text, words[i ? 0 : 1]);
		}
		struct span got = word_decode(buf_span(&text), a);
		CHECK(got.p != NULL);
		CHECK(span_is_utf8(got));
		CHECK(got.len <= 4 * text.len);
		buf_done(&text);
		arena_reset(a);
	}
}

static void
test_charsets(struct arena *a)
{
	static const struct {
		const char *claim, *charset, *bytes, *want;
		bool insist;
	} cases[] = {
	    {"UTF-8 wins whatever is declared (step 2)", "koi8-r", "\xc3\xa9",
		"\xc3\xa9", false},
	    {"Latin-1 is Windows-1252 (step 4)", "iso-8859-1", "\x80\x93",
		"\xe2\x82\xac\xe2\x80\x9c", false},
	    {"unassigned bytes are replaced (section 11.3)", "windows-1252",
		"\x81\x8d\x8f\x90\x9d", FFFD FFFD FFFD FFFD FFFD, false},
	    {"KOI8-R", "KOI8-R", "\xf0\xd2", "\xd0\x9f\xd1\x80", false},
	    {"Windows-1251", "windows-1251", "\xcf\xf0", "\xd0\x9f\xd1\x80",
		false},
	    {"Windows-1251 by another name", "x-cp_1251", "\xcf\xf0",
		"\xd0\x9f\xd1\x80", false},
	    {"ISO-8859-5", "ISO_8859-5:1988", "\xbf\xe0", "\xd0\x9f\xd1\x80",
		false},
	    {"ISO-8859-8-I is ISO-8859-8", "ISO-8859-8-I", "\xe0", "\xd7\x90",
		false},
	    {"a letter that waits for an accent is not lost", "windows-1258",
		"\xe0 a", "\xc3\xa0 a", false},
	    {"the last letter neither", "windows-1258", "\xe9x a",
		"\xc3\xa9x a", false},
	    {"Big5", "big5", "\xa4\xa4", "\xe4\xb8\xad", false},
	    {"GB 2312", "gb2312", "\xd6\xd0", "\xe4\xb8\xad", false},
	    {"GBK", "gbk", "\x81\x40", "\xe4\xb8\x82", false},
	    {"GB 18030 with GBK's characters", "gb18030", "\x81\x40",
		"\xe4\xb8\x82", false},
	    {"GB 18030 with four bytes", "gb18030", "\x81\x30\x81\x30",
		"\xc2\x80", false},
	    {"Shift JIS keeps the backslash", "shift_jis", "\x82\xa0\\",
		"\xe3\x81\x82\\", false},
	    {"ISO-2022-JP is not plain text though 7-bit", "iso-2022-jp",
		"\x1b$B$\"\x1b(B", "\xe3\x81\x82", false},
	    {"EUC-KR", "euc-kr", "\xb0\xa1", "\xea\xb0\x80", false},
	    {"UTF-7", "utf-7", "+AOk-", "\xc3\xa9", false},
	    {"broken UTF-7 stays (step 5)", "utf-7", "+AOk!\x01+2AA-x",
		"+AOk!\x01+2AA-x", false},
	    {"HZ (RFC 1843)", "hz-gb-2312", "~~ ~{VP~}.", "~ \xe4\xb8\xad.",
		false},
	    {"broken HZ stays", "hz-gb-2312", "~x", "~x", false},
	    {"strict failure falls back to Windows-1252", "euc-jp", "\xff\xe9",
		"\xc3\xbf\xc3\xa9", false},
	    {"insisted on, it is replaced", "euc-jp",
		"\xff"
		"a",
		FFFD "a", true},
	    {"US-ASCII with 8-bit bytes is Windows-1252", "us-ascii", "\xe9",
		"\xc3\xa9", true},
	    {"no charset is US-ASCII", "", "\xe9", "\xc3\xa9", false},
	    {"unknown names give Windows-1252 (row 24)", "x-unknown", "\xe9",
		"\xc3\xa9", false},
	    {"EBCDIC is not asked for (row 24)", "ibm1364", "\xe9", "\xc3\xa9",
		false},
	    {"nor ISO-2022-CN-EXT", "iso-2022-cn-ext", "\x1b$*H\x1bN!!",
		"\x1b$*H\x1bN!!", false},
	    {"nor names with tricks", "utf-16//translit", "\xe9", "\xc3\xa9",
		false},
	    {"quotes and blanks about a name do not matter", " utf-8 ", "\xff",
		"\xc3\xbf", false},
	    {"7-bit text of a known charset is a view", "koi8-r", "abc", "abc",
		true},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE(cases[i].claim)
		struct span got = word_utf8(span_of(cases[i].bytes),
		    span_of(cases[i].charset), cases[i].insist, a);
		CHECK_STR(got, cases[i].want);
		CHECK(span_is_utf8(got));
	}

	TAP_CASE("UTF-16: a mark decides, else the zero bytes")
	CHECK_STR(word_utf8(SPAN("\xff\xfe\xe9\0"), SPAN("utf-16"), false, a),
	    "\xc3\xa9");
	CHECK_STR(word_utf8(SPAN("\xfe\xff\0\xe9"), SPAN("utf-16"), false, a),
	    "\xc3\xa9");
	CHECK_STR(word_utf8(SPAN("a\0b\0"), SPAN("utf-16"), false, a), "ab");
	CHECK_STR(word_utf8(SPAN("\0a\0b"), SPAN("utf-16"), false, a), "ab");
	CHECK_STR(word_utf8(SPAN("\0a\0b"), SPAN("utf-16be"), false, a), "ab");

	TAP_CASE("UTF-16 with half a character at the end")
	CHECK_STR(word_utf8(SPAN("a\0b"), SPAN("utf-16le"), true, a), "a" FFFD);
	CHECK_STR(
	    word_utf8(SPAN("a\0\0\xd8"), SPAN("utf-16le"), true, a), "a" FFFD);

	TAP_CASE("a NUL byte is a character like others")
	CHECK_SPAN(word_utf8(SPAN("a\0\xe9"), SPAN("latin1"), false, a),
	    SPAN("a\0\xc3\xa9"));
}

static void
test_hostile(struct arena *a)
{
	static const struct {
		const char *charset, *piece;
	} cases[] = {{"utf-7", "+AOk-"}, {"utf-7", "+"}, {"utf-7", "+//8-"},
	    {"hz-gb-2312", "~{~}"}, {"hz-gb-2312", "~{"},
	    {"iso-2022-jp", "\x1b$B"}, {"iso-2022-jp", "\x1b(B\x1b$B"},
	    {"iso-2022-jp-2", "\x1b.A\x1bN"}, {"iso-2022-kr", "\x1b$)C"},
	    {"iso-2022-kr", "\x0e"}, {"utf-16", "\xff\xfe"},
	    {"utf-32", "\x00\xd8"}, {"big5-hkscs", "\x88\x62"},
	    {"euc-tw", "\x8e"}, {"gb18030", "\x81\x30"}, {"viscii", "\xff"},
	    {"windows-1258", "a\xcc"}, {"windows-1255", "\xe9\xc6"}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (int insist = 0; insist < 2; insist++) {
			struct buf text;
			TAP_CASE(
			    "endless escapes and junk are bounded (row 24)")
			buf_init(&text, NULL, 1 << 21);
			while (text.len < 500000)
				buf_add_str(&text, cases[i].piece[0]
						       ? cases[i].piece
						       : "\xd8");
			struct span got = word_utf8(buf_span(&text),
			    span_of(cases[i].charset), insist, a);
			CHECK(got.p != NULL);
			CHECK(got.len <= 4 * text.len);
			CHECK(span_is_utf8(got));
			buf_done(&text);
			arena_reset(a);
		}
	}
}

static void
test_encode(struct arena *a)
{
	static const struct {
		const char *claim, *text, *want;
	} cases[] = {
	    {"plain text stays", "Plain text, \"quoted\"",
		"Plain text, \"quoted\""},
	    {"other text becomes a word", "J\xc3\xb8rn S.",
		"=?UTF-8?Q?J=C3=B8rn_S=2E?="},
	    {"line ends are coded", "a\r\nBcc: b",
		"=?UTF-8?Q?a=0D=0ABcc=3A_b?="},
	    {"what looks like a word is coded",
		"=?utf-8?q?a?=", "=?UTF-8?Q?=3D=3Futf-8=3Fq=3Fa=3F=3D?="},
	    {"what is no UTF-8 is replaced", "\xe9", "=?UTF-8?Q?=EF=BF=BD?="},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE(cases[i].claim)
		CHECK_STR(
		    word_encode(span_of(cases[i].text), a), cases[i].want);
	}

	TAP_CASE("long text is several words of 75 at most, characters whole")
	struct buf text;
	buf_init(&text, a, 1000);
	for (int i = 0; i < 100; i++)
		buf_add_str(&text, i & 1 ? "\xc3\xa9" : "x");
	struct span coded = word_encode(buf_span(&text), a), rest = coded;
	while (rest.p) {
		struct span word = span_cut(&rest, ' ');
		CHECK(word.len <= 75);
		CHECK(span_is_utf8(word_decode(word, a)));
	}
	CHECK_SPAN(word_decode(coded, a), buf_span(&text));

	TAP_CASE("NUL is coded")
	CHECK_STR(word_encode(SPAN("\0"), a), "=?UTF-8?Q?=00?=");
}

static void
test_no_memory(struct arena *a)
{
	TAP_CASE("no memory gives nothing")
	arena_fail(a);
	CHECK(word_decode(SPAN("=?utf-8?q?a?="), a).len == 0);
	CHECK(word_utf8(SPAN("\xe9"), SPAN("koi8-r"), false, a).p == NULL);
	CHECK(word_encode(SPAN("\xc3\xa9"), a).p == NULL);
	arena_reset(a);
}

int
main(void)
{
	struct arena *a = arena_new(0);

	test_rfc2047(a);
	test_charsets(a);
	test_encode(a);
	test_many(a);
	test_hostile(a);
	test_no_memory(a);
	arena_free(a);
	return tap_done();
}
