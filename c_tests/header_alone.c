/* A header must stand alone in every standard of C and C++; compiled only, never run. */
#include HEADER
#include HEADER

shardspec_error header_error = SHARDSPEC_ERROR_INIT;
