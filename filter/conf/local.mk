noinst_LIBRARIES += filter/conf/libconf.a
filter_conf_libconf_a_SOURCES = \
	filter/conf/conf.c filter/conf/conf.h \
	filter/conf/option.c filter/conf/option.h
