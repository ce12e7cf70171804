#ifndef FILTER_AUTH_CRYPTO_H
#define FILTER_AUTH_CRYPTO_H

/* libcrypto, for the few files that use it. It has a type of the name of one
 * of our error codes. */
#define ERR_STATE openssl_err_state
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#undef ERR_STATE

#endif
