/* The header must stand alone in every standard of C and C++; compiled only, never run. */
#include "shardspec.h"
#include "shardspec.h"

shardspec_error header_error = SHARDSPEC_ERROR_INIT;
