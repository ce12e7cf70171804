/* HTML gives the text and the links that SpamAssassin takes from it, what a
 * reader sees beside it, in linear time whatever the markup. */
#include "filter/mail/html.h"

#include <stdlib.h>

#include "filter/base/buf.h"
#include "filter/base/unconst.h"
#include "filter/mail/html_internal.h"
#include "tests/lib/tap.h"

static struct html *
parse(struct arena *a, const char *text)
{
	return html_parse(span_of(text), a);
}

static void
test_text(struct arena *a)
{
	static const struct {
		const char *claim, *html, *text;
	} cases[] = {
	    {"tags leave nothing behind", "V<b></b>iag<i>ra</i>", "Viagra"},
	    {"white space collapses", "a \t\r\n b", "a b"},
	    {"br and div make a newline", "a<br>b<div>c</div>d", "a\nb\nc\nd"},
	    {"cells and headings make a space", "<td>a<td>b<h1>c", " a b c"},
	    {"paragraphs make two newlines", "a<p>b<hr>c", "a\n\nb\n\nc"},
	    {"made space eats the spaces beside it", "a <br> b", "a\nb"},
	    {"but one only, of the chunk beside it", "a <b> </b><br>x",
		"a \nx"},
	    {"a chunk left empty protects the one before", "a<br> <p>b",
		"a\n\n\nb"},
	    {"a comment parts chunks", "<br> <!-- x --> b", "\n b"},
	    {"an empty tag is that tag", "a<br/>b<br />c", "a\nb\nc"},
	    {"&nbsp; is a space before anything else", "a&nbsp;b", "a b"},
	    {"a number is no space", "a&#160;b",
		"a\xc2\xa0"
		"b"},
	    {"references are decoded", "&lt;b&gt; &amp; &eacute;&#8226;&#x41;",
		"<b> & \xc3\xa9\xe2\x80\xa2"
		"A"},
	    {"Latin-1 names may lack the semicolon", "&copy2 &notit &times3",
		"\xc2\xa9"
		"2 \xc2\xacit \xc3\x97"
		"3"},
	    {"other names may not", "&hellip &hellipx &foo; &AMP;",
		"&hellip &hellipx &foo; &AMP;"},
	    {"C1 numbers stay", "&#149;", "\xc2\x95"},
	    {"impossible numbers are text",
		"&#0;&#1114112;&#99999999999;&#xffff;",
		"&#0;&#1114112;&#99999999999;&#xffff;"},
	    {"two surrogates are one character", "&#xD83D;&#xDE00;&#xD83D;",
		"\xf0\x9f\x98\x80\xef\xbf\xbd"},
	    {"script and style give nothing",
		"a<script>b<c></script>d<STYLE>e</style >f", "adf"},
	    {"nor when they never end", "a<script>b</scriptx>c", "a"},
	    {"title is text", "<title>x <b>&amp;</title>y", "\n\nx <b>&\n\ny"},
	    {"a title without end ends at a tag", "<title>x<b>y", "\n\nx\n\ny"},
	    {"textarea and iframe hold text",
		"<textarea><b>&lt;</textarea>"
		"<iframe><b>&lt;</iframe>",
		"<b><<b>&lt;"},
	    {"plaintext never ends", "<plaintext>a<b></plaintext>",
		"\n\na<b></plaintext>"},
	    {"CDATA is text", "<![CDATA[<b>&amp;]]>x", "<b>&amp;x"},
	    {"conditional comments are none", "<![if !mso]>x<![endif]>", "x"},
	    {"comments", "a<!-- b -- c -->d<!---->e", "ade"},
	    {"an unclosed comment ends at '>'", "a<!-- b <c>d", "ad"},
	    {"a '<' that is no tag is text", "1 < 2 <3 <$>", "1 < 2 <3 <$>"},
	    {"an unclosed tag hides the rest", "a<b href=\"x>y</b>z", "a"},
	    {"'<' at the end", "a<", "a"},
	    {"end tags that are none", "a</ b>b</>c</1>d", "abcd"},
	    {"text hidden by style stays", "a<span style=display:none>b", "ab"},
	    {"hidden text keeps its first space",
		"<br><span style='display:none'> b</span>", "\n b"},
	    {"curly quotes are quotes",
		"<a href=\xe2\x80\x9dx\xe2\x80\x9d>\xe2\x80\x9cy", "\"y"},
	    {"NBSP taken for two bytes is a space", "a\xc3\x82\xc2\xa0z",
		"a z"},
	    {"nothing", "", ""},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE(cases[i].claim)
		CHECK_STR(parse(a, cases[i].html)->text, cases[i].text);
	}
	TAP_CASE("a NUL byte in a name makes it another name")
	struct html *nul =
	    html_parse(SPAN("x<br\0>y<br\0\0abcdefghij>z<p s\0=t st\0>"), a);
	CHECK_STR(nul->text, "xyz\n\n");
	CHECK_INT(nul->tags, 3);
	TAP_CASE("bytes below U+0100 out of ASCII are narrow")
	CHECK(parse(a, "caf&eacute;")->narrow);
	CHECK(!parse(a, "&#8226;")->narrow);
	CHECK(!parse(a, "caf\xc3\xa9")->narrow);
}

