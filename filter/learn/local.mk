noinst_LIBRARIES += filter/learn/liblearn.a
filter_learn_liblearn_a_SOURCES = \
	filter/learn/bayes.c \
	filter/learn/bayes.h \
	filter/learn/bayes_train.c \
	filter/learn/digest.c \
	filter/learn/digest.h \
	filter/learn/fisher.c \
	filter/learn/fisher.h \
	filter/learn/repute.c \
	filter/learn/repute.h \
	filter/learn/token.c \
	filter/learn/token.h \
	filter/learn/token_head.c \
	filter/learn/token_set.h \
	filter/learn/token_words.c \
	filter/learn/token_words.h
