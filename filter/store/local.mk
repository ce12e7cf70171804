noinst_LIBRARIES += filter/store/libstore.a
filter_store_libstore_a_CPPFLAGS = $(AM_CPPFLAGS) $(HIREDIS_CFLAGS) \
	$(LMDB_CFLAGS)
filter_store_libstore_a_SOURCES = \
	filter/store/backend.h \
	filter/store/store.h \
	filter/store/store_url.c \
	filter/store/store_url.h
