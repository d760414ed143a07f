/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of all four sides, for plugins: reading anywhere, editing where the side is still open. */
#include "pipeline/exchange.h"
#include "pipeline/host_x.h"

static const struct hdrs *side_of(const struct exchange *x, uint32_t side)
{
    switch (side) {
    case SP_SIDE_CLIENT_REQUEST:
        return &x->st->req.h;
    case SP_SIDE_REQUEST:
        return &x->req.h;
    case SP_SIDE_INTEGRATION_RESPONSE:
        return x->int_status && x->proxy ? &x->ires.h : NULL;
    case SP_SIDE_RESPONSE:
        return x->res_ready ? &x->res.h : NULL;
    case SP_SIDE_CLIENT_REQUEST | SP_SIDE_TRAILER:
    case SP_SIDE_REQUEST | SP_SIDE_TRAILER:
        return &x->st->req.trailers;
    case SP_SIDE_INTEGRATION_RESPONSE | SP_SIDE_TRAILER:
    case SP_SIDE_RESPONSE | SP_SIDE_TRAILER:
        return &x->ires.trailers;
    default:
        return NULL;
    }
}

sp_status hx_header_get(struct sp_exchange *sx, uint32_t side, uint32_t id, uint32_t nth, sp_str *out)
{
    const struct hdrs *h = side_of((struct exchange *)sx, side);
    const struct hdr *f;

    if (id == 0 || id >= HDR_ID_MAX)
        return SP_E_ARG;
    f = h ? hdrs_get(h, (uint16_t)id, STR_NONE, nth) : NULL;
    if (!f)
        return SP_E_NONE;
    *out = f->value;
    return SP_OK;
}

sp_status hx_header_find(struct sp_exchange *sx, uint32_t side, sp_str name, uint32_t nth, sp_str *out)
{
    const struct hdrs *h = side_of((struct exchange *)sx, side);
    const struct hdr *f = h ? hdrs_get(h, hdr_id_of(name), name, nth) : NULL;

    if (!f)
        return SP_E_NONE;
    *out = f->value;
    return SP_OK;
}

sp_status hx_header_next(struct sp_exchange *sx, uint32_t side, uint32_t *cursor, struct sp_header *out)
{
    const struct hdrs *h = side_of((struct exchange *)sx, side);

    while (h && *cursor < h->n) {
        const struct hdr *f = &h->v[(*cursor)++];

        if (f->flags & HDR_F_REMOVED)
            continue;
        out->id = f->id;
        out->name = f->name;
        out->value = f->value;
        return SP_OK;
    }
    return SP_E_NONE;
}

/* The host frames messages and routes them; Date and Host have setters of their own. */
static bool host_owned(uint16_t id)
{
    return id == HDR_CONTENT_LENGTH || id == HDR_HOST || id == HDR_EXPECT || http_hop_by_hop(id);
}

/* The table that an edit goes to, or why there is none. */
static struct hdrs *open_side(struct exchange *x, uint32_t side, sp_status *why)
{
    *why = SP_E_PHASE;
    if (side == SP_SIDE_REQUEST) {
        bool open = x->phase <= X_REQ_BUFFER || x->cur_point == SP_HP_ATTEMPT ||
                    (x->phase == X_INTEGRATION && x->cur_point == SP_HP_INTEGRATION);
        return open ? &x->req.h : NULL;
    }
    if (side == SP_SIDE_RESPONSE)
        return x->res_ready && !x->head_gone ? &x->res.h : NULL;
    if (side < SP_SIDE_CLIENT_REQUEST || side > SP_SIDE_RESPONSE)
        *why = SP_E_ARG;
    return NULL;
}

struct edit {
    struct exchange *x;
    struct hdrs *h;
    uint16_t id;
    str name, value;
};

/* Checks and copies what an edit needs. 1: a shadow entry's edit, to be forgotten. */
static sp_status edit_init(struct edit *e, struct sp_exchange *sx, uint32_t side, uint32_t id, sp_str name, const sp_str *value)
{
    struct exchange *x = (struct exchange *)sx;
    sp_status why = SP_OK;

    CHECK_OBJ(x, EXCHANGE_MAGIC);
    *e = (struct edit){.x = x, .id = (uint16_t)id};
    if (id >= HDR_ID_MAX || (id == 0 && !hdr_name_ok(name)) || (value && !hdr_value_ok(*value)))
        return SP_E_ARG;
    if (id == 0)
        e->id = hdr_id_of(name);
    if (host_owned(e->id))
        return SP_E_PHASE;
    e->h = open_side(x, side, &why);
    if (!e->h)
        return why;
    if (x->cur_shadow)
        return 1;
    e->name = id ? hdr_id_name(e->id) : name;
    if (!e->name.p)
        return SP_E_ARG;
    if (value) {
        e->name = id ? e->name : arena_str(x->arena, name);
        e->value = arena_str(x->arena, *value);
        if (!e->name.p || !e->value.p)
            return SP_E_NOMEM;
    }
    return SP_OK;
}

sp_status hx_header_set(struct sp_exchange *sx, uint32_t side, uint32_t id, sp_str name, sp_str value)
{
    struct edit e;
    sp_status rc = edit_init(&e, sx, side, id, name, &value);

    if (rc)
        return rc < 0 ? rc : SP_OK;
    return hdrs_set(e.h, e.x->arena, e.id, e.name, e.value);
}

sp_status hx_header_add(struct sp_exchange *sx, uint32_t side, uint32_t id, sp_str name, sp_str value)
{
    struct edit e;
    sp_status rc = edit_init(&e, sx, side, id, name, &value);

    if (rc)
        return rc < 0 ? rc : SP_OK;
    return hdrs_add(e.h, e.x->arena, e.id, e.name, e.value);
}

sp_status hx_header_del(struct sp_exchange *sx, uint32_t side, uint32_t id, sp_str name)
{
    struct edit e;
    sp_status rc = edit_init(&e, sx, side, id, name, NULL);

    if (rc)
        return rc < 0 ? rc : SP_OK;
    rc = hdrs_del(e.h, e.x->arena, e.id, e.name);
    return rc < 0 ? rc : rc == 0 ? SP_E_NONE : SP_OK;
}
