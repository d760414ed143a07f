/* SPDX-License-Identifier: Apache-2.0 */
/* Which keys an object of an OpenAPI document may have: OpenAPI's own, AWS's extensions by place,
 * ours. A key that would be ignored in silence, and is not documentation, is an error. */
#include "model/openapi.h"

struct ext {
    const char *key; /* behind "x-amazon-apigateway-" */
    unsigned levels; /* EXT_* where it belongs */
    bool later;      /* known, not in this version */
};

/* API Gateway developer guide, "OpenAPI extensions for API Gateway". */
static const struct ext exts[] = {
    {"any-method", EXT_PATH, false},
    {"api-key-source", EXT_DOC, false},
    {"auth", EXT_DOC | EXT_METHOD, false},
    {"authorizer", EXT_SCHEME, false},
    {"authtype", EXT_SCHEME, false},
    {"binary-media-types", EXT_DOC, true},
    {"cors", EXT_DOC, false},
    {"documentation", EXT_DOC, false},
    {"endpoint-access-mode", EXT_DOC, true},
    {"endpoint-configuration", EXT_DOC | EXT_OTHER, false},
    {"gateway-responses", EXT_DOC, true},
    {"importexport-version", EXT_DOC, false},
    {"integration", EXT_METHOD, false},
    {"integrations", EXT_OTHER, false},
    {"minimum-compression-size", EXT_DOC, true},
    {"policy", EXT_DOC, false},
    {"request-validator", EXT_DOC | EXT_METHOD, false},
    {"request-validators", EXT_DOC, false},
    {"security-policy", EXT_DOC, true},
    {"tag-value", EXT_OTHER, false},
};

#define AWS_PREFIX "x-amazon-apigateway-"

static const struct ext *ext_of(str key)
{
    if (!str_starts(key, STR(AWS_PREFIX)))
        return NULL;
    key = str_drop(key, sizeof(AWS_PREFIX) - 1);
    for (unsigned i = 0; i < ARRAY_LEN(exts); i++)
        if (str_eqz(key, exts[i].key))
            return &exts[i];
    return NULL;
}

static const char *const place_names[] = {[EXT_DOC] = "the document's top level",
                                          [EXT_PATH] = "a path",
                                          [EXT_METHOD] = "a method",
                                          [EXT_SCHEME] = "a security scheme",
                                          [EXT_OTHER] = "components, servers or tags"};

static const char *place_of(unsigned levels)
{
    for (unsigned l = 1; l <= EXT_OTHER; l <<= 1)
        if (levels & l)
            return place_names[l];
    return "";
}

/* The names of everything allowed here, for did-you-mean. */
static void unknown(struct doc *doc, const struct node *key, const struct node *value,
                    const char *const *words, unsigned level)
{
    static const char *const ext_names[] = {AWS_PREFIX "any-method",
                                            AWS_PREFIX "api-key-source",
                                            AWS_PREFIX "auth",
                                            AWS_PREFIX "authorizer",
                                            AWS_PREFIX "authtype",
                                            AWS_PREFIX "cors",
                                            AWS_PREFIX "documentation",
                                            AWS_PREFIX "endpoint-configuration",
                                            AWS_PREFIX "importexport-version",
                                            AWS_PREFIX "integration",
                                            AWS_PREFIX "integrations",
                                            AWS_PREFIX "policy",
                                            AWS_PREFIX "request-validator",
                                            AWS_PREFIX "request-validators",
                                            AWS_PREFIX "tag-value",
                                            "x-sallyport-plugins"};
    const char *names[64];
    unsigned n = 0;

    for (unsigned i = 0; words[i] && n < 32; i++)
        names[n++] = words[i];
    for (unsigned i = 0; i < ARRAY_LEN(ext_names); i++) {
        const struct ext *e = ext_of(str_z(ext_names[i]));

        if (!e || (e->levels & level))
            names[n++] = ext_names[i];
    }
    node_unknown(doc->ld->diag, doc->ld->tree, key, value, "key", names, n);
}

static bool is_word(const char *const *words, str key)
{
    for (unsigned i = 0; words[i]; i++)
        if (str_eqz(key, words[i]))
            return true;
    return false;
}

static void check_key(struct doc *doc, const struct node *key, const struct node *value,
                      const char *const *words, unsigned level)
{
    const struct ext *e = ext_of(key->text);

    if (is_word(words, key->text))
        return;
    if (e && e->later)
        doc_key_error(doc, key, value, NULL, "`%s%s` is not supported by this version", AWS_PREFIX,
                      e->key);
    else if (e && !(e->levels & level))
        doc_key_error(doc, key, value, place_of(e->levels), "`%s%s` does not belong here",
                      AWS_PREFIX, e->key);
    else if (e || str_eqz(key->text, "x-sallyport-plugins"))
        return;
    else if (str_starts(key->text, STR("x-")) &&
             !str_starts(key->text, STR("x-amazon-apigateway")) &&
             !str_starts(key->text, STR("x-sallyport")))
        return; /* somebody else's extension: documentation to us */
    else if (!(level == EXT_METHOD && str_eqz(key->text, "isDefaultRoute")))
        unknown(doc, key, value, words, level);
}

void doc_check_keys(struct doc *doc, const struct node *map, const char *const *words,
                    enum ext_level level)
{
    for (uint32_t i = 0; map->type == NODE_MAP && i < map->count; i++)
        check_key(doc, map->keys[i], map->items[i], words, level);
}
