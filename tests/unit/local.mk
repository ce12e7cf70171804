# A test needs three lines: its name in UNIT, its LDADD, nothing else.
UNIT = \
	tests/unit/test_view \
	tests/unit/test_message \
	tests/unit/test_mime \
	tests/unit/test_url \
	tests/unit/test_html \
	tests/unit/test_rules \
	tests/unit/test_macro \
	tests/unit/test_iprev \
	tests/unit/test_spf \
	tests/unit/test_spf_field \
	tests/unit/test_spf_record \
	tests/unit/test_bodyhash \
	tests/unit/test_dkim \
	tests/unit/test_taglist \
	tests/unit/test_authres \
	tests/unit/test_received \
	tests/unit/test_relay \
	tests/unit/test_rule_parse \
	tests/unit/test_rule_run \
	tests/unit/test_rule_meta \
	tests/unit/test_addr \
	tests/unit/test_rule_regex \
	tests/unit/test_symbol \
	tests/unit/test_ctype \
	tests/unit/test_word \
	tests/unit/test_base \
	tests/unit/test_dns \
	tests/unit/test_dns_zone \
	tests/unit/test_domain \
	tests/unit/test_header \
	tests/unit/test_option \
	tests/unit/test_conf
check_PROGRAMS += $(UNIT)
TESTS += $(UNIT)

tests_unit_test_base_LDADD = tests/lib/libtap.a $(LIBS_BASE)
tests_unit_test_conf_LDADD = tests/lib/libtap.a $(LIBS_CONF)
tests_unit_test_dns_LDADD = tests/lib/libtap.a $(LIBS_DNS)
tests_unit_test_dns_zone_LDADD = tests/lib/libtap.a $(LIBS_DNS)
tests_unit_test_domain_LDADD = tests/lib/libtap.a $(LIBS_MAIL)
tests_unit_test_header_LDADD = tests/lib/libtap.a $(LIBS_MAIL)
tests_unit_test_option_LDADD = tests/lib/libtap.a $(LIBS_CONF)
tests_unit_test_word_LDADD = tests/lib/libtap.a $(LIBS_MAIL)
tests_unit_test_ctype_LDADD = tests/lib/libtap.a $(LIBS_MAIL)
tests_unit_test_addr_LDADD = tests/lib/libtap.a $(LIBS_MAIL)
tests_unit_test_symbol_LDADD = tests/lib/libtap.a $(LIBS_RULE)
tests_unit_test_rule_regex_LDADD = tests/lib/libtap.a $(LIBS_RULE)
tests_unit_test_received_LDADD = tests/lib/libtap.a $(LIBS_MAIL)
tests_unit_test_relay_LDADD = tests/lib/libtap.a $(LIBS_MAIL)
tests_unit_test_authres_LDADD = tests/lib/libtap.a $(LIBS_MAIL)
tests_unit_test_rule_meta_LDADD = tests/lib/libtap.a $(LIBS_RULE)
tests_unit_test_rule_run_LDADD = tests/lib/libtap.a $(LIBS_RULE)
tests_unit_test_rule_parse_LDADD = tests/lib/libtap.a $(LIBS_RULE)
UNIT += tests/unit/test_journal tests/unit/test_policy tests/unit/test_ref \
	tests/unit/test_reply tests/unit/test_stats
tests_unit_test_journal_LDADD = tests/lib/libtap.a $(LIBS_FILTER)
tests_unit_test_policy_LDADD = tests/lib/libtap.a $(LIBS_FILTER)
tests_unit_test_ref_LDADD = tests/lib/libtap.a $(LIBS_FILTER)
tests_unit_test_reply_LDADD = tests/lib/libtap.a $(LIBS_FILTER)
tests_unit_test_stats_LDADD = tests/lib/libtap.a $(LIBS_FILTER)
tests_unit_test_rules_LDADD = tests/lib/libtap.a $(LIBS_RULE)
tests_unit_test_macro_LDADD = tests/lib/libtap.a $(LIBS_AUTH)
tests_unit_test_iprev_LDADD = tests/lib/libtap.a $(LIBS_AUTH)
tests_unit_test_spf_LDADD = tests/lib/libtap.a $(LIBS_AUTH)
tests_unit_test_spf_field_LDADD = tests/lib/libtap.a $(LIBS_AUTH)
tests_unit_test_spf_record_LDADD = tests/lib/libtap.a $(LIBS_AUTH)
tests_unit_test_bodyhash_LDADD = tests/lib/libtap.a $(LIBS_AUTH)
tests_unit_test_taglist_LDADD = tests/lib/libtap.a $(LIBS_AUTH)
tests_unit_test_dkim_LDADD = tests/lib/libtap.a $(LIBS_AUTH)
UNIT += tests/unit/test_postconf
tests_unit_test_postconf_LDADD = tests/lib/libtap.a $(LIBS_CTL)
UNIT += tests/unit/test_sendmailcf
tests_unit_test_sendmailcf_LDADD = tests/lib/libtap.a $(LIBS_CTL)
UNIT += tests/unit/test_service
tests_unit_test_service_LDADD = tests/lib/libtap.a $(LIBS_FILTER)
UNIT += tests/unit/test_dkim_guard tests/unit/test_dmarc
tests_unit_test_dkim_guard_LDADD = tests/lib/libtap.a $(LIBS_AUTH)
tests_unit_test_dmarc_LDADD = tests/lib/libtap.a $(LIBS_AUTH)
UNIT += tests/unit/test_record
UNIT += tests/unit/test_verdictlog
UNIT += tests/unit/test_verdictlog_faults
tests_unit_test_record_LDADD = tests/lib/libtap.a $(LIBS_LOG)
tests_unit_test_verdictlog_SOURCES = tests/unit/test_verdictlog.c \
	tests/unit/logkit.h
