noinst_LIBRARIES += filter/conf/libconf.a
filter_conf_libconf_a_SOURCES = \
	filter/conf/conf.c filter/conf/conf.h \
	filter/conf/lex.c filter/conf/lex.h \
	filter/conf/nearest.c \
	filter/conf/option.c filter/conf/option.h \
	filter/conf/option_form.c filter/conf/option_form.h \
	filter/conf/parse.c filter/conf/read.c filter/conf/tree.h
