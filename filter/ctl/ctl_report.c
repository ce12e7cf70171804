#include "filter/ctl/ctl.h"

/*
 * assay report: DMARC reports, sent and received. The sub-commands are in
 * files of their own; this is their table.
 */

const struct ctl_command ctl_report_commands[] = {
    {"dmarc", NULL, NULL, NULL, NULL, &ctl_report_dmarc_command},
    {"bounce", NULL, NULL, NULL, NULL, &ctl_report_bounce_command},
    {"bounced", NULL, NULL, NULL, NULL, &ctl_report_bounced_command},
    {"failures", NULL, NULL, NULL, NULL, &ctl_report_failures_command},
    {"read", NULL, NULL, NULL, NULL, &ctl_report_read_command},
    {0},
};
