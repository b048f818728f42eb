/* A DLPack whose structs have another layout: this must not compile. */
#include "shardspec.h"
#define uint16_t uint32_t
#include <dlpack/dlpack.h>
#undef uint16_t
#include "shardspec_dlpack.h"