/* Row 28: each way to hide "b" is found. */
static void
test_hidden(struct arena *a)
{
	static const char *const hidden[] = {
	    "a<span style=\"display:none\">b</span>c",
	    "a<div style=\"DISPLAY : NONE\">b</div>c",
	    "a<p style='visibility:hidden'>b</p>c",
	    "a<span style=\"font-size:0\">b</span>c",
	    "a<span style=\"font-size: 1px;\">b</span>c",
	    "a<span style=\"font-size:0.5pt\">b</span>c",
	    "a<font color=white>b</font>c",
	    "a<font color=#FFFFFE>b</font>c",
	    "a<font color=#fff>b</font>c",
	    "a<span style=\"color:rgb(255,255,255)\">b</span>c",
	    "a<table bgcolor=black><tr><td><font color=#000>b</font></table>c",
	    "a<div style=\"background-color:#abc;color:#aabbcc\">b</div>c",
	    "a<div style=\"background:url('x,y z') no-repeat red;color:red\">b"
	    "</div>c",
	    "a<span style=\"color:transparent\">b</span>c",
	    "a<div style=\"opacity:0\">b</div>c",
	    "a<div style=\"position:absolute;left:-9999px\">b</div>c",
	    "a<div style=\"display:none\"><p style=\"display:block\">b</p></div>"
	    "c",
	};
	static const char *const shown[] = {
	    "a<span style=\"font-size:1em\">b</span>c",
	    "a<span style=\"font-size:1.2px\">b</span>c",
	    "a<font size=1>b</font>c",
	    "a<font color=nocolour>b</font>c",
	    "a<font color=red>b</font>c",
	    "a<span style=\"color:inherit\">b</span>c",
	    "a<span style=\"opacity:0.9\">b</span>c",
	    "a<span style='display:none'></span>b c",
	    "a<table><tr><td bgcolor=black><td><font color=black>b</table>c",
	    "a<div style=\"margin-left:-5px\">b</div>c",
	};

	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
		struct html *html = parse(a, hidden[i]);
		TAP_CASE(hidden[i])
		CHECK(span_find_char(html->visible, 'b') == SPAN_NPOS);
		CHECK(span_find_char(html->visible, 'c') != SPAN_NPOS);
		CHECK(span_find_char(html->text, 'b') != SPAN_NPOS);
		CHECK_INT(html->invisible_bytes, 1);
	}
	for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
		TAP_CASE(shown[i])
		CHECK(span_find_char(parse(a, shown[i])->visible, 'b') !=
		      SPAN_NPOS);
	}
	TAP_CASE("readers see Windows-1252 for C1 numbers")
	CHECK_STR(
	    parse(a, "&#149; &#150;")->visible, "\xe2\x80\xa2 \xe2\x80\x93");
}

