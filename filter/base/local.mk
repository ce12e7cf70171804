noinst_LIBRARIES += filter/base/libbase.a
filter_base_libbase_a_SOURCES = \
	filter/base/arena.c filter/base/arena.h \
	filter/base/buf.c filter/base/buf.h \
	filter/base/clock.c filter/base/clock.h \
	filter/base/codec.c filter/base/codec.h \
	filter/base/err.c filter/base/err.h \
	filter/base/file.c filter/base/file.h \
	filter/base/ip.c filter/base/ip.h \
	filter/base/lock.c filter/base/lock.h \
	filter/base/log.c filter/base/log.h \
	filter/base/map.c filter/base/map.h \
	filter/base/sha256.c filter/base/sha256.h \
	filter/base/span.c filter/base/span.h \
	filter/base/unconst.h \
	filter/base/vec.h
