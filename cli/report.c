#include "report.h"
int report_command(int argc, char **argv) { (void)argc;(void)argv; return 1; }