static void
test_colours(void)
{
	static const struct {
		const char *text;
		enum html_colour_kind kind;
		uint32_t rgb;
	} cases[] = {
	    {"Red", HTML_COLOUR_RGB, 0xff0000},
	    {" navy ", HTML_COLOUR_RGB, 0x000080},
	    {"#abc", HTML_COLOUR_RGB, 0xaabbcc},
	    {"#abcd", HTML_COLOUR_RGB, 0xaabbcc},
	    {"#a", HTML_COLOUR_RGB, 0xaa0000},
	    {"#A1B2C3D4", HTML_COLOUR_RGB, 0xa1b2c3},
	    {"#", HTML_COLOUR_EMPTY, 0},
	    {"abcdef", HTML_COLOUR_INVALID, 0},
	    {"#xyz", HTML_COLOUR_INVALID, 0},
	    {"rgb(1, 2,300)", HTML_COLOUR_RGB, 0x0102ff},
	    {"rgb(100%,0%,50%)", HTML_COLOUR_RGB, 0xff007f},
	    {"nocolour", HTML_COLOUR_INVALID, 0},
	    {"", HTML_COLOUR_INVALID, 0},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct html_colour c = html_colour(span_of(cases[i].text));
		TAP_CASE("colours as SpamAssassin reads them")
		CHECK_INT(c.kind, cases[i].kind);
		if (cases[i].kind == HTML_COLOUR_RGB)
			CHECK_INT(c.rgb, cases[i].rgb);
	}
}

static void
test_links(struct arena *a)
{
	static const struct {
		const char *html, *target, *tag;
		bool odd;
	} cases[] = {
	    {"<a href=http://example.com/x>", "http://example.com/x", "a",
		false},
	    {"<A HREF = ' http://example.com/ '>", "http://example.com/", "a",
		false},
	    {"<a href=\"http://example.com/?a=1&amp;b=2&copy\">",
		"http://example.com/?a=1&b=2\xc2\xa9", "a", false},
	    {"<img src=cid:x@y>", "cid:x@y", "img", false},
	    {"<img src=data:image/png;base64,x>", "data:image/png;base64,x",
		"img", false},
	    {"<a href='javascript:x()'>", "javascript:x()", "a", false},
	    {"<iframe src=//www.example.com/></iframe>",
		"http://www.example.com/", "iframe", false},
	    {"<td background=b.gif>", "b.gif", "td", false},
	    {"<form action=/login>", "/login", "form", false},
	    {"<meta http-equiv=Refresh content='0; URL=http://example.com/;x'>",
		"http://example.com/", "meta", false},
	    {"<area href=x>", "x", "area", false},
	    {"<a x/href=y>", "y", "a", false},
	    {"<script src=s.js></script>", "s.js", "script", false},
	    {"<a href=http://example.com/a/./b/../c>", "http://example.com/a/c",
		"a", false},
	    {"<a/href=http://example.com/>", "http://example.com/", "a", true},
	    {"<svg><image xlink:href=http://example.com/i>",
		"http://example.com/i", "image", true},
	    {"<math href=http://example.com/m>", "http://example.com/m", "math",
		true},
	    {"<button formaction=http://example.com/f>", "http://example.com/f",
		"button", true},
	    {"<object data=http://example.com/o>", "http://example.com/o",
		"object", true},
	    {"<video poster=http://example.com/p>", "http://example.com/p",
		"video", true},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct html *html = parse(a, cases[i].html);
		TAP_CASE(cases[i].html)
		CHECK_INT(html->links.n, 1);
		if (html->links.n != 1)
			continue;
		CHECK_STR(html->links.v[0].target, cases[i].target);
		CHECK_STR(html->links.v[0].tag, cases[i].tag);
		CHECK_INT(html->links.v[0].odd, cases[i].odd);
	}
	TAP_CASE("no link where there is none")
	CHECK_INT(parse(a, "<a name=x><a href=''><img>")->links.n, 0);
	CHECK(parse(a, "<a name=x>")->bare_anchor);

	TAP_CASE("a quoted refresh is taken both ways (row 32)")
	struct html *html = parse(a,
	    "<meta http-equiv=refresh content='1;url=\"http://example.com\"'>");
	CHECK_INT(html->links.n, 2);
	CHECK_STR(html->links.v[1].target, "http://example.com");
	CHECK(html->links.v[1].odd);
}

