/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: a main conf, as YAML or JSON. Whatever the bytes, the loader answers with a gateway
 * or with errors. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/diag.h"
#include "model/gateway.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[64];
    struct gateway *gw;
    struct diag d;
    FILE *out;

    if (!path[0])
        snprintf(path, sizeof(path), "/tmp/sallyport-fuzz-conf.%d", (int)getpid());
    out = fopen(path, "w");
    if (!out)
        return 0;
    if (size)
        fwrite(data, 1, size, out);
    fclose(out);
    diag_init(&d);
    gw = gateway_load(path, &d);
    if ((gw != NULL) == (d.errors != 0) || diag_text(&d).n == SIZE_MAX || !diag_json(&d).p)
        abort();
    gateway_free(gw);
    diag_fini(&d);
    unlink(path);
    return 0;
}
