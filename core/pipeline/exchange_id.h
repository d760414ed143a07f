/* SPDX-License-Identifier: Apache-2.0 */
/* What rooms beside the exchange may ask of one, without knowing what it is made of. */
#ifndef PIPELINE_EXCHANGE_ID_H
#define PIPELINE_EXCHANGE_ID_H

#include "base/str.h"

/* UUID text; lives as long as the exchange. On its thread. */
str exchange_request_id(const struct sp_exchange *);

#endif
