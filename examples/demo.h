/* What the two files of the demo share. */
#ifndef SHARDSPEC_EXAMPLES_DEMO_H
#define SHARDSPEC_EXAMPLES_DEMO_H

#include "shardspec.h"

/* The last refusal. */
extern shardspec_error err;

/* Every call's status is looked at here: a refusal is printed and ends the program. */
void must(shardspec_status status);

/* Memory that the caller frees. Without any left, the program ends. */
void *allocate(size_t size);

/* Two layouts that are no boxes. */
void show_layouts(void);

#endif
