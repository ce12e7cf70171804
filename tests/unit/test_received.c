/* Received fields of the common programs, and dates. */
#include "filter/mail/received.h"

#include "filter/base/buf.h"
#include "tests/lib/tap.h"

enum { AUTH = 1, TLS = 2 };

static void
test_forms(struct arena *a)
{
	static const struct {
		const char *claim, *value;
		const char *shown; /* helo|rdns|ip|ident|by|with|id|envelope */
		int flags;
	} cases[] = {
	    {"Postfix",
		" from mail.example.com (mail.example.com [192.0.2.1])\n"
		"\tby mx.example.org (Postfix) with ESMTP id 4ABC\n"
		"\tfor <joe@example.org>; Fri, 21 Nov 1997 09:55:06 -0600",
		"mail.example.com|mail.example.com|192.0.2.1||mx.example.org|"
		"ESMTP|4ABC|",
		0},
	    {"Postfix, TLS, no name",
		"from helo.example (unknown [IPv6:2001:db8::1])\r\n"
		"\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 "
		"bits)\r\n\t key-exchange X25519)\r\n"
		"\t(No client certificate requested)\r\n"
		"\tby mx.example.org (Postfix) with ESMTPS id 4ABC; Fri, 21 "
		"Nov 1997 09:55:06 -0600",
		"helo.example||2001:db8::1||mx.example.org|ESMTPS|4ABC|", TLS},
	    {"Postfix, authenticated",
		"from [10.0.0.5] (host.example [192.0.2.7])\n"
		"\t(Authenticated sender: joe)\n"
		"\tby mx.example.org (Postfix) with ESMTPSA id 4ABC; Fri, 21 "
		"Nov 1997 09:55:06 -0600",
		"[10.0.0.5]|host.example|192.0.2.7||mx.example.org|ESMTPSA|"
		"4ABC|",
		AUTH | TLS},
	    {"Postfix, client unknown (row 57)",
		"from helo.example (unknown [unknown]) by mx.example.org "
		"(Postfix) with SMTP id 4; Fri, 21 Nov 1997 09:55:06 -0600",
		"helo.example||||mx.example.org|SMTP|4|", 0},
	    {"a mapped address is IPv4 (row 57)",
		"from h.example (h.example [IPv6:::ffff:192.0.2.1]) by m with "
		"SMTP id 4; Fri, 21 Nov 1997 09:55:06 -0600",
		"h.example|h.example|192.0.2.1||m|SMTP|4|", 0},
	    {"Sendmail",
		"from helo.example (joe@rdns.example [192.0.2.1] (may be "
		"forged))\n\tby mx.example.org (8.17.1/8.17.1) with ESMTP id "
		"0AB (version=TLSv1.3 cipher=X bits=256 verify=NO)\n\tfor "
		"<joe@example.org>; Fri, 21 Nov 1997 09:55:06 -0600",
		"helo.example|rdns.example|192.0.2.1|joe|mx.example.org|ESMTP|"
		"0AB|",
		TLS},
	    {"Sendmail, authenticated",
		"from h.example (r.example [192.0.2.1]) (authenticated bits=0) "
		"by m (8.17.1/8.17.1) with ESMTPA id 0AB; Fri, 21 Nov 1997 "
		"09:55:06 -0600",
		"h.example|r.example|192.0.2.1||m|ESMTPA|0AB|", AUTH},
	    {"Exim, name and HELO",
		"from rdns.example ([192.0.2.1]:5555 helo=helo.example)\n\tby "
		"mx.example.org with esmtps (TLS1.3) tls "
		"TLS_AES_256_GCM_SHA384\n\t(Exim 4.96)\n\t(envelope-from "
		"<joe@example.com>)\n\tid 1abc-0001\n\tfor x@example.org; "
		"Fri, 21 Nov 1997 09:55:06 -0600",
		"helo.example|rdns.example|192.0.2.1||mx.example.org|esmtps|"
		"1abc-0001|joe@example.com",
		TLS},
	    {"Exim, no name",
		"from [192.0.2.1] (port=1234 helo=helo.example ident=joe) by "
		"mx.example.org with esmtpa (Exim 4.96) id 1abc; Fri, 21 Nov "
		"1997 09:55:06 -0600",
		"helo.example||192.0.2.1|joe|mx.example.org|esmtpa|1abc|",
		AUTH},
	    {"Exim, HELO and name alike",
		"from rdns.example ([192.0.2.1]) by mx.example.org with esmtp "
		"(Exim 4.96) id 1abc; Fri, 21 Nov 1997 09:55:06 -0600",
		"rdns.example|rdns.example|192.0.2.1||mx.example.org|esmtp|"
		"1abc|",
		0},
	    {"Exim, old authenticated",
		"from [192.0.2.1] (helo=h) by m with asmtp (Exim 3.36) id 1; "
		"Fri, 21 Nov 1997 09:55:06 -0600",
		"h||192.0.2.1||m|asmtp|1|", AUTH},
	    {"qmail",
		"from unknown (HELO helo.example) (192.0.2.1)\n  by "
		"mx.example.org with SMTP; 21 Nov 1997 15:55:06 -0000",
		"helo.example||192.0.2.1||mx.example.org|SMTP||", 0},
	    {"qmail, name and ident",
		"from rdns.example (HELO helo.example) (joe@192.0.2.1) by "
		"mx.example.org with ESMTPS; 21 Nov 1997 15:55:06 -0000",
		"helo.example|rdns.example|192.0.2.1|joe|mx.example.org|"
		"ESMTPS||",
		TLS},
	    {"Exchange",
		"from EX1.example.com (192.0.2.1) by EX2.example.com "
		"(192.0.2.2) with Microsoft SMTP Server (version=TLS1_2,\r\n "
		"cipher=X) id 15.20.1.1; Fri, 21 Nov 1997 09:55:06 -0600",
		"EX1.example.com||192.0.2.1||EX2.example.com|Microsoft SMTP "
		"Server|15.20.1.1|",
		TLS},
	    {"Office 365, IPv6",
		"from A.example.com (2001:db8:a::1) by B.example.com "
		"(2001:db8:b::1) with Microsoft SMTP Server id 15.20.1.1 via "
		"Frontend Transport; Fri, 21 Nov 1997 09:55:06 -0600",
		"A.example.com||2001:db8:a::1||B.example.com|Microsoft SMTP "
		"Server|15.20.1.1|",
		0},
	    {"Microsoft SMTPSVC",
		"from h.example ([192.0.2.1]) by m.example with Microsoft "
		"SMTPSVC(6.0.3790.4675); Fri, 21 Nov 1997 09:55:06 -0600",
		"h.example||192.0.2.1||m.example|Microsoft SMTPSVC||", 0},
	    {"Gmail",
		"from mail.example.com (mail.example.com. [192.0.2.1])        "
		"by mx.google.com with ESMTPS id abc.1.2        for "
		"<joe@example.org>        (version=TLS1_3 cipher=X "
		"bits=128/128);        Fri, 21 Nov 1997 07:55:06 -0800 (PST)",
		"mail.example.com|mail.example.com|192.0.2.1||mx.google.com|"
		"ESMTPS|abc.1.2|",
		TLS},
	    {"fetchmail",
		"from pop.example.com [192.0.2.1]\n\tby localhost with POP3 "
		"(fetchmail-6.4.0)\n\tfor <joe@localhost> (single-drop); Fri, "
		"21 Nov 1997 09:55:06 -0600 (CST)",
		"pop.example.com||192.0.2.1||localhost|POP3||", 0},
	    {"a host and address without a blank",
		"from h.example (r.example[192.0.2.1]) by m with SMTP id 1; "
		"Fri, 21 Nov 1997 09:55:06 -0600",
		"h.example|r.example|192.0.2.1||m|SMTP|1|", 0},
	    {"UTF-8 SMTP with login (RFC 6531)",
		"from h (r.example [192.0.2.1]) by m with UTF8SMTPSA id 1; "
		"Fri, 21 Nov 1997 09:55:06 -0600",
		"h|r.example|192.0.2.1||m|UTF8SMTPSA|1|", AUTH | TLS},
	    {"vger.kernel.org",
		"from h.example ([192.0.2.1]:60752 \"EHLO g.example\" "
		"rhost-flags-OK-OK-OK-OK) by vger.example with ESMTP id S2 "
		"(ORCPT <rfc822;a@x.test>); Fri, 21 Nov 1997 10:55:06 -0500",
		"g.example|h.example|192.0.2.1||vger.example|ESMTP|S2|", 0},
	    {"an empty HELO name",
		"from  (r.example [192.0.2.1]) by m with SMTP id 1; Fri, 21 "
		"Nov 1997 10:55:06 -0500",
		"|r.example|192.0.2.1||m|SMTP|1|", 0},
	    {"words that look like clauses as names",
		"from by (r.example [192.0.2.1]) by with with id id for for x; "
		"Fri, 21 Nov 1997 09:55:06 -0600",
		"by|r.example|192.0.2.1||with|id|for|", 0},
	    {"a semicolon in the date's comment",
		"from h ([192.0.2.1]) by m; Fri, 21 Nov 1997 09:55:06 -0600 "
		"(a;b)",
		"h||192.0.2.1||m|||", 0},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct received r;
		struct buf shown;
		char ip[IP_TEXT_SIZE];
		TAP_CASE(cases[i].claim)
		CHECK(received_parse(&r, span_of(cases[i].value), a));
		buf_init(&shown, a, 1000);
		ip_format(&r.ip, ip);
		struct span fields[] = {r.helo, r.rdns,
		    span_of(r.ip.family ? ip : ""), r.ident, r.by, r.with, r.id,
		    r.envelope_from};
		for (size_t k = 0; k < sizeof fields / sizeof *fields; k++) {
			if (k)
				buf_add_char(&shown, '|');
			buf_add_span(&shown, fields[k]);
		}
		CHECK_STR(buf_span(&shown), cases[i].shown);
		CHECK_INT(r.auth, (cases[i].flags & AUTH) != 0);
		CHECK_INT(r.tls, (cases[i].flags & TLS) != 0);
		CHECK_INT(r.time, 880127706);
	}
}

