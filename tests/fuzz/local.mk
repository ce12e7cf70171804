# A fuzz target: its name in FUZZERS, its LDADD and LDFLAGS.
# `make check` replays tests/fuzz/seeds/NAME/*; `make fuzz T=NAME S=seconds`.
FUZZERS =
check_PROGRAMS += $(FUZZERS)
TESTS += $(FUZZERS)

FUZZERS += tests/fuzz/fuzz_conf
tests_fuzz_fuzz_conf_LDADD = $(FUZZ_LIB) $(LIBS_CONF)
tests_fuzz_fuzz_conf_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_rule
tests_fuzz_fuzz_rule_LDADD = $(FUZZ_LIB) $(LIBS_RULE)
tests_fuzz_fuzz_rule_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_verdictlog
tests_fuzz_fuzz_verdictlog_LDADD = $(FUZZ_LIB) $(LIBS_LOG)
tests_fuzz_fuzz_verdictlog_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_header
tests_fuzz_fuzz_header_LDADD = $(FUZZ_LIB) $(LIBS_MAIL)
tests_fuzz_fuzz_header_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_addr
tests_fuzz_fuzz_addr_LDADD = $(FUZZ_LIB) $(LIBS_MAIL)
tests_fuzz_fuzz_addr_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_word
tests_fuzz_fuzz_word_LDADD = $(FUZZ_LIB) $(LIBS_MAIL)
tests_fuzz_fuzz_word_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_ctype
tests_fuzz_fuzz_ctype_LDADD = $(FUZZ_LIB) $(LIBS_MAIL)
tests_fuzz_fuzz_ctype_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_received
tests_fuzz_fuzz_received_LDADD = $(FUZZ_LIB) $(LIBS_MAIL)
tests_fuzz_fuzz_received_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_relay
tests_fuzz_fuzz_relay_LDADD = $(FUZZ_LIB) $(LIBS_MAIL)
tests_fuzz_fuzz_relay_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_authres
tests_fuzz_fuzz_authres_LDADD = $(FUZZ_LIB) $(LIBS_MAIL)
tests_fuzz_fuzz_authres_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_zone
tests_fuzz_fuzz_zone_LDADD = $(FUZZ_LIB) $(LIBS_DNS)
tests_fuzz_fuzz_zone_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_rdata
tests_fuzz_fuzz_rdata_LDADD = $(FUZZ_LIB) $(LIBS_DNS)
tests_fuzz_fuzz_rdata_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_session
tests_fuzz_fuzz_session_SOURCES = tests/fuzz/fuzz_session.c \
	tests/lib/fake_mta.c tests/lib/fake_mta.h
tests_fuzz_fuzz_session_LDADD = $(FUZZ_LIB) $(LIBS_FILTER)
tests_fuzz_fuzz_session_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)
FUZZERS += tests/fuzz/fuzz_arc
tests_fuzz_fuzz_arc_LDADD = $(FUZZ_LIB) $(LIBS_AUTH)
tests_fuzz_fuzz_arc_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)
EXTRA_DIST += tests/fuzz/arc.zone

EXTRA_DIST += tests/fuzz/session.cf tests/fuzz/session.conf \
	tests/fuzz/session.zone

FUZZERS += tests/fuzz/fuzz_macro
tests_fuzz_fuzz_macro_LDADD = $(FUZZ_LIB) $(LIBS_AUTH)
tests_fuzz_fuzz_macro_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_spf
tests_fuzz_fuzz_spf_LDADD = $(FUZZ_LIB) $(LIBS_AUTH)
tests_fuzz_fuzz_spf_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_bodyhash
tests_fuzz_fuzz_bodyhash_LDADD = $(FUZZ_LIB) $(LIBS_AUTH)
tests_fuzz_fuzz_bodyhash_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_dkim
tests_fuzz_fuzz_dkim_LDADD = $(FUZZ_LIB) $(LIBS_AUTH)
tests_fuzz_fuzz_dkim_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_dkim_key
tests_fuzz_fuzz_dkim_key_LDADD = $(FUZZ_LIB) $(LIBS_AUTH)
tests_fuzz_fuzz_dkim_key_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_dkim_tag
tests_fuzz_fuzz_dkim_tag_LDADD = $(FUZZ_LIB) $(LIBS_AUTH)
tests_fuzz_fuzz_dkim_tag_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_dmarc
tests_fuzz_fuzz_dmarc_LDADD = $(FUZZ_LIB) $(LIBS_AUTH)
tests_fuzz_fuzz_dmarc_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_mime
tests_fuzz_fuzz_mime_LDADD = $(FUZZ_LIB) $(LIBS_MAIL)
tests_fuzz_fuzz_mime_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_html
tests_fuzz_fuzz_html_LDADD = $(FUZZ_LIB) $(LIBS_MAIL)
tests_fuzz_fuzz_html_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_url
tests_fuzz_fuzz_url_LDADD = $(FUZZ_LIB) $(LIBS_MAIL)
tests_fuzz_fuzz_url_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_redis_reply
tests_fuzz_fuzz_redis_reply_LDADD = $(FUZZ_LIB) $(LIBS_STORE)
tests_fuzz_fuzz_redis_reply_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_token
tests_fuzz_fuzz_token_LDADD = $(FUZZ_LIB) $(LIBS_LEARN)
tests_fuzz_fuzz_token_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_why
tests_fuzz_fuzz_why_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_why_LDADD = $(FUZZ_LIB) $(LIBS_CTL)
tests_fuzz_fuzz_why_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_mtaconf
tests_fuzz_fuzz_mtaconf_LDADD = $(FUZZ_LIB) $(LIBS_CTL)
tests_fuzz_fuzz_mtaconf_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)
FUZZERS += tests/fuzz/fuzz_lmdb_file
tests_fuzz_fuzz_lmdb_file_LDADD = $(FUZZ_LIB) $(LIBS_STORE)
tests_fuzz_fuzz_lmdb_file_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_report_bounce
tests_fuzz_fuzz_report_bounce_LDADD = $(FUZZ_LIB) $(LIBS_AUTH)
tests_fuzz_fuzz_report_bounce_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_report_rua
tests_fuzz_fuzz_report_rua_LDADD = $(FUZZ_LIB) $(LIBS_AUTH)
tests_fuzz_fuzz_report_rua_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_report_xml
tests_fuzz_fuzz_report_xml_LDADD = $(FUZZ_LIB) $(LIBS_AUTH)
tests_fuzz_fuzz_report_xml_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_report_unpack
tests_fuzz_fuzz_report_unpack_LDADD = $(FUZZ_LIB) $(LIBS_AUTH)
tests_fuzz_fuzz_report_unpack_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)

FUZZERS += tests/fuzz/fuzz_sign_table
tests_fuzz_fuzz_sign_table_LDADD = $(FUZZ_LIB) $(LIBS_AUTH)
tests_fuzz_fuzz_sign_table_LDFLAGS = $(AM_LDFLAGS) $(FUZZER_LINK)