tests_unit_test_verdictlog_LDADD = tests/lib/libtap.a $(LIBS_LOG)
tests_unit_test_verdictlog_faults_SOURCES = tests/unit/test_verdictlog_faults.c \
	tests/unit/logkit.h
tests_unit_test_verdictlog_faults_LDADD = tests/lib/libtap.a $(LIBS_LOG)
tests_unit_test_html_LDADD = tests/lib/libtap.a $(LIBS_MAIL)
tests_unit_test_url_LDADD = tests/lib/libtap.a $(LIBS_MAIL)
tests_unit_test_mime_LDADD = tests/lib/libtap.a $(LIBS_MAIL)
tests_unit_test_message_LDADD = tests/lib/libtap.a $(LIBS_MAIL)
tests_unit_test_view_LDADD = tests/lib/libtap.a $(LIBS_MAIL)
UNIT += tests/unit/test_store
tests_unit_test_store_LDADD = tests/lib/libtap.a $(LIBS_STORE)
UNIT += tests/unit/test_store_redis
tests_unit_test_store_redis_SOURCES = tests/unit/test_store_redis.c \
	tests/lib/fake_redis.c tests/lib/fake_redis.h
tests_unit_test_store_redis_LDADD = tests/lib/libtap.a $(LIBS_STORE)
UNIT += tests/unit/test_when
UNIT += tests/unit/test_log_format
UNIT += tests/unit/test_why
tests_unit_test_when_LDADD = tests/lib/libtap.a $(LIBS_CTL)
tests_unit_test_log_format_LDADD = tests/lib/libtap.a $(LIBS_CTL)
tests_unit_test_log_format_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_why_LDADD = tests/lib/libtap.a $(LIBS_CTL)
tests_unit_test_why_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
UNIT += tests/unit/test_dnslist
tests_unit_test_dnslist_LDADD = tests/lib/libtap.a $(LIBS_DNS)
UNIT += tests/unit/test_scan_dns
UNIT += tests/unit/test_scan_list
tests_unit_test_scan_dns_LDADD = tests/lib/libtap.a $(LIBS_SCAN)
tests_unit_test_scan_list_LDADD = tests/lib/libtap.a $(LIBS_SCAN)
UNIT += tests/unit/test_repute
tests_unit_test_repute_LDADD = tests/lib/libtap.a $(LIBS_LEARN)
UNIT += tests/unit/test_state
tests_unit_test_state_LDADD = tests/lib/libtap.a $(LIBS_FILTER)
UNIT += tests/unit/test_store_lmdb
tests_unit_test_store_lmdb_LDADD = tests/lib/libtap.a $(LIBS_STORE)
UNIT += tests/unit/test_bayes tests/unit/test_token
tests_unit_test_bayes_LDADD = tests/lib/libtap.a $(LIBS_LEARN)
tests_unit_test_token_LDADD = tests/lib/libtap.a $(LIBS_LEARN)
UNIT += tests/unit/test_sha256
tests_unit_test_sha256_LDADD = tests/lib/libtap.a $(LIBS_BASE)
UNIT += tests/unit/test_store_seen
tests_unit_test_store_seen_LDADD = tests/lib/libtap.a $(LIBS_STORE)
UNIT += tests/unit/test_report_read
UNIT += tests/unit/test_report_unpack
tests_unit_test_report_read_LDADD = tests/lib/libtap.a $(LIBS_AUTH)
tests_unit_test_report_unpack_SOURCES = tests/unit/test_report_unpack.c \
	tests/unit/reportkit.h
tests_unit_test_report_unpack_LDADD = tests/lib/libtap.a $(LIBS_AUTH)
UNIT += tests/unit/test_sign_key
tests_unit_test_sign_key_SOURCES = tests/unit/test_sign_key.c \
	tests/unit/signkit.h
tests_unit_test_sign_key_LDADD = tests/lib/libtap.a $(LIBS_AUTH)
UNIT += tests/unit/test_signature
tests_unit_test_signature_SOURCES = tests/unit/test_signature.c \
	tests/unit/signkit.h
tests_unit_test_signature_LDADD = tests/lib/libtap.a $(LIBS_AUTH)
UNIT += tests/unit/test_keyring
tests_unit_test_keyring_SOURCES = tests/unit/test_keyring.c \
	tests/unit/signkit.h
tests_unit_test_keyring_LDADD = tests/lib/libtap.a $(LIBS_AUTH)
UNIT += tests/unit/test_sign
tests_unit_test_sign_SOURCES = tests/unit/test_sign.c \
	tests/unit/signkit.h
tests_unit_test_sign_LDADD = tests/lib/libtap.a $(LIBS_FILTER)
UNIT += tests/unit/test_arc
tests_unit_test_arc_LDADD = tests/lib/libtap.a $(LIBS_AUTH)
UNIT += tests/unit/test_report_row
UNIT += tests/unit/test_report_rua
UNIT += tests/unit/test_report_mail
tests_unit_test_report_row_LDADD = tests/lib/libtap.a $(LIBS_AUTH)
tests_unit_test_report_rua_LDADD = tests/lib/libtap.a $(LIBS_AUTH)
tests_unit_test_report_mail_LDADD = tests/lib/libtap.a $(LIBS_AUTH)
UNIT += tests/unit/test_report_gather
tests_unit_test_report_gather_LDADD = tests/lib/libtap.a $(LIBS_FILTER)
UNIT += tests/unit/test_report_failure
tests_unit_test_report_failure_LDADD = tests/lib/libtap.a $(LIBS_AUTH)
