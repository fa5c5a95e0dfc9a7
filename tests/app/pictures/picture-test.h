/* SPDX-License-Identifier: MIT
 *
 * Fixtures for the tests of SlPicture: 48 × 32 quadrants red, green / blue, yellow, written by ImageMagick.
 */
#pragma once

#include "app/pictures/sl-picture.h"

#define W 48
#define H 32

static const guint8 red[3] = { 255, 0, 0 }, green[3] = { 0, 255, 0 }, blue[3] = { 0, 0, 255 }, yellow[3] = { 255, 255, 0 };

/* A file of this folder. */
GFile *fixture (const char *name);
GBytes *fixture_bytes (const char *name);
SlPicture *load (const char *name);
SlPicture *decode_text (const char *text, const char *name, GError **error);

const guint8 *pixel (SlPicture *picture, int x, int y);
void assert_pixel (SlPicture *picture, int x, int y, const guint8 *want, int tolerance);
void assert_quadrants (SlPicture *picture, int tolerance);
