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

# --- for systemd: made from *.in with the configured places ----------------------

UNITS = conf/assayd.service conf/assayd.socket \
	conf/assay-report.service conf/assay-report.timer \
	conf/assay-failures.service conf/assay-failures.timer
if SYSTEMD_UNITS
nodist_systemdsystemunit_DATA = $(UNITS)
nodist_tmpfiles_DATA = conf/tmpfiles.d/assay.conf
nodist_sysusers_DATA = conf/sysusers.d/assay.conf
endif
CLEANFILES += $(UNITS) conf/tmpfiles.d/assay.conf conf/sysusers.d/assay.conf
EXTRA_DIST += conf/assayd.service.in conf/assayd.socket.in \
	conf/assay-report.service.in conf/assay-report.timer.in \
	conf/assay-failures.service.in conf/assay-failures.timer.in \
	conf/assay.tmpfiles.in conf/assay.sysusers.in

# systemd makes the two folders itself where they are the usual ones.
FILL = $(AM_V_GEN)$(MKDIR_P) $(@D) && \
	state='ReadWritePaths=$(statedir)'; run='ReadWritePaths=$(rundir)'; \
	test '$(statedir)' != /var/lib/assay || \
		state='StateDirectory=assay\nStateDirectoryMode=0750'; \
	test '$(rundir)' != /run/assay || \
		run='RuntimeDirectory=assay\nRuntimeDirectoryPreserve=yes'; \
	sed -e 's,[@]sbindir[@],$(sbindir),g' -e 's,[@]bindir[@],$(bindir),g' \
		-e 's,[@]statedir[@],$(statedir),g' \
		-e 's,[@]rundir[@],$(rundir),g' \
		-e 's,[@]postfixspooldir[@],$(postfixspooldir),g' \
		-e 's,[@]ASSAY_USER[@],$(ASSAY_USER),g' \
		-e "s,[@]STATE_LINE[@],$$state," -e "s,[@]RUN_LINE[@],$$run,"
conf/assayd.service: $(srcdir)/conf/assayd.service.in Makefile
	$(FILL) $(srcdir)/conf/assayd.service.in >$@
conf/assayd.socket: $(srcdir)/conf/assayd.socket.in Makefile
	$(FILL) $(srcdir)/conf/assayd.socket.in >$@
conf/assay-report.service: $(srcdir)/conf/assay-report.service.in Makefile
	$(FILL) $(srcdir)/conf/assay-report.service.in >$@
conf/assay-report.timer: $(srcdir)/conf/assay-report.timer.in Makefile
	$(FILL) $(srcdir)/conf/assay-report.timer.in >$@
conf/assay-failures.service: $(srcdir)/conf/assay-failures.service.in Makefile
	$(FILL) $(srcdir)/conf/assay-failures.service.in >$@
conf/assay-failures.timer: $(srcdir)/conf/assay-failures.timer.in Makefile
	$(FILL) $(srcdir)/conf/assay-failures.timer.in >$@
conf/tmpfiles.d/assay.conf: $(srcdir)/conf/assay.tmpfiles.in Makefile
	$(FILL) $(srcdir)/conf/assay.tmpfiles.in >$@
conf/sysusers.d/assay.conf: $(srcdir)/conf/assay.sysusers.in Makefile
	$(FILL) $(srcdir)/conf/assay.sysusers.in >$@
