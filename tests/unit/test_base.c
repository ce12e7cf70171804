/* Arena, spans, buffers, maps, addresses and codecs keep their contracts. */
#include <stdio.h>

#include "filter/base/arena.h"
#include "filter/base/buf.h"
#include "filter/base/codec.h"
#include "filter/base/ip.h"
#include "filter/base/map.h"
#include "filter/base/vec.h"
#include "tests/lib/tap.h"

static void
count_up(void *arg)
{
	++*(int *)arg;
}

static void
test_arena(void)
{
	struct arena *a = arena_new(100000);
	int runs = 0;

	TAP_CASE("an arena past its budget says so and stays failed")
	CHECK(arena_alloc(a, 50000) != NULL);
	CHECK(arena_alloc(a, 60000) == NULL);
	CHECK(arena_failed(a));
	CHECK(arena_alloc(a, 1) == NULL);

	TAP_CASE("a reset runs the cleanups and makes the arena usable again")
	arena_reset(a);
	CHECK(!arena_failed(a));
	CHECK_INT(arena_cleanup(a, count_up, &runs), 0);
	arena_reset(a);
	CHECK_INT(runs, 1);

	TAP_CASE("a cleanup that cannot be noted runs at once")
	arena_fail(a);
	CHECK_INT(arena_cleanup(a, count_up, &runs), ERR_NOMEM);
	CHECK_INT(runs, 2);
	arena_reset(a);

	TAP_CASE("growing keeps the bytes, in place or copied")
	char *p = arena_grow(a, NULL, 0, 10);
	memcpy(p, "0123456789", 10);
	char *q = arena_grow(a, p, 10, 100);
	CHECK(p == q);
	CHECK(arena_alloc(a, 1) != NULL);
	q = arena_grow(a, p, 100, 40000);
	CHECK(q != p);
	CHECK_SPAN(span_make(q, 10), SPAN("0123456789"));

	TAP_CASE("sizes that overflow fail")
	CHECK(arena_calloc(a, SIZE_MAX / 2, 4) == NULL);
	arena_free(a);
}

static void
test_span(void)
{
	struct span rest = SPAN("a,b,,c"), line;
	uint64_t u = 7;
	int64_t i = 7;

	TAP_CASE("span_cut gives empty pieces and ends with none")
	CHECK_STR(span_cut(&rest, ','), "a");
	CHECK_STR(span_cut(&rest, ','), "b");
	CHECK_STR(span_cut(&rest, ','), "");
	CHECK_STR(span_cut(&rest, ','), "c");
	CHECK(rest.p == NULL);

	TAP_CASE("numbers: digits only, overflow is told apart")
	CHECK_INT(span_to_u64(SPAN("18446744073709551615"), &u), 0);
	CHECK(u == UINT64_MAX);
	CHECK_INT(span_to_u64(SPAN("18446744073709551616"), &u), ERR_LIMIT);
	CHECK_INT(span_to_u64(SPAN("1 "), &u), ERR_SYNTAX);
	CHECK_INT(span_to_u64(SPAN(""), &u), ERR_SYNTAX);
	CHECK_INT(span_to_i64(SPAN("-12"), &i), 0);
	CHECK_INT(i, -12);

	TAP_CASE("lines end with LF or CRLF, the last may lack it")
	rest = SPAN("a\r\nb\n\nc");
	CHECK(span_line(&rest, &line));
	CHECK_STR(line, "a");
	CHECK(span_line(&rest, &line));
	CHECK_STR(line, "b");
	CHECK(span_line(&rest, &line));
	CHECK_STR(line, "");
	CHECK(span_line(&rest, &line));
	CHECK_STR(line, "c");
	CHECK(!span_line(&rest, &line));

	TAP_CASE("a copy stops at NUL and says so")
	char text[4];
	CHECK(!span_copy(SPAN("ab\0c"), text, sizeof text));
	CHECK_STR(span_of(text), "ab");
	CHECK(!span_copy(SPAN("abcd"), text, sizeof text));
	CHECK_STR(span_of(text), "abc");

	TAP_CASE(
	    "UTF-8: overlong forms, surrogates, beyond U+10FFFF are no text")
	CHECK(span_is_utf8(SPAN("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80")));
	CHECK(!span_is_utf8(SPAN("\xc0\xaf")));
	CHECK(!span_is_utf8(SPAN("\xe0\x80\xaf")));
	CHECK(!span_is_utf8(SPAN("\xed\xa0\x80")));
	CHECK(!span_is_utf8(SPAN("\xf4\x90\x80\x80")));
	CHECK(!span_is_utf8(SPAN("\xe2\x82")));

	TAP_CASE("searching")
	CHECK_INT(span_find(SPAN("abcabc"), SPAN("bc"), 2), 4);
	CHECK(span_find(SPAN("abc"), SPAN("abcd"), 0) == SPAN_NPOS);
	CHECK_INT(span_casefind(SPAN("xxAbC"), SPAN("aBc"), 0), 2);
	CHECK(span_casehash(SPAN("ABC")) == span_casehash(SPAN("abc")));
	CHECK(span_hash(SPAN("ABC")) != span_hash(SPAN("abc")));
}

