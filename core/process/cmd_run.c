/* SPDX-License-Identifier: Apache-2.0 */
/* `run`: the master; and `worker`, which the master starts. */
#include "process/cmd.h"
#include "process/master.h"
#include "process/worker.h"

int cmd_run(const struct cli *cli)
{
    return master_run(cli);
}

int cmd_worker(const struct cli *cli)
{
    return worker_main(cli);
}
