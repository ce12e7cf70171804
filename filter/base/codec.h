#ifndef FILTER_BASE_CODEC_H
#define FILTER_BASE_CODEC_H

#include "filter/base/buf.h"
#include "filter/base/span.h"

/*
 * Base64 and quoted-printable, strict and lenient, and hex. All decoders
 * append to `out`, which carries the limit; they are linear and never read
 * past the input.
 */

/*
 * Lenient base64 as mail programs read it: white space and foreign characters
 * are skipped, missing padding is taken as there, decoding goes on after
 * padding inside. Returns the number of foreign characters skipped (white
 * space and padding not counted).
 */
size_t codec_base64_decode(struct buf *out, struct span text);

/*
 * Strict base64 of keys and signatures (RFC 4648 section 4): white space
 * (RFC 6376 FWS) is skipped, anything else foreign, wrong padding or length is
 * ERR_SYNTAX and `out` is left with what was decoded.
 */
int codec_base64_strict(struct buf *out, struct span text) MUST_USE;

/* Base64 in one line, with padding. */
void codec_base64_encode(struct buf *out, struct span bytes);

/*
 * Quoted-printable of a body (RFC 2045 section 6.7), leniently: blanks before
 * a line end are dropped, `=` and a line end joins, `=HH` in any case, every
 * other `=` stays. Line ends are kept as they are. Returns the number of `=`
 * that stayed.
 */
size_t codec_qp_decode(struct buf *out, struct span text);

/* The "Q" encoding of an encoded word (RFC 2047 section 4.2). */
void codec_q_decode(struct buf *out, struct span text);

void codec_hex_encode(struct buf *out, struct span bytes);

#endif