static void
test_buf(void)
{
	struct buf b;

	TAP_CASE("a buffer stops at its limit and the failure sticks")
	buf_init(&b, NULL, 5);
	buf_add_str(&b, "12345");
	CHECK(!buf_failed(&b));
	buf_add_str(&b, "6");
	CHECK(buf_failed(&b));
	CHECK_STR(buf_span(&b), "12345");
	buf_done(&b);

	TAP_CASE("coded text has nothing that could break a log line")
	buf_init(&b, NULL, 1000);
	buf_add_coded(&b, SPAN("a b\n\"%,\xff\x7f\0z"), 100);
	CHECK_STR(buf_span(&b), "a%20b%0A%22%25%2C%FF%7F%00z");
	buf_done(&b);

	TAP_CASE("numbers and code points")
	buf_init(&b, NULL, 1000);
	buf_add_u64(&b, 18446744073709551615u);
	buf_add_u64(&b, 0);
	buf_add_utf8(&b, 0xfc);
	buf_add_utf8(&b, 0x1f600);
	buf_add_utf8(&b, 0xd800);
	CHECK_STR(buf_span(&b),
	    "184467440737095516150\xc3\xbc\xf0\x9f\x98\x80\xef\xbf\xbd");
	buf_done(&b);
}

static void
test_map(void)
{
	struct map m;
	char keys[500][8];
	int values[500];

	TAP_CASE("a map finds what was put and not what was deleted")
	map_init(&m, NULL, true);
	for (int i = 0; i < 500; i++) {
		snprintf(keys[i], sizeof keys[i], "Key%d", i);
		CHECK_INT(map_put(&m, span_of(keys[i]), &values[i]), 0);
	}
	for (int i = 0; i < 500; i += 2)
		CHECK(map_del(&m, span_of(keys[i])) == &values[i]);
	int wrong = 0;
	for (int i = 0; i < 500; i++) {
		char key[8];
		snprintf(key, sizeof key, "kEY%d", i);
		void *want = i % 2 ? &values[i] : NULL;
		if (map_get(&m, span_of(key)) != want)
			wrong++;
	}
	CHECK_INT(wrong, 0);
	CHECK_INT(m.n, 250);
	map_done(&m);
}

