/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the YAML reader, on libyaml. */
#include "check_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    check_reading(node_read_yaml, data, n, NULL);
    return 0;
}