static void
test_no_client(struct arena *a)
{
	static const struct {
		const char *claim, *value;
	} cases[] = {
	    {"Postfix, a local user",
		"by mx.example.org (Postfix, from userid 0) id 4; Fri, 21 Nov "
		"1997 09:55:06 -0600"},
	    {"Gmail's inner hop",
		"by 2002:a05:6638:1:b0:1:1 with SMTP id a; Fri, 21 Nov 1997 "
		"07:55:06 -0800 (PST)"},
	    {"qmail's queue",
		"(qmail 1234 invoked from network); 21 Nov 1997 15:55:06 "
		"-0000"},
	    {"Exim, a local user",
		"from joe by m with local (Exim 4.96) id 1; Fri, 21 Nov 1997 "
		"09:55:06 -0600"},
	    {"Microsoft's pickup folder",
		"from mail pickup service by m with Microsoft SMTPSVC; Fri, 21 "
		"Nov 1997 09:55:06 -0600"},
	    {"nothing", ""},
	    {"words", "hello world"},
	    {"a lone from", "from"},
	};
	struct received r;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE(cases[i].claim)
		CHECK(!received_parse(&r, span_of(cases[i].value), a));
	}

	TAP_CASE("a field without a date has no time")
	CHECK(received_parse(&r, SPAN("from a ([192.0.2.1]) by b"), a));
	CHECK_INT(r.time, -1);

	TAP_CASE("a NUL byte is part of a word, not its end")
	CHECK(received_parse(&r, SPAN("from a\0b ([192.0.2.1]) by c"), a));
	CHECK_SPAN(r.helo, SPAN("a\0b"));
	CHECK_INT(r.ip.family, 4);
}