static void
test_ip(void)
{
	struct ip ip;
	struct ip_net net;
	char text[IP_TEXT_SIZE], reverse[IP_REVERSE_SIZE];

	TAP_CASE("IPv4-mapped addresses become IPv4; tag and scope are dropped")
	CHECK_INT(ip_parse(SPAN("::ffff:192.0.2.1"), &ip), 0);
	ip_format(&ip, text);
	CHECK_STR(span_of(text), "192.0.2.1");
	CHECK_INT(ip_parse(SPAN("IPv6:fe80::1%eth0"), &ip), 0);
	CHECK(ip_is_private(&ip));
	CHECK_INT(ip_parse(SPAN("192.0.2.1x"), &ip), ERR_SYNTAX);
	CHECK_INT(ip_parse(SPAN(""), &ip), ERR_SYNTAX);

	TAP_CASE("networks match by prefix")
	CHECK_INT(ip_net_parse(SPAN("192.0.2.128/25"), &net), 0);
	CHECK_INT(ip_parse(SPAN("192.0.2.200"), &ip), 0);
	CHECK(ip_in_net(&ip, &net));
	CHECK_INT(ip_parse(SPAN("192.0.2.1"), &ip), 0);
	CHECK(!ip_in_net(&ip, &net));
	CHECK_INT(ip_net_parse(SPAN("::ffff:10.0.0.0/104"), &net), 0);
	CHECK_INT(net.bits, 8);
	CHECK(ip_net_parse(SPAN("10.0.0.0/33"), &net) != 0);
	CHECK_INT(ip_net_parse(SPAN("0.0.0.0/0"), &net), 0);
	CHECK(ip_in_net(&ip, &net));

	TAP_CASE("reversed names")
	ip_reverse(&ip, reverse);
	CHECK_STR(span_of(reverse), "1.2.0.192");
	CHECK_INT(ip_parse(SPAN("2001:db8::1"), &ip), 0);
	ip_reverse(&ip, reverse);
	CHECK_STR(span_of(reverse),
	    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2");
}

static void
check_qp(const char *text, const char *want)
{
	struct buf b;

	buf_init(&b, NULL, 1000);
	codec_qp_decode(&b, span_of(text));
	CHECK_STR(buf_span(&b), want);
	buf_done(&b);
}

static void
test_codec(void)
{
	struct buf b;

	TAP_CASE("lenient base64 goes over white space, junk and inner padding")
	buf_init(&b, NULL, 1000);
	CHECK_INT(codec_base64_decode(&b, SPAN("aGVs\r\nb*G8=d29ybGQ")), 1);
	CHECK_STR(buf_span(&b), "helloworld");
	buf_done(&b);

	TAP_CASE("strict base64 refuses what is not RFC 4648")
	buf_init(&b, NULL, 1000);
	CHECK_INT(codec_base64_strict(&b, SPAN("aGVs bG8=")), 0);
	CHECK_STR(buf_span(&b), "hello");
	CHECK_INT(codec_base64_strict(&b, SPAN("aGVsbG8")), ERR_SYNTAX);
	CHECK_INT(codec_base64_strict(&b, SPAN("aGVs!G8=")), ERR_SYNTAX);
	CHECK_INT(codec_base64_strict(&b, SPAN("aGVsbG8=a")), ERR_SYNTAX);
	CHECK_INT(codec_base64_strict(&b, SPAN("=")), ERR_SYNTAX);
	buf_done(&b);

	TAP_CASE("base64 out has its padding")
	buf_init(&b, NULL, 1000);
	codec_base64_encode(&b, SPAN("hello"));
	codec_base64_encode(&b, SPAN("hell"));
	codec_base64_encode(&b, SPAN("hel"));
	CHECK_STR(buf_span(&b), "aGVsbG8=aGVsbA==aGVs");
	buf_done(&b);

	TAP_CASE("quoted-printable: odd `=` stay, blanks before line ends go")
	check_qp("a=3D=3d=\nb", "a==b");
	check_qp("a=\r\nb=  \r\nc", "abc");
	check_qp("a  \nb \t\r\nc  ", "a\nb\r\nc  ");
	check_qp("=Z =4 =", "=Z =4 =");
	check_qp("=4", "=4");
	check_qp("=", "=");
}

int
main(void)
{
	test_arena();
	test_span();
	test_buf();
	test_map();
	test_ip();
	test_codec();
	return tap_done();
}
