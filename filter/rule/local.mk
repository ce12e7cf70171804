noinst_LIBRARIES += filter/rule/librule.a
filter_rule_librule_a_CPPFLAGS = $(AM_CPPFLAGS) $(PCRE2_CFLAGS)
filter_rule_librule_a_SOURCES = \
	filter/rule/rule.h filter/rule/rule_impl.h \
	filter/rule/rule_command.c \
	filter/rule/rule_cond.c \
	filter/rule/rule_expr.c filter/rule/rule_expr.h \
	filter/rule/rule_expr_run.c \
	filter/rule/rule_match.c filter/rule/rule_match.h \
	filter/rule/rule_meta.c \
	filter/rule/rule_parse.c \
	filter/rule/rule_pattern.c filter/rule/rule_pattern.h \
	filter/rule/rule_read.c \
	filter/rule/rule_regex.c filter/rule/rule_regex.h \
	filter/rule/rule_rewrite.c \
	filter/rule/rule_run.c \
	filter/rule/rule_say.c \
	filter/rule/rule_set.c \
	filter/rule/symbol.c filter/rule/symbol.h
