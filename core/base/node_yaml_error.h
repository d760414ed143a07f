/* SPDX-License-Identifier: Apache-2.0 */
/* YAML's mistakes in words that help. Private to the YAML reader. */
#ifndef BASE_NODE_YAML_ERROR_H
#define BASE_NODE_YAML_ERROR_H

#include <yaml.h>

#include "base/node_build.h"

/* Bytes that no YAML file may hold, with their exact place. 0 or E_CONF, with a diag. */
int yaml_check_bytes(struct build *, str text);
/* What the parser stumbled over, as a diag. Always negative. */
int yaml_syntax_error(struct build *, const yaml_parser_t *, str text);

#endif
