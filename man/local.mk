dist_man_MANS += \
	man/assay.1 \
	man/assay.conf.5 \
	man/assay-rules.5 \
	man/assay-scorers.7 \
	man/assayd.8
