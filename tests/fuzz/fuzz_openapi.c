/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: an API file with its document inline. The first byte picks the API's type where the
 * text leaves it open; a document that loads is asked for routes that its own bytes spell. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/diag.h"
#include "model/gateway.h"
#include "model/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_file(const char *path, const char *head, const uint8_t *data, size_t size)
{
    FILE *out = fopen(path, "w");

    if (!out)
        abort();
    fputs(head, out);
    if (size)
        fwrite(data, 1, size, out);
    fclose(out);
}

/* Every method is found by its own template, or by something that comes before it. */
static void ask(const struct gateway *gw)
{
    for (unsigned a = 0; a < gw->api_count; a++)
        for (unsigned k = 0; k < gw->apis[a]->deployment_count; k++) {
            const struct deployment *dep = gw->apis[a]->deployments[k];

            for (unsigned m = 0; m < dep->method_count; m++) {
                const struct api_method *own = &dep->methods[m];
                struct route_match match;
                enum http_method verb =
                    own->method == M_ANY ? M_GET : (enum http_method)own->method;

                if (own->resource->path.p[0] == '/' &&
                    route_find(dep->routes, gw->apis[a]->type, own->resource->path, verb, &match) !=
                        ROUTE_FOUND)
                    abort();
            }
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const heads[] = {
        "api: a\ntype: REST\nstages: {s: {variables: {v: \"127.0.0.1:1\"}}}\nopenapi:\n",
        "api: a\ntype: HTTP\nstages: {$default: {}}\nopenapi:\n", ""};
    static char api[64], conf[64];
    struct gateway *gw;
    struct diag d;

    if (size == 0)
        return 0;
    if (!api[0]) {
        char text[256];

        snprintf(api, sizeof(api), "/tmp/sallyport-fuzz-api.%d.yaml", (int)getpid());
        snprintf(conf, sizeof(conf), "/tmp/sallyport-fuzz-main.%d.yaml", (int)getpid());
        snprintf(text, sizeof(text),
                 "listen: [{address: \"127.0.0.1:1\"}]\nupstreams: [{id: u, targets: "
                 "[\"127.0.0.1:1\"]}]\nvpc_links: {l: u}\nplugins: [p]\napis: {include: \"%s\"}\n",
                 api);
        write_file(conf, text, NULL, 0);
    }
    write_file(api, heads[data[0] % 3], data + 1, size - 1);
    diag_init(&d);
    gw = gateway_load(conf, &d);
    if ((gw != NULL) == (d.errors != 0))
        abort();
    if (gw)
        ask(gw);
    gateway_free(gw);
    diag_fini(&d);
    unlink(api);
    return 0;
}
