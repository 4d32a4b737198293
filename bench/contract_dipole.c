/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products and convolutions through Dipole, on any device: a call, and the wait until the device is done. */
#include "contract.h"

#include <dipole/dipole.h>

#include <stdio.h>

typedef struct dipole_state {
    dp_device *device;
    const contract_problem *problem;
    dp_tensor *x, *w, *y, *result;
} dipole_state;

static bool failed(dp_device *device)
{
    contract_fail("%s", dp_message(device));
    dp_clear(device);
    return false;
}

static bool prepare(void *data, const contract_problem *p)
{
    dipole_state *state = data;
    state->problem = p;
    if (p->kind == CONTRACT_MATMUL) {
        state->x = dp_from(state->device, DP_F32, DP_SHAPE(p->m, p->k), p->x);
        state->w = dp_from(state->device, DP_F32, DP_SHAPE(p->k, p->n), p->w);
        return (state->x && state->w) || failed(state->device);
    }
    if (p->kind != CONTRACT_INPUT)
        state->x = dp_from(state->device, DP_F32, DP_SHAPE(p->images, p->channels, p->size, p->size), p->x);
    if (p->kind != CONTRACT_WEIGHTS)
        state->w = dp_from(state->device, DP_F32, DP_SHAPE(p->kernels, p->channels, p->rows, p->rows), p->w);
    if (p->kind != CONTRACT_FORWARD)
        state->y = dp_from(state->device, DP_F32, DP_SHAPE(p->images, p->kernels, p->out, p->out), p->y);
    return !dp_failed(state->device) || failed(state->device);
}

static dp_tensor *call(const dipole_state *state)
{
    const contract_problem *p = state->problem;
    const dp_conv2d_params params = {.stride = {p->stride, p->stride}, .padding = {p->padding, p->padding}};
    switch (p->kind) {
    case CONTRACT_MATMUL:
        return dp_matmul(state->device, state->x, state->w, NULL);
    case CONTRACT_FORWARD:
        return dp_conv2d(state->device, state->x, state->w, &params);
    case CONTRACT_INPUT:
        return dp_conv2d_gradient_input(state->device, state->w, state->y, p->size, p->size, &params);
    default:
        return dp_conv2d_gradient_weights(state->device, state->x, state->y, p->rows, p->rows, &params);
    }
}

static bool run(void *data)
{
    dipole_state *state = data;
    dp_tensor_release(&state->result);
    state->result = call(state);
    return dp_device_wait(state->device) == DP_OK || failed(state->device);
}

static bool fetch(void *data, float *result)
{
    dipole_state *state = data;
    size_t size;
    contract_result(state->problem, &size);
    return dp_read(state->result, result, size * sizeof *result) == DP_OK || failed(state->device);
}

static void finish(void *data)
{
    dipole_state *state = data;
    dp_tensor_release(&state->x);
    dp_tensor_release(&state->w);
    dp_tensor_release(&state->y);
    dp_tensor_release(&state->result);
}

int main(int argc, char **argv)
{
    static const contract_contender dipole = {prepare, run, fetch, finish};
    dipole_state state = {.device = dp_device_open(contract_option(argc, argv, "--device", NULL))};
    char what[400];
    if (dp_failed(state.device)) {
        fprintf(stderr, "contract_dipole: %s\n", dp_message(state.device));
        dp_device_close(&state.device);
        return 1;
    }
    const dp_device_info info = dp_device_get_info(state.device);
    snprintf(what, sizeof what, "%s, %s, %s", info.id, info.name, info.driver);
    const int status = contract_serve(&dipole, &state, what);
    dp_device_close(&state.device);
    return status;
}
