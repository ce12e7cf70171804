noinst_LIBRARIES += filter/learn/liblearn.a
filter_learn_liblearn_a_SOURCES = \
	filter/learn/bayes.h \
	filter/learn/repute.c \
	filter/learn/repute.h \
	filter/learn/token.h
