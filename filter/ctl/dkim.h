#ifndef FILTER_CTL_DKIM_H
#define FILTER_CTL_DKIM_H

#include "filter/auth/keyring.h"
#include "filter/ctl/ctl.h"

/* Shared by the commands of `assay dkim`. */

extern const struct ctl_command ctl_dkim_sign_command;
extern const struct ctl_command ctl_dkim_testkey_command;

/* Fills domain and selector from options; EX_OK, or EX_USAGE and it is said. */
int ctl_dkim_names(struct ctl *ctl, const char *domain, const char *selector,
    struct arena *arena, struct signer *ret);
/* auth.keys/DOMAIN/SELECTOR.pem; NULL without memory. */
const char *ctl_dkim_path(const struct settings *settings,
    const struct signer *of, struct arena *arena);
/* Settings without rules; NULL after errors that were said. */
struct snapshot *ctl_dkim_settings(struct ctl *ctl, bool keys);

#endif
