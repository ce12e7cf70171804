dist_rules_DATA = \
	rules/10-header.cf \
	rules/20-body.cf \
	rules/30-url.cf \
	rules/40-combine.cf \
	rules/90-scores.cf \
	rules/README
