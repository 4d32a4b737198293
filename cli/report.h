#include "cli.h"
int report_command(int argc, char **argv);
