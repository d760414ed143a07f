/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: the JSON reader; what it accepts is written and read back to the same tree. */
#include "check_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void write_node(struct text *t, const struct node *n)
{
    switch (n->type) {
    case NODE_LIST:
    case NODE_MAP:
        json_open(t, n->type == NODE_MAP ? '{' : '[');
        for (uint32_t i = 0; i < n->count; i++) {
            if (n->type == NODE_MAP) {
                json_str(t, n->keys[i]->text); /* keys may hold NUL: no json_key here */
                text_chr(t, ':');
                t->comma = false;
            }
            write_node(t, n->items[i]);
        }
        json_close(t, n->type == NODE_MAP ? '}' : ']');
        break;
    case NODE_STRING:
        json_str(t, n->text);
        break;
    default:
        json_raw(t, n->text);
    }
}

static void round_trip(struct node_tree *tree, const struct node *root)
{
    struct text t;
    struct diag d;
    text_init(&t);
    diag_init(&d);
    write_node(&t, root);
    const struct node *again = node_read_json(tree, &d, "again", text_str(&t), NULL);
    MUST(again && node_equal(root, again) && node_hash(root) == node_hash(again));
    diag_fini(&d);
    text_fini(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    check_reading(node_read_json, data, n, round_trip);
    return 0;
}
