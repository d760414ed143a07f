/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over files, so that corpora are replayed by every compiler: replay_NAME
 * FILE... */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define FILE_MAX (16u << 20)

static int replay(const char *name)
{
    FILE *f = fopen(name, "rb");
    uint8_t *data = malloc(FILE_MAX), *exact;
    if (!f || !data) {
        perror(name);
        if (f)
            fclose(f);
        free(data);
        return 1;
    }
    size_t n = fread(data, 1, FILE_MAX, f);
    int bad = ferror(f) || n == FILE_MAX;
    fclose(f);
    if (bad)
        fprintf(stderr, "%s: cannot be read, or is larger than %u bytes\n", name, FILE_MAX);
    /* Exactly as large as the input, so that a sanitizer sees every read behind it. */
    exact = realloc(data, n ? n : 1);
    if (!exact)
        exact = data;
    if (!bad)
        LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    return bad;
}

int main(int argc, char **argv)
{
    int bad = 0;
    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE...\n", argv[0]);
        return 2;
    }
    for (int i = 1; i < argc; i++)
        bad += replay(argv[i]);
    printf("replayed %d files\n", argc - 1 - bad);
    return bad != 0;
}
