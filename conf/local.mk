# The packaged configuration is installed as an example to copy: a site's own
# file is never touched.
nodist_pkgdata_DATA = conf/assay.conf
# Known DNS lists, all off; read before the site's files, which may change them.
dist_pkgdata_DATA = conf/lists.conf
conf/assay.conf: $(srcdir)/conf/assay.conf.in
	$(AM_V_GEN)$(MKDIR_P) conf && cp $(srcdir)/conf/assay.conf.in $@
CLEANFILES += conf/assay.conf
EXTRA_DIST += conf/assay.conf.in conf/quickstart conf/demo/zone \
	conf/demo/forged.eml conf/demo/genuine.eml conf/demo/gtube.eml \
	conf/demo/learn-ham.mbox conf/demo/learn-spam.mbox \
	conf/demo/plain.eml conf/demo/spam.eml