static void
test_date(void)
{
	static const struct {
		const char *claim, *text;
		int64_t time;
	} cases[] = {
	    {"RFC 5322 A.1.1", "Fri, 21 Nov 1997 09:55:06 -0600", 880127706},
	    {"east of Greenwich", "Tue, 1 Jul 2003 10:52:37 +0200", 1057049557},
	    {"RFC 5322 A.5 with its year, before the epoch",
		"Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      "
		"23:32\r\n               -0330 (Newfoundland Time)",
		-1},
	    {"comments and folds, half an hour off",
		"Thu,\r\n 13\r\n Feb\r\n 2003\r\n 23:32\r\n -0330 (Newfoundland "
		"Time)",
		1045191720},
	    {"RFC 5322 A.6.2, two digits, comments, a named zone",
		"21 Nov 97 09(comment):   55  :  06 -0600", 880127706},
	    {"a named zone", "21 Nov 97 09:55:06 CST", 880127706},
	    {"daylight saving", "21 Nov 97 09:55:06 edt", 880127706 - 2 * 3600},
	    {"GMT", "21 Nov 1997 15:55:06 GMT", 880127706},
	    {"Z", "21 Nov 1997 15:55:06 Z", 880127706},
	    {"letters of the military say nothing", "21 Nov 1997 15:55:06 A",
		880127706},
	    {"an unknown zone says nothing", "21 Nov 1997 15:55:06 XYZT",
		880127706},
	    {"no zone", "21 Nov 1997 15:55:06", 880127706},
	    {"no seconds", "21 Nov 1997 15:55 +0000", 880127700},
	    {"no comma", "Fri 21 Nov 1997 15:55:06 +0000", 880127706},
	    {"a zone and its name", "21 Nov 1997 09:55:06 -0600 CST",
		880127706},
	    {"as asctime() writes it", "Fri Nov 21 15:55:06 1997", 880127706},
	    {"as date(1) writes it", "Fri Nov 21 09:55:06 CST 1997", 880127706},
	    {"with dashes", "21-Nov-1997 15:55:06 +0000", 880127706},
	    {"two digits from 50", "21 Nov 70 00:00:00 +0000", 27993600},
	    {"two digits below 50", "21 Nov 20 00:00:00 +0000", 1605916800},
	    {"three digits", "21 Nov 120 00:00:00 +0000", 1605916800},
	    {"long names", "Friday, 21 November 1997 15:55:06 +0000",
		880127706},
	    {"a leap day", "29 Feb 2024 00:00:00 +0000", 1709164800},
	    {"a leap second", "31 Dec 2016 23:59:60 +0000", 1483228800},
	    {"the epoch", "1 Jan 1970 00:00:00 +0000", 0},
	    {"the end of four digits", "31 Dec 9999 23:59:59 +0000",
		253402300799},
	    {"no leap day", "29 Feb 2023 00:00:00 +0000", -1},
	    {"no such day", "31 Apr 2024 00:00:00 +0000", -1},
	    {"day 0", "0 Apr 2024 00:00:00 +0000", -1},
	    {"hour 24", "1 Apr 2024 24:00:00 +0000", -1},
	    {"minute 60", "1 Apr 2024 23:60:00 +0000", -1},
	    {"second 61", "1 Apr 2024 23:00:61 +0000", -1},
	    {"a zone of 99 minutes", "1 Apr 2024 23:00:00 +0099", -1},
	    {"a zone of three digits", "1 Apr 2024 23:00:00 +010", -1},
	    {"two zones", "1 Apr 2024 23:00:00 +0100 +0200", -1},
	    {"no time", "1 Apr 2024", -1},
	    {"no month", "1 2024 23:00:00 +0000", -1},
	    {"no year", "1 Apr 23:00:00 +0000", -1},
	    {"two times", "1 Apr 2024 23:00 23:00", -1},
	    {"another month name", "1 Foo 2024 23:00:00 +0000", -1},
	    {"before the epoch", "31 Dec 1969 00:00:00 +0000", -1},
	    {"before the epoch by its zone", "1 Jan 1970 00:00:00 +0100", -1},
	    {"a year of ten digits", "1 Apr 2024202420 23:00 +0000", -1},
	    {"a year of five digits", "1 Apr 20245 23:00 +0000", -1},
	    {"junk behind", "1 Apr 2024 23:00:00 +0000 $", -1},
	    {"8-bit", "1 M\xe4r 2024 23:00:00 +0000", -1},
	    {"an unclosed comment", "1 Apr 2024 23:00:00 +0000 (x", 1712012400},
	    {"a comment with a quoted parenthesis",
		"1 Apr 2024 23:00:00 +0000 (x\\) y)", 1712012400},
	    {"nothing", "", -1},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		TAP_CASE(cases[i].claim)
		CHECK_INT(received_date(span_of(cases[i].text)), cases[i].time);
	}
}

static void
test_hostile(struct arena *a)
{
	static const char *const pieces[] = {"(", "()", "from ", "from a by ",
	    ";", "[", "a@", "(HELO ", "helo=", "\\", ":", "1 ", "with a ",
	    "(a;b)", "(a@[192.0.2.1] "};

	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		struct received r;
		struct buf text;
		TAP_CASE("a megabyte of anything is linear (row 9)")
		buf_init(&text, NULL, 1 << 21);
		buf_add_str(&text, "from a ");
		while (text.len < 1000000)
			buf_add_str(&text, pieces[i]);
		CHECK(received_parse(&r, buf_span(&text), a));
		CHECK(received_date(buf_span(&text)) == -1);
		buf_done(&text);
		arena_reset(a);
	}
}

int
main(void)
{
	struct arena *a = arena_new(0);

	test_forms(a);
	test_no_client(a);
	test_date();
	test_hostile(a);
	arena_free(a);
	return tap_done();
}