static void
test_base(struct arena *a)
{
	/* RFC 3986 section 5.4.1 */
	static const struct {
		const char *url, *target;
	} cases[] = {
	    {"g", "http://a/b/c/g"},
	    {"./g", "http://a/b/c/g"},
	    {"g/", "http://a/b/c/g/"},
	    {"/g", "http://a/g"},
	    {"//g", "http://g"},
	    {"g?y", "http://a/b/c/g?y"},
	    {"g#s", "http://a/b/c/g#s"},
	    {"g?y#s", "http://a/b/c/g?y#s"},
	    {"..", "http://a/b/"},
	    {"../", "http://a/b/"},
	    {"../g", "http://a/b/g"},
	    {"../..", "http://a/"},
	    {"../../g", "http://a/g"},
	    {"../../../../g", "http://a/g"},
	    {"/./g", "http://a/g"},
	    {"/../g", "http://a/g"},
	    {"g.", "http://a/b/c/g."},
	    {"..g", "http://a/b/c/..g"},
	    {"./g/.", "http://a/b/c/g/"},
	    {"g/../h", "http://a/b/c/h"},
	    {"mailto:x@example.com", "mailto:x@example.com"},
	    {"g:h", "g:h"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE("a link against a base, RFC 3986 section 5.4.1")
		CHECK_STR(html_resolve(
			      SPAN("http://a/b/c/d"), span_of(cases[i].url), a),
		    cases[i].target);
	}
	TAP_CASE("<base> counts for what follows, its file name away")
	struct html *html = parse(
	    a, "<a href=x><base href=http://example.com/d/i.html><a href=x>");
	CHECK_INT(html->links.n, 3);
	CHECK_STR(html->links.v[0].target, "x");
	CHECK_STR(html->links.v[2].target, "http://example.com/d/x");
	TAP_CASE("a base that is no absolute link does not count")
	html = parse(a, "<base href=/d/><a href=x>");
	CHECK_STR(html->links.v[1].target, "x");
}

static void
test_anchors(struct arena *a)
{
	TAP_CASE("the text of a link is what stands in it")
	struct html *html = parse(a, "<a href=x>one <b>two</b><img>"
				     "</a>three<a href=y>four<a href=z>five");
	CHECK_INT(html->links.n, 3);
	CHECK_STR(html->links.v[0].text, "one two<img>\n");
	CHECK_STR(html->links.v[1].text, "four");
	CHECK_STR(html->links.v[2].text, "five");
	CHECK(html->links.v[0].anchor);

	TAP_CASE("a link in hidden text is marked")
	html = parse(a, "<div style=display:none><a href=x>y</a></div>");
	CHECK(html->links.v[0].hidden);

	TAP_CASE("what is in the page is noted")
	html = parse(a, "<title> T &amp; U</title><form><script></script>"
			"<iframe></iframe>");
	CHECK_STR(html->title, "T & U");
	CHECK(html->has_form && html->has_script && html->has_iframe);
}

/* --- hostile rows ------------------------------------------------------------------- */

#define BUDGET ((size_t)64 << 20)

static struct span
repeat(const char *head, const char *unit, size_t n, const char *tail)
{
	size_t h = strlen(head), u = strlen(unit), t = strlen(tail);
	char *p = malloc(h + u * n + t + 1);

	if (!p)
		abort();
	memcpy(p, head, h);
	for (size_t i = 0; i < n; i++)
		memcpy(p + h + i * u, unit, u);
	memcpy(p + h + u * n, tail, t);
	return span_make(p, h + u * n + t);
}

static void
test_hostile(void)
{
	static const struct {
		const char *claim, *head, *unit;
		size_t n;
		const char *tail;
		const char *ends; /* of the text */
	} cases[] = {
	    {"a tag of 440 KB of attributes (row 26)", "<a ", "b=c ", 110000,
		"href=http://example.com/>x", "x"},
	    {"110,000 attributes without values", "<a ", "b ", 220000, ">x",
		"x"},
	    {"300 KB of nested font (row 27)", "", "<font color=red>", 19000,
		"x", "x"},
	    {"500 KB of open tags (row 27)", "", "<b>", 166000, "x", "x"},
	    {"100,000 nested div, closed again", "", "<div style=color:red>",
		100000, "x", "x"},
	    {"1 MB of references (row 27)", "", "&#65;", 200000, "x", "x"},
	    {"1 MB of broken references", "", "&aaaaaaaa", 110000, "x", "x"},
	    {"1 MB of '&'", "", "&", 1000000, "x", "x"},
	    {"an unclosed comment (row 27)", "x<!--", " a", 500000, "", "x"},
	    {"100,000 unclosed comments", "x", "<!-- >", 100000, "", "x"},
	    {"an unclosed tag (row 27)", "x<b ", "a='b' ", 200000, "", "x"},
	    {"100,000 quotes that do not close", "x", "<b a='>", 100001, "",
		"x"},
	    {"200,000 '<'", "", "<", 200000, " x", "x"},
	    {"100,000 titles that never end", "", "<title>", 100000, "x", "x"},
	    {"100,000 CDATA sections", "", "<![CDATA[", 100000, "x", "x"},
	    {"100,000 end tags without start", "", "</div>", 100000, "x", "x"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct span text = repeat(
		    cases[i].head, cases[i].unit, cases[i].n, cases[i].tail);
		struct arena *a = arena_new(BUDGET + text.len);
		struct html *html = html_parse(text, a);
		TAP_CASE(cases[i].claim)
		CHECK(html != NULL && !arena_failed(a));
		CHECK(html &&
		      span_ends(span_trim(html->text), span_of(cases[i].ends)));
		arena_free(a);
		free(unconst(text.p));
	}
}

static void
test_many_links(void)
{
	struct span text =
	    repeat("", "<a href=http://example.com/>x</a>", 100000, "");
	struct arena *a = arena_new(BUDGET + text.len);
	struct html *html = html_parse(text, a);

	TAP_CASE("100,000 links: a cap, and it is said (row 31)")
	CHECK_INT(html->links.n, HTML_LINKS_MAX);
	CHECK(html->truncated && !arena_failed(a));
	arena_free(a);
	free(unconst(text.p));

	text = repeat("<a href=http://example.com/", "a", 1000000, ">x");
	a = arena_new(BUDGET + text.len);
	html = html_parse(text, a);
	TAP_CASE("a link of 1 MB is cut (row 31)")
	CHECK_INT(html->links.n, 1);
	CHECK_INT(html->links.v[0].url.len, HTML_URL_MAX);
	CHECK(!arena_failed(a));
	arena_free(a);
	free(unconst(text.p));

	struct span path =
	    repeat("<base href=http://example.com/", "a", 8000, "/>");
	struct buf b;
	a = arena_new(BUDGET);
	buf_init(&b, a, SIZE_MAX / 4);
	buf_add_span(&b, path);
	for (int i = 0; i < 10000; i++)
		buf_add_str(&b, "<a href=x>");
	html = html_parse(buf_span(&b), a);
	TAP_CASE("a long base does not multiply")
	CHECK(html && html->truncated && !arena_failed(a));
	CHECK_INT(html->links.n, HTML_LINKS_MAX);
	arena_free(a);
	free(unconst(path.p));
}

int
main(void)
{
	struct arena *a = arena_new(0);

	test_text(a);
	test_hidden(a);
	test_colours();
	test_links(a);
	test_base(a);
	test_anchors(a);
	test_hostile();
	test_many_links();
	arena_free(a);
	return tap_done();
}
