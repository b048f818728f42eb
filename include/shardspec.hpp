/* shardspec.hpp - the C interface in C++17. Destructors free handles. Errors are thrown or
 * returned. Texts and arrays are std::string and std::vector. Views are made from containers and
 * pointers.
 *
 *   auto spec = shardspec::spec::chunk(0, {"rank:0", "rank:1"});
 *   auto metadata = spec.build_metadata({5, 3});
 *   metadata.scatter(shardspec::view(full, {5, 3}), shards);
 *
 * The wrapper is header-only: include this file and link libshardspec. `shardspec.h` says what each
 * call does and which errors it returns. This file adds:
 *
 * - Errors. A call that fails throws `shardspec::error`. With `std::nothrow` as its last argument, the
 *   same call returns a `shardspec::result` instead, which holds the value or the error:
 *
 *     auto metadata = spec.build_metadata({5, 3}, {}, std::nothrow);
 *     if (!metadata) return metadata.error().status;
 *
 *   If exceptions are disabled, every call returns a result. Each call is a template of its last
 *   argument: `answer<T, P>` in its declaration is T or `result<T>`. The standard library allocates
 *   strings and vectors. It throws or ends the program if there is no memory.
 * - Handles. Objects such as `spec` and `metadata` own a handle of the C library. Such objects can
 *   be moved but not copied. An object that was moved from or default-constructed is empty. Calls
 *   refuse an empty object in the same way as NULL. `get()` returns the C handle.
 * - Arguments. An argument with several numbers, texts, shards or views may be a list in braces or
 *   any range of such elements. The call reads the argument before the call returns.
 * - Callbacks. Your functions that the library calls may be lambdas, and may throw. The C library
 *   then returns a status. The C++ call during which the function ran throws the same exception, or
 *   returns it as the `cause` of the error. */
#ifndef SHARDSPEC_HPP
#define SHARDSPEC_HPP

#include "shardspec/answer.hpp"
#include "shardspec/callback.hpp"
#include "shardspec/checkpoint.hpp"
#include "shardspec/checkpoint_write.hpp"
#include "shardspec/comm.hpp"
#include "shardspec/custom_spec.hpp"
#include "shardspec/dlpack.hpp"
#include "shardspec/draw.hpp"
#include "shardspec/mesh.hpp"
#include "shardspec/metadata.hpp"
#include "shardspec/op.hpp"
#include "shardspec/placement.hpp"
#include "shardspec/plan.hpp"
#include "shardspec/sharded_tensor.hpp"
#include "shardspec/shards.hpp"
#include "shardspec/spec.hpp"
#include "shardspec/transfer.hpp"
#include "shardspec/values.hpp"
#include "shardspec/view.hpp"

#endif
