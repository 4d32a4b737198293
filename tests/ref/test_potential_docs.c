/* SPDX-License-Identifier: Apache-2.0 */
/* That docs/potentials.md, whose path is the argument, prints the table of potentials as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dipole/dipole.h>
#include <stdio.h>
#include <string.h>

static char text[65536];

/* That `part` stands in the row, which ends at a line's end. */
static void expect_raw(const char *row, const char *part)
{
    const char *found = strstr(row, part);
    if (!found || found > row + strcspn(row, "\n"))
        fail_msg("no \"%s\" in %.100s", part, row);
}

/* '|' is escaped in tables. */
static void expect(const char *row, const char *part)
{
    char escaped[1024];
    size_t used = 0;
    for (const char *at = part; *at && used + 3 < sizeof escaped; at++) {
        if (*at == '|')
            escaped[used++] = '\\';
        escaped[used++] = *at;
    }
    escaped[used] = '\0';
    expect_raw(row, escaped);
}

static void test_table(void **state)
{
    (void)state;
    size_t rows = 0, count = 0;
    for (const char *at = text; (at = strstr(at, "\n| `")); at++)
        rows++;
    for (; dp_potential_at(count); count++) {
        const dp_potential *potential = dp_potential_at(count);
        char start[64], part[512];
        snprintf(start, sizeof start, "\n| `%s` | ", potential->name);
        const char *row = strstr(text, start);
        if (!row)
            fail_msg("no row of %s", potential->name);
        row++;
        expect(row, potential->radial ? potential->radial : potential->formula);
        expect(row, potential->at_zero);
        expect(row, potential->source);
        expect_raw(row, potential->positive ? " | yes | " : " |  | ");
        for (int k = 0; k < dp_potential_parameter_count(potential); k++) {
            const dp_parameter *p = &potential->parameter[k];
            snprintf(part, sizeof part, "`%s` = %g%s%s, %g to %g: %s", p->name, p->value, *p->unit ? " " : "", p->unit, p->low,
                     p->high, p->meaning);
            expect(row, part);
        }
    }
    assert_int_equal(rows, count);
}

int main(int argc, char **argv)
{
    FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
    if (!file || fread(text, 1, sizeof text - 1, file) == 0) {
        fprintf(stderr, "usage: test_potential_docs docs/potentials.md\n");
        return 1;
    }
    fclose(file);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table)};
    return cmocka_run_group_tests_name("potential docs", tests, NULL, NULL);
}
