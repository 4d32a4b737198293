/* SPDX-License-Identifier: Apache-2.0 */
/* Golden values, made in double precision by an independent program from the inputs of golden_input(). */
#ifndef DP_TEST_GOLDEN_H
#define DP_TEST_GOLDEN_H

#define GOLDEN_ATOM_FORCE_P2          0.2979023499397374
#define GOLDEN_ATOM_FORCE_P1          0.19253665184086222
#define GOLDEN_ATOM_FORCE_P3          0.33556536223705846
#define GOLDEN_ATOM_FORCE_FULL        -0.05944279663012264
#define GOLDEN_ATOM_CHARGE            0.4355035177419521
#define GOLDEN_ATOM_PNUM              5.2791844389370635
#define GOLDEN_ATOM_TOTAL_0_02        0.12025180613237506
#define GOLDEN_HINGE_1                2.427861213684082
#define GOLDEN_HINGE_2                1.5815854695882494
#define GOLDEN_RANK_H                 2.5750532565547024
#define GOLDEN_SIMCSE_0_05            9.09764574392082
#define GOLDEN_SIMCSE_0_5             1.4241591456674985
#define GOLDEN_NTXENT_0_5             2.2724847141548405
#define GOLDEN_MIXCSE_0_05_0_2        9.651842454317636
#define GOLDEN_SSCL_0_5               0.579374277932787
#define GOLDEN_VQ_0_25                0.3486358072062639
#define GOLDEN_EIEG_V_N2              2.1614585246351963
#define GOLDEN_EIEG_U_N2              3.1918253779125836
#define GOLDEN_EIEG_VDIAG_N2          7.661458524635195
#define GOLDEN_EIEG_G_N2              -0.8120799449566221
#define GOLDEN_EIEG_D_STABA_N2        -1.3953312671460618
#define GOLDEN_EIEG_D_STABB_N2        -2.0469618531775824
#define GOLDEN_EIEG_D_STABC_N2        -1.1046340398968648
#define GOLDEN_FLOW_V_N2              131.10357944938048
#define GOLDEN_EIEG_V_N3              14.8873339684927
#define GOLDEN_EIEG_U_N3              18.868202732718096
#define GOLDEN_EIEG_VDIAG_N3          88.22066730182603
#define GOLDEN_EIEG_G_N3              12.654020577656727
#define GOLDEN_EIEG_D_STABA_N3        -14.169847099665642
#define GOLDEN_EIEG_D_STABB_N3        -14.786076547153545
#define GOLDEN_EIEG_D_STABC_N3        -13.800351163978123
#define GOLDEN_FLOW_V_N3              206.40698981063494
#define GOLDEN_EIEG_LOG_N1            -0.33610696239681404
#define GOLDEN_MMD2_RIESZ_SDIST       1.0432770185413696
#define GOLDEN_MMD2_PLUMMER           0.38451671322458747
#define GOLDEN_MMD2_LOG_SOFT          0.3889403899397105
#define GOLDEN_MMD2_ENERGY            0.5374556041493401
#define GOLDEN_MMD2_GAUSS             0.11256106449595027
#define GOLDEN_MMD2_LAPLACE           0.11792370129634311
#define GOLDEN_MMD2_IMQ               -0.03612440094568359
#define GOLDEN_MMD2_RQ                0.02162819405756422
#define GOLDEN_MMD2_STUDENT           -0.011395524547167524
#define GOLDEN_MMD2_MATERN32          0.1476132471025775
#define GOLDEN_MMD2_MATERN52          0.1448670910525246
#define GOLDEN_MMD2_WENDLAND_C2       0.36744243071814453
#define GOLDEN_MMD2_EPAN              0.12938521186694896
#define GOLDEN_MMD2_YUKAWA_SOFT       0.5406497049815744
#define GOLDEN_MMD2_LENNARD_JONES     -0.0005709996958361568
#define GOLDEN_ALIGN_2                1.3479242516674432
#define GOLDEN_UNIFORM_2              -2.9094280889094564
#define GOLDEN_VICREG                 55.117237309775014
#define GOLDEN_BARLOW                 0.6626850512598298
#define GOLDEN_TRIPLET_BH_0_2         1.0652324163549087
#define GOLDEN_TRIPLET_SOFT           1.222248798890432
#define GOLDEN_SUPCON_0_1             9.401294180916688
#define GOLDEN_CIRCLE_0_25_4          17.70986659153794
#define GOLDEN_TSNE                   0.28284411491283207
#define GOLDEN_CE                     1.5660200388547567
#define GOLDEN_POINCARE               1.3186309882878064
#define GOLDEN_ATOM_STATE_RADIUS      0.19287415862071802
#define GOLDEN_ATOM_LIKE_CHARGES      0.11731209623954073
#define GOLDEN_ATOM_UNLIKE_CHARGES    0.36106812990172266
#define GOLDEN_ATOM_PAIR_DISTANCE     1.3091687063750326
#define GOLDEN_ATOM_STATE_PAIR_RADIUS 0.2000494588513677
#define GOLDEN_FLOW_FIRST_N2                                                                                 \
    {                                                                                                        \
        -58.95168535690554, -13.93748072156334, -61.44253942503559                                           \
    }
#define GOLDEN_EIEG_V_GRADIENT_N2                                                                            \
    {                                                                                                        \
        3.374642216518822, 2.761448680956763, -1.7313539286956612                                            \
    }
#define GOLDEN_EIEG_V_GRADIENT_NORM_N2 5.287890477272346
#define GOLDEN_FLOW_FIRST_N3                                                                                 \
    {                                                                                                        \
        61.393592873924874, 94.12164941392075, 28.122498107505237                                            \
    }
#define GOLDEN_EIEG_V_GRADIENT_N3                                                                            \
    {                                                                                                        \
        49.65318550294584, 49.39427375926419, 49.90222908078025                                              \
    }
#define GOLDEN_EIEG_V_GRADIENT_NORM_N3 122.5436537146696
#define GOLDEN_ATOM_STATE_Q                                                                                  \
    {                                                                                                        \
        -0.2548474796587521, -0.7312929584362379, 0.31454256342393627, -0.06043973997911953,                 \
            0.020750881267140427                                                                             \
    }
#define GOLDEN_ATOM_STATE_MU                                                                                 \
    {                                                                                                        \
        0.8842081891047127, 0.9431450544315549, -0.02866745752886928                                         \
    }
#define GOLDEN_VQ_CODES                                                                                      \
    {                                                                                                        \
        1, 1, 3, 2, 1, 1                                                                                     \
    }

#endif
