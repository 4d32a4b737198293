/* SPDX-License-Identifier: Apache-2.0 */
/* DCGAN (Radford, Metz, Chintala, ICLR 2016) with an auxiliary loss of the generator's last hidden layer: its
 * positions are the sub-units. */
#include "train_atom.h"
#include "train_gan.h"

#include <stdlib.h>

#define DRAWN 8

typedef struct generate_run {
    gan_run gan;
    auxiliary auxiliary;
    int side; /* of the hidden maps */
} generate_run;

static void settle(train_options *o)
{
    o->batch = o->batch ? o->batch : 64;
    o->rate = *o->rate ? o->rate : "2e-4";
    o->rate_d = *o->rate_d ? o->rate_d : "2e-4";
    o->beta1 = o->beta1 >= 0 ? o->beta1 : 0.5;
    o->steps = o->steps ? o->steps : 23438; /* 25 epochs of 60,000 images */
    o->d_steps = 1;
    o->d_batch = o->batch;
}

static dp_tensor *generate(train_run *run, dp_network *generator, dp_tensor *z)
{
    return gan_generate(run, generator, z, false, NULL);
}

static bool create(train_run *run)
{
    generate_run *own = run->own = calloc(1, sizeof *own);
    const train_options *o = &run->options;
    if (!own) {
        cli_error("out of memory");
        return false;
    }
    own->gan.apart = true;
    if (!train_data_open(run->device, o->data, o->side, o->limit, (uint64_t)o->seed, &run->data))
        return false;
    if (!run->data.images) {
        cli_error("--data %s: not images", o->data);
        return false;
    }
    if (!gan_open(run))
        return false;
    own->gan.hidden = train_representation(run, dp_network_layer_count(own->gan.g.network) - 2);
    if (own->gan.hidden < 0)
        return false;
    const dp_shape shape = dp_network_shape(own->gan.g.network, own->gan.hidden);
    own->side = (int)shape.dim[1];
    own->gan.units = shape.dim[1] * shape.dim[2];
    own->gan.auxiliary = &own->auxiliary;
    if (!auxiliary_open(run, o->batch, own->gan.units, shape.dim[0], &own->auxiliary))
        return false;
    if (auxiliary_needs_triplets(own->auxiliary.kind) || own->auxiliary.kind == AUXILIARY_SIMCLR) {
        cli_error(
            "--loss %s: compares samples by their class or their views, which generated ones do not have",
            o->loss);
        return false;
    }
    run->generate = generate;
    run->loss_name[2] = "auxiliary";
    run->losses = own->auxiliary.kind == AUXILIARY_NONE ? 2 : 3;
    return true;
}

static dp_status step(train_run *run)
{
    return gan_step(run);
}

static bool before_step(train_run *run)
{
    return auxiliary_before_step(run, &((generate_run *)run->own)->auxiliary);
}

static bool score(train_run *run, score_list *scores)
{
    return train_score_generator(run, gan_sampled(run), scores);
}

static bool draw_charges(train_run *run)
{
    const generate_run *own = run->own;
    dp_grad_pause(run->device);
    dp_tensor *z = train_sample_noise(run, 0, DRAWN),
              *hidden = dp_network_forward_range(gan_sampled(run), z, 0, own->gan.hidden, false);
    float *charges = train_charges(run, hidden),
          *images = charges ? train_samples(run, gan_sampled(run), DRAWN) : NULL;
    dp_grad_resume(run->device);
    const bool done =
        images && train_draw_charges(run, images, DRAWN, run->data.shape, charges, own->side, own->side);
    dp_tensor_release(&hidden);
    dp_tensor_release(&z);
    free(charges);
    free(images);
    return done;
}

static bool draw(train_run *run)
{
    return train_draw_generator(run, gan_sampled(run)) && draw_charges(run);
}

static void destroy(train_run *run)
{
    generate_run *own = run->own;
    if (own) {
        auxiliary_close(&own->auxiliary);
        gan_close(&own->gan);
    }
    free(own);
}

const atom_task atom_generate = {"generate", settle, create, step, before_step, score, draw, destroy};
